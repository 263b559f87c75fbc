"""Plans: monthly credits and an allowed negative, and which of them a tenant has."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from omium.models.credits import CreditCount
from omium.models.wire import Command, Name, Reply

UsdPrice = Annotated[Decimal, Field(ge=0, le=10_000_000, max_digits=12, decimal_places=2)]


class Plan(Reply):
    """A plan: monthly credits, and how far below zero the balance may go."""

    name: str
    title: str
    usd_per_month: str
    monthly_credits: int | float
    negative_credits: int | float
    rolls_over: bool
    """Whether unused credits stay; else they end with the month."""
    open: bool
    """Whether tenants may choose it themselves."""


class PutPlan(Command):
    """Define a plan, or change it from the next renewal on."""

    title: Name
    usd_per_month: Annotated[Decimal, Field(ge=0, le=10_000_000, max_digits=12, decimal_places=2)] = Decimal(
        0
    )
    monthly_credits: CreditCount = Decimal(0)
    negative_credits: CreditCount = Decimal(0)
    rolls_over: bool = False
    open: bool = False


class Subscription(Reply):
    """A tenant's plan."""

    plan: str
    next_plan: str | None = None
    """What it becomes when the period ends; None: it ends."""
    period_start_us: int
    period_end_us: int


class Plans(Reply):
    """Every plan of the server, and the tenant's own."""

    items: list[Plan]
    subscription: Subscription | None = None


class ChoosePlan(Command):
    """Give the tenant a plan; another one than it has follows at the period's end, or at once."""

    plan: Name
    at_once: bool = False
    tenant_id: str | None = None
    """Whose; without it, the caller's own. Another's is the operator's to choose."""


class CancelPlan(Command):
    """End the tenant's plan when its period ends, or at once."""

    at_once: bool = False
    tenant_id: str | None = None


class SubscriptionState(Reply):
    """A tenant's plan after a change; None where it has none."""

    subscription: Subscription | None = None
