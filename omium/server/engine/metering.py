"""Metering: where the engine meets the ledger. An execution has an open hold exactly as long as it runs.

Owns when that is: `start_meter` where one is made, `come_in` and `go_out` where its status changes
(transitions.py calls them), `settle` at the end of its cover. What a hold is stands in ledger/tranches.py.

Nobody is told 402 for what has happened: only beginnings raise `CreditsExhausted`, `LimitReached` or
`UnknownPrice`. A driver whose hold cannot be filled up hears it with its next answer (`suspend`), and stops
before its next step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from omium.errors import CreditsExhausted, LimitReached, UnknownPrice
from omium.models.execution import Cost, ResumeExecution, StepCost
from omium.money import format_credits
from omium.server.db.tx import Tx
from omium.server.ledger import charges, tranches
from omium.server.principal import Principal
from omium.server.store import meters as store
from omium.server.store.charges import list_free_steps, list_path_charges
from omium.server.store.executions import ExecutionRow
from omium.server.store.holds import find_open_hold
from omium.server.store.meters import MeterRow
from omium.states import PausedReason

UNPRICED_SHOWN: Final = 100
REFUSALS: Final = (CreditsExhausted, LimitReached, UnknownPrice)
"""Why an execution that is metered may not begin or go on."""


def make_meter(
    tx: Tx,
    principal: Principal,
    execution_id: str,
    limit_microcredits: int | None,
    parent: ExecutionRow | None = None,
) -> MeterRow:
    """Return the meter of a new execution. A child's payer is its parent's, whoever drives that."""
    above = store.find_meter(tx, parent.id) if parent is not None else None
    return tranches.make_meter(
        tx,
        principal.tenant_id,
        execution_id,
        api_key_id=above.api_key_id if above is not None else principal.api_key_id,
        limit_microcredits=limit_microcredits,
    )


def start_meter(tx: Tx, row: ExecutionRow, meter: MeterRow, *, runs: bool, happened: bool = False) -> None:
    """Store the meter of an execution that was just inserted, and set aside what it begins with.

    What is queued holds nothing; it's only refused where it could not begin now. `happened` says that it
    began while the server was away, so it is not refused any more.
    """
    store.insert_meter(tx, meter)
    if not runs:
        tranches.refuse_exhausted(tx, meter)
        return
    try:
        covered = tranches.open_tranche(tx, meter, fresh=True)
    except REFUSALS:
        if not happened:
            raise
        covered = 0
    if covered != row.covered_steps:
        store.set_covered(tx, row.id, covered)


def first_cover(meter: MeterRow) -> int:
    """Return the cover that `start_meter` gives an execution that runs at once; 0 where that refuses it."""
    try:
        return tranches.covered_steps(meter, tranches.opening_microcredits(meter))
    except LimitReached:  # whether that matters is known once the execution is found to be new
        return 0


def come_in(tx: Tx, row: ExecutionRow, *, otherwise: int | None) -> int:
    """Set aside what `row` needs to run; returns its cover.

    Where that cannot be, returns `otherwise`, or raises one of `REFUSALS` if that is None.
    """
    meter = store.find_meter(tx, row.id)
    assert meter is not None, f"{row.id} is metered, so it has a meter"
    try:
        if row.epoch:
            charges.refuse_unpriced(tx, row)
            meter = store.find_meter(tx, row.id) or meter
        covered = tranches.open_tranche(tx, meter)
    except REFUSALS:
        if otherwise is None:
            raise
        covered = otherwise
    store.set_covered(tx, row.id, covered)
    return covered


def go_out(tx: Tx, row: ExecutionRow) -> None:
    """Charge what `row` has done, and give back what is left of its hold."""
    tranches.close_tranche(tx, row.id, row.steps_completed)


def refuse_exhausted(tx: Tx, row: ExecutionRow) -> None:
    """Raise one of `REFUSALS` where the execution could not go on now; sets nothing aside."""
    if row.covered_steps is None:
        return
    charges.refuse_unpriced(tx, row)
    meter = store.find_meter(tx, row.id)
    assert meter is not None, f"{row.id} is metered, so it has a meter"
    tranches.refuse_exhausted(tx, meter)


def raise_limit(tx: Tx, row: ExecutionRow, command: ResumeExecution) -> None:
    """Give the execution the limit of credits that a resume asks for."""
    meter = store.find_meter(tx, row.id) if command.max_microcredits is not None else None
    if meter is not None:
        store.update_meter(tx, replace(meter, limit_microcredits=command.max_microcredits))


def read_cost(tx: Tx, row: ExecutionRow) -> Cost | None:
    """Return what the execution costs so far; None where it is not metered."""
    meter = store.find_meter(tx, row.id)
    if meter is None:
        return None
    pending = tranches.pending_microcredits(meter, row.steps_completed)
    hold = find_open_hold(tx, row.tenant_id, row.id)
    charged = meter.charged_microcredits + pending
    paths = list_path_charges(tx, row.tenant_id, row.id)
    return Cost(
        charged_microcredits=charged,
        usage_microcredits=sum(each.microcredits for each in paths),
        held_microcredits=max(0, hold.held_microcredits - pending) if hold is not None else 0,
        limit_microcredits=meter.limit_microcredits,
        credits=format_credits(charged).replace(",", ""),
        price_version=meter.price_version,
        step_microcredits=meter.step_microcredits,
        free_steps=list_free_steps(tx, row.id),
        steps=[StepCost(key=each.path, microcredits=each.microcredits) for each in paths if each.path],
        unpriced_reports=len(store.list_unpriced(tx, row.id, UNPRICED_SHOWN)),
    )


def reason_of(problem: Exception) -> PausedReason:
    """Return why an execution is paused that may not go on because of `problem`, one of `REFUSALS`."""
    return PausedReason.LIMIT if isinstance(problem, LimitReached) else PausedReason.CREDITS


def at_end_of_cover(row: ExecutionRow) -> bool:
    """Say whether a running execution needs more credits before its next step; costs nothing."""
    return row.covered_steps is not None and row.steps_completed >= row.covered_steps


def refill(tx: Tx, row: ExecutionRow) -> tuple[ExecutionRow, dict[str, object] | None]:
    """Set aside for the next steps of a running execution; facts about why not, if that cannot be."""
    facts: dict[str, object] | None = None
    unpriced = charges.charge_late(tx, row)
    meter = store.find_meter(tx, row.id)
    assert meter is not None, f"{row.id} is metered, so it has a meter"
    if unpriced is not None:
        return row, {"because": "price", "model": unpriced}
    refilled = tranches.refill(tx, meter, row.steps_completed)
    if refilled.reason is not None:
        facts = {"because": refilled.reason}
    store.set_covered(tx, row.id, refilled.covered_steps)
    return replace(row, covered_steps=refilled.covered_steps), facts
