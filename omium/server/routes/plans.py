"""Plans: what there is, what the tenant has, and the operator's definitions."""

from __future__ import annotations

import re

from omium.errors import InvalidRequest, NotFound
from omium.models.plans import CancelPlan, ChoosePlan, Plan, Plans, PutPlan, SubscriptionState
from omium.server.db.tx import Tx
from omium.server.ledger import plans as ledger
from omium.server.ledger.views import view_plan, view_subscription
from omium.server.routes.credits import about, choose_tenant, to_microcredits
from omium.server.store import plans as store
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.states import Scope

TAGS = ("credits",)
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@endpoint(
    "GET",
    "/v1/plans",
    scope=Scope.READ,
    reply=Plans,
    summary="List the plans of this server, and show the tenant's own",
    tags=TAGS,
)
async def list_plans(call: Call[None]) -> Plans:
    def work(tx: Tx) -> Plans:
        own = store.find_subscription(tx, call.principal.tenant_id)
        return Plans(
            items=[view_plan(row) for row in store.list_plans(tx)], subscription=view_subscription(own)
        )

    return await call.read(work)


@endpoint(
    "PUT",
    "/v1/plans/{name}",
    scope=Scope.SERVER,
    idempotent=Idempotency.NATURAL,
    body=PutPlan,
    reply=Plan,
    problems=(InvalidRequest,),
    audit="plan.defined",
    summary="Define a plan, or change it; who has it has the change from the next renewal on",
    tags=TAGS,
)
async def put_plan(call: Call[PutPlan]) -> Plan:
    name, wanted = call.path["name"], call.body
    if NAME.fullmatch(name) is None:
        raise InvalidRequest(
            "A plan's name has small letters, digits and hyphens, such as team-2.",
            errors=[{"pointer": "path:/name", "detail": "is no name of a plan"}],
        )

    def work(tx: Tx) -> Plan:
        row = store.PlanRow(
            name=name,
            title=wanted.title,
            price_usd=f"{wanted.usd_per_month:.2f}",
            monthly_microcredits=to_microcredits(wanted.monthly_credits),
            negative_microcredits=to_microcredits(wanted.negative_credits),
            rolls_over=int(wanted.rolls_over),
            open=int(wanted.open),
            changed_us=tx.now_us,
        )
        store.put_plan(tx, row)
        return view_plan(row)

    return await call.write(work)


@endpoint(
    "POST",
    "/v1/plan",
    scope=Scope.BILLING,
    idempotent=Idempotency.KEYED,
    body=ChoosePlan,
    reply=SubscriptionState,
    problems=(InvalidRequest, NotFound),
    audit="plan.chosen",
    summary="Give the tenant a plan: its first one now, another one when the period ends",
    tags=TAGS,
)
async def choose_plan(call: Call[ChoosePlan]) -> Answer:
    wanted = call.body

    def work(tx: Tx) -> SubscriptionState:
        row = ledger.choose_plan(
            tx,
            choose_tenant(tx, call, wanted.tenant_id),
            wanted.plan,
            about(call, None),
            at_once=wanted.at_once,
            is_operator=Scope.SERVER in call.principal.scopes,
        )
        return SubscriptionState(subscription=view_subscription(row))

    return await call.mutate(work)


@endpoint(
    "POST",
    "/v1/plan/cancel",
    scope=Scope.BILLING,
    idempotent=Idempotency.KEYED,
    body=CancelPlan,
    reply=SubscriptionState,
    problems=(InvalidRequest, NotFound),
    audit="plan.cancelled",
    summary="End the tenant's plan when its period ends, or at once",
    tags=TAGS,
)
async def cancel_plan(call: Call[CancelPlan]) -> Answer:
    wanted = call.body

    def work(tx: Tx) -> SubscriptionState:
        row = ledger.cancel_plan(
            tx,
            choose_tenant(tx, call, wanted.tenant_id),
            about(call, None),
            at_once=wanted.at_once,
            is_operator=Scope.SERVER in call.principal.scopes,
        )
        return SubscriptionState(subscription=view_subscription(row))

    return await call.mutate(work)


ENDPOINTS = [list_plans, put_plan, choose_plan, cancel_plan]
