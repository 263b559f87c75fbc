"""Savings of the engine: what a resume, a takeover or a replay neither runs nor pays again.

A forecast of what the same steps would cost by today's book: their usage as reported, and the price of a
step. Runs in the transaction that goes on, which is seldom. Sums of it are omium/server/analytics/.
"""

from __future__ import annotations

from collections.abc import Iterable

from omium.server.db.tx import Tx
from omium.server.engine.replay_costs import SourceCosts, read_costs
from omium.server.engine.verdicts import Plan
from omium.server.store import savings
from omium.server.store.executions import ExecutionRow


def save_resume(tx: Tx, row: ExecutionRow, cause: str) -> None:
    """Note what the locked execution keeps as it goes on: `cause` is `resume` or `takeover`."""
    steps = savings.list_live_steps(tx, row.id)
    if steps:
        took_us = sum(max(step.took_us, 0) for step in steps)
        paths = [step.path for step in steps]
        _insert(tx, row, cause, paths, took_us, read_costs(tx, row))


def save_replay(tx: Tx, row: ExecutionRow, plan: Plan) -> None:
    """Note what the replay `row` of `plan` begins with; edited outputs are reused just as well."""
    records = [verdict.record for verdict in plan.reused if verdict.record is not None]
    if records:
        took_us = sum(max(record.ended_us - record.started_us, 0) for record in records)
        costs = read_costs(tx, plan.source.row)
        _insert(tx, row, "replay", [record.path for record in records], took_us, costs)


def _insert(
    tx: Tx, row: ExecutionRow, cause: str, paths: Iterable[str], took_us: int, costs: SourceCosts
) -> None:
    listed = list(paths)
    used = sum(costs.usage_microcredits.get(path) or 0 for path in listed)  # what has no price counts nothing
    savings.insert_saving(
        tx,
        savings.SavingRow(
            tenant_id=row.tenant_id,
            at_us=tx.now_us,
            execution_id=row.id,
            seq=row.last_seq,
            cause=cause,
            environment=row.environment,
            workflow=row.workflow,
            started_by=row.started_by,
            steps=len(listed),
            saved_us=took_us,
            saved_microcredits=used + len(listed) * costs.book.step_microcredits,
        ),
    )
