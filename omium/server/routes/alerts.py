"""Alerts: rules and their messages."""

from __future__ import annotations

from omium.errors import InvalidRequest, LimitReached, NotFound
from omium.models.alert import AddAlertRule, AlertRule, Delivery, NewAlertRule
from omium.models.wire import Name, Page
from omium.server.alerts import rules
from omium.server.db.tx import Tx
from omium.server.store import alerts as store
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, decode_cursor, make_page, read_time_cursor
from omium.states import DeliveryStatus, Scope

TAGS = ("alerts",)


@endpoint(
    "POST",
    "/v1/alerts/rules",
    scope=Scope.MANAGE,
    idempotent=Idempotency.KEYED,
    body=AddAlertRule,
    reply=NewAlertRule,
    status=201,
    problems=(InvalidRequest, LimitReached),
    audit="alert_rule.added",
    audit_target="id",
    summary="Add an alert rule; a webhook's signing secret is shown this once",
    tags=TAGS,
)
async def add_alert_rule(call: Call[AddAlertRule]) -> Answer:
    channels = call.server.channels
    call.tell(channel=call.body.channel.value)
    return await call.mutate(lambda tx: rules.add_rule(tx, channels, call.principal, call.body))


@endpoint(
    "GET",
    "/v1/alerts/rules",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[AlertRule],
    problems=(InvalidRequest,),
    summary="List alert rules, oldest first",
    tags=TAGS,
)
async def list_alert_rules(call: Call[None, PageQuery]) -> Page[AlertRule]:
    query, after = call.query, (-1, "")
    if query.after is not None:
        created_us, rule_id = decode_cursor(query.after, int, str)
        after = (int(created_us), str(rule_id))
    rows = await call.read(lambda tx: store.list_rules(tx, call.principal.tenant_id, *after, query.limit + 1))
    return make_page(rows, query.limit, key=lambda row: (row.created_us, row.id), item=rules.view_rule)


@endpoint(
    "DELETE",
    "/v1/alerts/rules/{rule_id}",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    problems=(NotFound,),
    audit="alert_rule.removed",
    summary="Remove an alert rule and its messages",
    tags=TAGS,
)
async def remove_alert_rule(call: Call[None]) -> None:
    await call.write(lambda tx: rules.remove_rule(tx, call.principal, call.path["rule_id"]))


@endpoint(
    "POST",
    "/v1/alerts/rules/{rule_id}/test",
    scope=Scope.MANAGE,
    idempotent=Idempotency.KEYED,
    reply=Delivery,
    problems=(NotFound,),
    audit="alert_rule.tested",
    summary="Send a message that tells nothing, now",
    tags=TAGS,
)
async def test_alert_rule(call: Call[None]) -> Answer:
    return await call.mutate(lambda tx: rules.test_rule(tx, call.principal, call.path["rule_id"]))


@endpoint(
    "POST",
    "/v1/alerts/rules/{rule_id}/rotate",
    scope=Scope.MANAGE,
    idempotent=Idempotency.KEYED,
    reply=NewAlertRule,
    problems=(InvalidRequest, NotFound),
    audit="alert_rule.rotated",
    summary="Give a webhook a new signing secret; the former one signs along for a day",
    tags=TAGS,
)
async def rotate_alert_rule(call: Call[None]) -> Answer:
    rule_id, channels = call.path["rule_id"], call.server.channels
    return await call.mutate(lambda tx: rules.rotate_secret(tx, channels, call.principal, rule_id))


class DeliveriesQuery(PageQuery):
    """Filters."""

    rule: Name | None = None
    status: DeliveryStatus | None = None


@endpoint(
    "GET",
    "/v1/alerts/deliveries",
    scope=Scope.READ,
    query=DeliveriesQuery,
    reply=Page[Delivery],
    problems=(InvalidRequest,),
    summary="List the messages of alert rules, newest first",
    tags=TAGS,
)
async def list_alert_deliveries(call: Call[None, DeliveriesQuery]) -> Page[Delivery]:
    query, before = call.query, read_time_cursor(call.query)

    def read(tx: Tx) -> list[store.DeliveryRow]:
        return store.list_deliveries(
            tx,
            call.principal.tenant_id,
            rule_id=query.rule,
            status=None if query.status is None else query.status.value,
            before=before,
            limit=query.limit + 1,
        )

    rows = await call.read(read)
    return make_page(rows, query.limit, key=lambda row: (row.created_us, row.id), item=rules.view_delivery)


@endpoint(
    "POST",
    "/v1/alerts/deliveries/{delivery_id}/retry",
    scope=Scope.OPERATE,
    idempotent=Idempotency.NATURAL,
    reply=Delivery,
    problems=(NotFound,),
    audit="alert_delivery.retried",
    summary="Send a message again that was given up",
    tags=TAGS,
)
async def retry_alert_delivery(call: Call[None]) -> Delivery:
    return await call.write(lambda tx: rules.retry_delivery(tx, call.principal, call.path["delivery_id"]))


ENDPOINTS = [
    add_alert_rule,
    list_alert_rules,
    test_alert_rule,
    rotate_alert_rule,
    list_alert_deliveries,
    retry_alert_delivery,
    remove_alert_rule,
]
