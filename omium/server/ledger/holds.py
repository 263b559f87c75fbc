"""Holds: credits set aside before work begins, spent as it goes on, given back at its end.

    place     sets aside, or raises `CreditsExhausted`: of the tenant, or within the key's cap
    enlarge   sets more aside, as long as the work goes on
    spend     charges what has happened out of the hold, and fills it up again for what comes next
    resolve   ends the hold: what is left in it is given back
    finish    charges and ends it at once

A hold has a purpose (an execution's tranche, a task) and one purpose has at most one open hold, so each of
them can be called again. What has happened is always charged: beyond the hold from what is available, then
from what the plan allows below zero, then as arrears.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from omium.errors import CreditsExhausted
from omium.server.db.tx import Tx
from omium.server.ledger.book import About, Book, EntryKind, open_book
from omium.server.ledger.caps import period_start_us
from omium.server.ledger.moves import CreditsMoved
from omium.server.store import holds as store
from omium.server.store import key_meters, ledger
from omium.server.store.holds import HoldRow
from omium.server.store.key_meters import CapRow


@dataclass(frozen=True, slots=True)
class Spent:
    """What is set aside after a charge: too little for the next step means, stop before it."""

    held_microcredits: int


def place(
    tx: Tx,
    tenant_id: str,
    purpose: str,
    amount_microcredits: int,
    *,
    api_key_id: str | None = None,
    ttl_us: int | None = None,
    fresh: bool = False,
) -> HoldRow:
    """Set credits aside for work that begins, and return the hold.

    An open hold for the purpose is returned as it is; `fresh` says that there can be none: it saves a look.

    Raises `CreditsExhausted` where the tenant or the key's cap has not that many; then nothing is set aside.
    Two at once for the last credits: the row of the funds decides, one of them gets the error.
    """
    known = None if fresh else store.find_open_hold(tx, tenant_id, purpose)
    if known is not None:
        return known
    if amount_microcredits:
        if not ledger.reserve(tx, tenant_id, amount_microcredits):
            raise _exhausted_funds(tx, tenant_id, amount_microcredits)
        tx.after_commit(CreditsMoved(tenant_id))
    else:  # what is free may begin with nothing, but not on debts
        funds = ledger.lock_funds(tx, tenant_id)
        if funds is not None and funds.owed_microcredits:
            raise _exhausted_funds(tx, tenant_id, amount_microcredits)
    try:
        start_us = None if api_key_id is None else _reserve_of_key(tx, api_key_id, amount_microcredits)
    except CreditsExhausted:  # whoever goes on all the same must not leave the funds set aside
        ledger.unreserve(tx, tenant_id, amount_microcredits)
        raise
    hold = HoldRow(
        id=tx.new_id("hd"),
        tenant_id=tenant_id,
        purpose=purpose,
        api_key_id=api_key_id if start_us is not None else None,
        period_start_us=start_us,
        status=store.OPEN,
        held_microcredits=amount_microcredits,
        captured_microcredits=0,
        created_us=tx.now_us,
        expires_us=None if ttl_us is None else tx.now_us + ttl_us,
        resolved_us=None,
    )
    if store.insert_hold(tx, hold):
        return hold
    # Another transaction placed it while this one waited for the funds.
    ledger.unreserve(tx, tenant_id, amount_microcredits)
    _count(tx, hold, spent=0, held=-amount_microcredits)
    known = store.find_open_hold(tx, tenant_id, purpose)
    assert known is not None
    return known


def refuse_exhausted(
    tx: Tx, tenant_id: str, amount_microcredits: int, *, api_key_id: str | None = None
) -> None:
    """Raise `CreditsExhausted` where `place` would now; for what waits in a queue, which holds nothing."""
    funds = ledger.find_funds(tx, tenant_id)
    available = funds.available_microcredits if funds is not None else 0
    if available < amount_microcredits or (funds is not None and funds.owed_microcredits):
        raise _exhausted_funds(tx, tenant_id, amount_microcredits)
    meter = key_meters.find_cap(tx, api_key_id) if api_key_id is not None else None
    if meter is None or meter.cap_microcredits is None:
        return
    start_us = period_start_us(meter.cap_period, tx.now_us)
    if _left_of_cap(meter, start_us) < amount_microcredits:
        raise _exhausted_cap(meter, start_us, amount_microcredits)


def enlarge(tx: Tx, tenant_id: str, purpose: str, by_microcredits: int) -> HoldRow | None:
    """Set more aside in the purpose's open hold and return it; None where that cannot be, nothing changed.

    Nothing is posted: two or three conditional updates.
    """
    if not ledger.reserve(tx, tenant_id, by_microcredits):
        return None
    hold = store.add_to_hold(tx, tenant_id, purpose, by_microcredits)
    if hold is None:
        ledger.unreserve(tx, tenant_id, by_microcredits)
        return None
    if (
        hold.api_key_id is None
        or hold.period_start_us is None
        or key_meters.enlarge_of_key(tx, hold.api_key_id, by_microcredits, hold.period_start_us)
    ):
        tx.after_commit(CreditsMoved(tenant_id))
        return hold
    store.add_to_hold(tx, tenant_id, purpose, -by_microcredits)
    ledger.unreserve(tx, tenant_id, by_microcredits)
    return None


def spend(
    tx: Tx,
    tenant_id: str,
    purpose: str,
    amount_microcredits: int,
    about: About,
    *,
    refill_to_microcredits: int = 0,
    once: str | None = None,
) -> Spent:
    """Charge what has happened from the purpose's hold; set aside again up to `refill_to_microcredits`.

    `once` makes a repeat harmless: it charges nothing. Never refused: without a hold, or beyond it, what is
    available is taken, then what the plan allows, then it is owed. A hold that cannot be filled up whole
    stays as it is. What a key spends beyond its cap counts, and keeps it from beginning anything else.
    """
    with open_book(tx, tenant_id, about) as book:
        hold = store.lock_open_hold(tx, tenant_id, purpose)
        if once is not None and ledger.find_once(tx, tenant_id, once) is not None:
            return Spent(hold.held_microcredits if hold is not None else 0)
        if hold is None:
            _charge_unheld(tx, book, amount_microcredits, once)
            return Spent(0)
        taken = _charge(book, hold, amount_microcredits, once)
        left = hold.held_microcredits - taken
        wanted = max(0, refill_to_microcredits - left)
        refill = wanted if _can_refill(tx, book, hold, wanted, amount_microcredits, taken) else 0
        book.hold(refill)
        written = store.update_hold(
            tx,
            replace(
                hold,
                held_microcredits=left + refill,
                captured_microcredits=hold.captured_microcredits + amount_microcredits,
            ),
        )
        assert written, "an open hold changed under its lock"
        _count(tx, hold, spent=amount_microcredits, held=refill - taken)
        return Spent(left + refill)


def resolve(tx: Tx, tenant_id: str, purpose: str, *, status: str | None = None) -> HoldRow | None:
    """End the purpose's hold, give back what is left of it; None where none is open (a repeat).

    It ends as captured if anything was spent from it, else as released, unless `status` says otherwise.
    """
    with open_book(tx, tenant_id, About()) as book:
        hold = store.lock_open_hold(tx, tenant_id, purpose)
        if hold is None:
            return None
        return _end(tx, book, hold, 0, status=status)


def finish(
    tx: Tx, tenant_id: str, purpose: str, amount_microcredits: int, about: About, *, once: str
) -> None:
    """Charge what has happened since the last charge, and end the purpose's hold, in one go.

    Without an open hold it is charged all the same, from what is available. `once` names the charge: the
    caller's own row says that it was not made before, the journal's index would refuse a second one.
    """
    with open_book(tx, tenant_id, about) as book:
        hold = store.lock_open_hold(tx, tenant_id, purpose)
        if hold is None:
            _charge_unheld(tx, book, amount_microcredits, once)
        else:
            _end(tx, book, hold, amount_microcredits, once=once)


def expire_due(tx: Tx, limit: int) -> int:
    """End up to `limit` holds whose time has come, as expired; returns how many."""
    due = sorted(store.list_due_holds(tx, limit), key=lambda hold: (hold.tenant_id, hold.id))
    return sum(resolve(tx, hold.tenant_id, hold.purpose, status=store.EXPIRED) is not None for hold in due)


def _charge_unheld(tx: Tx, book: Book, amount: int, once: str | None) -> None:
    """Charge what no hold stands for; it counts for the key that it is told of, in the running period."""
    if not amount:
        return
    book.charge(amount, EntryKind.CHARGE, hold_id=None, once=once)
    api_key_id = book.about.api_key_id
    meter = key_meters.find_cap(tx, api_key_id) if api_key_id is not None else None
    if meter is not None:
        start_us = period_start_us(meter.cap_period, tx.now_us)
        key_meters.charge_key(tx, meter.api_key_id, amount, start_us)


def _end(
    tx: Tx, book: Book, hold: HoldRow, amount: int, *, once: str | None = None, status: str | None = None
) -> HoldRow:
    """Charge `amount`, give back what is left, and return the hold as it ended."""
    taken = _charge(book, hold, amount, once)
    captured = hold.captured_microcredits + amount
    ended = replace(
        hold,
        status=status or (store.CAPTURED if captured else store.RELEASED),
        held_microcredits=0,
        captured_microcredits=captured,
        resolved_us=tx.now_us,
    )
    written = store.update_hold(tx, ended)
    assert written, "an open hold changed under its lock"
    book.hold(taken - hold.held_microcredits)
    _count(tx, hold, spent=amount, held=-hold.held_microcredits)
    return ended


def _charge(book: Book, hold: HoldRow, amount: int, once: str | None) -> int:
    """Charge `amount`, from the hold as far as it goes; return what that took from it."""
    taken = min(amount, hold.held_microcredits)
    if taken:
        book.hold(-taken)
        book.post(EntryKind.CHARGE, book.funds, book.usage, taken, hold_id=hold.id, once=once)
    if amount > taken:
        book.charge(amount - taken, EntryKind.OVERAGE, hold_id=hold.id, once=None if taken else once)
    return taken


def _can_refill(tx: Tx, book: Book, hold: HoldRow, wanted: int, amount: int, taken: int) -> bool:
    """Say whether `wanted` more may be set aside: available, nothing owed, within the key's cap."""
    if not wanted or book.row.owed_microcredits or book.available_microcredits < wanted:
        return False
    if hold.api_key_id is None or hold.period_start_us is None:
        return True
    meter = key_meters.find_cap(tx, hold.api_key_id)
    if meter is None or meter.cap_microcredits is None or meter.period_start_us != hold.period_start_us:
        return True
    # The meter stands as it was before this charge, which moves `taken` from held to spent.
    used = meter.spent_microcredits + meter.held_microcredits + amount - taken
    return used + wanted <= meter.cap_microcredits


