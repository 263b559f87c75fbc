"""Deeds: what the audit log will tell of one call, and how that gets into the call's own transaction.

Owns the value and the database wrapper that appends the entry to the first write. Which endpoints have deeds,
and what happens with refusals, is audited.py's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from omium.server.audit import Actor, AuditLog
from omium.server.db.forwarding import ForwardingDatabase
from omium.server.db.tx import Database, Tx

T = TypeVar("T")


@dataclass(slots=True)
class Deed:
    """What the audit log will tell of a call; `written` once a transaction with it was committed."""

    audit: AuditLog
    action: str
    actor: Actor
    target: str
    target_field: str | None = None  # of what the work returns
    detail: dict[str, str | int | bool | None] = field(default_factory=dict)
    written: bool = False

    def write(self, tx: Tx, result: object = None) -> None:
        """Append the entry: the last thing of its transaction, because others wait for the chain's head."""
        target = self.target
        if self.target_field is not None:
            target = str(getattr(result, self.target_field, target))
        self.audit.record(tx, self.actor, self.action, target=target, detail=self.detail)

    def after(self, work: Callable[[Tx], T]) -> Callable[[Tx], T]:
        """Return `work` followed by the entry."""

        def audited(tx: Tx) -> T:
            result = work(tx)
            self.write(tx, result)
            return result

        return audited


class AuditedDatabase(ForwardingDatabase):
    """A `Database` whose first write carries the entry of `deed`; the pages that follow it do not."""

    def __init__(self, db: Database, deed: Deed) -> None:
        super().__init__(db)
        self._deed = deed

    async def write(self, work: Callable[[Tx], T]) -> T:
        if self._deed.written:
            return await self._db.write(work)
        result = await self._db.write(self._deed.after(work))
        self._deed.written = True
        return result
