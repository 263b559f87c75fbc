"""Status: how the tenant stands."""

from __future__ import annotations

from omium.models.account import Status
from omium.server.engine.status import read_status
from omium.server.web.endpoint import Call, endpoint
from omium.states import Scope


@endpoint(
    "GET",
    "/v1/status",
    scope=Scope.READ,
    reply=Status,
    summary="Show how the tenant stands, and what is left to do first",
    tags=("account",),
)
async def get_status(call: Call[None]) -> Status:
    engine = call.server.engine
    return await call.read(
        lambda tx: read_status(tx, call.principal, engine.policy, metering=engine.metering)
    )


ENDPOINTS = [get_status]
