"""What each key has used, by UTC day: sums that a sweep keeps, and what is newer read from its origin.

Credits come from the journal (`key_days` up to `key_rollups.rolled_seq`, entries after it), executions and
steps from `executions` and, for those that retention has removed, from `key_days`; tokens from
`usage_records`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from omium.apikeys import KEY_ID_PREFIX
from omium.server.db.tx import Sql, Tx
from omium.server.store.executions import ExecutionRow

DAY_US: Final = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Spending:
    """What a key was charged on a day, less what it was given back."""

    api_key_id: str
    day: int
    spent_microcredits: int


@dataclass(frozen=True, slots=True)
class Day:
    """A key's executions and their completed steps on a day, by when the executions were created."""

    day: int
    executions: int
    steps: int


@dataclass(frozen=True, slots=True)
class ModelDay:
    """What one model's provider has charged for on a day."""

    day: int
    provider: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True, slots=True)
class Behind:
    """A tenant whose journal has gone on since the last rollup."""

    tenant_id: str
    last_seq: int
    rolled_seq: int


# What an entry says of a key: charged where the tenant's usage is credited, given back where it is debited.
_SIGNED: Final = """CASE WHEN credit_kind = 'usage' THEN amount_microcredits
                         WHEN debit_kind = 'usage' THEN -amount_microcredits ELSE 0 END"""
_ROLLED: Final = "COALESCE((SELECT rolled_seq FROM key_rollups WHERE tenant_id = :tenant_id), 0)"

FIND_BEHIND = Sql("""
    SELECT a.owner AS tenant_id, a.last_seq, COALESCE(r.rolled_seq, 0) AS rolled_seq
      FROM accounts AS a LEFT JOIN key_rollups AS r ON r.tenant_id = a.owner
     WHERE a.kind = 'funds' AND a.last_seq > COALESCE(r.rolled_seq, 0)
     ORDER BY COALESCE(r.rolled_seq, 0) - a.last_seq, a.owner
     LIMIT 1
""")
INSERT_ROLLUP = Sql("""
    INSERT INTO key_rollups (tenant_id, rolled_seq) VALUES (:tenant_id, 0) ON CONFLICT (tenant_id) DO NOTHING
""")
LOCK_ROLLUP = Sql("SELECT rolled_seq FROM key_rollups WHERE tenant_id = :tenant_id {for_update}")
SET_ROLLUP = Sql("UPDATE key_rollups SET rolled_seq = :rolled_seq WHERE tenant_id = :tenant_id")
SUM_ENTRIES = Sql(f"""
    SELECT api_key_id, at_us / {DAY_US} AS day, CAST(SUM({_SIGNED}) AS {{int64}}) AS spent_microcredits
      FROM ledger_entries
     WHERE tenant_id = :tenant_id AND seq > :after_seq AND seq <= :last_seq AND api_key_id IS NOT NULL
     GROUP BY 1, 2
""")
ADD_DAY = Sql("""
    INSERT INTO key_days (tenant_id, api_key_id, day, spent_microcredits, executions, steps)
    VALUES (:tenant_id, :api_key_id, :day, :spent, :executions, :steps)
    ON CONFLICT (tenant_id, api_key_id, day) DO UPDATE
       SET spent_microcredits = key_days.spent_microcredits + :spent,
           executions = key_days.executions + :executions, steps = key_days.steps + :steps
""")


def find_behind(tx: Tx) -> Behind | None:
    """Return the tenant with the most entries that are not in the sums yet: a busy one starves nobody."""
    return tx.one_or_none(FIND_BEHIND, Behind)


def lock_rollup(tx: Tx, tenant_id: str) -> int:
    """Return the last entry that is in the sums, locked: one server adds up at a time."""
    tx.execute(INSERT_ROLLUP, tenant_id=tenant_id)
    return tx.one(LOCK_ROLLUP, int, tenant_id=tenant_id)


def roll_up(tx: Tx, tenant_id: str, after_seq: int, last_seq: int) -> None:
    """Add the entries after `after_seq` up to `last_seq` to the sums; the rollup is locked."""
    for each in tx.all(SUM_ENTRIES, Spending, tenant_id=tenant_id, after_seq=after_seq, last_seq=last_seq):
        add_day(tx, tenant_id, each.api_key_id, each.day, spent_microcredits=each.spent_microcredits)
    tx.execute(SET_ROLLUP, tenant_id=tenant_id, rolled_seq=last_seq)


def add_day(
    tx: Tx,
    tenant_id: str,
    api_key_id: str,
    day: int,
    *,
    spent_microcredits: int = 0,
    executions: int = 0,
    steps: int = 0,
) -> None:
    """Add to what a key has used on a day."""
    tx.execute(
        ADD_DAY,
        tenant_id=tenant_id,
        api_key_id=api_key_id,
        day=day,
        spent=spent_microcredits,
        executions=executions,
        steps=steps,
    )


