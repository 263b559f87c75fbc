"""Book: one tenant's funds while a transaction works on them.

    with open_book(tx, tenant_id, about) as book:
        book.post(EntryKind.TOPUP, debit, credit, amount_microcredits)

Opening locks the funds; leaving writes all that was posted: the balances of every account that took part, the
entries with their chain, and first of all what is owed, paid from what has become available. An exception
leaves everything as it was. The process dies in between: nothing of it is there.

Rule kept here: something is owed only while nothing is available, so whoever may begin work owes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from omium.jsonvalue import canonical_bytes
from omium.models.credits import EntryKind
from omium.money import AMOUNT_MAX_MICROCREDITS
from omium.server.db.tx import Tx
from omium.server.ledger.moves import CreditsMoved
from omium.server.store import ledger as store
from omium.server.store.ledger import SYSTEM, AccountKind, EntryRow, FundsRow

__all__ = ["SERVER_ACTOR", "About", "Account", "Book", "EntryKind", "chain", "open_book", "open_funds"]

SERVER_ACTOR: Final = "server"
"""Who acts where neither a key nor a person does: sweeps."""


@dataclass(frozen=True, slots=True)
class About:
    """What an entry belongs to, and who caused it."""

    actor_id: str = SERVER_ACTOR
    api_key_id: str | None = None
    execution_id: str | None = None
    path: str | None = None
    price_version: int | None = None
    reference: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One side of a transfer."""

    owner: str
    kind: AccountKind


@dataclass
class Book:
    """What is being posted to one tenant. Made by `open_book`."""

    tenant_id: str
    now_us: int
    about: About
    row: FundsRow
    entries: list[EntryRow] = field(default_factory=list)
    _added: dict[Account, int] = field(default_factory=dict)

    @property
    def available_microcredits(self) -> int:
        """What may be spent or set aside now, the plan's negative included."""
        return self.row.available_microcredits

    @property
    def funds(self) -> Account:
        return Account(self.tenant_id, AccountKind.FUNDS)

    @property
    def usage(self) -> Account:
        return Account(self.tenant_id, AccountKind.USAGE)

    @property
    def arrears(self) -> Account:
        return Account(self.tenant_id, AccountKind.ARREARS)

    def post(
        self,
        kind: EntryKind,
        debit: Account,
        credit: Account,
        amount_microcredits: int,
        *,
        once: str | None = None,
        hold_id: str | None = None,
        corrects_seq: int | None = None,
    ) -> EntryRow:
        """Move credits from `debit` to `credit`. Raises `ValueError` unless the amount is above zero."""
        if not 0 < amount_microcredits <= AMOUNT_MAX_MICROCREDITS:
            raise ValueError(f"an entry cannot move {amount_microcredits} micro-credits")
        row, by = self.row, 0
        for account, amount in ((debit, -amount_microcredits), (credit, amount_microcredits)):
            if account == self.funds:
                by += amount
            else:
                self._added[account] = self._added.get(account, 0) + amount
        owed = row.owed_microcredits + amount_microcredits * (
            (debit == self.arrears) - (credit == self.arrears)
        )
        entry = EntryRow(
            tenant_id=self.tenant_id,
            seq=row.last_seq + 1,
            kind=kind.value,
            debit_owner=debit.owner,
            debit_kind=debit.kind.value,
            credit_owner=credit.owner,
            credit_kind=credit.kind.value,
            amount_microcredits=amount_microcredits,
            balance_microcredits=row.balance_microcredits + by,
            at_us=self.now_us,
            once=once,
            actor_id=self.about.actor_id,
            api_key_id=self.about.api_key_id,
            execution_id=self.about.execution_id,
            path=self.about.path,
            hold_id=hold_id,
            price_version=self.about.price_version,
            corrects_seq=corrects_seq,
            reference=self.about.reference,
            note=self.about.note,
            digest=b"",
        )
        entry = replace(entry, digest=chain(row.head, entry))
        self.row = replace(
            row,
            balance_microcredits=entry.balance_microcredits,
            last_seq=entry.seq,
            head=entry.digest,
            owed_microcredits=owed,
        )
        self.entries.append(entry)
        return entry

    def hold(self, by_microcredits: int) -> None:
        """Set more aside, or less."""
        self.row = replace(self.row, held_microcredits=self.row.held_microcredits + by_microcredits)

    def set_floor(self, floor_microcredits: int) -> None:
        """Say how far below zero the balance may go."""
        self.row = replace(self.row, floor_microcredits=floor_microcredits)

    def charge(
        self, amount_microcredits: int, kind: EntryKind, *, hold_id: str | None, once: str | None
    ) -> None:
        """Charge what has happened: from what is available, and what is missing becomes arrears."""
        paid = max(0, min(amount_microcredits, self.available_microcredits))
        if paid:
            self.post(kind, self.funds, self.usage, paid, hold_id=hold_id, once=once)
        if amount_microcredits > paid:
            self.post(
                EntryKind.ARREARS,
                self.arrears,
                self.usage,
                amount_microcredits - paid,
                hold_id=hold_id,
                once=None if paid else once,
            )

    def repay(self) -> None:
        """Pay what is owed from what has become available."""
        paid = min(self.row.owed_microcredits, self.available_microcredits)
        if paid > 0:
            self.post(EntryKind.REPAYMENT, self.funds, self.arrears, paid)

    def added(self) -> list[tuple[Account, int]]:
        """Return what came to each account but the funds, in the one order that all lock them in."""
        return sorted(
            ((account, amount) for account, amount in self._added.items() if amount),
            key=lambda item: (item[0].owner == SYSTEM, item[0].owner, item[0].kind),
        )


def open_funds(tx: Tx, tenant_id: str) -> FundsRow:
    """Lock the tenant's funds, opening its accounts if need be: before anything that hangs on them."""
    funds = store.lock_funds(tx, tenant_id)
    if funds is None:  # its first credits; two at once: one waits for the other's insert
        store.insert_accounts(tx, tenant_id, store.TENANT_KINDS)
        funds = store.lock_funds(tx, tenant_id)
        assert funds is not None
    return funds


@contextmanager
def open_book(tx: Tx, tenant_id: str, about: About) -> Iterator[Book]:
    """Lock the tenant's funds, opening its accounts if need be, and write what is posted meanwhile."""
    former = open_funds(tx, tenant_id)
    book = Book(tenant_id, tx.now_us, about, former)
    yield book
    book.repay()
    if book.row == former:
        return
    if not store.update_funds(tx, tenant_id, former, book.row):
        raise AssertionError(f"the funds of {tenant_id} changed under their lock")
    tx.after_commit(CreditsMoved(tenant_id))
    for account, amount in book.added():
        if not store.add_to_account(tx, account.owner, account.kind, amount):
            store.insert_accounts(tx, account.owner, [account.kind])
            store.add_to_account(tx, account.owner, account.kind, amount)
    store.insert_entries(tx, book.entries)


def chain(head: bytes, entry: EntryRow) -> bytes:
    """Return the digest that chains `entry` to the one that `head` is the digest of."""
    facts = [getattr(entry, name) for name in EntryRow.__slots__ if name != "digest"]
    return hashlib.sha256(head + canonical_bytes(facts)).digest()