def _reserve_of_key(tx: Tx, api_key_id: str, amount_microcredits: int) -> int | None:
    """Set aside within the key's cap and return the period that counts; None without a meter."""
    meter = key_meters.find_cap(tx, api_key_id)
    if meter is None:
        return None
    start_us = period_start_us(meter.cap_period, tx.now_us)
    if not key_meters.reserve_of_key(tx, api_key_id, amount_microcredits, start_us):
        meter = key_meters.find_cap(tx, api_key_id)
        assert meter is not None
        raise _exhausted_cap(meter, start_us, amount_microcredits)
    return start_us


def _left_of_cap(meter: CapRow, start_us: int) -> int:
    """Return what a key with a cap may still spend in the period that began at `start_us`."""
    used = meter.spent_microcredits + meter.held_microcredits if meter.period_start_us >= start_us else 0
    return max(0, (meter.cap_microcredits or 0) - used)


def _exhausted_cap(meter: CapRow, start_us: int, required: int) -> CreditsExhausted:
    return CreditsExhausted(
        f"{CreditsExhausted.title} The spend cap of this API key is reached: raise it, or wait until its"
        " period ends.",
        balance=_left_of_cap(meter, start_us),
        required=required,
        limit_source="key",
    )


def _count(tx: Tx, hold: HoldRow, *, spent: int, held: int) -> None:
    if hold.api_key_id is not None and hold.period_start_us is not None and (spent or held):
        key_meters.spend_of_key(
            tx, hold.api_key_id, hold.period_start_us, spent_microcredits=spent, held_microcredits=held
        )


def _exhausted_funds(tx: Tx, tenant_id: str, required: int) -> CreditsExhausted:
    funds = ledger.find_funds(tx, tenant_id)
    return CreditsExhausted(
        CreditsExhausted.title,
        balance=funds.available_microcredits if funds is not None else 0,
        required=required,
        limit_source="tenant",
    )
