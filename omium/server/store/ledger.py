"""The ledger's rows: accounts and journal entries. What may be posted, omium/server/ledger decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from omium.server.db.tx import Sql, Tx

SYSTEM: Final = "system"
"""Owner of the accounts that credits come from and go to."""

GENESIS: Final = bytes(32)
"""What the first entry of a chain follows."""


class AccountKind(StrEnum):
    """What an account is for: three belong to a tenant, the others to the system."""

    FUNDS = "funds"
    USAGE = "usage"
    ARREARS = "arrears"
    TOPUPS = "topups"
    GRANTS = "grants"
    PLAN_GRANTS = "plan-grants"
    EXPIRY = "expiry"
    ADJUSTMENTS = "adjustments"


TENANT_KINDS: Final = (AccountKind.FUNDS, AccountKind.USAGE, AccountKind.ARREARS)


@dataclass(frozen=True, slots=True)
class FundsRow:
    """A tenant's funds with the end of its chain; `owed_microcredits` is the other side of its arrears."""

    balance_microcredits: int
    held_microcredits: int
    floor_microcredits: int
    last_seq: int
    head: bytes
    owed_microcredits: int

    @property
    def available_microcredits(self) -> int:
        """What may be spent or set aside now, the plan's negative included."""
        return self.balance_microcredits - self.floor_microcredits - self.held_microcredits


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account's balance."""

    owner: str
    kind: str
    balance_microcredits: int
    held_microcredits: int


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry of the journal; `balance_microcredits` is the tenant's funds after it.

    `once` is the natural key of what may be posted only once; `digest` chains the entry to the one before.
    """

    tenant_id: str
    seq: int
    kind: str
    debit_owner: str
    debit_kind: str
    credit_owner: str
    credit_kind: str
    amount_microcredits: int
    balance_microcredits: int
    at_us: int
    once: str | None
    actor_id: str
    api_key_id: str | None
    execution_id: str | None
    path: str | None
    hold_id: str | None
    price_version: int | None
    corrects_seq: int | None
    reference: str | None
    note: str | None
    digest: bytes


# ---- accounts

INSERT_ACCOUNT = Sql("""
    INSERT INTO accounts (owner, kind, balance_microcredits, held_microcredits, floor_microcredits, last_seq,
    head) VALUES (:owner, :kind, 0, 0, 0, 0, :head)
    ON CONFLICT (owner, kind) DO NOTHING
""")


def insert_accounts(tx: Tx, owner: str, kinds: Iterable[AccountKind]) -> None:
    """Open accounts with nothing in them; those that exist stay as they are."""
    tx.execute_many(
        INSERT_ACCOUNT, [{"owner": owner, "kind": kind.value, "head": GENESIS} for kind in sorted(kinds)]
    )


LOCK_FUNDS = Sql("""
    SELECT balance_microcredits FROM accounts WHERE owner = :tenant_id AND kind = 'funds' {for_update}
""")
FIND_FUNDS = Sql("""
    SELECT funds.balance_microcredits, funds.held_microcredits, funds.floor_microcredits, funds.last_seq,
           funds.head, -arrears.balance_microcredits AS owed_microcredits
      FROM accounts AS funds
      JOIN accounts AS arrears ON arrears.owner = funds.owner AND arrears.kind = 'arrears'
     WHERE funds.owner = :tenant_id AND funds.kind = 'funds'
""")


def lock_funds(tx: Tx, tenant_id: str) -> FundsRow | None:
    """Return the tenant's funds, locked with all that hangs on them until the transaction ends.

    Two statements: PostgreSQL would otherwise show the arrears as they were before it waited for the lock.
    """
    if tx.one_or_none(LOCK_FUNDS, int, tenant_id=tenant_id) is None:
        return None
    return tx.one(FIND_FUNDS, FundsRow, tenant_id=tenant_id)


def find_funds(tx: Tx, tenant_id: str) -> FundsRow | None:
    """Return the tenant's funds, or None where it has no accounts yet."""
    return tx.one_or_none(FIND_FUNDS, FundsRow, tenant_id=tenant_id)


