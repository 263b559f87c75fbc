"""Alerting: the sweeps that make facts, and those that make messages of them.

Owns how what the ledger and the engine notice becomes a fact to be alerted of. Sending is the deliverer's
(alerts/deliver.py), which runs beside the sweeps because it waits for others.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from omium.money import format_credits
from omium.server.alerts import gather
from omium.server.alerts.facts import note_fact
from omium.server.audit.anchors import EVERY_S, Anchors
from omium.server.background.runner import Sweep
from omium.server.db.tx import Tx
from omium.server.engine.policy import Policy
from omium.server.engine.unserved import QUEUES_MAX, UnservedWork
from omium.server.ledger import caps, state
from omium.server.ledger.caps import KeyNotice, KeyNoticeKind
from omium.server.ledger.state import CreditsState
from omium.states import AlertKind

LOW_ROWS: Final = 50
_KIND_OF_KEY: Final = {
    KeyNoticeKind.SOFT_CAP: AlertKind.KEY_SOFT_CAP,
    KeyNoticeKind.CAP_REACHED: AlertKind.KEY_CAP_REACHED,
    KeyNoticeKind.EXPIRED: AlertKind.KEY_EXPIRED,
}


def list_alert_sweeps(policy: Policy) -> list[Sweep]:
    """Return what has to do with alerts and with the audit log."""
    return [
        Sweep("low credits", 10.0, partial(state.sweep_low, limit=LOW_ROWS, tell=tell_credits), LOW_ROWS),
        Sweep("caps that were reached", 10.0, partial(caps.sweep_crossings, tell=tell_key), caps.SWEEP_ROWS),
        Sweep("expired keys", 60.0, partial(caps.sweep_expired, tell=tell_key), caps.SWEEP_ROWS),
        Sweep("unserved work", 60.0, UnservedWork(policy).sweep, QUEUES_MAX),
        Sweep("alerts to gather", 1.0, gather.gather_facts, gather.PORTION_ROWS),
        Sweep("old alerts", 300.0, gather.sweep_old, gather.PORTION_ROWS),
        Sweep("audit heads", EVERY_S, Anchors().tell),
    ]


def tell_key(tx: Tx, notice: KeyNotice) -> None:
    """Note what is to be told of a key, in the transaction that notes that it was told."""
    note_fact(
        tx,
        _KIND_OF_KEY[notice.kind],
        notice.tenant_id,
        subject=notice.api_key_id,
        text=notice.text,
        environment=notice.environment,
        once=notice.once,
    )


def tell_credits(tx: Tx, tenant_id: str, credits_state: CreditsState) -> None:
    """Note that a tenant's credits are low; that they are not any more is no news."""
    if not credits_state.is_low:
        return
    available = format_credits(credits_state.available_microcredits)
    note_fact(
        tx,
        AlertKind.CREDITS_LOW,
        tenant_id,
        subject=tenant_id,
        text=f"{available} credits are left."
        if not credits_state.is_exhausted
        else "No credits are left: nothing new begins.",
    )
