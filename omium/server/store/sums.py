"""Sums by hour and day of UTC: executions, usage, failures.

Owns the rows of `execution_sums`, `usage_sums` and `failure_sums`; what they count is unsummed.py.
When to add up is analytics/summing.py, what people are shown is analytics/queries.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from omium.server.db.tx import Sql, SqlValue, Tx

HOUR_US: Final = 3_600 * 1_000_000
DAY_US: Final = 24 * HOUR_US


@dataclass(frozen=True, slots=True)
class ExecutionSum:
    """Executions that ended alike within an hour or day."""

    tenant_id: str
    start_us: int
    width: str
    environment: str
    workflow: str
    started_by: str
    status: str
    bucket: int
    executions: int
    removed: int
    steps: int
    took_us: int


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Usage of one model, and what was charged, within an hour or day."""

    tenant_id: str
    start_us: int
    width: str
    environment: str
    workflow: str
    started_by: str
    provider: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    reported_cost_microusd: int
    spent_microcredits: int


@dataclass(frozen=True, slots=True)
class FailureSum:
    """Occurrences of failures that are alike within an hour or day."""

    tenant_id: str
    start_us: int
    width: str
    environment: str
    workflow: str
    started_by: str
    kind: str
    error_type: str
    step: str
    failures: int


Sum = ExecutionSum | UsageSum | FailureSum

COUNTED: Final[dict[type[Sum], tuple[str, ...]]] = {
    ExecutionSum: ("executions", "removed", "steps", "took_us"),
    UsageSum: UsageSum.__slots__[-7:],
    FailureSum: ("failures",),
}
"""The columns that are added up; the others are the key."""
TABLES: Final[dict[type[Sum], str]] = {
    ExecutionSum: "execution_sums",
    UsageSum: "usage_sums",
    FailureSum: "failure_sums",
}


def key_columns(sort: type[Sum]) -> tuple[str, ...]:
    """Return the names that say what a sum is of."""
    return tuple(name for name in sort.__slots__ if name not in COUNTED[sort])


def _add(sort: type[Sum]) -> Sql:
    table, names, counted = TABLES[sort], sort.__slots__, COUNTED[sort]
    return Sql(f"""
        INSERT INTO {table} ({", ".join(names)}) VALUES ({", ".join(f":{name}" for name in names)})
        ON CONFLICT ({", ".join(key_columns(sort))}) DO UPDATE
           SET {", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in counted)}
    """)


def _take_hours(sort: type[Sum]) -> Sql:
    table, key = TABLES[sort], ", ".join(key_columns(sort))
    return Sql(f"""
        DELETE FROM {table} WHERE ({key}) IN (
          SELECT {key} FROM {table}
           WHERE width = 'hour' AND start_us < :before_us LIMIT :limit {{skip_locked}})
        RETURNING {", ".join(sort.__slots__)}
    """)


def _drop_days(sort: type[Sum]) -> Sql:
    table, key = TABLES[sort], ", ".join(key_columns(sort))
    return Sql(f"""
        DELETE FROM {table} WHERE ({key}) IN (
          SELECT {key} FROM {table} WHERE width = 'day' AND start_us < :before_us LIMIT :limit)
    """)


ADD_EXECUTIONS = _add(ExecutionSum)
ADD_USAGE = _add(UsageSum)
ADD_FAILURES = _add(FailureSum)
TAKE_EXECUTIONS = _take_hours(ExecutionSum)
TAKE_USAGE = _take_hours(UsageSum)
TAKE_FAILURES = _take_hours(FailureSum)
DROP_EXECUTIONS = _drop_days(ExecutionSum)
DROP_USAGE = _drop_days(UsageSum)
DROP_FAILURES = _drop_days(FailureSum)

_ADDS: Final[dict[type[Sum], Sql]] = {
    ExecutionSum: ADD_EXECUTIONS,
    UsageSum: ADD_USAGE,
    FailureSum: ADD_FAILURES,
}


def add_sums(tx: Tx, sums: Iterable[Sum]) -> None:
    """Add to the stored sums. All of one sort, in the order of their keys: two who add wait, never block."""
    rows = list(sums)
    if rows:
        sort = type(rows[0])
        tx.execute_many(_ADDS[sort], [_values(row) for row in rows])


def _values(row: Sum) -> dict[str, SqlValue]:
    return {name: getattr(row, name) for name in type(row).__slots__}


def take_hours(tx: Tx, before_us: int, limit: int) -> list[Sum]:
    """Remove and return sums of hours before `before_us`, of one sort at a time; empty if there are none."""
    window: dict[str, SqlValue] = {"before_us": before_us, "limit": limit}
    if executions := tx.all(TAKE_EXECUTIONS, ExecutionSum, **window):
        return [*executions]
    if used := tx.all(TAKE_USAGE, UsageSum, **window):
        return [*used]
    return [*tx.all(TAKE_FAILURES, FailureSum, **window)]


DROP_SAVINGS = Sql("""
    DELETE FROM savings WHERE (tenant_id, at_us, execution_id, seq) IN (
      SELECT tenant_id, at_us, execution_id, seq FROM savings WHERE at_us < :before_us LIMIT :limit)
""")


def drop_days(tx: Tx, before_us: int, limit: int) -> int:
    """Remove sums of days, and savings, before `before_us`; returns how many."""
    drops = (DROP_EXECUTIONS, DROP_USAGE, DROP_FAILURES, DROP_SAVINGS)
    return sum(tx.execute(sql, before_us=before_us, limit=limit) for sql in drops)
