"""Payments: credits that are bought, and what a provider tells of them."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from omium.models.credits import CreditEntry, Reference
from omium.models.wire import Command, Reply

Usd = Annotated[Decimal, Field(gt=0, le=10_000_000, max_digits=12, decimal_places=2)]
"""Dollars with at most two places, as a number or as text."""


class TopUp(Command):
    """Buy credits. The same reference again is the same payment."""

    usd: Usd
    provider: Annotated[str, Field(max_length=40)] | None = None
    """Without it, the server's own choice; `manual` is always there."""
    reference: Reference | None = None
    """The payer's own name for it, such as an invoice number; else the Idempotency-Key header names it."""
    note: Annotated[str, Field(max_length=500)] | None = None


class PaymentStatus(StrEnum):
    """Where a payment stands."""

    CREATED = "created"
    """Its checkout is not open yet: send the same request again."""
    PENDING = "pending"
    """Somebody has to pay, or to confirm."""
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REVIEW = "review"
    """What the provider has told does not fit; nothing was booked."""


class Payment(Reply):
    """A payment: asked for, then paid or not."""

    id: str
    provider: str
    reference: str
    status: PaymentStatus
    usd: int | float
    credits: int | float
    refunded_usd: int | float = 0
    checkout_url: str | None = None
    """Where to pay."""
    note: str | None = None
    created_at_us: int
    changed_at_us: int
    entry: CreditEntry | None = None
    """What was booked for it."""


class SettlePayment(Command):
    """Confirm or cancel a payment that waits."""

    tenant_id: str | None = None
    """Whose; without it, the caller's own."""


class Received(Reply):
    """What became of something that a provider has told."""

    outcome: str
