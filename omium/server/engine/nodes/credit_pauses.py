"""Pauses for credits: executions of specs that go on by themselves once there are credits for them again.

As engine/credit_pauses.py does for workers: a look takes a portion of what is paused, the oldest first, and
the next look goes on behind it. If the process dies before the commit, nothing has gone on. Two servers at
once: each skips what the other has locked.
"""

from __future__ import annotations

from functools import partial

from omium.errors import Problem
from omium.server.db.tx import Tx
from omium.server.engine import metering
from omium.server.engine.nodes.going_on import resume_run
from omium.server.engine.parts import EngineParts
from omium.server.engine.transitions import move
from omium.server.store import due, effects
from omium.states import EventType, ExecutionStatus

LOOKED_AT = 50


class NodeCreditPauses:
    """Goes round executions of specs that are paused for credits."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._after_id = ""

    def sweep(self, tx: Tx) -> int:
        """Let the first execution that may go on do so; returns how many there were, 0 or 1."""
        rows = due.lock_out_of_credits(tx, self._after_id, LOOKED_AT)
        after_id = rows[-1].id if len(rows) == LOOKED_AT else ""
        gone_on = 0
        for row in rows:
            if effects.list_unresolved(tx, row.id):
                continue
            try:
                with tx.savepoint():
                    metering.refuse_exhausted(tx, row)
                    moved = move(
                        tx,
                        row,
                        ExecutionStatus.RUNNING,
                        EventType.EXECUTION_RESUMED,
                        data={"after": "credits"},
                    )
            except Problem:
                continue
            resume_run(tx, self._parts, moved)
            gone_on, after_id = 1, row.id
            break
        tx.after_commit(partial(self._go_on_after, after_id))
        return gone_on

    def _go_on_after(self, execution_id: str) -> None:
        self._after_id = execution_id
