"""Money: proof that what executions were charged follows from what they did. For verify and tests.

    posted     the journal's entries for steps are the execution's price and that of its posted steps
    captured   what is not posted follows from the completed steps; nothing is, once it is not driven
    held       an open hold belongs to a running execution, and covers what is not posted
    usage      every charge for usage names a record that there is, and the meter's sum is the journal's

That balances follow from the journal is ledger/verify.py. Each execution is read in one snapshot, so this
runs beside a live server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from omium.server.db.tx import Database, Tx
from omium.server.engine.references import each_execution
from omium.server.ledger.tranches import pending_microcredits
from omium.server.store import charges as store
from omium.server.store import holds, meters
from omium.server.store.executions import find_execution
from omium.server.store.retention import RETIRED
from omium.states import ExecutionStatus

FINDINGS_MAX = 1_000


async def list_money_problems(db: Database) -> list[str]:
    """Return what is wrong with charges and holds of executions, as sentences, at most `FINDINGS_MAX`."""
    found = []
    async for text in _verify(db):
        found.append(text)
        if len(found) >= FINDINGS_MAX:
            found.append("There is more; these are the first.")
            break
    return found


async def _verify(db: Database) -> AsyncIterator[str]:
    async for row in each_execution(db):
        if row.covered_steps is not None:
            for text in await db.read(lambda tx, r=row: _check(tx, r.tenant_id, r.id)):  # type: ignore[misc]
                yield text
    for hold in await db.read(lambda tx: store.list_stray_holds(tx, FINDINGS_MAX)):
        yield f"I5: the hold {hold.id} for {hold.purpose} is open, and nothing runs for it."


def _check(tx: Tx, tenant_id: str, execution_id: str) -> list[str]:
    row = find_execution(tx, tenant_id, execution_id)
    meter = meters.find_meter(tx, execution_id)
    if row is None or row.covered_steps is None or row.reason == RETIRED:
        return []
    if meter is None:
        return [f"I4: {execution_id} is metered, and has no meter."]
    found = []
    charged = store.sum_charges(tx, tenant_id, execution_id)
    begun = meter.execution_microcredits if meter.posted_steps else 0
    derived = begun + meter.posted_steps * meter.step_microcredits
    if charged.steps_microcredits != derived:
        found.append(
            f"I4: {execution_id} was charged {charged.steps_microcredits} micro-credits for its steps; its"
            f" {meter.posted_steps} posted steps give {derived}."
        )
    if charged.steps_microcredits + charged.usage_microcredits != meter.charged_microcredits:
        found.append(
            f"I4: {execution_id} was charged {charged.steps_microcredits + charged.usage_microcredits}"
            f" micro-credits, its meter says {meter.charged_microcredits}."
        )
    if charged.unknown_reports:
        found.append(f"I4: {execution_id} was charged for {charged.unknown_reports} unknown reports.")
    runs = row.status == ExecutionStatus.RUNNING
    if meter.posted_steps > row.steps_completed or (not runs and meter.posted_steps < row.steps_completed):
        found.append(
            f"I4: {execution_id} is {row.status} with {row.steps_completed} completed steps,"
            f" {meter.posted_steps} of them in the journal."
        )
    hold = holds.find_open_hold(tx, tenant_id, execution_id)
    if hold is not None and not runs:
        found.append(f"I5: {execution_id} is {row.status} and still holds {hold.held_microcredits}.")
    pending = pending_microcredits(meter, row.steps_completed)
    stopping = row.suspend is not None or row.cancel_requested_us is not None
    if hold is not None and hold.held_microcredits < pending and not stopping:
        found.append(
            f"I4: {execution_id} holds {hold.held_microcredits} micro-credits for {pending} that it has used."
        )
    return found
