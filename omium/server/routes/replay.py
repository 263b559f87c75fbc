"""Replays: look at the plan, then start one."""

from __future__ import annotations

from omium.errors import (
    AlreadyDecided,
    CheckpointGone,
    CreditsExhausted,
    ExecutionExists,
    IllegalTransition,
    InvalidRequest,
    LimitReached,
    NotFound,
    PayloadTooLarge,
    PlanNeeded,
    PlanStale,
)
from omium.models.replay import PlanReplay, ReplayAnswer, ReplayExecution, ReplayPlan
from omium.server.engine import replay_requests
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.server.web.idempotency import HEADER
from omium.states import Scope

TAGS = ("replay",)


@endpoint(
    "POST",
    "/v1/executions/{execution_id}/plan",
    scope=Scope.READ,
    idempotent=Idempotency.NATURAL,
    body=PlanReplay,
    reply=ReplayPlan,
    problems=(IllegalTransition, InvalidRequest, NotFound),
    summary="Say what a replay would reuse, run again, or be blocked by",
    tags=TAGS,
)
async def plan_replay(call: Call[PlanReplay]) -> ReplayPlan:
    server = call.server
    return await replay_requests.plan_replay(
        server.engine, server.key_file, call.principal, call.path["execution_id"], call.body
    )


@endpoint(
    "POST",
    "/v1/executions/{execution_id}/replay",
    scope=Scope.RUN,
    idempotent=Idempotency.NATURAL,
    body=ReplayExecution,
    reply=ReplayAnswer,
    problems=(
        AlreadyDecided,
        CheckpointGone,
        CreditsExhausted,
        ExecutionExists,
        IllegalTransition,
        InvalidRequest,
        LimitReached,
        NotFound,
        PayloadTooLarge,
        PlanNeeded,
        PlanStale,
    ),
    audit="execution.replayed",
    summary="Start a new execution from what this one has recorded",
    optional_key=True,
    tags=TAGS,
)
async def replay_execution(call: Call[ReplayExecution]) -> ReplayAnswer:
    server, key = call.server, call.headers.get(HEADER)
    return await replay_requests.replay(
        call.engine, server.key_file, call.principal, call.path["execution_id"], call.body, key
    )


ENDPOINTS = [plan_replay, replay_execution]
