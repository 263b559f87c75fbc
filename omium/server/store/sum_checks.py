"""Sums beside the rows that they were made of, by tenant and day, for verify. Each pair in one snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from omium.server.db.tx import Sql, Tx

DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a tenant that has sums."""

    tenant_id: str
    day_us: int


@dataclass(frozen=True, slots=True)
class Pair:
    """What was added up, and what is there."""

    name: str
    summed: int
    counted: int


DAYS = Sql(f"""
    SELECT DISTINCT tenant_id, start_us - start_us % {DAY_US} AS day_us FROM execution_sums
    UNION SELECT DISTINCT tenant_id, start_us - start_us % {DAY_US} FROM usage_sums
    UNION SELECT DISTINCT tenant_id, start_us - start_us % {DAY_US} FROM failure_sums
    ORDER BY 1, 2
""")
_WITHIN: Final = "tenant_id = :tenant_id AND start_us >= :day_us AND start_us < :end_us"
_ENDED: Final = "tenant_id = :tenant_id AND ended_us >= :day_us AND ended_us < :end_us AND summed = 1"
_EXECUTIONS: Final = " UNION ALL ".join(
    f"""SELECT '{status}' AS name,
           (SELECT CAST(COALESCE(SUM(executions - removed), 0) AS {{int64}}) FROM execution_sums
             WHERE {_WITHIN} AND status = '{status}') AS summed,
           (SELECT COUNT(*) FROM executions WHERE {_ENDED} AND status = '{status}') AS counted"""
    for status in ("completed", "failed", "cancelled")
)
EXECUTIONS = Sql(_EXECUTIONS)
_TOKENS: Final = ("calls", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
USAGE = Sql(
    " UNION ALL ".join(
        f"""SELECT '{name}' AS name,
           (SELECT CAST(COALESCE(SUM({name}), 0) AS {{int64}}) FROM usage_sums WHERE {_WITHIN}) AS summed,
           (SELECT CAST(COALESCE(SUM({name}), 0) AS {{int64}}) FROM usage_records
             WHERE tenant_id = :tenant_id AND at_us >= :day_us AND at_us < :end_us AND summed = 1)
           AS counted"""
        for name in _TOKENS
    )
)
SPENT = Sql(f"""
    SELECT 'micro-credits' AS name,
           (SELECT CAST(COALESCE(SUM(spent_microcredits), 0) AS {{int64}}) FROM usage_sums WHERE {_WITHIN})
           AS summed,
           (SELECT CAST(COALESCE(SUM(CASE WHEN credit_kind = 'usage' THEN amount_microcredits
                                          ELSE -amount_microcredits END), 0) AS {{int64}})
              FROM ledger_entries
             WHERE tenant_id = :tenant_id AND at_us >= :day_us AND at_us < :end_us
               AND (credit_kind = 'usage' OR debit_kind = 'usage')
               AND seq <= COALESCE((SELECT summed_seq FROM spending_marks WHERE tenant_id = :tenant_id), 0))
           AS counted
""")
FAILURES = Sql(f"""
    SELECT 'failures' AS name,
           (SELECT CAST(COALESCE(SUM(failures), 0) AS {{int64}}) FROM failure_sums WHERE {_WITHIN}) AS summed,
           (SELECT COUNT(*) FROM failure_occurrences AS o JOIN failures AS f ON f.id = o.failure_id
             WHERE f.tenant_id = :tenant_id AND o.created_us >= :day_us AND o.created_us < :end_us
               AND o.summed = 1) AS counted
""")


def list_days(tx: Tx) -> list[Day]:
    """List the days that have sums."""
    return tx.all(DAYS, Day)


def compare_sums(tx: Tx, day: Day) -> list[Pair]:
    """Return what has to be the same on a day, beside the failures."""
    window = {"tenant_id": day.tenant_id, "day_us": day.day_us, "end_us": day.day_us + DAY_US}
    return [
        pair
        for sql in (EXECUTIONS, USAGE, SPENT)
        for pair in tx.all(sql, Pair, **window)  # type: ignore[arg-type]  # texts and numbers
    ]


def compare_failures(tx: Tx, day: Day) -> Pair:
    """Return the failures of a day; retention may have removed some of those that are summed."""
    return tx.one(FAILURES, Pair, tenant_id=day.tenant_id, day_us=day.day_us, end_us=day.day_us + DAY_US)
