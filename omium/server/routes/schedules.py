"""Schedules: workflows that start again and again."""

from __future__ import annotations

from omium.errors import InvalidRequest, LimitReached, NotFound, WorkflowNotAllowed
from omium.models.schedules import CreateSchedule, Fire, Schedule
from omium.models.wire import Page
from omium.server.db.tx import Tx
from omium.server.schedules import planning
from omium.server.store import fires, schedules
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, decode_cursor, make_page, read_time_cursor
from omium.states import Scope

TAGS = ("schedules",)


@endpoint(
    "POST",
    "/v1/schedules",
    scope=Scope.OPERATE,
    idempotent=Idempotency.KEYED,
    body=CreateSchedule,
    reply=Schedule,
    status=201,
    problems=(InvalidRequest, LimitReached, WorkflowNotAllowed),
    audit="schedule.created",
    audit_target="id",
    summary="Start a workflow again and again",
    tags=TAGS,
)
async def create_schedule(call: Call[CreateSchedule]) -> Answer:
    parts = call.server.engine
    return await call.mutate(lambda tx: planning.create_schedule(tx, parts, call.principal, call.body))


@endpoint(
    "GET",
    "/v1/schedules",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Schedule],
    problems=(InvalidRequest,),
    summary="List schedules by environment and name",
    tags=TAGS,
)
async def list_schedules(call: Call[None, PageQuery]) -> Page[Schedule]:
    query, after = call.query, ("", "")
    if query.after is not None:
        environment, name = decode_cursor(query.after, str, str)
        after = (str(environment), str(name))
    tenant_id = call.principal.tenant_id
    rows = await call.read(lambda tx: schedules.list_schedules(tx, tenant_id, after, query.limit + 1))
    return make_page(
        rows, query.limit, key=lambda row: (row.environment, row.name), item=planning.view_schedule
    )


@endpoint(
    "GET",
    "/v1/schedules/{schedule_id}",
    scope=Scope.READ,
    reply=Schedule,
    problems=(NotFound,),
    summary="Show a schedule with its next times",
    tags=TAGS,
)
async def get_schedule(call: Call[None]) -> Schedule:
    tenant_id, schedule_id = call.principal.tenant_id, call.path["schedule_id"]
    return await call.read(
        lambda tx: planning.view_schedule(planning.get_schedule(tx, tenant_id, schedule_id))
    )


@endpoint(
    "GET",
    "/v1/schedules/{schedule_id}/fires",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Fire],
    problems=(InvalidRequest, NotFound),
    summary="List when a schedule came to start something, newest first",
    tags=TAGS,
)
async def list_schedule_fires(call: Call[None, PageQuery]) -> Page[Fire]:
    query, tenant_id, schedule_id = call.query, call.principal.tenant_id, call.path["schedule_id"]
    before = read_time_cursor(query)

    def read(tx: Tx) -> list[fires.FireRow]:
        planning.get_schedule(tx, tenant_id, schedule_id)
        return fires.list_fires(tx, schedule_id, before, query.limit + 1)

    return make_page(
        await call.read(read), query.limit, key=lambda row: (row.at_us, row.key), item=planning.view_fire
    )


@endpoint(
    "POST",
    "/v1/schedules/{schedule_id}/pause",
    scope=Scope.OPERATE,
    idempotent=Idempotency.KEYED,
    reply=Schedule,
    problems=(NotFound, WorkflowNotAllowed),
    audit="schedule.paused",
    summary="Pause a schedule; what it started goes on",
    tags=TAGS,
)
async def pause_schedule(call: Call[None]) -> Answer:
    schedule_id = call.path["schedule_id"]
    return await call.mutate(lambda tx: planning.set_paused(tx, call.principal, schedule_id, paused=True))


@endpoint(
    "POST",
    "/v1/schedules/{schedule_id}/resume",
    scope=Scope.OPERATE,
    idempotent=Idempotency.KEYED,
    reply=Schedule,
    problems=(NotFound, WorkflowNotAllowed),
    audit="schedule.resumed",
    summary="Let a paused schedule go on with its next time",
    tags=TAGS,
)
async def resume_schedule(call: Call[None]) -> Answer:
    schedule_id = call.path["schedule_id"]
    return await call.mutate(lambda tx: planning.set_paused(tx, call.principal, schedule_id, paused=False))


@endpoint(
    "POST",
    "/v1/schedules/{schedule_id}/run",
    scope=Scope.RUN,
    idempotent=Idempotency.KEYED,
    reply=Fire,
    problems=(NotFound, WorkflowNotAllowed),
    audit="schedule.run",
    summary="Start a schedule's workflow at once",
    tags=TAGS,
)
async def run_schedule(call: Call[None]) -> Answer:
    schedule_id, parts = call.path["schedule_id"], call.server.engine
    return await call.mutate(
        lambda tx: planning.run_now(tx, parts, call.principal, schedule_id, tx.new_id("fi"))
    )


@endpoint(
    "DELETE",
    "/v1/schedules/{schedule_id}",
    scope=Scope.OPERATE,
    idempotent=Idempotency.NATURAL,
    problems=(NotFound, WorkflowNotAllowed),
    audit="schedule.deleted",
    summary="Delete a schedule; what it started goes on",
    tags=TAGS,
)
async def delete_schedule(call: Call[None]) -> None:
    await call.write(lambda tx: planning.delete_schedule(tx, call.principal, call.path["schedule_id"]))


ENDPOINTS = [
    create_schedule,
    list_schedules,
    get_schedule,
    list_schedule_fires,
    pause_schedule,
    resume_schedule,
    run_schedule,
    delete_schedule,
]
