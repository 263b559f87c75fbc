"""Refusals: attempts that were turned away and matter, each in a transaction of its own, within bounds.

Owns the bound: of one actor, address and deed a few a minute are written, and how many were left out stands
in the next one, so that whoever is refused often fills neither the log nor the disk. Kept in memory: after a
restart the count begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from omium.clock import Clock
from omium.errors import Problem
from omium.logs import get_logger
from omium.server.audit.log import REFUSED, Actor, AuditLog, Detail
from omium.server.db.tx import Database

PER_MINUTE: Final = 10
IN_ALL_PER_MINUTE: Final = 300
MINUTE_US: Final = 60_000_000
REMEMBERED_MAX: Final = 10_000

log = get_logger(__name__)


@dataclass(slots=True)
class _Window:
    began_us: int
    written: int = 0
    left_out: int = 0


class Refusals:
    """Writes refused attempts; one for each server process."""

    def __init__(self, audit: AuditLog, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock
        self._windows: dict[tuple[str, str, str, str], _Window] = {}
        self._all = _Window(0)

    async def record(
        self,
        db: Database,
        actor: Actor,
        action: str,
        *,
        code: str,
        target: str = "",
        detail: Detail | None = None,
    ) -> bool:
        """Write that `actor` was refused `action` with the problem `code`; False if that was left out.

        Never raises a problem: a database that is busy or full must not change the answer.
        """
        key = (actor.tenant_id, actor.id, actor.address, action)
        left_out = self._admit(key)
        if left_out is None:
            return False
        told = dict(detail or {})
        if left_out:
            told["left_out_before"] = left_out
        try:
            await db.write(
                lambda tx: self._audit.record(
                    tx, actor, action, target=target, detail=told, result=REFUSED, code=code
                )
            )
        except Problem as problem:
            log.warning("a refusal was not audited", action=action, refused=code, code=problem.code)
            return False
        return True

    def _admit(self, key: tuple[str, str, str, str]) -> int | None:
        """Return how many were left out before this one, or None if this one is, too."""
        now_us = self._clock.boot_us()
        if now_us - self._all.began_us >= MINUTE_US:
            self._all = _Window(now_us)
        window = self._windows.get(key)
        if window is None or now_us - window.began_us >= MINUTE_US:
            if len(self._windows) >= REMEMBERED_MAX:
                self._windows.clear()
            window = self._windows[key] = _Window(now_us, left_out=window.left_out if window else 0)
        if window.written >= PER_MINUTE or self._all.written >= IN_ALL_PER_MINUTE:
            window.left_out += 1
            return None
        window.written += 1
        self._all.written += 1
        left_out, window.left_out = window.left_out, 0
        return left_out
