"""Effects of an execution, and decisions about those that nobody knows the outcome of."""

from __future__ import annotations

from typing import cast

from omium.errors import AlreadyDecided, InvalidRequest, NotFound, PayloadTooLarge
from omium.jsonvalue import JsonValue
from omium.models.replay import DecideEffect, EffectView
from omium.models.wire import Page
from omium.server.db.tx import Tx
from omium.server.engine import decisions
from omium.server.engine.values import fetch_values
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, encode_cursor, read_number_cursor
from omium.states import EffectDecision, Scope

TAGS = ("effects",)


@endpoint(
    "GET",
    "/v1/executions/{execution_id}/effects",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[EffectView],
    problems=(InvalidRequest, NotFound),
    summary="List the side effects that an execution announced",
    tags=TAGS,
)
async def list_effects(call: Call[None, PageQuery]) -> Page[EffectView]:
    query = call.query
    after_seq = read_number_cursor(query)
    views, following = await decisions.read_effects(
        call.server.engine,
        call.principal.tenant_id,
        call.path["execution_id"],
        after_seq=after_seq,
        limit=query.limit,
    )
    return Page[EffectView](items=views, next=encode_cursor(following) if following is not None else None)


@endpoint(
    "POST",
    "/v1/executions/{execution_id}/effects/{effect_key}/decide",
    scope=Scope.OPERATE,
    idempotent=Idempotency.KEYED,
    body=DecideEffect,
    reply=EffectView,
    problems=(AlreadyDecided, NotFound, PayloadTooLarge),
    audit="effect.decided",
    summary="Confirm, redo or skip an effect whose outcome is unknown",
    tags=TAGS,
)
async def decide_effect(call: Call[DecideEffect]) -> Answer:
    execution_id, effect_key, body = call.path["execution_id"], call.path["effect_key"], call.body
    parts = call.server.engine
    output = None
    if body.decision is not EffectDecision.REDO:
        value = cast("JsonValue", body.output)
        output = parts.vault.pack(call.principal.tenant_id, value, what="The output")

    def work(tx: Tx) -> EffectView:
        effect = decisions.decide_effect(tx, call.principal, execution_id, effect_key, body, output)
        values = fetch_values(tx, effect.tenant_id, [effect.input, effect.output])
        return decisions.view_effect(parts, effect, values)

    return await call.mutate(work)


ENDPOINTS = [list_effects, decide_effect]
