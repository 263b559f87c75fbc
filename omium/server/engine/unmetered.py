"""Taking executions off metering: what a server does first that was started with metering switched off.

What they have done so far is charged, what they hold comes back; from then on nothing is held or charged. In
portions, the next one after the last id; if the process dies in between, the next start goes on.
"""

from __future__ import annotations

from omium.server.db.tx import Database, Tx
from omium.server.engine import metering
from omium.server.store import meters
from omium.states import ExecutionStatus

PORTION = 100


async def end_metering(db: Database) -> None:
    """Take every execution off metering that may still go on."""
    for failed in (False, True):
        after = ""
        while last := await db.write(lambda tx, a=after, f=failed: end_portion(tx, a, failed=f)):  # type: ignore[misc]
            after = last


def end_portion(tx: Tx, after_id: str, *, failed: bool) -> str:
    """Take up to `PORTION` executions off metering; returns the last one's id, empty when none was left."""
    rows = meters.lock_metered(tx, after_id, PORTION, failed=failed)
    for row in rows:
        if row.status == ExecutionStatus.RUNNING:
            metering.go_out(tx, row)
        meters.set_covered(tx, row.id, None)
    return rows[-1].id if rows else ""
