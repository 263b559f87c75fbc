"""Marks, lots and rates of a tenant's credits. What they mean, omium/server/ledger decides."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx

LOW_PERCENT = 10
"""The threshold of a tenant that has chosen none, of what was available when credits came last."""


@dataclass(frozen=True, slots=True)
class MarksRow:
    """A row of `credit_marks`."""

    tenant_id: str
    paid_microcredits: int
    full_microcredits: int
    low_microcredits: int | None
    low_percent: int | None
    low_since_us: int | None


_MARKS = "tenant_id, paid_microcredits, full_microcredits, low_microcredits, low_percent, low_since_us"

INSERT_MARKS = Sql(f"""
    INSERT INTO credit_marks ({_MARKS}) VALUES (:tenant_id, :paid, 0, NULL, {LOW_PERCENT}, NULL)
    ON CONFLICT (tenant_id) DO NOTHING
""")
FIND_MARKS = Sql(f"SELECT {_MARKS} FROM credit_marks WHERE tenant_id = :tenant_id")


def find_marks(tx: Tx, tenant_id: str) -> MarksRow | None:
    """Return a tenant's marks, or None before its first credits."""
    return tx.one_or_none(FIND_MARKS, MarksRow, tenant_id=tenant_id)


def insert_marks(tx: Tx, tenant_id: str, paid_microcredits: int) -> None:
    """Make a tenant's marks; those that exist stay as they are."""
    tx.execute(INSERT_MARKS, tenant_id=tenant_id, paid=paid_microcredits)


SET_PAID = Sql("UPDATE credit_marks SET paid_microcredits = :paid WHERE tenant_id = :tenant_id")
SET_FULL = Sql("UPDATE credit_marks SET full_microcredits = :full WHERE tenant_id = :tenant_id")
SET_LOW = Sql("""
    UPDATE credit_marks SET low_microcredits = :microcredits, low_percent = :percent
     WHERE tenant_id = :tenant_id
""")
NOTE_LOW = Sql("""
    UPDATE credit_marks SET low_since_us = :now_us WHERE tenant_id = :tenant_id AND low_since_us IS NULL
""")
NOTE_ENOUGH = Sql("""
    UPDATE credit_marks SET low_since_us = NULL WHERE tenant_id = :tenant_id AND low_since_us IS NOT NULL
""")


def set_paid(tx: Tx, tenant_id: str, paid_microcredits: int) -> None:
    tx.execute(SET_PAID, tenant_id=tenant_id, paid=paid_microcredits)


def set_full(tx: Tx, tenant_id: str, full_microcredits: int) -> None:
    tx.execute(SET_FULL, tenant_id=tenant_id, full=full_microcredits)


def set_low(tx: Tx, tenant_id: str, microcredits: int | None, percent: int | None) -> None:
    tx.execute(SET_LOW, tenant_id=tenant_id, microcredits=microcredits, percent=percent)


def note_low(tx: Tx, tenant_id: str, *, is_low: bool) -> bool:
    """Note whether a tenant is low; False where that was noted before, maybe by another server."""
    if is_low:
        return tx.execute(NOTE_LOW, tenant_id=tenant_id, now_us=tx.now_us) == 1
    return tx.execute(NOTE_ENOUGH, tenant_id=tenant_id) == 1


@dataclass(frozen=True, slots=True)
class StateRow:
    """A tenant's funds together with its threshold, as stored."""

    balance_microcredits: int
    held_microcredits: int
    floor_microcredits: int
    owed_microcredits: int
    usage_microcredits: int
    full_microcredits: int
    low_microcredits: int | None
    low_percent: int | None
    low_since_us: int | None


FIND_STATE = Sql(f"""
    SELECT funds.balance_microcredits, funds.held_microcredits, funds.floor_microcredits,
           -arrears.balance_microcredits AS owed_microcredits,
           usage.balance_microcredits AS usage_microcredits,
           CAST(COALESCE(marks.full_microcredits, 0) AS {{int64}}) AS full_microcredits,
           marks.low_microcredits,
           CAST(CASE WHEN marks.tenant_id IS NULL THEN {LOW_PERCENT} ELSE marks.low_percent END AS {{int64}})
             AS low_percent,
           marks.low_since_us
      FROM accounts AS funds
      JOIN accounts AS arrears ON arrears.owner = funds.owner AND arrears.kind = 'arrears'
      JOIN accounts AS usage ON usage.owner = funds.owner AND usage.kind = 'usage'
      LEFT JOIN credit_marks AS marks ON marks.tenant_id = funds.owner
     WHERE funds.owner = :tenant_id AND funds.kind = 'funds'
""")


def find_state(tx: Tx, tenant_id: str) -> StateRow | None:
    """Return how a tenant's credits stand, in one statement; None before its first credits."""
    return tx.one_or_none(FIND_STATE, StateRow, tenant_id=tenant_id)


_AVAILABLE = "funds.balance_microcredits - funds.floor_microcredits - funds.held_microcredits"
_THRESHOLD = (
    "COALESCE(marks.low_microcredits, marks.full_microcredits * COALESCE(marks.low_percent, 0) / 100)"
)
LIST_CROSSED = Sql(f"""
    SELECT marks.tenant_id
      FROM credit_marks AS marks
      JOIN accounts AS funds ON funds.owner = marks.tenant_id AND funds.kind = 'funds'
     WHERE (marks.low_since_us IS NULL AND {_AVAILABLE} <= {_THRESHOLD})
        OR (marks.low_since_us IS NOT NULL AND {_AVAILABLE} > {_THRESHOLD})
     ORDER BY marks.tenant_id LIMIT :limit
""")


