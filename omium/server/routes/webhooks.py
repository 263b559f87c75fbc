"""Webhooks: targets that nodes' tasks are pushed to."""

from __future__ import annotations

from omium.errors import InvalidRequest, LimitReached, NotFound, WorkflowNotAllowed
from omium.ids import new_id
from omium.models.webhook import CreateWebhook, NewWebhook, Webhook, WebhookTested
from omium.models.wire import Page
from omium.server.db.tx import Tx
from omium.server.store import webhooks as store
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, decode_cursor, make_page
from omium.server.webhooks import targets
from omium.states import Scope

TAGS = ("webhooks",)


@endpoint(
    "POST",
    "/v1/webhooks",
    scope=Scope.MANAGE,
    idempotent=Idempotency.KEYED,
    body=CreateWebhook,
    reply=NewWebhook,
    status=201,
    problems=(InvalidRequest, LimitReached, WorkflowNotAllowed),
    audit="webhook.created",
    audit_target="id",
    summary="Register a target for nodes' tasks; its signing secret is shown this once",
    tags=TAGS,
)
async def create_webhook(call: Call[CreateWebhook]) -> Answer:
    sender = call.server.webhooks
    call.tell(handlers=", ".join(sorted(call.body.handlers))[:500])
    return await call.mutate(lambda tx: targets.create_target(tx, sender, call.principal, call.body))


@endpoint(
    "GET",
    "/v1/webhooks",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Webhook],
    problems=(InvalidRequest,),
    summary="List the targets that nodes' tasks are pushed to, oldest first",
    tags=TAGS,
)
async def list_webhooks(call: Call[None, PageQuery]) -> Page[Webhook]:
    query, after = call.query, (-1, "")
    if query.after is not None:
        created_us, target_id = decode_cursor(query.after, int, str)
        after = (int(created_us), str(target_id))

    def read(tx: Tx) -> list[targets.Target]:
        rows = store.list_targets(tx, call.principal.tenant_id, *after, query.limit + 1)
        return [targets.read_target(tx, row) for row in rows]

    return make_page(
        await call.read(read),
        query.limit,
        key=lambda target: (target.row.created_us, target.row.id),
        item=targets.view_target,
    )


@endpoint(
    "DELETE",
    "/v1/webhooks/{webhook_id}",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    problems=(NotFound, WorkflowNotAllowed),
    audit="webhook.deleted",
    summary="Delete a target; what it was doing is done again by others",
    tags=TAGS,
)
async def delete_webhook(call: Call[None]) -> None:
    await call.write(lambda tx: targets.delete_target(tx, call.principal, call.path["webhook_id"]))


@endpoint(
    "POST",
    "/v1/webhooks/{webhook_id}/rotate",
    scope=Scope.MANAGE,
    idempotent=Idempotency.KEYED,
    reply=NewWebhook,
    problems=(NotFound, WorkflowNotAllowed),
    audit="webhook.rotated",
    summary="Give a target a new signing secret; the former one signs along for a day",
    tags=TAGS,
)
async def rotate_webhook(call: Call[None]) -> Answer:
    webhook_id, sender = call.path["webhook_id"], call.server.webhooks
    return await call.mutate(lambda tx: targets.rotate_target(tx, sender, call.principal, webhook_id))


@endpoint(
    "POST",
    "/v1/webhooks/{webhook_id}/test",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    reply=WebhookTested,
    problems=(NotFound, WorkflowNotAllowed),
    audit="webhook.tested",
    summary="Send a target a message that asks for nothing, and enable it if it answers",
    tags=TAGS,
)
async def test_webhook(call: Call[None]) -> WebhookTested:
    # Sent twice: two messages. The process dies in between: it was sent, and nothing was changed.
    tenant_id, webhook_id, server = call.principal.tenant_id, call.path["webhook_id"], call.server
    row = await call.read(lambda tx: targets.get_target(tx, tenant_id, webhook_id))
    call.principal.require_workflow(targets.ALL)  # an answer enables it
    tested = await server.webhooks.test(row, new_id("wm", server.clock.now_us()))

    def note(tx: Tx) -> None:
        status = store.ACTIVE if tested.ok else row.status
        store.set_status(tx, row.id, status, "" if tested.ok else tested.detail[: targets.NOTE_MAX])

    await call.write(note)
    return tested


ENDPOINTS = [create_webhook, list_webhooks, rotate_webhook, test_webhook, delete_webhook]
