"""Requests for a plan or a replay: values are packed before the transaction, a grant is built after it.

What a replay is stands in replay.py, what its plan says in plan.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from omium.models.execution import RunnerAnswer
from omium.models.replay import PlanReplay, ReplayAnswer, ReplayExecution, ReplayPlan
from omium.money import to_credits
from omium.server.db.tx import Tx
from omium.server.engine.grants import build_grant
from omium.server.engine.parts import EngineParts
from omium.server.engine.plan import make_plan, planned_steps
from omium.server.engine.plan_token import make_token
from omium.server.engine.replay import Replayed, prepare_replay, start_replay
from omium.server.engine.replay_costs import SourceCosts, price_plan, read_costs
from omium.server.engine.replay_packing import pack_replay
from omium.server.engine.replay_versions import read_pinned, settle_mode
from omium.server.engine.runners import find_runner
from omium.server.engine.source import Source, read_source, refuse_source
from omium.server.engine.values import StoredValue, fetch_value
from omium.server.engine.verdicts import Plan
from omium.server.engine.views import view_execution
from omium.server.principal import Principal
from omium.server.seal import KeyFile
from omium.server.store.executions import get_execution


async def plan_replay(
    parts: EngineParts, keys: KeyFile, principal: Principal, execution_id: str, command: PlanReplay
) -> ReplayPlan:
    """Say what a replay would do, with the token that lets it be started; nothing is changed."""

    def read(tx: Tx) -> tuple[Source, SourceCosts | None, RunnerAnswer, int]:
        row = get_execution(tx, principal.tenant_id, execution_id)
        refuse_source(tx, row)
        costs = read_costs(tx, row) if parts.metering else None
        source = read_source(tx, row, read_pinned(tx, parts, row, command.version))
        return source, costs, find_runner(tx, row, parts.policy), tx.now_us

    source, costs, runner, now_us = await parts.db.read(read)
    command = settle_mode(source.row, command)
    return view_plan(keys, principal, make_plan(source, command), costs, runner, now_us)


async def replay(
    parts: EngineParts,
    keys: KeyFile,
    principal: Principal,
    execution_id: str,
    command: ReplayExecution,
    idempotency_key: str | None = None,
) -> ReplayAnswer:
    """Start a replay: queued for a worker, or, with `command.process`, granted to the caller.

    Raises as `start_replay`, and `PayloadTooLarge`.
    """

    def read(tx: Tx) -> tuple[Source, StoredValue, SourceCosts | None]:
        row = get_execution(tx, principal.tenant_id, execution_id)
        principal.require_workflow(row.workflow)
        source = read_source(tx, row, read_pinned(tx, parts, row, command.version))
        costs = read_costs(tx, row) if parts.metering else None
        return source, fetch_value(tx, row.tenant_id, source.details.input), costs

    source, recorded, costs = await parts.db.read(read)
    command = settle_mode(source.row, command)
    packed = pack_replay(
        parts.vault, principal, execution_id, command, recorded, idempotency_key, metered=parts.metering
    )
    prepared = prepare_replay(packed, source)

    def write(tx: Tx) -> tuple[Replayed, RunnerAnswer, int]:
        replayed = start_replay(tx, parts, keys, packed, prepared)
        return replayed, find_runner(tx, replayed.row, parts.policy), tx.now_us

    replayed, runner, now_us = await parts.db.write(write)
    answer = ReplayAnswer(
        execution=view_execution(replayed.row),
        plan=view_plan(keys, principal, replayed.plan, costs, runner, now_us),
        **runner.model_dump(),
    )
    if packed.taker is None or command.lease_token is None:
        return answer
    grant = await build_grant(parts, replayed.row, command.lease_token)
    return answer.model_copy(update={"grant": grant})


def view_plan(
    keys: KeyFile,
    principal: Principal,
    plan: Plan,
    costs: SourceCosts | None,
    runner: RunnerAnswer,
    now_us: int,
) -> ReplayPlan:
    """Return the plan as it travels, with a fresh token."""
    priced = price_plan(plan, costs) if costs is not None else None
    total = priced.total_microcredits if priced is not None else None
    token, expires_us = make_token(keys, principal, plan.source, plan.command, now_us)
    count: Mapping[str, int] = {
        disposition: sum(verdict.disposition == disposition for verdict in plan.verdicts)
        for disposition in ("reuse", "rerun", "blocked")
    }
    return ReplayPlan(
        execution_id=plan.source.row.id,
        mode=plan.command.mode or "prefix",
        version=plan.source.version,
        from_step=plan.command.from_step,
        steps=planned_steps(plan, priced.steps_microcredits if priced is not None else None),
        reuse=count["reuse"],
        rerun=count["rerun"],
        blocked=count["blocked"],
        exact=plan.is_certain,
        estimated_microcredits=total,
        estimated_credits=None if total is None else to_credits(total),
        edits=plan.command.edits,
        token=token,
        expires_at_us=expires_us,
        **runner.model_dump(),
    )