def list_crossed(tx: Tx, limit: int) -> list[str]:
    """List tenants that are low and not noted as such, or the other way round."""
    return tx.all(LIST_CROSSED, str, limit=limit)


# ---- credits with an end


@dataclass(frozen=True, slots=True)
class LotRow:
    """What is left of one entry's credits until `expires_us`."""

    tenant_id: str
    seq: int
    left_microcredits: int
    expires_us: int
    ended_us: int | None


_LOT = "tenant_id, seq, left_microcredits, expires_us, ended_us"

INSERT_LOT = Sql(f"INSERT INTO credit_lots ({_LOT}) VALUES (:tenant_id, :seq, :left, :expires_us, NULL)")
LIST_OPEN = Sql(f"""
    SELECT {_LOT} FROM credit_lots WHERE tenant_id = :tenant_id AND ended_us IS NULL ORDER BY expires_us, seq
""")
UPDATE_LOT = Sql("""
    UPDATE credit_lots SET left_microcredits = :left, ended_us = :ended_us
     WHERE tenant_id = :tenant_id AND seq = :seq AND ended_us IS NULL
""")
LIST_DUE_OWNERS = Sql("""
    SELECT tenant_id FROM credit_lots WHERE ended_us IS NULL AND expires_us <= :now_us
     ORDER BY expires_us, tenant_id, seq LIMIT :limit
""")


def insert_lot(tx: Tx, tenant_id: str, seq: int, left_microcredits: int, expires_us: int) -> None:
    tx.execute(INSERT_LOT, tenant_id=tenant_id, seq=seq, left=left_microcredits, expires_us=expires_us)


def list_open_lots(tx: Tx, tenant_id: str) -> list[LotRow]:
    """List a tenant's credits with an end, those that end first before the others."""
    return tx.all(LIST_OPEN, LotRow, tenant_id=tenant_id)


def update_lot(tx: Tx, row: LotRow) -> bool:
    """Write an open lot; False where it has ended, which it does once."""
    changed = tx.execute(
        UPDATE_LOT,
        tenant_id=row.tenant_id,
        seq=row.seq,
        left=row.left_microcredits,
        ended_us=row.ended_us,
    )
    return changed == 1


def list_due_owners(tx: Tx, limit: int) -> list[str]:
    """List the tenants of lots whose end has come; a tenant stands there once for each of its lots."""
    return tx.all(LIST_DUE_OWNERS, str, now_us=tx.now_us, limit=limit)


# ---- the rate of spending

FIND_USAGE = Sql("SELECT balance_microcredits FROM accounts WHERE owner = :tenant_id AND kind = 'usage'")
INSERT_MARKS_OF_USAGE = Sql("""
    INSERT INTO usage_marks (tenant_id, at_us, usage_microcredits)
    SELECT accounts.owner, :now_us, accounts.balance_microcredits
      FROM accounts
     WHERE accounts.kind = 'usage'
       AND NOT EXISTS (SELECT 1 FROM usage_marks AS marks
                        WHERE marks.tenant_id = accounts.owner
                          AND (marks.at_us > :since_us
                               OR marks.usage_microcredits = accounts.balance_microcredits))
     ORDER BY accounts.owner LIMIT :limit
    ON CONFLICT (tenant_id, at_us) DO NOTHING
""")
DELETE_OLD_MARKS = Sql("""
    DELETE FROM usage_marks
     WHERE at_us < :before_us
       AND EXISTS (SELECT 1 FROM usage_marks AS later
                    WHERE later.tenant_id = usage_marks.tenant_id AND later.at_us > usage_marks.at_us
                      AND later.at_us <= :before_us)
""")
FIND_MARK_BEFORE = Sql("""
    SELECT at_us, usage_microcredits FROM usage_marks
     WHERE tenant_id = :tenant_id AND at_us <= :at_us ORDER BY at_us DESC LIMIT 1
""")
FIND_FIRST_MARK = Sql("""
    SELECT at_us FROM usage_marks
     WHERE tenant_id = :tenant_id ORDER BY at_us LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class UsageMark:
    """What a tenant had spent at a time."""

    at_us: int
    usage_microcredits: int


def find_usage(tx: Tx, tenant_id: str) -> int:
    """Return what a tenant has spent in all, less what was refunded."""
    return tx.one_or_none(FIND_USAGE, int, tenant_id=tenant_id) or 0


def insert_usage_marks(tx: Tx, since_us: int, limit: int) -> int:
    """Make a mark for up to `limit` tenants that have none since `since_us` and have spent since the last."""
    return tx.execute(INSERT_MARKS_OF_USAGE, now_us=tx.now_us, since_us=since_us, limit=limit)


def delete_usage_marks(tx: Tx, before_us: int) -> int:
    """Remove marks that are older, but for each tenant's last one of them."""
    return tx.execute(DELETE_OLD_MARKS, before_us=before_us)


def find_usage_mark(tx: Tx, tenant_id: str, at_us: int) -> UsageMark | None:
    """Return the last mark until `at_us`; None where nobody has made one yet.

    Where all marks are later, all was spent since: that is a mark of nothing at the time of the first one.
    """
    before = tx.one_or_none(FIND_MARK_BEFORE, UsageMark, tenant_id=tenant_id, at_us=at_us)
    if before is not None:
        return before
    first_us = tx.value(FIND_FIRST_MARK, tenant_id=tenant_id)
    return None if first_us is None else UsageMark(int(first_us), 0)
