"""Meters: what each execution is charged by, and how far its steps are in the journal. Usage without a price.

What may begin, and what is charged, omium/server/ledger/tranches.py decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx
from omium.server.store.executions import COLUMNS, ExecutionRow


@dataclass(frozen=True, slots=True)
class MeterRow:
    """An execution's meter; `limit_microcredits` is its own limit, None for none.

    `tranche_microcredits` is what is set aside for what comes next, beside what has happened already.
    """

    execution_id: str
    tenant_id: str
    api_key_id: str | None
    price_version: int
    execution_microcredits: int
    step_microcredits: int
    tranche_microcredits: int
    limit_microcredits: int | None
    posted_steps: int
    charged_microcredits: int


_COLUMNS = ", ".join(MeterRow.__slots__)

INSERT = Sql(f"""
    INSERT INTO execution_meters ({_COLUMNS}) VALUES ({", ".join(f":{name}" for name in MeterRow.__slots__)})
""")  # in the transaction that makes the execution


def insert_meter(tx: Tx, row: MeterRow) -> None:
    """Store the meter of a new execution."""
    tx.send(INSERT, **{name: getattr(row, name) for name in MeterRow.__slots__})


FIND = Sql(f"SELECT {_COLUMNS} FROM execution_meters WHERE execution_id = :execution_id")


def find_meter(tx: Tx, execution_id: str) -> MeterRow | None:
    """Return an execution's meter, None where it is not metered; who changes it has locked its execution."""
    return tx.one_or_none(FIND, MeterRow, execution_id=execution_id)


UPDATE = Sql("""
    UPDATE execution_meters
       SET posted_steps = :posted_steps, charged_microcredits = :charged, tranche_microcredits = :tranche,
           limit_microcredits = :limit
     WHERE execution_id = :execution_id
""")


def update_meter(tx: Tx, row: MeterRow) -> None:
    """Write a meter whose execution is locked."""
    tx.execute(
        UPDATE,
        execution_id=row.execution_id,
        posted_steps=row.posted_steps,
        charged=row.charged_microcredits,
        tranche=row.tranche_microcredits,
        limit=row.limit_microcredits,
    )


COVER = Sql("UPDATE executions SET covered_steps = :covered WHERE id = :id")


def set_covered(tx: Tx, execution_id: str, covered_steps: int | None) -> None:
    """Say up to which step the hold of a locked execution pays; None takes it off metering."""
    tx.execute(COVER, id=execution_id, covered=covered_steps)


COVERED = Sql("SELECT covered_steps FROM executions WHERE id = :id")


def find_covered(tx: Tx, execution_id: str) -> int | None:
    """Return up to which step an execution's hold pays; None where it is not metered."""
    found = tx.value(COVERED, id=execution_id)
    return None if found is None else int(found)


METERED = Sql(f"""
    SELECT {COLUMNS} FROM executions
     WHERE covered_steps IS NOT NULL AND ended_us IS NULL AND id > :after_id
     ORDER BY id LIMIT :limit {{for_update}}
""")
METERED_FAILED = Sql(f"""
    SELECT {COLUMNS} FROM executions
     WHERE covered_steps IS NOT NULL AND status = 'failed' AND id > :after_id
     ORDER BY id LIMIT :limit {{for_update}}
""")


def lock_metered(tx: Tx, after_id: str, limit: int, *, failed: bool) -> list[ExecutionRow]:
    """Lock metered executions that may still go on: those that have failed, or the others; by id."""
    return tx.all(METERED_FAILED if failed else METERED, ExecutionRow, after_id=after_id, limit=limit)


OUT_OF_CREDITS = Sql(f"""
    SELECT {COLUMNS} FROM executions
     WHERE status = 'paused' AND reason = 'credits' AND driver = 'worker' AND id > :after_id
     ORDER BY id LIMIT :limit {{skip_locked}}
""")


def lock_out_of_credits(tx: Tx, after_id: str, limit: int) -> list[ExecutionRow]:
    """Lock workers' executions that are paused for credits, those that were made first before others."""
    return tx.all(OUT_OF_CREDITS, ExecutionRow, after_id=after_id, limit=limit)


# ---- usage without a price


@dataclass(frozen=True, slots=True)
class UnpricedRow:
    """A usage record that waits for a price; `tried_version` is the newest book that had none."""

    tenant_id: str
    usage_id: str
    execution_id: str | None
    tried_version: int
    at_us: int


_UNPRICED = ", ".join(UnpricedRow.__slots__)
INSERT_UNPRICED = Sql(f"""
    INSERT INTO unpriced_usage ({_UNPRICED})
    VALUES (:tenant_id, :usage_id, :execution_id, :tried_version, :at_us)
""")
TRY_UNPRICED = Sql("""
    UPDATE unpriced_usage SET tried_version = :tried_version
     WHERE tenant_id = :tenant_id AND usage_id = :usage_id
""")
DELETE_UNPRICED = Sql("DELETE FROM unpriced_usage WHERE tenant_id = :tenant_id AND usage_id = :usage_id")
UNPRICED_OF = Sql(f"""
    SELECT {_UNPRICED} FROM unpriced_usage WHERE execution_id = :execution_id
     ORDER BY at_us, usage_id LIMIT :limit
""")
UNPRICED_BEFORE = Sql(f"""
    SELECT {_UNPRICED} FROM unpriced_usage WHERE tried_version < :version
     ORDER BY tried_version, tenant_id, usage_id LIMIT :limit
""")
COUNT_UNPRICED = Sql("SELECT COUNT(*) FROM unpriced_usage WHERE tenant_id = :tenant_id")


def insert_unpriced(tx: Tx, row: UnpricedRow) -> None:
    """Note a usage record that waits for a price."""
    tx.execute(INSERT_UNPRICED, **{name: getattr(row, name) for name in UnpricedRow.__slots__})


def note_tried(tx: Tx, row: UnpricedRow, version: int) -> None:
    """Note that the book of `version` has no price for it either."""
    tx.execute(TRY_UNPRICED, tenant_id=row.tenant_id, usage_id=row.usage_id, tried_version=version)


def delete_unpriced(tx: Tx, row: UnpricedRow) -> bool:
    """Take a record off the list; False where another transaction has."""
    return tx.execute(DELETE_UNPRICED, tenant_id=row.tenant_id, usage_id=row.usage_id) == 1


def list_unpriced(tx: Tx, execution_id: str, limit: int) -> list[UnpricedRow]:
    """List an execution's usage that waits for a price, the oldest first."""
    return tx.all(UNPRICED_OF, UnpricedRow, execution_id=execution_id, limit=limit)


def list_untried(tx: Tx, version: int, limit: int) -> list[UnpricedRow]:
    """List usage that the book of `version` was not asked for yet."""
    return tx.all(UNPRICED_BEFORE, UnpricedRow, version=version, limit=limit)


def count_unpriced(tx: Tx, tenant_id: str) -> int:
    """Return how much of a tenant's usage waits for a price."""
    return tx.one(COUNT_UNPRICED, int, tenant_id=tenant_id)
