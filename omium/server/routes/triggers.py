"""Triggers: workflows that start when a signed webhook comes in, or when another workflow ends."""

from __future__ import annotations

from omium.errors import InvalidRequest, LimitReached, NotFound, SignatureRefused, WorkflowNotAllowed
from omium.models.schedules import CreateTrigger, Fire, NewTrigger, Trigger
from omium.models.wire import Page
from omium.server.db.tx import Tx
from omium.server.schedules import incoming, triggers
from omium.server.schedules.planning import view_fire
from omium.server.store import fires
from omium.server.store import triggers as store
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, decode_cursor, make_page, read_time_cursor
from omium.states import Scope

TAGS = ("triggers",)


@endpoint(
    "POST",
    "/v1/triggers",
    scope=Scope.OPERATE,
    idempotent=Idempotency.KEYED,
    body=CreateTrigger,
    reply=NewTrigger,
    status=201,
    problems=(InvalidRequest, LimitReached, WorkflowNotAllowed),
    audit="trigger.created",
    audit_target="id",
    summary="Start a workflow when a webhook comes in or another workflow ends; a secret is shown this once",
    tags=TAGS,
)
async def create_trigger(call: Call[CreateTrigger]) -> Answer:
    parts, keys = call.server.engine, call.server.key_file
    return await call.mutate(lambda tx: triggers.create_trigger(tx, parts, keys, call.principal, call.body))


@endpoint(
    "GET",
    "/v1/triggers",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Trigger],
    problems=(InvalidRequest,),
    summary="List triggers by environment and name",
    tags=TAGS,
)
async def list_triggers(call: Call[None, PageQuery]) -> Page[Trigger]:
    query, after = call.query, ("", "")
    if query.after is not None:
        environment, name = decode_cursor(query.after, str, str)
        after = (str(environment), str(name))
    tenant_id = call.principal.tenant_id
    rows = await call.read(lambda tx: store.list_triggers(tx, tenant_id, after, query.limit + 1))
    return make_page(
        rows, query.limit, key=lambda row: (row.environment, row.name), item=triggers.view_trigger
    )


@endpoint(
    "GET",
    "/v1/triggers/{trigger_id}",
    scope=Scope.READ,
    reply=Trigger,
    problems=(NotFound,),
    summary="Show a trigger",
    tags=TAGS,
)
async def get_trigger(call: Call[None]) -> Trigger:
    tenant_id, trigger_id = call.principal.tenant_id, call.path["trigger_id"]
    return await call.read(lambda tx: triggers.view_trigger(triggers.get_trigger(tx, tenant_id, trigger_id)))


@endpoint(
    "GET",
    "/v1/triggers/{trigger_id}/fires",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Fire],
    problems=(InvalidRequest, NotFound),
    summary="List when a trigger came to start something, newest first",
    tags=TAGS,
)
async def list_trigger_fires(call: Call[None, PageQuery]) -> Page[Fire]:
    query, tenant_id, trigger_id = call.query, call.principal.tenant_id, call.path["trigger_id"]
    before = read_time_cursor(query)

    def read(tx: Tx) -> list[fires.FireRow]:
        triggers.get_trigger(tx, tenant_id, trigger_id)
        return fires.list_fires(tx, trigger_id, before, query.limit + 1)

    return make_page(await call.read(read), query.limit, key=lambda row: (row.at_us, row.key), item=view_fire)


@endpoint(
    "POST",
    "/v1/triggers/{trigger_id}/rotate",
    scope=Scope.OPERATE,
    idempotent=Idempotency.KEYED,
    reply=NewTrigger,
    problems=(InvalidRequest, NotFound, WorkflowNotAllowed),
    audit="trigger.rotated",
    summary="Give a webhook's trigger a new signing secret; the former one is good for a day",
    tags=TAGS,
)
async def rotate_trigger(call: Call[None]) -> Answer:
    trigger_id, keys = call.path["trigger_id"], call.server.key_file
    return await call.mutate(lambda tx: triggers.rotate_trigger(tx, keys, call.principal, trigger_id))


@endpoint(
    "DELETE",
    "/v1/triggers/{trigger_id}",
    scope=Scope.OPERATE,
    idempotent=Idempotency.NATURAL,
    problems=(NotFound, WorkflowNotAllowed),
    audit="trigger.deleted",
    summary="Delete a trigger; what it started goes on",
    tags=TAGS,
)
async def delete_trigger(call: Call[None]) -> None:
    await call.write(lambda tx: triggers.delete_trigger(tx, call.principal, call.path["trigger_id"]))


@endpoint(
    "POST",
    "/v1/hooks/{trigger_id}",
    scope=None,
    idempotent=Idempotency.NATURAL,
    raw_body=True,
    body_bytes_max=incoming.BODY_BYTES_MAX,
    reply=Fire,
    problems=(InvalidRequest, SignatureRefused),
    summary="Take a webhook, signed as Standard Webhooks says; each message starts once",
    tags=TAGS,
)
async def receive_webhook(call: Call[None]) -> Fire:
    # Sent twice: the row of the message is there, and is answered. Of another tenant: who knows the secret.
    parts, keys, trigger_id = call.server.engine, call.server.key_file, call.path["trigger_id"]
    headers, body = call.headers, call.raw_body
    # A stranger's message never takes the turn of a writer; who has the secret is asked again when it is his.
    await call.read(lambda tx: incoming.verify(tx, keys, trigger_id, headers, body))
    return await call.write(
        lambda tx: view_fire(incoming.receive(tx, parts, keys, trigger_id, headers, body))
    )


ENDPOINTS = [
    create_trigger,
    list_triggers,
    get_trigger,
    list_trigger_fires,
    rotate_trigger,
    delete_trigger,
    receive_webhook,
]
