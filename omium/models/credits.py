"""Credits: how they stand, where they came from and went, and what is booked by hand.

Amounts are told as numbers for people (credits, dollars) and, where they must be exact, in whole
micro-credits, a millionth of a credit. Plans are in plans.py, payments in payments.py.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from omium.models.wire import Command, Reply, TimestampUs

CreditAmount = Annotated[Decimal, Field(gt=0, le=10_000_000_000, max_digits=18, decimal_places=6)]
CreditCount = Annotated[Decimal, Field(ge=0, le=10_000_000_000, max_digits=18, decimal_places=6)]
SignedCreditAmount = Annotated[
    Decimal, Field(ge=-10_000_000_000, le=10_000_000_000, max_digits=18, decimal_places=6)
]
Reference = Annotated[str, Field(min_length=1, max_length=200)]
Reason = Annotated[str, Field(min_length=1, max_length=500)]


class EntryKind(StrEnum):
    """What an entry of the journal tells."""

    TOPUP = "topup"
    GRANT = "grant"
    PLAN_GRANT = "plan-grant"
    EXPIRY = "expiry"
    ADJUSTMENT = "adjustment"
    CHARGE = "charge"
    OVERAGE = "overage"
    """Charged beyond what was held for it."""
    ARREARS = "arrears"
    """Charged beyond what there was."""
    REPAYMENT = "repayment"
    """Arrears paid from what has become available."""
    REFUND = "refund"


class Credits(Reply):
    """How a tenant's credits stand. What holds set aside is still in the balance."""

    usd: int | float
    """The balance in dollars."""
    credits: int | float
    """The balance."""
    held_credits: int | float
    """Set aside for work that runs."""
    available_credits: int | float
    """For new work: the balance less what is held, plus what the plan allows below zero."""
    owed_credits: int | float
    """Charged beyond what there was; the next credits pay it first."""
    negative_credits: int | float
    """How far below zero the plan lets the balance go."""
    low: bool
    """Whether what is available has come down to the threshold."""
    low_credits: int | float
    """That threshold."""
    burn_credits_per_day: int | float
    """What a day has cost, over the last week."""
    empty_at_us: int | None = None
    """When nothing is left at that rate; None for never."""
    plan: str | None = None
    stored_bytes: int | None = None
    """What checkpoints took when they were measured last, once a day; None before the first time."""
    storage_credits_per_day: int | float = 0
    """What that day was charged for it."""
    balance_microcredits: int
    held_microcredits: int
    available_microcredits: int
    owed_microcredits: int
    credits_per_usd: int


class CreditEntry(Reply):
    """An entry of the journal, or the small charges of one execution folded into a line."""

    seq: int
    """Its number in the tenant's journal; of the newest, where several are folded."""
    kind: EntryKind
    credits: int | float
    """What came (above zero) or went (below)."""
    usd: int | float
    balance_credits: int | float
    """The balance after it."""
    at_us: int
    entries: int = 1
    """How many entries are folded here."""
    execution_id: str | None = None
    path: str | None = None
    api_key_id: str | None = None
    actor_id: str | None = None
    price_version: int | None = None
    corrects_seq: int | None = None
    """The entry that this one corrects."""
    reference: str | None = None
    note: str | None = None
    microcredits: int
    balance_microcredits: int


class GrantCredits(Command):
    """Give credits that nobody pays for: the operator's."""

    credits: CreditAmount
    reason: Reason
    tenant_id: str | None = None
    """Whom; without it, the caller's own tenant."""
    expires_at_us: TimestampUs | None = None
    """What is left of them then is taken back."""
    reference: Reference | None = None
    """A second grant of one reference is the first again."""


class AdjustCredits(Command):
    """Correct a balance: add credits, or take some away (below zero)."""

    credits: SignedCreditAmount
    reason: Reason
    tenant_id: str | None = None


class RefundEntry(Command):
    """Give back what an entry has charged."""

    reason: Reason
    tenant_id: str | None = None


class LowCredits(Command):
    """From when on credits are low: an amount, or a share of what was available when credits came last."""

    credits: CreditCount | None = None
    percent: Annotated[int, Field(ge=0, le=100)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> LowCredits:
        if (self.credits is None) == (self.percent is None):
            raise ValueError("name either credits or percent")
        return self
