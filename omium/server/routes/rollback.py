"""Rollback: look at the way back, go back, see and skip what is compensated."""

from __future__ import annotations

from omium.errors import EffectUnresolved, IllegalTransition, InvalidRequest, NotFound
from omium.models.execution import Execution
from omium.models.replay import (
    CompensationView,
    PlanRollback,
    RollbackAnswer,
    RollbackExecution,
    RollbackPlan,
    SkipCompensations,
)
from omium.models.wire import Page
from omium.server.db.tx import Tx
from omium.server.engine import compensations, rollback
from omium.server.engine.runners import find_runner
from omium.server.engine.views import view_execution
from omium.server.store.executions import get_execution
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, decode_cursor, make_page
from omium.states import Scope

TAGS = ("rollback",)


@endpoint(
    "POST",
    "/v1/executions/{execution_id}/rollback/plan",
    scope=Scope.READ,
    idempotent=Idempotency.NATURAL,
    body=PlanRollback,
    reply=RollbackPlan,
    problems=(EffectUnresolved, IllegalTransition, InvalidRequest, NotFound),
    summary="Say what going back would supersede, compensate and leave as it is",
    tags=TAGS,
)
async def plan_rollback(call: Call[PlanRollback]) -> RollbackPlan:
    tenant_id, execution_id = call.principal.tenant_id, call.path["execution_id"]
    return await call.read(lambda tx: rollback.plan_rollback(tx, tenant_id, execution_id, call.body))


@endpoint(
    "POST",
    "/v1/executions/{execution_id}/rollback",
    scope=Scope.OPERATE,
    idempotent=Idempotency.KEYED,
    body=RollbackExecution,
    reply=RollbackAnswer,
    problems=(EffectUnresolved, IllegalTransition, InvalidRequest, NotFound),
    audit="execution.rolled_back",
    summary="Go back to an event; the execution stays paused until it is resumed",
    tags=TAGS,
)
async def rollback_execution(call: Call[RollbackExecution]) -> Answer:
    execution_id, policy = call.path["execution_id"], call.server.engine.policy
    left: list[str] = []

    def work(tx: Tx) -> RollbackAnswer:
        row, plan = rollback.roll_back(tx, call.principal, execution_id, call.body, left=left)
        runner = find_runner(tx, row, policy)
        return RollbackAnswer(execution=view_execution(row), plan=plan, **runner.model_dump())

    while True:
        try:
            return await call.mutate(work)
        except rollback.ChildrenFirst:  # dies in between: the same request goes on with the next page
            left += await call.server.db.write(  # the rollback itself is audited
                lambda tx: rollback.leave_some(tx, call.principal, execution_id, call.body)
            )


@endpoint(
    "GET",
    "/v1/executions/{execution_id}/compensations",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[CompensationView],
    problems=(InvalidRequest, NotFound),
    summary="List the compensations of an execution's rollbacks in the order in which they run",
    tags=TAGS,
)
async def list_compensations(call: Call[None, PageQuery]) -> Page[CompensationView]:
    query, tenant_id, execution_id = call.query, call.principal.tenant_id, call.path["execution_id"]
    after = (0, 0)
    if query.after is not None:
        generation, position = decode_cursor(query.after, int, int)
        after = (int(generation), int(position) + 1)
    rows = await call.read(lambda tx: compensations.list_compensations(tx, tenant_id, execution_id))
    return make_page(
        [row for row in rows if (row.generation, row.position) >= after],
        query.limit,
        key=lambda row: (row.generation, row.position),
        item=lambda row: row,
    )


@endpoint(
    "POST",
    "/v1/executions/{execution_id}/compensations/skip",
    scope=Scope.OPERATE,
    idempotent=Idempotency.KEYED,
    body=SkipCompensations,
    reply=Execution,
    problems=(IllegalTransition, NotFound),
    audit="compensation.skipped",
    summary="Skip the compensations that have not ended, so that the execution can be resumed",
    tags=TAGS,
)
async def skip_compensations(call: Call[SkipCompensations]) -> Answer:
    execution_id = call.path["execution_id"]

    def work(tx: Tx) -> Execution:
        compensations.skip_compensations(tx, call.principal, execution_id, call.body.reason)
        return view_execution(get_execution(tx, call.principal.tenant_id, execution_id))

    return await call.mutate(work)


ENDPOINTS = [plan_rollback, rollback_execution, list_compensations, skip_compensations]
