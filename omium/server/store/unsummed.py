"""Rows that no sum has yet: executions that ended, usage, failures, entries of the journal.

The mark `summed` is NULL from the transaction that writes such a row until the one that adds it up. Whoever
takes rows here adds them to sums.py in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class EndedRow:
    """An execution that has ended."""

    tenant_id: str
    environment: str
    workflow: str
    started_by: str
    status: str
    steps_completed: int
    created_us: int
    ended_us: int


@dataclass(frozen=True, slots=True)
class UsedRow:
    """A report of usage."""

    tenant_id: str
    environment: str
    workflow: str | None
    api_key_id: str
    provider: str | None
    model: str | None
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    calls: int
    reported_cost_microusd: int | None
    at_us: int


@dataclass(frozen=True, slots=True)
class FailedRow:
    """An occurrence of a failure."""

    id: str
    tenant_id: str
    environment: str
    workflow: str
    started_by: str
    kind: str
    error_type: str
    step: str
    created_us: int


@dataclass(frozen=True, slots=True)
class SpentRow:
    """What entries of the journal charged for, less what they gave back, in one hour."""

    start_us: int
    environment: str
    workflow: str
    started_by: str
    provider: str
    model: str
    spent_microcredits: int


_ENDED: Final = ", ".join(EndedRow.__slots__)
_USED: Final = ", ".join(UsedRow.__slots__)

TAKE_ENDED = Sql(f"""
    WITH due AS MATERIALIZED (
      SELECT id FROM executions WHERE ended_us IS NOT NULL AND summed IS NULL LIMIT :limit {{skip_locked}})
    UPDATE executions SET summed = 1 WHERE id IN (SELECT id FROM due) AND summed IS NULL RETURNING {_ENDED}
""")
TAKE_USED = Sql(f"""
    WITH due AS MATERIALIZED (
      SELECT tenant_id, id FROM usage_records WHERE summed IS NULL LIMIT :limit {{skip_locked}})
    UPDATE usage_records SET summed = 1
     WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM due) AND summed IS NULL RETURNING {_USED}
""")
_FAILED = """SELECT o.id, o.tenant_id, f.environment, f.workflow, COALESCE(e.started_by, '') AS started_by,
           f.kind, f.error_type, f.step, o.created_us
      FROM failure_occurrences AS o JOIN failures AS f ON f.id = o.failure_id
      LEFT JOIN executions AS e ON e.id = o.execution_id"""
LIST_FAILED = Sql(f"{_FAILED} WHERE o.summed IS NULL LIMIT :limit")
FAILED_OF = Sql(f"{_FAILED} WHERE o.execution_id = :execution_id AND o.summed IS NULL")
MARK_FAILED = Sql("UPDATE failure_occurrences SET summed = 1 WHERE id = :id AND summed IS NULL")


def take_ended(tx: Tx, limit: int) -> list[EndedRow]:
    """Mark ended executions as counted and return them."""
    return tx.all(TAKE_ENDED, EndedRow, limit=limit)


def take_used(tx: Tx, limit: int) -> list[UsedRow]:
    """Mark reports of usage as counted and return them."""
    return tx.all(TAKE_USED, UsedRow, limit=limit)


def take_failed(tx: Tx, limit: int, execution_id: str | None = None) -> list[FailedRow]:
    """Mark occurrences as counted, those of one execution or of all, and return them."""
    if execution_id is None:
        listed = tx.all(LIST_FAILED, FailedRow, limit=limit)
    else:
        listed = tx.all(FAILED_OF, FailedRow, execution_id=execution_id)
    # Marked one by one: who loses the row to another server does not count it.
    return [row for row in listed if tx.execute(MARK_FAILED, id=row.id) == 1]


UNMARK = Sql("UPDATE executions SET summed = NULL WHERE id = :id AND summed = 1")
MARK = Sql("UPDATE executions SET summed = 1 WHERE id = :id AND summed IS NULL")


def unmark_ended(tx: Tx, execution_id: str) -> bool:
    """Say that the locked execution is in no sum; False where it is in none yet."""
    return tx.execute(UNMARK, id=execution_id) == 1


def mark_ended(tx: Tx, execution_id: str) -> bool:
    """Say that the locked execution is in the sums; False where it already is."""
    return tx.execute(MARK, id=execution_id) == 1


# ---- what a tenant has, for who reads before a sweep has been

ENDED_OF = Sql(f"""
    SELECT {_ENDED} FROM executions
     WHERE tenant_id = :tenant_id AND ended_us >= :from_us AND ended_us < :until_us
       AND ended_us IS NOT NULL AND summed IS NULL
     LIMIT :limit
""")
USED_OF = Sql(f"""
    SELECT {_USED} FROM usage_records
     WHERE tenant_id = :tenant_id AND at_us >= :from_us AND at_us < :until_us AND summed IS NULL
     LIMIT :limit
""")
FAILED_WITHIN = Sql(f"""
    {_FAILED}
     WHERE o.tenant_id = :tenant_id AND o.created_us >= :from_us AND o.created_us < :until_us
       AND o.summed IS NULL
     LIMIT :limit
