"""Usage: tokens and calls that providers charged for, recorded whatever became of the step.

Owns when a record counts (once per id, for the tenant that reported it) and its sums. Prices and charges are
the ledger's (ledger/charges.py). A record is taken from a driver whose grant is gone, too: what was spent was
spent (semantics 3.8 d).
"""

from __future__ import annotations

from omium.models.execution import Usage
from omium.models.usage import RecordUsage, UsageRecord
from omium.server.db.tx import Tx
from omium.server.engine.breaker_spending import count_spending, lock_limited
from omium.server.ledger import charges
from omium.server.principal import Principal
from omium.server.store import usage as store
from omium.server.store.executions import ExecutionRow, get_execution, lock_execution


def insert_usage(
    tx: Tx, row: ExecutionRow | None, principal: Principal, usage: RecordUsage, *, metered: bool = False
) -> bool:
    """Record `usage` for the execution `row`, or for no execution; False where its id was counted before.

    Runs in the transaction of the step's own record, so a crash leaves both or neither. `row`, which is
    locked, decides the execution: what `usage.execution_id` says is not looked at, so no other tenant's can
    be named. It's charged where the execution is metered; without an execution, where `metered` says so. Who
    calls this has locked the breaker that `usage` names (breaker_spending.py).
    """
    report = store.UsageRow(
        tenant_id=principal.tenant_id,
        id=usage.id,
        execution_id=row.id if row else None,
        path=usage.path,
        attempt=usage.attempt,
        environment=row.environment if row else principal.environment.value,
        workflow=row.workflow if row else None,
        api_key_id=row.started_by if row else principal.id,  # who started it pays (semantics 3.8 f)
        provider=usage.provider,
        model=usage.model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        calls=usage.calls,
        reported_cost_microusd=usage.reported_cost_microusd,
        at_us=usage.at_us,
    )
    if not store.insert_usage(tx, report):
        return False
    charged_microcredits = 0
    if row.covered_steps is not None if row is not None else metered:
        charged_microcredits = charges.charge_report(tx, report, row, actor_id=principal.id)
    if usage.breaker is not None:
        count_spending(
            tx,
            report.tenant_id,
            report.environment,
            usage.breaker,
            tokens=usage.input_tokens + usage.output_tokens,
            microcredits=charged_microcredits,
        )
    return True


def record_usage(tx: Tx, principal: Principal, records: list[RecordUsage], *, metered: bool = False) -> int:
    """Record reports that came by themselves; return how many were new; `NotFound` for a foreign execution.

    All or none: one that names an unknown execution leaves no trace of the others.
    """
    rows: dict[str, ExecutionRow] = {}
    new = 0
    for execution_id in sorted({usage.execution_id for usage in records if usage.execution_id is not None}):
        rows[execution_id] = lock_execution(tx, principal.tenant_id, execution_id)
    for environment in sorted({principal.environment.value, *(row.environment for row in rows.values())}):
        lock_limited(tx, principal.tenant_id, environment, records)
    for usage in records:
        row = rows[usage.execution_id] if usage.execution_id is not None else None
        new += insert_usage(tx, row, principal, usage, metered=metered)
    return new


def sum_usage(tx: Tx, tenant_id: str, execution_id: str) -> Usage:
    """Return the sums of an execution, in all and by `provider/model`."""
    total = dict.fromkeys(_SUMMED, 0)
    by_model: dict[str, dict[str, int]] = {}
    for part in store.sum_usage(tx, tenant_id, execution_id):
        sums = {name: int(getattr(part, name)) for name in _SUMMED}
        by_model["/".join(filter(None, (part.provider, part.model))) or "unknown"] = sums
        for name, value in sums.items():
            total[name] += value
    return Usage(**total, by_model=by_model)


_SUMMED = (
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "calls",
    "reported_cost_microusd",
)


def list_usage(
    tx: Tx, tenant_id: str, execution_id: str | None, *, before: tuple[int, str], limit: int
) -> list[store.ChargedUsageRow]:
    """List a tenant's records, or those of one of its executions, below (at_us, id), the newest first."""
    if execution_id is not None:
        get_execution(tx, tenant_id, execution_id)
    return store.list_usage(tx, tenant_id, execution_id, before=before, limit=limit)


def view_usage(row: store.ChargedUsageRow) -> UsageRecord:
    """Return the record as it travels."""
    return UsageRecord(**{name: getattr(row, name) for name in UsageRecord.model_fields})
