"""Funding: how credits come to a tenant, and how entries are corrected.

Called twice with the same `reference`: one entry, the same answer. A correction is an entry of its own that
names the one it corrects; the journal is never changed.
"""

from __future__ import annotations

from omium.errors import IdempotencyMismatch, InvalidRequest, NotFound
from omium.server.db.tx import Tx
from omium.server.ledger import lots
from omium.server.ledger.book import SERVER_ACTOR, About, Account, Book, EntryKind, open_book
from omium.server.store import credits as marks
from omium.server.store import ledger as store
from omium.server.store.ledger import SYSTEM, AccountKind, EntryRow

_SOURCES = {
    EntryKind.TOPUP: AccountKind.TOPUPS,
    EntryKind.GRANT: AccountKind.GRANTS,
    EntryKind.PLAN_GRANT: AccountKind.PLAN_GRANTS,
}


def fund(
    tx: Tx,
    tenant_id: str,
    kind: EntryKind,
    amount_microcredits: int,
    about: About,
    *,
    once: str | None = None,
    expires_us: int | None = None,
) -> EntryRow:
    """Add credits: a top-up, a grant or a plan's grant; what is owed is paid from them at once.

    `once` is what makes a repeat harmless, such as a provider's payment id. What is left of the credits at
    `expires_us` is taken back then. Raises `IdempotencyMismatch` where `once` was used for another amount.
    """
    source = Account(SYSTEM, _SOURCES[kind])
    with open_book(tx, tenant_id, about) as book:
        known = None if once is None else store.find_once(tx, tenant_id, once)
        if known is not None:
            if (known.kind, known.amount_microcredits) != (kind.value, amount_microcredits):
                raise IdempotencyMismatch(
                    f"{once} was booked before, with another amount; another payment needs another reference."
                )
            return known
        lots.settle(tx, book)
        entry = book.post(kind, source, book.funds, amount_microcredits, once=once)
        if expires_us is not None:
            lots.open_lot(tx, book, entry, expires_us)
        left = book.available_microcredits - book.row.owed_microcredits
        marks.set_full(tx, tenant_id, max(0, left))
        return entry


def grant_starter(tx: Tx, tenant_id: str, amount_microcredits: int) -> EntryRow | None:
    """Book what a new tenant begins with, in the transaction that makes it; None where that is nothing.

    Twice: the same entry.
    """
    if not amount_microcredits:
        return None
    about = About(SERVER_ACTOR, note="starter credits")
    return fund(tx, tenant_id, EntryKind.GRANT, amount_microcredits, about, once="starter")


def take_back(tx: Tx, tenant_id: str, amount_microcredits: int, about: About, *, once: str) -> None:
    """Take credits back whose payment was refunded or disputed: what is not available any more is owed.

    Twice with the same `once`: the first time counts.
    """
    with open_book(tx, tenant_id, about) as book:
        if store.find_once(tx, tenant_id, once) is not None:
            return
        system = Account(SYSTEM, AccountKind.ADJUSTMENTS)
        there = max(0, min(amount_microcredits, book.available_microcredits))
        if there:
            book.post(EntryKind.ADJUSTMENT, book.funds, system, there, once=once)
        if amount_microcredits > there:
            rest = amount_microcredits - there
            book.post(EntryKind.ADJUSTMENT, book.arrears, system, rest, once=None if there else once)


def give_again(tx: Tx, tenant_id: str, amount_microcredits: int, about: About, *, once: str) -> None:
    """Give credits again that `take_back` took, because a dispute was won. Twice: the first time counts."""
    with open_book(tx, tenant_id, about) as book:
        if store.find_once(tx, tenant_id, once) is None:
            system = Account(SYSTEM, AccountKind.ADJUSTMENTS)
            book.post(EntryKind.ADJUSTMENT, system, book.funds, amount_microcredits, once=once)


def adjust(tx: Tx, tenant_id: str, amount_microcredits: int, about: About) -> EntryRow:
    """Add credits, or take some away (a negative amount), for a reason that `about.note` tells.

    Raises `InvalidRequest` where more would be taken than is available.
    """
    system = Account(SYSTEM, AccountKind.ADJUSTMENTS)
    with open_book(tx, tenant_id, about) as book:
        if amount_microcredits > 0:
            return book.post(EntryKind.ADJUSTMENT, system, book.funds, amount_microcredits)
        _need_available(book, -amount_microcredits)
        return book.post(EntryKind.ADJUSTMENT, book.funds, system, -amount_microcredits)


def refund(tx: Tx, tenant_id: str, seq: int, about: About) -> EntryRow:
    """Give back what the entry `seq` charged. Twice: the same entry. Raises `NotFound`, `InvalidRequest`."""
    with open_book(tx, tenant_id, about) as book:
        entry = store.find_entry(tx, tenant_id, seq)
        if entry is None:
            raise NotFound("There is no such entry; list them with `omium credits history`.")
        if entry.credit_kind != AccountKind.USAGE:
            raise InvalidRequest(f"Entry {seq} is no charge; correct it with an adjustment.")
        once = f"refund:{seq}"
        known = store.find_once(tx, tenant_id, once)
        if known is not None:
            return known
        # What was charged to arrears is given back to the funds: what is still owed is repaid from there.
        return book.post(
            EntryKind.REFUND, book.usage, book.funds, entry.amount_microcredits, once=once, corrects_seq=seq
        )


def set_negative(tx: Tx, tenant_id: str, negative_microcredits: int, about: About) -> None:
    """Let charges take the balance this far below zero, as the tenant's plan allows.

    Raises `InvalidRequest` where the balance is below that already, or holds stand on it: top up first.
    """
    with open_book(tx, tenant_id, about) as book:
        before = book.row.floor_microcredits
        book.set_floor(-negative_microcredits)
        if -negative_microcredits > before and book.available_microcredits < 0:
            raise InvalidRequest(
                "This much below zero is in use; top up first, or wait until what runs has ended."
            )


def end_negative(tx: Tx, tenant_id: str, negative_microcredits: int, about: About) -> None:
    """Let the balance go this far below zero and no farther, whatever is in use: the rest becomes owed.

    For the end of a plan, which does not wait until somebody has paid.
    """
    with open_book(tx, tenant_id, about) as book:
        lots.settle(tx, book)  # spent already, whatever it is called from now on
        book.set_floor(-negative_microcredits)
        missing = -book.available_microcredits
        if missing > 0:
            book.post(EntryKind.ARREARS, book.arrears, book.funds, missing)


def _need_available(book: Book, amount_microcredits: int) -> None:
    if book.available_microcredits < amount_microcredits:
        raise InvalidRequest(
            "This takes away more credits than are available; holds come before corrections."
        )
