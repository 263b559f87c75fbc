"""Holds: credits set aside before work. omium/server/ledger/holds.py decides."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx

OPEN = "open"
CAPTURED = "captured"
RELEASED = "released"
EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A row of `holds`; `period_start_us` names the period of the key's cap that it counts for."""

    id: str
    tenant_id: str
    purpose: str
    api_key_id: str | None
    period_start_us: int | None
    status: str
    held_microcredits: int
    captured_microcredits: int
    created_us: int
    expires_us: int | None
    resolved_us: int | None


_COLUMNS = """id, tenant_id, purpose, api_key_id, period_start_us, status, held_microcredits,
       captured_microcredits, created_us, expires_us, resolved_us"""

INSERT = Sql(f"""
    INSERT INTO holds ({_COLUMNS})
    VALUES (:id, :tenant_id, :purpose, :api_key_id, :period_start_us, :status, :held_microcredits,
            :captured_microcredits, :created_us, :expires_us, :resolved_us)
    ON CONFLICT (tenant_id, purpose) WHERE status = 'open' DO NOTHING
""")  # the columns are a constant of this module


def insert_hold(tx: Tx, row: HoldRow) -> bool:
    """Store a new hold; False where its purpose has an open one."""
    return tx.execute(INSERT, **{name: getattr(row, name) for name in HoldRow.__slots__}) == 1


FIND_OPEN = Sql(f"""
    SELECT {_COLUMNS} FROM holds WHERE tenant_id = :tenant_id AND purpose = :purpose AND status = 'open'
""")
LOCK_OPEN = Sql(f"""
    SELECT {_COLUMNS} FROM holds WHERE tenant_id = :tenant_id AND purpose = :purpose AND status = 'open'
    {{for_update}}
""")
LAST = Sql(f"""
    SELECT {_COLUMNS} FROM holds WHERE tenant_id = :tenant_id AND id = :id
""")


def find_open_hold(tx: Tx, tenant_id: str, purpose: str) -> HoldRow | None:
    """Return the open hold for this purpose, or None."""
    return tx.one_or_none(FIND_OPEN, HoldRow, tenant_id=tenant_id, purpose=purpose)


def lock_open_hold(tx: Tx, tenant_id: str, purpose: str) -> HoldRow | None:
    """Return the open hold for this purpose, locked, or None; the tenant's funds are locked before."""
    return tx.one_or_none(LOCK_OPEN, HoldRow, tenant_id=tenant_id, purpose=purpose)


def find_hold(tx: Tx, tenant_id: str, hold_id: str) -> HoldRow | None:
    """Return a tenant's hold, whatever became of it, or None."""
    return tx.one_or_none(LAST, HoldRow, tenant_id=tenant_id, id=hold_id)


UPDATE = Sql("""
    UPDATE holds
       SET status = :status, held_microcredits = :held, captured_microcredits = :captured,
           resolved_us = :resolved_us
     WHERE id = :id AND status = 'open'
""")


def update_hold(tx: Tx, row: HoldRow) -> bool:
    """Write an open hold; False where it was resolved before, which is once and for all."""
    return (
        tx.execute(
            UPDATE,
            id=row.id,
            status=row.status,
            held=row.held_microcredits,
            captured=row.captured_microcredits,
            resolved_us=row.resolved_us,
        )
        == 1
    )


ADD = Sql(f"""
    UPDATE holds SET held_microcredits = held_microcredits + :amount
     WHERE tenant_id = :tenant_id AND purpose = :purpose AND status = 'open'
 RETURNING {_COLUMNS}
""")


def add_to_hold(tx: Tx, tenant_id: str, purpose: str, amount_microcredits: int) -> HoldRow | None:
    """Add to what an open hold has set aside, and return it; None where there is none."""
    return tx.one_or_none(ADD, HoldRow, tenant_id=tenant_id, purpose=purpose, amount=amount_microcredits)


LIST_DUE = Sql(f"""
    SELECT {_COLUMNS} FROM holds
     WHERE status = 'open' AND expires_us IS NOT NULL AND expires_us <= :now_us
     ORDER BY expires_us LIMIT :limit
""")


def list_due_holds(tx: Tx, limit: int) -> list[HoldRow]:
    """List open holds whose time has come, the oldest first."""
    return tx.all(LIST_DUE, HoldRow, now_us=tx.now_us, limit=limit)


SUM_OPEN = Sql("""
    SELECT CAST(COALESCE(SUM(held_microcredits), 0) AS {int64}) FROM holds
     WHERE tenant_id = :tenant_id AND status = 'open'
""")


def sum_open_holds(tx: Tx, tenant_id: str) -> int:
    """Return what a tenant's open holds have set aside, all together."""
    return tx.one(SUM_OPEN, int, tenant_id=tenant_id)