def keep_counts(tx: Tx, row: ExecutionRow) -> None:
    """Go on counting an execution that retention removes, in the transaction that does."""
    if row.started_by.startswith(f"{KEY_ID_PREFIX}_"):
        day = row.created_us // DAY_US
        add_day(tx, row.tenant_id, row.started_by, day, executions=1, steps=row.steps_completed)


SUM_SPENT = Sql(f"""
    SELECT api_key_id, 0 AS day, CAST(SUM(spent_microcredits) AS {{int64}}) AS spent_microcredits
      FROM (SELECT api_key_id, spent_microcredits FROM key_days
             WHERE tenant_id = :tenant_id AND day >= :first_day
               AND (:api_key_id = '' OR api_key_id = :api_key_id)
            UNION ALL
            SELECT api_key_id, {_SIGNED} FROM ledger_entries
             WHERE tenant_id = :tenant_id AND at_us >= :first_us AND api_key_id IS NOT NULL
               AND (:api_key_id = '' OR api_key_id = :api_key_id)
               AND seq > {_ROLLED}) AS parts
     GROUP BY api_key_id
""")  # one statement, one snapshot: no entry is missed or counted twice while a sweep adds up
SPENT_BY_DAY = Sql(f"""
    SELECT :api_key_id AS api_key_id, day, CAST(SUM(spent_microcredits) AS {{int64}}) AS spent_microcredits
      FROM (SELECT day, spent_microcredits FROM key_days
             WHERE tenant_id = :tenant_id AND api_key_id = :api_key_id
               AND day >= :first_day AND day <= :last_day
            UNION ALL
            SELECT at_us / {DAY_US}, {_SIGNED} FROM ledger_entries
             WHERE tenant_id = :tenant_id AND api_key_id = :api_key_id
               AND at_us >= :first_us AND at_us < :end_us
               AND seq > {_ROLLED}) AS parts
     GROUP BY day ORDER BY day
""")  # as above
DAYS = Sql(f"""
    SELECT day, CAST(SUM(executions) AS {{int64}}) AS executions, CAST(SUM(steps) AS {{int64}}) AS steps
      FROM (SELECT day, executions, steps FROM key_days
             WHERE tenant_id = :tenant_id AND api_key_id = :api_key_id
               AND day >= :first_day AND day <= :last_day
            UNION ALL
            SELECT created_us / {DAY_US}, 1, steps_completed FROM executions
             WHERE tenant_id = :tenant_id AND created_us >= :first_us AND created_us < :end_us
               AND started_by = :api_key_id) AS parts
     GROUP BY day ORDER BY day
""")
MODELS = Sql(f"""
    SELECT at_us / {DAY_US} AS day, COALESCE(provider, '') AS provider, COALESCE(model, '') AS model,
           CAST(SUM(calls) AS {{int64}}) AS calls,
           CAST(SUM(input_tokens) AS {{int64}}) AS input_tokens,
           CAST(SUM(output_tokens) AS {{int64}}) AS output_tokens,
           CAST(SUM(cached_tokens) AS {{int64}}) AS cached_tokens,
           CAST(SUM(reasoning_tokens) AS {{int64}}) AS reasoning_tokens
      FROM usage_records
     WHERE api_key_id = :api_key_id AND at_us >= :first_us AND at_us < :end_us AND tenant_id = :tenant_id
     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
""")


def sum_spent(tx: Tx, tenant_id: str, api_key_id: str | None = None, *, since_us: int = 0) -> dict[str, int]:
    """Return what each of the tenant's keys, or one, was charged since the day that begins at `since_us`."""
    found = tx.all(
        SUM_SPENT,
        Spending,
        tenant_id=tenant_id,
        api_key_id=api_key_id or "",
        first_day=since_us // DAY_US,
        first_us=since_us,
    )
    return {each.api_key_id: each.spent_microcredits for each in found}


def list_spending(
    tx: Tx, tenant_id: str, api_key_id: str, first_day: int, last_day: int
) -> Sequence[Spending]:
    """Return what the key was charged on each day of the window that has anything."""
    return tx.all(SPENT_BY_DAY, Spending, **_window(tenant_id, api_key_id, first_day, last_day))


def list_days(tx: Tx, tenant_id: str, api_key_id: str, first_day: int, last_day: int) -> Sequence[Day]:
    """Return the key's executions and steps on each day of the window that has any."""
    return tx.all(DAYS, Day, **_window(tenant_id, api_key_id, first_day, last_day))


def list_models(tx: Tx, tenant_id: str, api_key_id: str, first_day: int, last_day: int) -> Sequence[ModelDay]:
    """Return the tokens of the key's executions on each day of the window, by model."""
    window = _window(tenant_id, api_key_id, first_day, last_day)
    return tx.all(MODELS, ModelDay, **{name: window[name] for name in MODELS.parameters})


def _window(tenant_id: str, api_key_id: str, first_day: int, last_day: int) -> dict[str, str | int]:
    return {
        "tenant_id": tenant_id,
        "api_key_id": api_key_id,
        "first_day": first_day,
        "last_day": last_day,
        "first_us": first_day * DAY_US,
        "end_us": (last_day + 1) * DAY_US,
    }
