"""Executions: start, list, show, resume, cancel, pause."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from omium.errors import (
    CheckpointGone,
    CompensationPending,
    CreditsExhausted,
    EffectUnresolved,
    ExecutionExists,
    IdempotencyMismatch,
    IllegalTransition,
    InvalidRequest,
    LimitReached,
    NotFound,
    ParentFinal,
    PayloadTooLarge,
    SecretNotRepeatable,
    UnknownPrice,
    WorkflowArchived,
)
from omium.models.driver import Grant, RecordValue, ResumeReply, StartAnswer
from omium.models.execution import (
    CancelExecution,
    Checkpoint,
    Event,
    Execution,
    ExecutionDetail,
    ListedExecution,
    PauseExecution,
    ResumeExecution,
    StartExecution,
    Step,
    StepAttempt,
)
from omium.models.wire import Command, Page, Path, TimestampUs
from omium.server.db.tx import Tx
from omium.server.engine import cancel, reading
from omium.server.engine.resume import resume, resume_queued
from omium.server.engine.start import start
from omium.server.engine.values import StoredValue, fetch_values
from omium.server.engine.views import view_attempt, view_checkpoint, view_event, view_listed
from omium.server.store import attempts, checkpoints, events, execution_lists
from omium.server.store.execution_lists import MAX_TIME, ExecutionFilter
from omium.server.store.executions import get_execution as get_row
from omium.server.web.answer import answer_model
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.idempotency import HEADER
from omium.server.web.pagination import (
    PageQuery,
    decode_cursor,
    encode_cursor,
    make_page,
    read_number_cursor,
    read_time_cursor,
)
from omium.states import Environment, ExecutionStatus, Scope

TAGS = ("executions",)


@endpoint(
    "POST",
    "/v1/executions",
    scope=Scope.RUN,
    idempotent=Idempotency.NATURAL,
    body=StartExecution,
    reply=StartAnswer,
    problems=(
        CreditsExhausted,
        ExecutionExists,
        IdempotencyMismatch,
        IllegalTransition,
        InvalidRequest,
        LimitReached,
        NotFound,
        ParentFinal,
        PayloadTooLarge,
        SecretNotRepeatable,
        WorkflowArchived,
    ),
    summary="Start an execution, here or on a worker",
    optional_key=True,
    tags=TAGS,
)
async def start_execution(call: Call[StartExecution]) -> Grant | Execution:
    return await start(call.server.engine, call.principal, call.body, call.headers.get(HEADER))


class ExecutionsQuery(PageQuery):
    """What to list; times are when executions were created, the end excluded."""

    status: ExecutionStatus | None = None
    workflow: Annotated[str, Field(max_length=200)] = ""
    environment: Environment | None = None
    parent: Annotated[str, Field(max_length=200)] = ""
    replay_of: Annotated[str, Field(max_length=200)] = ""
    tag: Annotated[str, Field(max_length=100)] = ""
    """Only those that were started with this tag."""
    business_key: Annotated[str, Field(max_length=200)] = ""
    """Only those that were started with this business key."""
    from_us: TimestampUs = 0
    until_us: TimestampUs | None = None


@endpoint(
    "GET",
    "/v1/executions",
    scope=Scope.READ,
    query=ExecutionsQuery,
    reply=Page[ListedExecution],
    problems=(InvalidRequest,),
    summary="List executions, newest first",
    tags=TAGS,
)
async def list_executions(call: Call[None, ExecutionsQuery]) -> Page[ListedExecution]:
    query = call.query
    wanted = ExecutionFilter(
        status=query.status or "",
        workflow=query.workflow,
        environment=query.environment or "",
        parent_id=query.parent,
        replay_of=query.replay_of,
        tag=query.tag,
        business_key=query.business_key,
        from_us=query.from_us,
        until_us=query.until_us if query.until_us is not None else MAX_TIME,
    )
    before, tenant_id = read_time_cursor(query), call.principal.tenant_id
    rows = await call.read(
        lambda tx: execution_lists.list_executions(
            tx, tenant_id, wanted, before=before, limit=query.limit + 1
        )
    )
    return make_page(rows, query.limit, key=lambda row: (row.created_us, row.id), item=view_listed)


@endpoint(
    "GET",
    "/v1/executions/{execution_id}",
    scope=Scope.READ,
    reply=ExecutionDetail,
    problems=(NotFound,),
    summary="Show an execution with its steps, checkpoints and usage",
    tags=TAGS,
)
async def get_execution(call: Call[None]) -> ExecutionDetail:
    detail, following = await reading.read_detail(
        call.server.engine, call.principal.tenant_id, call.path["execution_id"]
    )
    steps_next = encode_cursor(*following) if following else None
    return detail.model_copy(update={"steps_next": steps_next})


@endpoint(
    "GET",
    "/v1/executions/{execution_id}/steps",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Step],
    problems=(InvalidRequest, NotFound),
    summary="List an execution's steps by their start, superseded ones too",
    tags=TAGS,
)
async def list_steps(call: Call[None, PageQuery]) -> Page[Step]:
    after: reading.StepKey = (-1, "", 0, 0)
    if call.query.after is not None:
        started_us, path, generation, attempt = decode_cursor(call.query.after, int, str, int, int)
        after = (int(started_us), str(path), int(generation), int(attempt))
    steps, following = await reading.read_steps(
        call.server.engine, call.principal.tenant_id, call.path["execution_id"], after, call.query.limit
    )
    return Page[Step](items=steps, next=encode_cursor(*following) if following else None)


class StepQuery(Command):
    """Which step."""

    path: Path


@endpoint(
    "GET",
    "/v1/executions/{execution_id}/steps/value",
    scope=Scope.READ,
    query=StepQuery,
    reply=RecordValue,
    problems=(CheckpointGone, NotFound),
    summary="Show the whole output of one step",
    tags=TAGS,
)
async def get_step_value(call: Call[None, StepQuery]) -> RecordValue:
    tenant_id, path = call.principal.tenant_id, call.query.path
    output = await reading.read_step_value(call.server.engine, tenant_id, call.path["execution_id"], path)
    return RecordValue(path=path, output=output)


class AttemptsQuery(PageQuery):
    """Of one step, or of all."""

    path: Path | None = None


@endpoint(
    "GET",
    "/v1/executions/{execution_id}/attempts",
    scope=Scope.READ,
    query=AttemptsQuery,
    reply=Page[StepAttempt],
    problems=(InvalidRequest, NotFound),
    summary="List the failed tries of an execution's steps",
    tags=TAGS,
)
async def list_attempts(call: Call[None, AttemptsQuery]) -> Page[StepAttempt]:
    query, execution_id = call.query, call.path["execution_id"]
    after = ("", 0, 0, 0)
    if query.after is not None:
        path, generation, attempt, epoch = decode_cursor(query.after, str, int, int, int)
        after = (str(path), int(generation), int(attempt), int(epoch))

    def read(tx: Tx) -> list[attempts.AttemptRow]:
        row = get_row(tx, call.principal.tenant_id, execution_id)
        if query.path is None:
            return attempts.list_attempts(tx, row.id, after=after, limit=query.limit + 1)
        return attempts.list_step_attempts(tx, row.id, query.path, after=after[1:], limit=query.limit + 1)

    return make_page(
        await call.read(read),
        query.limit,
        key=lambda row: (row.path, row.generation, row.attempt, row.epoch),
        item=view_attempt,
    )


@endpoint(
    "GET",
    "/v1/executions/{execution_id}/events",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Event],
    problems=(InvalidRequest, NotFound),
    summary="List an execution's events in order",
    tags=TAGS,
)
async def list_events(call: Call[None, PageQuery]) -> Page[Event]:
    query, tenant_id, execution_id = call.query, call.principal.tenant_id, call.path["execution_id"]
    after_seq = read_number_cursor(query)

    def read(tx: Tx) -> list[events.EventRow]:
        get_row(tx, tenant_id, execution_id)
        return events.list_events(tx, tenant_id, execution_id, after_seq, query.limit + 1)

    return make_page(await call.read(read), query.limit, key=lambda row: (row.seq,), item=view_event)


@endpoint(
    "GET",
    "/v1/executions/{execution_id}/checkpoints",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Checkpoint],
    problems=(InvalidRequest, NotFound),
    summary="List the states that an execution saved",
    tags=TAGS,
)
async def list_checkpoints(call: Call[None, PageQuery]) -> Page[Checkpoint]:
    query, tenant_id = call.query, call.principal.tenant_id
    after_seq = read_number_cursor(query)

    def read(tx: Tx) -> tuple[list[checkpoints.CheckpointRow], dict[bytes, StoredValue]]:
        row = get_row(tx, tenant_id, call.path["execution_id"])
        rows = checkpoints.list_checkpoints(tx, row.id, after_seq=after_seq, limit=query.limit + 1)
        return rows, fetch_values(tx, tenant_id, [each.state for each in rows])

    rows, values = await call.read(read)
    vault = call.server.engine.vault
    return make_page(
        rows,
        query.limit,
        key=lambda row: (row.seq,),
        item=lambda row: view_checkpoint(vault, tenant_id, row, values),
    )


@endpoint(
    "GET",
    "/v1/executions/{execution_id}/checkpoints/{checkpoint_id}",
    scope=Scope.READ,
    reply=Checkpoint,
    problems=(CheckpointGone, NotFound),
    summary="Show a saved state whole",
    tags=TAGS,
)
async def get_checkpoint(call: Call[None]) -> Checkpoint:
    return await reading.read_checkpoint(
        call.server.engine, call.principal.tenant_id, call.path["execution_id"], call.path["checkpoint_id"]
    )


@endpoint(
    "POST",
    "/v1/executions/{execution_id}/resume",
    scope=Scope.RUN,
    idempotent=Idempotency.KEYED,
    body=ResumeExecution,
    reply=ResumeReply,
    problems=(
        CompensationPending,
        CreditsExhausted,
        EffectUnresolved,
        IllegalTransition,
        InvalidRequest,
        LimitReached,
        NotFound,
        ParentFinal,
        UnknownPrice,
    ),
    summary="Go on with a failed, paused or waiting execution",
    tags=TAGS,
)
async def resume_execution(call: Call[ResumeExecution]) -> Answer:
    execution_id, parts = call.path["execution_id"], call.server.engine
    if call.body.process is not None:
        # A grant holds a secret, so it's not stored: the caller's lease token is what makes a repeat the
        # same.
        return answer_model(await resume(parts, call.principal, execution_id, call.body), 200)
    return await call.mutate(
        lambda tx: resume_queued(tx, call.principal, execution_id, call.body, parts.policy, parts)
    )


@endpoint(
    "POST",
    "/v1/executions/{execution_id}/cancel",
    scope=Scope.OPERATE,
    idempotent=Idempotency.KEYED,
    body=CancelExecution,
    reply=Execution,
    problems=(IllegalTransition, NotFound),
    audit="execution.cancelled",
    summary="Ask that an execution and its children stop",
    tags=TAGS,
)
async def cancel_execution(call: Call[CancelExecution]) -> Answer:
    execution_id = call.path["execution_id"]
    answer = await call.mutate(lambda tx: cancel.request_cancel(tx, call.principal, execution_id, call.body))
    await cancel.reach_children(call.server.db)  # dies before: the sweep goes on
    return answer


@endpoint(
    "POST",
    "/v1/executions/{execution_id}/pause",
    scope=Scope.OPERATE,
    idempotent=Idempotency.KEYED,
    body=PauseExecution,
    reply=Execution,
    problems=(IllegalTransition, NotFound),
    audit="execution.paused",
    summary="Ask that an execution pause after the steps that run now",
    tags=TAGS,
)
async def pause_execution(call: Call[PauseExecution]) -> Answer:
    execution_id = call.path["execution_id"]
    return await call.mutate(lambda tx: cancel.request_pause(tx, call.principal, execution_id, call.body))


ENDPOINTS = [
    start_execution,
    list_executions,
    get_execution,
    list_steps,
    get_step_value,
    list_attempts,
    list_events,
    list_checkpoints,
    get_checkpoint,
    resume_execution,
    cancel_execution,
    pause_execution,
]
