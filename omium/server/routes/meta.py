"""What the server says about itself: health, readiness, metrics, OpenAPI, and who a key is."""

from __future__ import annotations

import asyncio

from omium import __version__
from omium.errors import (
    KeyExpired,
    KeyRevoked,
    KeyRotated,
    Problem,
    ScopeMissing,
    SessionEnded,
    TokenExpired,
    Unauthenticated,
)
from omium.models.account import WhoAmI
from omium.models.server import Health
from omium.money import to_credits
from omium.server.db.tx import Tx
from omium.server.ledger.state import credits_state
from omium.server.principal import Principal
from omium.server.store import api_keys, census, tenants, users
from omium.server.web.endpoint import Answer, Call, endpoint
from omium.server.web.hosts import is_loopback
from omium.server.web.metrics import MEDIA_TYPE
from omium.spec.published import published_bytes
from omium.states import Scope


@endpoint(
    "GET", "/healthz", scope=None, reply=Health, summary="Say that the process is there", tags=("server",)
)
async def get_health(_call: Call[None]) -> Health:
    return Health(status="ok", server_version=__version__)


@endpoint(
    "GET", "/readyz", scope=None, reply=Health, summary="Say whether requests are served", tags=("server",)
)
async def get_readiness(call: Call[None]) -> Health | Answer:
    if call.server.draining:
        stopping = Health(status="stopping", server_version=__version__, detail="The server is stopping.")
        return Answer(stopping.model_dump_json().encode(), status=503)
    try:
        await call.read(tenants.find_any_tenant_id)
    except Problem as problem:
        detail = Health(status="unavailable", server_version=__version__, detail=problem.detail)
        return Answer(detail.model_dump_json().encode(), status=503)
    return Health(status="ready", server_version=__version__)


@endpoint(
    "GET",
    "/metrics",
    scope=None,
    media_type=MEDIA_TYPE,
    problems=(
        Unauthenticated,
        KeyExpired,
        KeyRevoked,
        KeyRotated,
        TokenExpired,
        SessionEnded,
        ScopeMissing,
    ),
    summary="Show metrics in Prometheus' text format; from elsewhere than this machine with scope server",
    tags=("server",),
)
async def get_metrics(call: Call[None]) -> Answer:
    if not is_loopback(call.address):
        principal = await call.server.auth.authenticate(call.headers)
        principal.require(Scope.SERVER)
    alive = await call.read(census.count_alive)
    metrics = call.server.metrics
    metrics.set_gauges("omium_executions", "Executions that are alive.", "status", alive)
    return Answer(metrics.render(), media_type=MEDIA_TYPE)


@endpoint(
    "GET",
    "/openapi.json",
    scope=None,
    status=200,
    summary="Describe every address, as OpenAPI 3.1",
    tags=("server",),
)
async def get_openapi(call: Call[None]) -> Answer:
    return Answer(await asyncio.to_thread(call.server.describe))


@endpoint(
    "GET",
    "/schemas/workflow-spec-v0.json",
    scope=None,
    status=200,
    summary="Give the JSON Schema of a workflow spec",
    tags=("server",),
)
async def get_spec_schema(_call: Call[None]) -> Answer:
    return Answer(await asyncio.to_thread(published_bytes))


@endpoint(
    "GET",
    "/v1/whoami",
    scope=None,
    any_key=True,
    reply=WhoAmI,
    summary="Say whose key or session this is",
    tags=("keys",),
)
async def get_whoami(call: Call[None]) -> WhoAmI:
    metering = call.server.settings.metering
    return await call.read(lambda tx: read_whoami(tx, call.principal, metering=metering))


def read_whoami(tx: Tx, principal: Principal, *, metering: bool) -> WhoAmI:
    """Return who `principal` is, where, and what there is to spend, where that is counted."""
    balance = credits_state(tx, principal.tenant_id).balance_microcredits if metering else None
    tenant = tenants.get_tenant(tx, principal.tenant_id)
    row = api_keys.find_key(tx, principal.id)
    user = users.find_user(tx, principal.id)
    return WhoAmI(
        tenant=tenant.name,
        tenant_id=tenant.id,
        api_key_id=principal.api_key_id,
        key_name=row.name if row else None,
        user=user.name if user else None,
        user_id=user.id if user else None,
        role=principal.role,
        session_id=principal.session_id,
        environment=principal.environment,
        scopes=sorted(principal.scopes),
        credits=None if balance is None else to_credits(balance),
        server_version=__version__,
    )


ENDPOINTS = [get_health, get_readiness, get_metrics, get_openapi, get_spec_schema, get_whoami]
