"""`omium credits plans|choose-plan|cancel-plan|define-plan`: monthly credits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.amounts import Tenant, read_number
from omium.cli.context import Common, for_server
from omium.cli.options import Yes
from omium.cli.table import Column
from omium.words import local_time, number

if TYPE_CHECKING:
    from omium.cli.output import Output
    from omium.models.plans import Subscription

PlanName = Annotated[str, typer.Argument(metavar="PLAN", help="A plan's name, from `omium credits plans`.")]
AtOnce = Annotated[bool, typer.Option("--now", help="Not when the month ends but now: the operator's.")]


@for_server
def list_plans(common: Common) -> None:
    """List the plans of the server, and show the tenant's own.

    \b
    omium credits plans
    """
    with common.client() as client:
        found = client.list_plans()
    if common.output.as_json:
        common.output.json(found)
        return
    own = found.subscription.plan if found.subscription is not None else None
    common.output.table(
        [
            Column("PLAN", lambda p: p.name + (" *" if p.name == own else "")),
            Column("USD A MONTH", lambda p: p.usd_per_month, align="right"),
            Column("CREDITS A MONTH", lambda p: number(p.monthly_credits), align="right"),
            Column("BELOW ZERO", lambda p: number(p.negative_credits), align="right"),
            Column("UNUSED ONES", lambda p: "stay" if p.rolls_over else "end with the month"),
            Column("GIVEN BY", lambda p: "oneself" if p.open else "the operator", spare=1),
        ],
        found.items,
        empty="No plans. Define one: omium credits define-plan NAME --title TITLE --monthly CREDITS",
    )
    _show(common.output, found.subscription)


@for_server
def choose_plan(common: Common, plan: PlanName, at_once: AtOnce = False, tenant: Tenant = None) -> None:
    """Choose a plan. A first one begins now, another one when the month ends.

    \b
    omium credits choose-plan hobby
    omium credits choose-plan team --tenant tn_01mcc5rm00ngqz8ctbd9ygs3xh
    """
    from omium.models.plans import ChoosePlan

    with common.client() as client:
        found = client.choose_plan(ChoosePlan(plan=plan, at_once=at_once, tenant_id=tenant))
    if common.output.as_json:
        common.output.json(found)
    else:
        _show(common.output, found.subscription)


@for_server
def cancel_plan(common: Common, at_once: AtOnce = False, tenant: Tenant = None, yes: Yes = False) -> None:
    """End the plan when its month ends. What was used below zero is owed then.

    \b
    omium credits cancel-plan
    """
    from omium.models.plans import CancelPlan

    common.output.confirm("End the plan?", yes=yes)
    with common.client() as client:
        found = client.cancel_plan(CancelPlan(at_once=at_once, tenant_id=tenant))
    if common.output.as_json:
        common.output.json(found)
    else:
        _show(common.output, found.subscription)


@for_server
def define_plan(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="PLAN", help="Small letters, digits, hyphens.")],
    title: Annotated[str, typer.Option("--title", help="How it is called.")],
    monthly: Annotated[str, typer.Option("--monthly", metavar="CREDITS", help="Credits a month.")] = "0",
    usd: Annotated[str, typer.Option("--usd", help="What a month costs; you collect it.")] = "0",
    negative: Annotated[
        str, typer.Option("--negative", metavar="CREDITS", help="How far below zero the balance may go.")
    ] = "0",
    rolls_over: Annotated[bool, typer.Option("--rolls-over", help="Unused credits stay.")] = False,
    is_open: Annotated[bool, typer.Option("--open", help="Tenants may choose it themselves.")] = False,
) -> None:
    """Define a plan, or change one from the next renewal on. The operator's (scope server).

    \b
    omium credits define-plan pro --title Pro --usd 99 --monthly 110000 --negative 10000 --rolls-over
    """
    from omium.models.plans import PutPlan

    command = PutPlan(
        title=title,
        usd_per_month=read_number(usd),
        monthly_credits=read_number(monthly),
        negative_credits=read_number(negative),
        rolls_over=rolls_over,
        open=is_open,
    )
    with common.client() as client:
        plan = client.put_plan(name, command)
    if common.output.as_json:
        common.output.json(plan)
    else:
        common.output.say(
            f"{plan.name}: {number(plan.monthly_credits)} credits for ${plan.usd_per_month} a month."
        )


def _show(output: Output, own: Subscription | None) -> None:
    if own is None:
        output.say("The tenant has no plan. Choose one: omium credits choose-plan PLAN")
        return
    day = local_time(own.period_end_us)[:10]
    after = "ends" if own.next_plan is None else "renews" if own.next_plan == own.plan else "changes"
    then = f" to {own.next_plan}" if after == "changes" else ""
    output.say(f"The tenant's plan is {own.plan}; it {after}{then} on {day}.")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the group of credits."""
    app.command("plans")(list_plans)
    app.command("choose-plan")(choose_plan)
    app.command("cancel-plan")(cancel_plan)
    app.command("define-plan")(define_plan)
