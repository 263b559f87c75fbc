"""Usage records: what providers charged for, as reported. Counted once by the id that the client made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from omium.server.db.tx import Sql, SqlValue, Tx


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One report; `environment`, `workflow` and `api_key_id` say where it belongs."""

    tenant_id: str
    id: str
    execution_id: str | None
    path: str | None
    attempt: int | None
    environment: str
    workflow: str | None
    api_key_id: str
    provider: str | None
    model: str | None
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    calls: int
    reported_cost_microusd: int | None
    at_us: int


@dataclass(frozen=True, slots=True)
class ChargedUsageRow(UsageRow):
    """A report with what was charged for it: None where nothing was, or not yet, or nothing is metered."""

    charged_microcredits: int | None
    price_version: int | None


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Usage of one provider's model, summed."""

    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    calls: int
    reported_cost_microusd: int


@dataclass(frozen=True, slots=True)
class PathUsage:
    """Usage of one provider's model in one step, summed; without a step, `path` is empty."""

    path: str
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    calls: int


@dataclass(frozen=True, slots=True)
class PathTokens:
    """Tokens of one step, all its attempts together."""

    path: str
    tokens: int


_COLUMNS = """tenant_id, id, execution_id, path, attempt, environment, workflow, api_key_id, provider, model,
       input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, calls,
       reported_cost_microusd, at_us"""

INSERT = Sql(f"""
    INSERT INTO usage_records ({_COLUMNS})
    VALUES (:tenant_id, :id, :execution_id, :path, :attempt, :environment, :workflow, :api_key_id, :provider,
            :model, :input_tokens, :output_tokens, :cached_tokens, :cache_write_tokens, :reasoning_tokens,
            :calls, :reported_cost_microusd, :at_us)
    ON CONFLICT (tenant_id, id) DO NOTHING
""")  # the id is the client's: a repeat, however late, counts once


def insert_usage(tx: Tx, row: UsageRow) -> bool:
    """Insert a record; False where its id was counted already."""
    return tx.execute(INSERT, **{name: getattr(row, name) for name in row.__dataclass_fields__}) == 1


def insert_all_usage(tx: Tx, rows: Iterable[UsageRow]) -> None:
    """Insert records; those whose id was counted already stay as they are."""
    tx.execute_many(INSERT, [{name: getattr(row, name) for name in row.__dataclass_fields__} for row in rows])


FIND = Sql(f"SELECT {_COLUMNS} FROM usage_records WHERE tenant_id = :tenant_id AND id = :id")


def find_usage(tx: Tx, tenant_id: str, usage_id: str) -> UsageRow | None:
    """Return a tenant's record, or None."""
    return tx.one_or_none(FIND, UsageRow, tenant_id=tenant_id, id=usage_id)


# Sums are cast: PostgreSQL adds BIGINTs to a NUMERIC, which is no plain integer.
SUM = Sql("""
    SELECT COALESCE(provider, '') AS provider, COALESCE(model, '') AS model,
           CAST(SUM(input_tokens) AS {int64}) AS input_tokens,
           CAST(SUM(output_tokens) AS {int64}) AS output_tokens,
           CAST(SUM(cached_tokens) AS {int64}) AS cached_tokens,
           CAST(SUM(cache_write_tokens) AS {int64}) AS cache_write_tokens,
           CAST(SUM(reasoning_tokens) AS {int64}) AS reasoning_tokens,
           CAST(SUM(calls) AS {int64}) AS calls,
           CAST(COALESCE(SUM(reported_cost_microusd), 0) AS {int64}) AS reported_cost_microusd
      FROM usage_records
     WHERE execution_id = :execution_id AND tenant_id = :tenant_id
     GROUP BY 1, 2 ORDER BY 1, 2
""")
BY_PATH = Sql("""
    SELECT COALESCE(path, '') AS path, COALESCE(provider, '') AS provider, COALESCE(model, '') AS model,
           CAST(SUM(input_tokens) AS {int64}) AS input_tokens,
           CAST(SUM(output_tokens) AS {int64}) AS output_tokens,
           CAST(SUM(cached_tokens) AS {int64}) AS cached_tokens,
           CAST(SUM(cache_write_tokens) AS {int64}) AS cache_write_tokens,
           CAST(SUM(reasoning_tokens) AS {int64}) AS reasoning_tokens,
           CAST(SUM(calls) AS {int64}) AS calls
      FROM usage_records
     WHERE execution_id = :execution_id AND tenant_id = :tenant_id
     GROUP BY 1, 2, 3
""")
PATHS = Sql("""
    SELECT COALESCE(path, '') AS path, CAST(SUM(input_tokens + output_tokens) AS {int64}) AS tokens
      FROM usage_records
     WHERE execution_id = :execution_id AND tenant_id = :tenant_id
     GROUP BY 1
""")
_BELOW = "(u.at_us, u.id) < (:before_us, :before_id) ORDER BY u.at_us DESC, u.id DESC LIMIT :limit"
# A charge has at most three entries, one after the other: of the hold, beyond it, owed. The first has the
# report's natural key, all of them name the report (ledger/holds.py).
_CHARGED = f"""
    SELECT {", ".join(f"u.{name.strip()}" for name in _COLUMNS.split(","))},
           (SELECT CAST(SUM(part.amount_microcredits) AS {{int64}}) FROM ledger_entries AS part
             WHERE part.tenant_id = u.tenant_id AND part.seq BETWEEN first.seq AND first.seq + 2
               AND part.reference = u.id AND part.credit_kind = 'usage') AS charged_microcredits,
           first.price_version
      FROM usage_records AS u
      LEFT JOIN ledger_entries AS first ON first.tenant_id = u.tenant_id AND first.once = 'usage:' || u.id
     WHERE u.tenant_id = :tenant_id"""
LIST = Sql(f"{_CHARGED} AND {_BELOW}")
LIST_OF_EXECUTION = Sql(f"{_CHARGED} AND u.execution_id = :execution_id AND {_BELOW}")


def sum_usage(tx: Tx, tenant_id: str, execution_id: str) -> list[UsageSum]:
    """Sum an execution's records by provider and model."""
    return tx.all(SUM, UsageSum, tenant_id=tenant_id, execution_id=execution_id)


def sum_usage_by_path(tx: Tx, tenant_id: str, execution_id: str) -> list[PathUsage]:
    """Sum an execution's records by step, provider and model."""
    return tx.all(BY_PATH, PathUsage, tenant_id=tenant_id, execution_id=execution_id)


def sum_tokens_by_path(tx: Tx, tenant_id: str, execution_id: str) -> list[PathTokens]:
    return tx.all(PATHS, PathTokens, tenant_id=tenant_id, execution_id=execution_id)


def list_usage(
    tx: Tx, tenant_id: str, execution_id: str | None, *, before: tuple[int, str], limit: int
) -> list[ChargedUsageRow]:
    """List a tenant's records, or those of an execution, below (at_us, id), the newest first."""
    window: dict[str, SqlValue] = {"tenant_id": tenant_id, "limit": limit}
    window |= {"before_us": before[0], "before_id": before[1]}
    if execution_id is None:
        return tx.all(LIST, ChargedUsageRow, **window)
    return tx.all(LIST_OF_EXECUTION, ChargedUsageRow, execution_id=execution_id, **window)
