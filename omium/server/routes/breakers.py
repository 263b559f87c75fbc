"""Circuit breakers: report calls and ask for permission, list, reset, limit spending."""

from __future__ import annotations

from omium.errors import InvalidRequest, NotFound
from omium.models.breaker import Breaker, BreakerAnswer, BreakerCall, BreakerLimits, SetBreaker
from omium.models.wire import Page
from omium.server.engine import breakers
from omium.server.store import breakers as store
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, decode_cursor, make_page
from omium.states import Scope

TAGS = ("breakers",)


@endpoint(
    "POST",
    "/v1/breakers/calls",
    scope=Scope.RUN,
    idempotent=Idempotency.NATURAL,
    body=BreakerCall,
    reply=BreakerAnswer,
    summary="Report how calls through a breaker ended, and ask whether the next may be made",
    tags=TAGS,
)
async def report_calls(call: Call[BreakerCall]) -> BreakerAnswer:
    # A repeat counts twice, which is harmless: a breaker heals by itself (engine/breakers.py).
    return await call.write(lambda tx: breakers.report_calls(tx, call.principal, call.body))


@endpoint(
    "GET",
    "/v1/breakers",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Breaker],
    problems=(InvalidRequest,),
    summary="List circuit breakers by environment and name",
    tags=TAGS,
)
async def list_breakers(call: Call[None, PageQuery]) -> Page[Breaker]:
    query, now_us = call.query, call.server.clock.now_us()
    after = ("", "")
    if query.after is not None:
        environment, name = decode_cursor(query.after, str, str)
        after = (str(environment), str(name))
    rows = await call.read(
        lambda tx: store.list_breakers(tx, call.principal.tenant_id, after=after, limit=query.limit + 1)
    )
    return make_page(
        rows,
        query.limit,
        key=lambda row: (row.environment, row.name),
        item=lambda row: breakers.view_breaker(row, now_us),
    )


@endpoint(
    "GET",
    "/v1/breakers/{name}",
    scope=Scope.READ,
    reply=Breaker,
    problems=(NotFound,),
    summary="Show a circuit breaker of the key's environment",
    tags=TAGS,
)
async def get_breaker(call: Call[None]) -> Breaker:
    return await call.read(lambda tx: breakers.get_breaker(tx, call.principal, call.path["name"]))


@endpoint(
    "POST",
    "/v1/breakers/{name}",
    scope=Scope.OPERATE,
    idempotent=Idempotency.KEYED,
    body=SetBreaker,
    reply=Breaker,
    audit="breaker.set",
    summary="Reset a circuit breaker, or open it by hand",
    tags=TAGS,
)
async def set_breaker(call: Call[SetBreaker]) -> Answer:
    name = call.path["name"]
    return await call.mutate(lambda tx: breakers.set_breaker(tx, call.principal, name, call.body))


@endpoint(
    "PUT",
    "/v1/breakers/{name}/limits",
    scope=Scope.OPERATE,
    idempotent=Idempotency.NATURAL,
    body=BreakerLimits,
    reply=Breaker,
    audit="breaker.limited",
    summary="Limit what is spent through a circuit breaker in a minute",
    tags=TAGS,
)
async def limit_breaker(call: Call[BreakerLimits]) -> Breaker:
    name = call.path["name"]
    call.tell(target=name, **call.body.model_dump(exclude_none=True))
    return await call.write(lambda tx: breakers.set_limits(tx, call.principal, name, call.body))


ENDPOINTS = [report_calls, list_breakers, get_breaker, set_breaker, limit_breaker]
