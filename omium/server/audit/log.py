"""AuditLog: writes an entry in the transaction of what it tells.

    server.audit.record(tx, Actor.of(principal, address), "key.created", target=key_id, detail={"name": name})

Mostly nobody calls it: `@endpoint(..., audit="key.created")` has `Call.write` and `Call.mutate` do so after
the handler's own work. Call it as the last thing of a transaction, since the tenant's mutations wait for each
other from here to the commit. The process dies before the commit: neither the deed nor the entry is there. A
work that is run again writes its entry afresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from omium.jsonvalue import canonical_bytes
from omium.safetext import safe_text
from omium.server.audit.chain import link_entry
from omium.server.db.tx import Tx
from omium.server.principal import Principal, PrincipalKind
from omium.server.seal import KeyFile
from omium.server.store import audit_log as store
from omium.server.store.audit_log import SYSTEM, EntryRow

DONE: Final = "done"
REFUSED: Final = "refused"
_TEXT_MAX: Final = 200

Detail = Mapping[str, str | int | bool | None]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where. `tenant_id` names the chain, `SYSTEM` where nobody's tenant is concerned."""

    tenant_id: str
    kind: str
    id: str
    address: str = ""
    user_agent: str = ""
    request_id: str = ""

    @classmethod
    def of(cls, principal: Principal, address: str = "", user_agent: str = "", request_id: str = "") -> Actor:
        """Return `principal` as it acts from `address`."""
        return cls(
            tenant_id=principal.tenant_id or SYSTEM,
            kind=principal.kind.value,
            id=principal.id,
            address=address,
            user_agent=user_agent,
            request_id=request_id,
        )

    @classmethod
    def server(cls, tenant_id: str = SYSTEM) -> Actor:
        """Return the server itself: sweeps, commands on its own machine."""
        return cls(tenant_id, PrincipalKind.SERVER.value, "server")


class AuditLog:
    """Writes the audit log of one server."""

    def __init__(self, key_file: KeyFile) -> None:
        self._key_file = key_file

    def record(
        self,
        tx: Tx,
        actor: Actor,
        action: str,
        *,
        target: str = "",
        detail: Detail | None = None,
        result: str = DONE,
        code: str = "",
    ) -> EntryRow:
        """Append that `actor` did `action` (`noun.past_verb`) to `target`; nothing secret in `detail`."""
        head = store.lock_head(tx, actor.tenant_id)
        row = EntryRow(
            tenant_id=actor.tenant_id,
            seq=head.last_seq + 1,
            at_us=tx.now_us,
            actor_kind=actor.kind,
            actor_id=_cut(actor.id),
            action=action,
            target=_cut(target),
            result=result,
            code=code,
            address=_cut(actor.address),
            user_agent=_cut(actor.user_agent),
            request_id=_cut(actor.request_id),
            detail=canonical_bytes(dict(detail or {})),
            previous=head.digest,
            digest=b"",
            mac=b"",
        )
        row = link_entry(self._key_file, row)
        store.append_entry(tx, row)
        return row


def _cut(text: str) -> str:
    """Return what of somebody else's `text` is kept: no control characters, and not all of a long one."""
    return safe_text(text)[:_TEXT_MAX]
