"""Pauses for credits: workers' executions that go on by themselves once there are credits for them again.

A top-up, a raised cap and a new price all change what may begin, on whichever server they are made; so
nothing is told of them, a sweep looks. It takes a portion of what is paused for credits, the oldest first,
and queues what could begin now; the next look takes the portion after it, so that nobody's wait hides what
was made later, by others too. Executions of a `local` driver stay paused: a person runs them.

If the process dies before the commit, nothing was queued; after a restart the look begins with the oldest.
Two servers at once: each skips what the other has locked.
"""

from __future__ import annotations

from functools import partial

from omium.errors import CreditsExhausted, Problem
from omium.server.db.tx import Tx
from omium.server.engine import metering
from omium.server.engine.compensations import is_compensating
from omium.server.engine.transitions import move
from omium.server.store import effects, meters
from omium.server.store.executions import ExecutionRow
from omium.states import EventType, ExecutionStatus

LOOKED_AT = 200  # in one look
QUEUED_MAX = 20  # so many go on in one transaction


class CreditPauses:
    """Goes round what is paused for credits, a portion at a look."""

    def __init__(self, looked_at: int = LOOKED_AT) -> None:
        self._looked_at = looked_at
        self._after_id = ""

    def sweep(self, tx: Tx) -> int:
        """Queue up to `QUEUED_MAX` executions paused for credits that may begin; returns how many."""
        rows = meters.lock_out_of_credits(tx, self._after_id, self._looked_at)
        queued, refused = 0, set[tuple[str, str | None]]()
        after_id = rows[-1].id if len(rows) == self._looked_at else ""
        for row in rows:
            payer = (row.tenant_id, row.started_by)
            if payer in refused or not _is_free(tx, row):
                continue
            try:
                with tx.savepoint():
                    metering.refuse_exhausted(tx, row)
            except CreditsExhausted:  # whoever else waits for the same payer was made later
                refused.add(payer)
                continue
            except Problem:  # its own limit, or what it has used has no price: the others may still go on
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
                after_id = row.id
                break
        tx.after_commit(partial(self._go_on_after, after_id))
        return queued

    def _go_on_after(self, execution_id: str) -> None:
        self._after_id = execution_id


def _is_free(tx: Tx, row: ExecutionRow) -> bool:
    """Say whether only credits are in the way: nobody has to decide anything, nothing is being undone."""
    return not effects.list_unresolved(tx, row.id) and not is_compensating(tx, row)
