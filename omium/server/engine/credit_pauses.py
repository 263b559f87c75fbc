"""Pauses for credits: workers' executions that go on by themselves once there are credits for them again.

A top-up, a raised cap and a new price all change what may begin, on whichever server they are made; so
nothing is told of them, a sweep looks. It takes a portion of what is paused for credits, the oldest first,
and queues what could begin now. Executions of a `local` driver stay paused: a person runs them.

If the process dies before the commit, nothing was queued, and the next sweep looks again. Two servers at
once: each skips what the other has locked.
"""

from __future__ import annotations

from omium.errors import Problem
from omium.server.db.tx import Tx
from omium.server.engine import metering
from omium.server.engine.compensations import is_compensating
from omium.server.engine.transitions import move
from omium.server.store import effects, meters
from omium.server.store.executions import ExecutionRow
from omium.states import EventType, ExecutionStatus

LOOKED_AT = 200  # of the oldest, in one sweep
QUEUED_MAX = 20  # so many go on in one transaction


def sweep_credit_pauses(tx: Tx) -> int:
    """Queue up to `QUEUED_MAX` executions that were paused for credits and may begin; returns how many."""
    queued, refused = 0, set[tuple[str, str | None]]()
    for row in meters.lock_out_of_credits(tx, LOOKED_AT):
        payer = (row.tenant_id, row.started_by)
        if payer in refused:
            continue
        if not _may_go_on(tx, row):
            refused.add(payer)
            continue
        move(
            tx,
            row,
            ExecutionStatus.QUEUED,
            EventType.EXECUTION_QUEUED,
            data={"after": "credits"},
            lease_digest=None,
            worker_id=None,
        )
        queued += 1
        if queued == QUEUED_MAX:
            break
    return queued


def _may_go_on(tx: Tx, row: ExecutionRow) -> bool:
    if effects.list_unresolved(tx, row.id) or is_compensating(tx, row):
        return False
    try:
        with tx.savepoint():
            metering.refuse_exhausted(tx, row)
    except Problem:
        return False
    return True
