"""Verify: proof that balances follow from the journal, and that nobody changed it.

Reads a tenant in bounded pieces: the journal up to the funds' last entry is immutable, so it is folded piece
by piece; the balances that it must give are read first, together with that last entry's number.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from omium.logs import get_logger
from omium.server.db.tx import Database, Tx
from omium.server.ledger.book import chain
from omium.server.store import holds, payments, storage
from omium.server.store import ledger as store
from omium.server.store.ledger import GENESIS, AccountKind, AccountRow, EntryRow, FundsRow

ENTRIES_PER_READ = 1_000
OWNERS_PER_READ = 500
UNBOOKED_MAX = 100

log = get_logger(__name__)


@dataclass
class _Fold:
    """What the entries read so far give."""

    head: bytes = GENESIS
    last_seq: int = 0
    balances: dict[str, int] = field(default_factory=lambda: {kind.value: 0 for kind in store.TENANT_KINDS})


async def verify_ledger(db: Database) -> AsyncIterator[tuple[str, str]]:
    """Yield (tenant id, sentence) for everything that is wrong."""
    after = ""
    while owners := await db.read(lambda tx, a=after: store.list_owners(tx, a, OWNERS_PER_READ)):  # type: ignore[misc]
        for owner in owners:
            async for text in _check_tenant(db, owner):
                yield owner, text
        after = owners[-1]
    total = await db.read(store.sum_accounts)
    if total:
        yield store.SYSTEM, f"all balances together are {total} micro-credits, and must be 0."
    for found in await db.read(lambda tx: storage.list_mismatches(tx, UNBOOKED_MAX)):
        told, booked = found.told_microcredits, found.booked_microcredits
        text = f"what was kept on {found.day} was charged {told} micro-credits, the journal has {booked}."
        yield found.tenant_id, text


async def list_ledger_problems(db: Database) -> list[str]:
    """Return a sentence for everything that is wrong in the ledger, and where: for the check of a server."""
    found = [f"{owner}: {text}" async for owner, text in verify_ledger(db)]
    unbooked = await db.read(lambda tx: payments.list_unbooked(tx, UNBOOKED_MAX))
    return found + [f"payment {payment_id} is paid, but its entry is not there." for payment_id in unbooked]


async def warn_of_damage(db: Database) -> list[str]:
    """Look, when a server starts, at the end of every chain, and log what does not fit; returns the tenants.

    Cheap: not the journal, only its ends. The server goes on, because what is stored can be read and brought
    in order; `omium db verify` says what is wrong, and where.
    """
    broken = await db.read(lambda tx: store.list_broken_ends(tx, UNBOOKED_MAX))
    for tenant_id in broken:
        log.error("the ledger is damaged; run `omium db verify`", tenant_id=tenant_id)
    if await db.read(store.sum_accounts):
        log.error("the balances of the ledger do not add up to zero; run `omium db verify`")
        broken.append(store.SYSTEM)
    return broken


async def _check_tenant(db: Database, tenant_id: str) -> AsyncIterator[str]:
    funds, accounts, held = await db.read(lambda tx: _read_balances(tx, tenant_id))
    fold = _Fold()
    while fold.last_seq < funds.last_seq:
        portion = await db.read(
            lambda tx: store.list_entries_after(tx, tenant_id, fold.last_seq, ENTRIES_PER_READ)
        )
        for entry in portion:
            if entry.seq > funds.last_seq:
                break
            for text in _fold(fold, tenant_id, entry):
                yield text
        if not portion:
            yield f"the journal ends at entry {fold.last_seq}, its account knows {funds.last_seq}."
            break
    if fold.head != funds.head:
        yield f"the chain ends with another digest than its account knows, at entry {fold.last_seq}."
    for account in accounts:
        if account.balance_microcredits != fold.balances.get(account.kind):
            yield (
                f"{account.kind} is {account.balance_microcredits} micro-credits,"
                f" its entries give {fold.balances.get(account.kind)}."
            )
    if held != funds.held_microcredits:
        yield f"{funds.held_microcredits} micro-credits are set aside, its open holds come to {held}."
    if funds.owed_microcredits and funds.available_microcredits > 0:
        yield f"{funds.owed_microcredits} micro-credits are owed while some are available."


def _read_balances(tx: Tx, tenant_id: str) -> tuple[FundsRow, list[AccountRow], int]:
    funds = store.find_funds(tx, tenant_id)
    assert funds is not None, "an account is never removed"
    return funds, store.list_accounts(tx, tenant_id), holds.sum_open_holds(tx, tenant_id)


def _fold(fold: _Fold, tenant_id: str, entry: EntryRow) -> list[str]:
    found = []
    if entry.seq != fold.last_seq + 1:
        found.append(f"entry {fold.last_seq + 1} is missing.")
    if entry.digest != chain(fold.head, entry):
        found.append(f"entry {entry.seq} was changed: its digest does not fit.")
    for owner, kind, amount in (
        (entry.debit_owner, entry.debit_kind, -entry.amount_microcredits),
        (entry.credit_owner, entry.credit_kind, entry.amount_microcredits),
    ):
        if owner == tenant_id:
            fold.balances[kind] = fold.balances.get(kind, 0) + amount
    if entry.balance_microcredits != fold.balances[AccountKind.FUNDS]:
        found.append(f"entry {entry.seq} tells another balance than its predecessors give.")
    fold.head, fold.last_seq = entry.digest, entry.seq
    return found
