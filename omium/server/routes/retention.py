"""Settings: how long executions are kept."""

from __future__ import annotations

from omium.models.account import Retention
from omium.server.engine import retention
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.states import Scope

TAGS = ("settings",)


@endpoint(
    "GET",
    "/v1/settings/retention",
    scope=Scope.READ,
    reply=Retention,
    summary="Show how long executions are kept after their end",
    tags=TAGS,
)
async def get_retention(call: Call[None]) -> Retention:
    return await call.read(lambda tx: retention.get_retention(tx, call.principal.tenant_id))


@endpoint(
    "PUT",
    "/v1/settings/retention",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    body=Retention,
    reply=Retention,
    audit="retention.set",
    summary="Set how long executions are kept after their end",
    tags=TAGS,
)
async def set_retention(call: Call[Retention]) -> Retention:
    return await call.write(lambda tx: retention.set_retention(tx, call.principal, call.body))


ENDPOINTS = [get_retention, set_retention]
