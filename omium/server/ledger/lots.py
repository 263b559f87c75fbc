"""Lots: credits with an end, such as a plan's of one month, or a grant's with an expiry date.

What is spent is taken from the lots that end first, and from credits without an end last. Nothing of that is
written while work is charged: what was spent since the last look is attributed when credits come, and when
some end. So `settle` runs first in each of those, under the lock of the tenant's funds.

`paid` is what the tenant has spent less what it still owes for it; its mark only rises. A refund lowers it:
what is spent next uses up the refund before any lot.
"""

from __future__ import annotations

from dataclasses import replace

from omium.server.db.tx import Tx
from omium.server.ledger.book import About, Account, Book, EntryKind, open_book
from omium.server.store import credits as store
from omium.server.store.ledger import SYSTEM, AccountKind, EntryRow

SWEEP_ROWS = 100


def settle(tx: Tx, book: Book) -> None:
    """Attribute what was spent since the last look. Before anything is posted to `book`."""
    assert not book.entries, "what is about to be posted would be attributed twice"
    paid = store.find_usage(tx, book.tenant_id) - book.row.owed_microcredits
    marks = store.find_marks(tx, book.tenant_id)
    if marks is None:
        store.insert_marks(tx, book.tenant_id, paid)
        return
    spent = paid - marks.paid_microcredits
    if spent <= 0:
        return
    store.set_paid(tx, book.tenant_id, paid)
    for lot in store.list_open_lots(tx, book.tenant_id):
        taken = min(spent, lot.left_microcredits)
        spent -= taken
        if taken:
            store.update_lot(tx, replace(lot, left_microcredits=lot.left_microcredits - taken))


def open_lot(tx: Tx, book: Book, entry: EntryRow, expires_us: int) -> None:
    """Let the credits of `entry`, just posted, end at `expires_us`.

    What of them only fills a balance below zero is spent already.
    """
    left = max(0, min(entry.amount_microcredits, entry.balance_microcredits))
    store.insert_lot(tx, book.tenant_id, entry.seq, left, expires_us)


def end_lots(
    tx: Tx, tenant_id: str, until_us: int, *, seq: int | None = None, about: About | None = None
) -> int:
    """Take back what is left of every lot that ends at `until_us` or before; returns how many ended.

    With `seq` only that one, whenever it would have ended by itself. Credits that are set aside for running
    work are spared. Dies in between: nothing ended. Twice: a lot that has ended is not looked at again.
    """
    with open_book(tx, tenant_id, about or About()) as book:
        settle(tx, book)
        due = [
            lot
            for lot in store.list_open_lots(tx, tenant_id)
            if (lot.expires_us <= until_us if seq is None else lot.seq == seq)
        ]
        for lot in due:
            free = book.row.balance_microcredits - book.row.held_microcredits
            amount = min(lot.left_microcredits, free)
            if amount > 0:
                book.post(
                    EntryKind.EXPIRY,
                    book.funds,
                    Account(SYSTEM, AccountKind.EXPIRY),
                    amount,
                    once=f"expiry:{lot.seq}",
                    corrects_seq=lot.seq,
                )
            ended = store.update_lot(tx, replace(lot, ended_us=tx.now_us))
            assert ended, "an open lot changed under the lock of its funds"
        return len(due)


def sweep_lots(tx: Tx, limit: int) -> int:
    """End the lots of up to `limit` tenants whose time has come; returns how many ended."""
    return sum(
        end_lots(tx, tenant_id, tx.now_us) for tenant_id in sorted(set(store.list_due_owners(tx, limit)))
    )