RESERVE = Sql("""
    UPDATE accounts SET held_microcredits = held_microcredits + :amount
     WHERE owner = :tenant_id AND kind = 'funds'
       AND balance_microcredits - floor_microcredits - held_microcredits >= :amount
""")


def reserve(tx: Tx, tenant_id: str, amount_microcredits: int) -> bool:
    """Set credits aside if that many are available; the one statement that decides who gets the last ones."""
    return tx.execute(RESERVE, tenant_id=tenant_id, amount=amount_microcredits) == 1


UNRESERVE = Sql("""
    UPDATE accounts SET held_microcredits = held_microcredits - :amount
     WHERE owner = :tenant_id AND kind = 'funds'
""")


def unreserve(tx: Tx, tenant_id: str, amount_microcredits: int) -> None:
    """Take back what `reserve` did in this transaction."""
    tx.execute(UNRESERVE, tenant_id=tenant_id, amount=amount_microcredits)


UPDATE_FUNDS = Sql("""
    UPDATE accounts
       SET balance_microcredits = :balance, held_microcredits = :held, floor_microcredits = :floor,
           last_seq = :last_seq, head = :head
     WHERE owner = :tenant_id AND kind = 'funds' AND last_seq = :former_seq
""")


def update_funds(tx: Tx, tenant_id: str, former: FundsRow, row: FundsRow) -> bool:
    """Write the funds that were locked as `former`; False would mean that the lock did not hold."""
    return (
        tx.execute(
            UPDATE_FUNDS,
            tenant_id=tenant_id,
            balance=row.balance_microcredits,
            held=row.held_microcredits,
            floor=row.floor_microcredits,
            last_seq=row.last_seq,
            head=row.head,
            former_seq=former.last_seq,
        )
        == 1
    )


ADD = Sql("""
    UPDATE accounts SET balance_microcredits = balance_microcredits + :amount
     WHERE owner = :owner AND kind = :kind
""")


def add_to_account(tx: Tx, owner: str, kind: str, amount_microcredits: int) -> bool:
    """Add to a balance (a negative amount debits it); False where there is no such account."""
    return tx.execute(ADD, owner=owner, kind=kind, amount=amount_microcredits) == 1


LIST_ACCOUNTS = Sql("""
    SELECT owner, kind, balance_microcredits, held_microcredits FROM accounts
     WHERE owner = :owner ORDER BY kind
""")


def list_accounts(tx: Tx, owner: str) -> list[AccountRow]:
    """List an owner's accounts."""
    return tx.all(LIST_ACCOUNTS, AccountRow, owner=owner)


LIST_OWNERS = Sql("""
    SELECT owner FROM accounts WHERE kind = 'funds' AND owner > :after ORDER BY owner LIMIT :limit
""")


def list_owners(tx: Tx, after: str, limit: int) -> list[str]:
    """List the tenants that have funds, by id."""
    return tx.all(LIST_OWNERS, str, after=after, limit=limit)


LIST_BROKEN_ENDS = Sql("""
    SELECT funds.owner
      FROM accounts AS funds
      LEFT JOIN ledger_entries AS entries ON entries.tenant_id = funds.owner AND entries.seq = funds.last_seq
     WHERE funds.kind = 'funds' AND funds.last_seq > 0
       AND (entries.seq IS NULL OR entries.digest <> funds.head
            OR entries.balance_microcredits <> funds.balance_microcredits)
     ORDER BY funds.owner LIMIT :limit
""")


def list_broken_ends(tx: Tx, limit: int) -> list[str]:
    """List the tenants whose funds do not fit the last entry of their journal: one look for each of them."""
    return tx.all(LIST_BROKEN_ENDS, str, limit=limit)


SUM_ACCOUNTS = Sql("SELECT CAST(COALESCE(SUM(balance_microcredits), 0) AS {int64}) FROM accounts")


def sum_accounts(tx: Tx) -> int:
    """Return the sum of all balances, which is zero."""
    return tx.one(SUM_ACCOUNTS, int)


# ---- the journal

