"""Facts: what happened that a tenant may want to be told, written where it happens.

    note_fact(tx, AlertKind.BREAKER_OPENED, tenant_id, subject=name, environment="prod", text="…")

One insert, in the transaction that makes it a fact, and only if the tenant has a rule at all: it takes no
lock, and costs next to nothing where nobody wants to be told. The process dies before the commit: neither
happened. `once` names a fact for good: the second one of the same name is dropped.
"""

from __future__ import annotations

from omium.safetext import safe_text
from omium.server.db.tx import Tx
from omium.server.store import alerts as store
from omium.server.store.alerts import FactRow
from omium.states import AlertKind

TEXT_MAX = 300


def note_fact(
    tx: Tx,
    kind: AlertKind,
    tenant_id: str,
    *,
    subject: str,
    text: str,
    environment: str | None = None,
    workflow: str | None = None,
    once: str | None = None,
) -> None:
    """Note that `text`, a sentence without anything secret, is so of `subject` (an id or a name)."""
    store.insert_fact(
        tx,
        FactRow(
            id=tx.new_id("af"),
            tenant_id=tenant_id,
            kind=kind.value,
            environment=environment,
            workflow=workflow,
            subject=safe_text(subject)[:TEXT_MAX],
            text=safe_text(text)[:TEXT_MAX],
            at_us=tx.now_us,
        ),
        once,
    )