""")


def list_ended(tx: Tx, tenant_id: str, from_us: int, until_us: int, limit: int) -> list[EndedRow]:
    """List a tenant's executions that ended within the window and are in no sum."""
    return tx.all(ENDED_OF, EndedRow, tenant_id=tenant_id, from_us=from_us, until_us=until_us, limit=limit)


def list_used(tx: Tx, tenant_id: str, from_us: int, until_us: int, limit: int) -> list[UsedRow]:
    """List a tenant's reports within the window that are in no sum."""
    return tx.all(USED_OF, UsedRow, tenant_id=tenant_id, from_us=from_us, until_us=until_us, limit=limit)


def list_failed(tx: Tx, tenant_id: str, from_us: int, until_us: int, limit: int) -> list[FailedRow]:
    """List a tenant's occurrences within the window that are in no sum."""
    return tx.all(
        FAILED_WITHIN, FailedRow, tenant_id=tenant_id, from_us=from_us, until_us=until_us, limit=limit
    )


# ---- the journal, which is dense and ordered within a tenant: a number says how far it is summed


@dataclass(frozen=True, slots=True)
class Behind:
    """A tenant whose journal has gone on since it was added up."""

    tenant_id: str
    last_seq: int


_SUMMED: Final = "COALESCE((SELECT summed_seq FROM spending_marks WHERE tenant_id = :tenant_id), 0)"
FIND_BEHIND = Sql("""
    SELECT a.owner AS tenant_id, a.last_seq
      FROM accounts AS a JOIN tenants AS t ON t.id = a.owner AND t.deleted_us IS NULL
      LEFT JOIN spending_marks AS m ON m.tenant_id = a.owner
     WHERE a.kind = 'funds' AND a.last_seq > COALESCE(m.summed_seq, 0)
     LIMIT 1
""")
BEGIN_MARK = Sql("""
    INSERT INTO spending_marks (tenant_id, summed_seq) VALUES (:tenant_id, 0)
    ON CONFLICT (tenant_id) DO NOTHING
""")
LOCK_MARK = Sql("SELECT summed_seq FROM spending_marks WHERE tenant_id = :tenant_id {for_update}")
SET_MARK = Sql("UPDATE spending_marks SET summed_seq = :summed_seq WHERE tenant_id = :tenant_id")
_SPENT = """
    SELECT l.at_us - l.at_us % 3600000000 AS start_us,
           COALESCE(e.environment, u.environment, k.environment, '') AS environment,
           COALESCE(e.workflow, u.workflow, '') AS workflow,
           COALESCE(l.api_key_id, '') AS started_by,
           COALESCE(u.provider, '') AS provider, COALESCE(u.model, '') AS model,
           CAST(SUM(CASE WHEN l.credit_kind = 'usage' THEN l.amount_microcredits
                         ELSE -l.amount_microcredits END) AS {int64}) AS spent_microcredits
      FROM ledger_entries AS l
      LEFT JOIN executions AS e ON e.id = l.execution_id
      LEFT JOIN usage_records AS u ON u.tenant_id = l.tenant_id AND u.id = l.reference
      LEFT JOIN api_keys AS k ON k.id = l.api_key_id
     WHERE l.tenant_id = :tenant_id AND (l.credit_kind = 'usage' OR l.debit_kind = 'usage')
"""
SPENT_UP_TO = Sql(f"{_SPENT} AND l.seq > :after_seq AND l.seq <= :last_seq GROUP BY 1, 2, 3, 4, 5, 6")
SPENT_SINCE = Sql(f"""
    {_SPENT} AND l.seq > {_SUMMED} AND l.at_us >= :from_us AND l.at_us < :until_us
     GROUP BY 1, 2, 3, 4, 5, 6
""")


def find_behind(tx: Tx) -> Behind | None:
    """Return a tenant whose newest entries are in no sum, or None."""
    return tx.one_or_none(FIND_BEHIND, Behind)


def lock_spending_mark(tx: Tx, tenant_id: str) -> int:
    """Return up to which entry the tenant's journal is in the sums, locked."""
    tx.execute(BEGIN_MARK, tenant_id=tenant_id)
    return tx.one(LOCK_MARK, int, tenant_id=tenant_id)


def take_spent(tx: Tx, tenant_id: str, after_seq: int, last_seq: int) -> list[SpentRow]:
    """Return what the entries behind `after_seq` charged, and set the locked mark to `last_seq`."""
    found = tx.all(SPENT_UP_TO, SpentRow, tenant_id=tenant_id, after_seq=after_seq, last_seq=last_seq)
    tx.execute(SET_MARK, tenant_id=tenant_id, summed_seq=last_seq)
    return found


def list_spent(tx: Tx, tenant_id: str, from_us: int, until_us: int) -> list[SpentRow]:
    """List what was charged within the window and is in no sum."""
    return tx.all(SPENT_SINCE, SpentRow, tenant_id=tenant_id, from_us=from_us, until_us=until_us)
