"""Charges for usage: each report is priced once, charged once, and tied to its entry in the journal.

A report that the book has no price for, and that it refuses (`unknown_model = "refuse"`), has happened all
the same: it's recorded, stands in `unpriced_usage`, and its execution begins nothing more until the book
knows the model; then it is charged by that version. Nothing is free in silence:
docs/decisions/151-usage-without-a-price.md.
"""

from __future__ import annotations

from omium.errors import UnknownPrice
from omium.pricing.book import PriceBook, Priced
from omium.server.db.tx import Tx
from omium.server.ledger import holds, tranches
from omium.server.ledger.book import About
from omium.server.ledger.prices import find_book
from omium.server.store import meters
from omium.server.store.executions import ExecutionRow, lock_if_there
from omium.server.store.meters import MeterRow, UnpricedRow
from omium.server.store.usage import UsageRow, find_usage
from omium.states import ExecutionStatus

PORTION = 50


def charge_report(tx: Tx, usage: UsageRow, row: ExecutionRow | None, *, actor_id: str) -> int:
    """Charge a usage record that was just stored; returns the microcredits. `row`: its execution, locked.

    Without an execution the reporting key pays. Never refused. An execution that cannot go on afterwards is
    left at the end of its cover, where its driver is told.
    """
    meter = meters.find_meter(tx, row.id) if row is not None else None
    book = find_book(tx)
    try:
        priced = _price(book, usage)
    except UnknownPrice:
        meters.insert_unpriced(
            tx, UnpricedRow(usage.tenant_id, usage.id, usage.execution_id, book.version, usage.at_us)
        )
        if row is not None and row.status == ExecutionStatus.RUNNING:
            meters.set_covered(tx, row.id, row.steps_completed)
        return 0
    _charge(tx, usage, row, meter, priced, actor_id)
    return priced.microcredits


def charge_late(tx: Tx, execution: ExecutionRow) -> str | None:
    """Charge what of a locked execution's usage has a price by now; return what is still without one."""
    while waiting := meters.list_unpriced(tx, execution.id, PORTION):  # what is charged waits no more
        book = find_book(tx)
        for each in waiting:
            unpriced = _charge_waiting(tx, each, book, execution)
            if unpriced is not None:
                return _name(unpriced)
    return None


def sweep_unpriced(tx: Tx, limit: int = PORTION) -> int:
    """Charge usage that a newer book has a price for; returns how many records were looked at.

    What an execution used is charged, too, when retention has removed it. Lock order: all executions, by id,
    before any tenant's funds, as whoever records a step.
    """
    book = find_book(tx)
    waiting = meters.list_untried(tx, book.version, limit)
    named = {(each.execution_id, each.tenant_id) for each in waiting if each.execution_id is not None}
    executions = {name: lock_if_there(tx, tenant_id, name) for name, tenant_id in sorted(named)}
    for each in sorted(waiting, key=lambda row: (row.tenant_id, row.execution_id or "", row.usage_id)):
        execution = executions[each.execution_id] if each.execution_id is not None else None
        _charge_waiting(tx, each, book, execution)
    return len(waiting)


def refuse_unpriced(tx: Tx, execution: ExecutionRow) -> None:
    """Raise `UnknownPrice` while usage of the locked execution waits for a price; charge what has one."""
    name = charge_late(tx, execution)
    if name is not None:
        raise UnknownPrice(
            f"{execution.id} has used {name}, for which the price book has no price; add one with"
            " `omium prices edit`, then resume it.",
            execution_id=execution.id,
        )


def _charge_waiting(
    tx: Tx, waiting: UnpricedRow, book: PriceBook, execution: ExecutionRow | None
) -> UsageRow | None:
    """Charge a record that has waited, unless the book has no price for it: then return it."""
    usage = find_usage(tx, waiting.tenant_id, waiting.usage_id)
    if usage is None:  # retention of usage records: nothing can be charged any more
        meters.delete_unpriced(tx, waiting)
        return None
    try:
        priced = _price(book, usage)
    except UnknownPrice:
        meters.note_tried(tx, waiting, book.version)
        return usage
    if meters.delete_unpriced(tx, waiting):
        meter = meters.find_meter(tx, execution.id) if execution is not None else None
        _charge(tx, usage, execution, meter, priced, usage.api_key_id)
    return None


def _charge(
    tx: Tx,
    usage: UsageRow,
    row: ExecutionRow | None,
    meter: MeterRow | None,
    priced: Priced,
    actor_id: str,
) -> None:
    if not priced.microcredits:
        return
    about = About(
        actor_id=actor_id,
        api_key_id=meter.api_key_id if meter is not None else usage.api_key_id,
        execution_id=usage.execution_id,
        path=usage.path,
        price_version=priced.price_version,
        reference=usage.id,
        note=_name(usage),
    )
    once = f"usage:{usage.id}"
    if row is None or meter is None:
        holds.spend(tx, usage.tenant_id, once, priced.microcredits, about, once=once)
        return
    running = row.status == ExecutionStatus.RUNNING
    refilled = tranches.charge_usage(
        tx, meter, row.steps_completed, priced.microcredits, about, once=once, running=running
    )
    if running:
        meters.set_covered(tx, row.id, refilled.covered_steps)


def _price(book: PriceBook, usage: UsageRow) -> Priced:
    return book.price_usage(
        provider=usage.provider,
        model=usage.model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        calls=usage.calls,
    )


def _name(usage: UsageRow) -> str:
    return "/".join(filter(None, (usage.provider, usage.model))) or "usage without a model"
