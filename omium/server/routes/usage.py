"""Usage: record what a provider charged for outside of a driver's writes, and list what was recorded."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from omium.errors import InvalidRequest, NotFound
from omium.models.usage import RecordUsage, UsageRecord
from omium.models.wire import Page
from omium.server.engine import usage
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, make_page, read_time_cursor
from omium.states import Scope

TAGS = ("usage",)


@endpoint(
    "POST",
    "/v1/usage",
    scope=Scope.RUN,
    idempotent=Idempotency.NATURAL,
    body=RecordUsage,
    reply=UsageRecord,
    problems=(NotFound,),
    summary="Record and charge what a provider charged for; the same id is counted once",
    tags=TAGS,
)
async def record_usage(call: Call[RecordUsage]) -> UsageRecord:
    metered = call.server.engine.metering
    await call.write(lambda tx: usage.record_usage(tx, call.principal, [call.body], metered=metered))
    return UsageRecord(**call.body.model_dump(include=set(UsageRecord.model_fields)))


class UsageQuery(PageQuery):
    """Of one execution, or of all."""

    execution_id: Annotated[str, Field(max_length=200)] | None = None


@endpoint(
    "GET",
    "/v1/usage",
    scope=Scope.READ,
    query=UsageQuery,
    reply=Page[UsageRecord],
    problems=(InvalidRequest, NotFound),
    summary="List usage records, newest first",
    tags=TAGS,
)
async def list_usage(call: Call[None, UsageQuery]) -> Page[UsageRecord]:
    query, before = call.query, read_time_cursor(call.query)
    rows = await call.read(
        lambda tx: usage.list_usage(
            tx, call.principal.tenant_id, query.execution_id, before=before, limit=query.limit + 1
        )
    )
    return make_page(rows, query.limit, key=lambda row: (row.at_us, row.id), item=usage.view_usage)


ENDPOINTS = [record_usage, list_usage]
