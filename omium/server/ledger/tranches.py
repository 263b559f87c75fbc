"""Tranches: what an execution sets aside while it runs, and how its steps become charges.

    open_tranche    when a driver is granted: execution price and tranche are set aside, or `CreditsExhausted`
    refill          at the end of the cover: more is set aside, or the reason why not
    close_tranche   when nobody drives it any more: what happened is charged, the rest comes back

A hold pays for a number of steps. A recorded step only counts (`executions.steps_completed`), so what is
captured but not yet in the journal follows from that count; the journal gets one entry for many steps, at the
latest after `POST_AFTER_STEPS` and whenever the hold ends. So a step that is covered costs no statement. Why:
docs/decisions/150-steps-are-captured-by-counting.md.

Every function runs in the transaction that begins, records or ends the work, under the lock of the
execution's row: if the process dies before the commit, neither the work nor its charge is there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from omium.errors import CreditsExhausted, LimitReached
from omium.money import format_credits
from omium.server.db.tx import Tx
from omium.server.ledger import holds
from omium.server.ledger.book import SERVER_ACTOR, About
from omium.server.ledger.prices import find_book
from omium.server.store import holds as hold_store
from omium.server.store import meters as store
from omium.server.store.meters import MeterRow

STEPS_PER_TRANCHE: Final = 10
POST_AFTER_STEPS: Final = 100
REPORTS_PER_TRANCHE: Final = 2
"""A tranche has room for so many reports of usage as large as the largest so far."""
UNLIMITED: Final = 2**62
"""The cover of an execution whose steps cost nothing."""

CREDITS: Final = "credits"
LIMIT: Final = "limit"


@dataclass(frozen=True, slots=True)
class Refilled:
    """Up to which step the hold pays now; `reason` says why not for another one (`CREDITS`, `LIMIT`)."""

    covered_steps: int
    reason: str | None = None


def make_meter(
    tx: Tx, tenant_id: str, execution_id: str, *, api_key_id: str | None, limit_microcredits: int | None
) -> MeterRow:
    """Return the meter of a new execution, with the prices that are in force; not stored yet."""
    book = find_book(tx)
    return MeterRow(
        execution_id=execution_id,
        tenant_id=tenant_id,
        api_key_id=api_key_id,
        price_version=book.version,
        execution_microcredits=book.execution_microcredits,
        step_microcredits=book.step_microcredits,
        tranche_microcredits=STEPS_PER_TRANCHE * book.step_microcredits,
        limit_microcredits=limit_microcredits,
        posted_steps=0,
        charged_microcredits=0,
    )


def pending_microcredits(meter: MeterRow, steps_completed: int) -> int:
    """Return what has happened and is not in the journal yet."""
    steps = steps_completed - meter.posted_steps
    begun = _begin_microcredits(meter) if steps_completed else 0
    return begun + steps * meter.step_microcredits


def opening_microcredits(meter: MeterRow) -> int:
    """Return what is set aside when a driver is granted; raises `LimitReached` where that is not enough.

    The execution's own limit makes it less, down to what the next step needs.
    """
    begin = _begin_microcredits(meter)
    amount = begin + meter.tranche_microcredits
    if meter.limit_microcredits is None:
        return amount
    left = meter.limit_microcredits - meter.charged_microcredits
    if left <= 0 or left < begin + meter.step_microcredits:
        raise LimitReached(
            f"{meter.execution_id} was charged {format_credits(meter.charged_microcredits)} of its limit of"
            f" {format_credits(meter.limit_microcredits)} credits, and the next step costs more than is"
            f" left; resume it with a higher limit: omium resume {meter.execution_id} --max-credits N",
            limit="max_microcredits",
            max_microcredits=meter.limit_microcredits,
        )
    return min(amount, left)


def covered_steps(meter: MeterRow, held_microcredits: int) -> int:
    """Return up to which completed step a hold of that size pays."""
    if not meter.step_microcredits:
        return UNLIMITED
    begin = _begin_microcredits(meter)
    return meter.posted_steps + max(0, held_microcredits - begin) // meter.step_microcredits


def refuse_exhausted(tx: Tx, meter: MeterRow) -> None:
    """Raise what `open_tranche` would raise now; nothing is set aside for what waits in a queue."""
    holds.refuse_exhausted(tx, meter.tenant_id, opening_microcredits(meter), api_key_id=meter.api_key_id)


def open_tranche(tx: Tx, meter: MeterRow, *, fresh: bool = False) -> int:
    """Set aside what the execution needs to go on, and return up to which step that pays.

    Raises `CreditsExhausted` or `LimitReached`; then nothing is set aside. `fresh`: it never had a hold.
    """
    amount = opening_microcredits(meter)
    if not amount:  # what is free may begin with nothing, but not on debts
        holds.refuse_exhausted(tx, meter.tenant_id, 0)
        return UNLIMITED
    hold = holds.place(
        tx, meter.tenant_id, meter.execution_id, amount, api_key_id=meter.api_key_id, fresh=fresh
    )
    return covered_steps(meter, hold.held_microcredits)


def refill(tx: Tx, meter: MeterRow, steps_completed: int) -> Refilled:
    """Set aside for the next steps, or say why that cannot be; never raises for the lack of credits."""
    if steps_completed - meter.posted_steps >= POST_AFTER_STEPS:
        meter = post_steps(tx, meter, steps_completed)
    hold = hold_store.find_open_hold(tx, meter.tenant_id, meter.execution_id)
    pending = pending_microcredits(meter, steps_completed)
    if hold is None:  # it was let in without one (a driver that returned), or was free so far
        return _open_again(tx, meter, steps_completed, pending)
    held = hold.held_microcredits
    wanted = pending + meter.tranche_microcredits - held
    if meter.limit_microcredits is not None:
        wanted = min(wanted, meter.limit_microcredits - meter.charged_microcredits - max(held, pending))
        if max(held, pending) + max(wanted, 0) - pending < max(meter.step_microcredits, 1):
            return Refilled(steps_completed, LIMIT)
    if wanted > 0:
        enlarged = holds.enlarge(tx, meter.tenant_id, meter.execution_id, wanted)
        if enlarged is None:
            covered = min(covered_steps(meter, held), steps_completed)
            return Refilled(covered, CREDITS)
        held = enlarged.held_microcredits
    covered = covered_steps(meter, held)
    return Refilled(covered, None if covered > steps_completed else CREDITS)


def close_tranche(tx: Tx, execution_id: str, steps_completed: int) -> None:
    """Charge what is pending and give back the rest of the hold. A second call finds nothing to do."""
    meter = store.find_meter(tx, execution_id)
    assert meter is not None, f"{execution_id} is metered, so it has a meter"
    amount = pending_microcredits(meter, steps_completed)
    holds.finish(
        tx,
        meter.tenant_id,
        execution_id,
        amount,
        _about(meter, steps_completed),
        once=_once(meter),
    )
    if steps_completed != meter.posted_steps:
        _note_posted(tx, meter, steps_completed, amount)


def post_steps(tx: Tx, meter: MeterRow, steps_completed: int) -> MeterRow:
    """Charge what is pending from the hold, and return the meter after it."""
    amount = pending_microcredits(meter, steps_completed)
    if amount:
        holds.spend(
            tx,
            meter.tenant_id,
            meter.execution_id,
            amount,
            _about(meter, steps_completed),
            once=_once(meter),
        )
    if steps_completed == meter.posted_steps:
        return meter
    return _note_posted(tx, meter, steps_completed, amount)


def charge_usage(
    tx: Tx,
    meter: MeterRow,
    steps_completed: int,
    amount_microcredits: int,
    about: About,
    *,
    once: str,
    running: bool,
) -> Refilled:
    """Charge reported usage at once, fill the tranche up again, and say up to which step it pays now.

    Never refused. From then on the tranche has room for reports of that size.
    """
    meter = post_steps(tx, meter, steps_completed)
    tranche = max(meter.tranche_microcredits, REPORTS_PER_TRANCHE * amount_microcredits)
    meter = replace(
        meter,
        tranche_microcredits=tranche,
        charged_microcredits=meter.charged_microcredits + amount_microcredits,
    )
    begin = _begin_microcredits(meter)
    target, reason = (begin + tranche if running else 0), CREDITS
    if meter.limit_microcredits is not None:
        left = max(0, meter.limit_microcredits - meter.charged_microcredits)
        if left < max(begin + meter.step_microcredits, 1):
            reason = LIMIT
        target = min(target, left)
    hold = hold_store.find_open_hold(tx, meter.tenant_id, meter.execution_id)
    if hold is not None and hold.held_microcredits < amount_microcredits:  # one entry, if it can be
        missing = amount_microcredits - hold.held_microcredits
        holds.enlarge(tx, meter.tenant_id, meter.execution_id, missing)
    spent = holds.spend(
        tx,
        meter.tenant_id,
        meter.execution_id,
        amount_microcredits,
        about,
        refill_to_microcredits=target,
        once=once,
    )
    store.update_meter(tx, meter)
    if spent.held_microcredits < target or reason == LIMIT:
        return Refilled(steps_completed, reason)
    return Refilled(covered_steps(meter, spent.held_microcredits))


def _begin_microcredits(meter: MeterRow) -> int:
    """Return what the first step costs on top, as long as that is not in the journal."""
    return meter.execution_microcredits if meter.posted_steps == 0 else 0


def _open_again(tx: Tx, meter: MeterRow, steps_completed: int, pending: int) -> Refilled:
    if pending:
        meter = post_steps(tx, meter, steps_completed)
    try:
        covered = open_tranche(tx, meter)
    except CreditsExhausted:
        return Refilled(steps_completed, CREDITS)
    except LimitReached:
        return Refilled(steps_completed, LIMIT)
    return Refilled(covered)


def _note_posted(tx: Tx, meter: MeterRow, steps_completed: int, amount: int) -> MeterRow:
    meter = replace(
        meter,
        posted_steps=steps_completed,
        charged_microcredits=meter.charged_microcredits + amount,
    )
    store.update_meter(tx, meter)
    return meter


def _once(meter: MeterRow) -> str:
    """Return the natural key of the charge for the steps after those that are posted."""
    return f"steps:{meter.execution_id}:{meter.posted_steps}"


def _about(meter: MeterRow, steps_completed: int) -> About:
    steps = steps_completed - meter.posted_steps
    note = f"{steps} step{'' if steps == 1 else 's'}"
    return About(
        actor_id=meter.api_key_id or SERVER_ACTOR,
        api_key_id=meter.api_key_id,
        execution_id=meter.execution_id,
        price_version=meter.price_version,
        note=f"the execution, {note}" if meter.posted_steps == 0 else note,
    )
