"""Timers: what waits until a time is queued when it has come; once, because that ends the waiting.

Wall time: a clock that an operator steps moves timers, never leases. A sweep that comes late or on several
servers at once fires each timer once all the same.
"""

from __future__ import annotations

from omium.server.db.tx import Tx
from omium.server.engine.transitions import move
from omium.server.store.requests import lock_due
from omium.states import EventType, ExecutionStatus

SWEEP_ROWS = 100


def sweep_timers(tx: Tx, limit: int = SWEEP_ROWS) -> int:
    """Queue up to `limit` executions whose timer is due; return how many."""
    due = lock_due(tx, tx.now_us, limit)
    for row in due:
        move(
            tx,
            row,
            ExecutionStatus.QUEUED,
            EventType.EXECUTION_QUEUED,
            data={"after": row.reason},
            lease_digest=None,
            worker_id=None,
        )
    return len(due)
