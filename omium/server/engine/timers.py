"""Timers: what waits until a time goes on when it has come; once, because that ends the waiting.

It is queued for a worker. A `local` execution that no worker serves now is paused instead: in a queue that
nobody looks at it would be gone, and its own process has ended (docs/decisions/081-timers-of-scripts.md).

Wall time: a clock that an operator steps moves timers, never leases. A sweep that comes late or on several
servers at once fires each timer once all the same.
"""

from __future__ import annotations

from omium.server.db.tx import Tx
from omium.server.engine.policy import Policy
from omium.server.engine.runners import is_served
from omium.server.engine.transitions import move
from omium.server.store.executions import ExecutionRow
from omium.server.store.requests import lock_due
from omium.states import Driver, EventType, ExecutionStatus, PausedReason

SWEEP_ROWS = 100


def sweep_timers(tx: Tx, policy: Policy, limit: int = SWEEP_ROWS) -> int:
    """End the waiting of up to `limit` executions whose timer is due; return how many."""
    due = lock_due(tx, tx.now_us, limit)
    for row in due:
        end_waiting(tx, row, policy)
    return len(due)


def end_waiting(tx: Tx, row: ExecutionRow, policy: Policy) -> None:
    """Let an execution go on, whose row is locked: what it has waited for is there."""
    if row.driver == Driver.WORKER or is_served(tx, row, policy):
        _leave(tx, row, ExecutionStatus.QUEUED, EventType.EXECUTION_QUEUED, None)
    else:
        _leave(tx, row, ExecutionStatus.PAUSED, EventType.EXECUTION_PAUSED, PausedReason.OPERATOR)


def _leave(
    tx: Tx, row: ExecutionRow, to: ExecutionStatus, event: EventType, reason: PausedReason | None
) -> None:
    move(
        tx,
        row,
        to,
        event,
        reason=reason.value if reason else None,
        data={"after": row.reason},
        lease_digest=None,
        worker_id=None,
    )