_COLUMNS = """tenant_id, seq, kind, debit_owner, debit_kind, credit_owner, credit_kind, amount_microcredits,
       balance_microcredits, at_us, once, actor_id, api_key_id, execution_id, path, hold_id, price_version,
       corrects_seq, reference, note, digest"""

INSERT_ENTRY = Sql(f"""
    INSERT INTO ledger_entries ({_COLUMNS})
    VALUES (:tenant_id, :seq, :kind, :debit_owner, :debit_kind, :credit_owner, :credit_kind,
            :amount_microcredits, :balance_microcredits, :at_us, :once, :actor_id, :api_key_id, :execution_id,
            :path, :hold_id, :price_version, :corrects_seq, :reference, :note, :digest)
""")  # the columns are a constant of this module


def insert_entries(tx: Tx, rows: Iterable[EntryRow]) -> None:
    """Append to the journal."""
    tx.execute_many(INSERT_ENTRY, [{name: getattr(row, name) for name in EntryRow.__slots__} for row in rows])


FIND_ONCE = Sql(f"SELECT {_COLUMNS} FROM ledger_entries WHERE tenant_id = :tenant_id AND once = :once")
FIND_ENTRY = Sql(f"SELECT {_COLUMNS} FROM ledger_entries WHERE tenant_id = :tenant_id AND seq = :seq")
LIST_AFTER = Sql(f"""
    SELECT {_COLUMNS} FROM ledger_entries
     WHERE tenant_id = :tenant_id AND seq > :after_seq ORDER BY seq LIMIT :limit
""")
LIST_BEFORE = Sql(f"""
    SELECT {_COLUMNS} FROM ledger_entries
     WHERE tenant_id = :tenant_id AND seq < :before_seq ORDER BY seq DESC LIMIT :limit
""")
LIST_OF_EXECUTION = Sql(f"""
    SELECT {_COLUMNS} FROM ledger_entries
     WHERE execution_id = :execution_id AND tenant_id = :tenant_id AND seq < :before_seq
     ORDER BY seq DESC LIMIT :limit
""")
LIST_UNCHARGED = Sql(f"""
    SELECT {_COLUMNS} FROM ledger_entries
     WHERE tenant_id = :tenant_id AND seq < :before_seq
       AND kind NOT IN ('charge', 'overage', 'arrears', 'repayment')
     ORDER BY seq DESC LIMIT :limit
""")  # word for word the condition of the index


def find_once(tx: Tx, tenant_id: str, once: str) -> EntryRow | None:
    """Return the entry with this natural key, or None."""
    return tx.one_or_none(FIND_ONCE, EntryRow, tenant_id=tenant_id, once=once)


def find_entry(tx: Tx, tenant_id: str, seq: int) -> EntryRow | None:
    """Return a tenant's entry by its number, or None."""
    return tx.one_or_none(FIND_ENTRY, EntryRow, tenant_id=tenant_id, seq=seq)


def list_entries_after(tx: Tx, tenant_id: str, after_seq: int, limit: int) -> list[EntryRow]:
    """List a tenant's entries, the oldest first."""
    return tx.all(LIST_AFTER, EntryRow, tenant_id=tenant_id, after_seq=after_seq, limit=limit)


def list_entries_before(tx: Tx, tenant_id: str, before_seq: int, limit: int) -> list[EntryRow]:
    """List a tenant's entries, the newest first."""
    return tx.all(LIST_BEFORE, EntryRow, tenant_id=tenant_id, before_seq=before_seq, limit=limit)


def list_of_execution_before(
    tx: Tx, tenant_id: str, execution_id: str, before_seq: int, limit: int
) -> list[EntryRow]:
    """List what belongs to one execution of the tenant, the newest first."""
    return tx.all(
        LIST_OF_EXECUTION,
        EntryRow,
        tenant_id=tenant_id,
        execution_id=execution_id,
        before_seq=before_seq,
        limit=limit,
    )


def list_uncharged_before(tx: Tx, tenant_id: str, before_seq: int, limit: int) -> list[EntryRow]:
    """List a tenant's entries that are no charges, the newest first."""
    return tx.all(LIST_UNCHARGED, EntryRow, tenant_id=tenant_id, before_seq=before_seq, limit=limit)
