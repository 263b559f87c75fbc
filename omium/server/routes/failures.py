"""The failure inbox: list, look, ignore, resolve, replay a group."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from omium.errors import InvalidRequest, NotFound, PayloadTooLarge
from omium.models.failure import (
    Failure,
    FailureDetail,
    IgnoreFailure,
    Occurrence,
    ReplayedFailure,
    ReplayFailure,
    ResolveFailure,
)
from omium.models.wire import Page
from omium.server.engine import inbox
from omium.server.engine.batches import replay_failure as replay_group
from omium.server.engine.failure_detail import read_failure
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, make_page, read_time_cursor
from omium.states import Environment, FailureKind, FailureStatus, Scope

TAGS = ("failures",)


class FailuresQuery(PageQuery):
    """Which groups to list."""

    status: FailureStatus | None = None
    workflow: Annotated[str, Field(max_length=200)] = ""
    environment: Environment | None = None
    kind: FailureKind | None = None
    execution: Annotated[str, Field(max_length=200)] = ""
    """Only those that this execution is an occurrence of."""


@endpoint(
    "GET",
    "/v1/failures",
    scope=Scope.READ,
    query=FailuresQuery,
    reply=Page[Failure],
    problems=(InvalidRequest,),
    summary="List failures, the last seen first",
    tags=TAGS,
)
async def list_failures(call: Call[None, FailuresQuery]) -> Page[Failure]:
    query, before = call.query, read_time_cursor(call.query)
    filters = inbox.Filters(
        status=query.status or "",
        workflow=query.workflow,
        environment=query.environment or "",
        kind=query.kind or "",
        execution_id=query.execution,
    )
    rows = await call.read(
        lambda tx: inbox.list_failures(
            tx, call.principal.tenant_id, filters, before=before, limit=query.limit + 1
        )
    )
    return make_page(rows, query.limit, key=lambda row: (row.last_seen_us, row.id), item=inbox.failure_view)


@endpoint(
    "GET",
    "/v1/failures/{failure_id}",
    scope=Scope.READ,
    reply=FailureDetail,
    problems=(NotFound,),
    summary="Show a failure: its sentence, what changed, whether a retry is safe, what to do next",
    tags=TAGS,
)
async def get_failure(call: Call[None]) -> FailureDetail:
    return await read_failure(call.server.engine, call.principal.tenant_id, call.path["failure_id"])


@endpoint(
    "GET",
    "/v1/failures/{failure_id}/occurrences",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Occurrence],
    problems=(InvalidRequest, NotFound),
    summary="List the occurrences of a failure, newest first",
    tags=TAGS,
)
async def list_occurrences(call: Call[None, PageQuery]) -> Page[Occurrence]:
    query, before = call.query, read_time_cursor(call.query)
    rows = await call.read(
        lambda tx: inbox.list_occurrences(
            tx, call.principal.tenant_id, call.path["failure_id"], before=before, limit=query.limit + 1
        )
    )
    return make_page(rows, query.limit, key=lambda row: (row.created_us, row.id), item=inbox.occurrence_view)


@endpoint(
    "POST",
    "/v1/failures/{failure_id}/ignore",
    scope=Scope.OPERATE,
    idempotent=Idempotency.NATURAL,
    body=IgnoreFailure,
    reply=Failure,
    problems=(NotFound,),
    audit="failure.ignored",
    summary="Close a failure with a reason, until something",
    tags=TAGS,
)
async def ignore_failure(call: Call[IgnoreFailure]) -> Failure:
    return await inbox.ignore_failure(call.db, call.principal, call.path["failure_id"], call.body)


@endpoint(
    "POST",
    "/v1/failures/{failure_id}/resolve",
    scope=Scope.OPERATE,
    idempotent=Idempotency.NATURAL,
    body=ResolveFailure,
    reply=Failure,
    problems=(NotFound,),
    audit="failure.resolved",
    summary="Close a failure as dealt with",
    tags=TAGS,
)
async def resolve_failure(call: Call[ResolveFailure]) -> Failure:
    failure_id = call.path["failure_id"]
    return await inbox.resolve_failure(call.db, call.principal, failure_id, call.body.reason)


@endpoint(
    "POST",
    "/v1/failures/{failure_id}/replay",
    scope=Scope.OPERATE,
    idempotent=Idempotency.NATURAL,
    body=ReplayFailure,
    reply=ReplayedFailure,
    problems=(NotFound, PayloadTooLarge),
    audit="failure.replayed",
    summary="Replay the open occurrences of a failure one after another",
    tags=TAGS,
)
async def replay_failure(call: Call[ReplayFailure]) -> ReplayedFailure:
    server = call.server
    failure_id = call.path["failure_id"]
    return await replay_group(call.engine, server.key_file, call.principal, failure_id, call.body)


ENDPOINTS = [
    list_failures,
    get_failure,
    list_occurrences,
    ignore_failure,
    resolve_failure,
    replay_failure,
]
