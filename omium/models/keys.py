"""API keys as they travel: made, shown, changed, given another secret, exchanged; and what they have used.

Amounts are whole micro-credits; `…_usd` beside them are for reading. In a command an amount is a number, or a
text such as "2.50", which stays exact everywhere.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from omium.models.account import NewKey
from omium.models.wire import Command, Name, Reply, TimestampUs
from omium.states import Environment, Scope


class KeyStatus(StrEnum):
    """Where a key stands."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class CapPeriod(StrEnum):
    """What a spend cap counts over: days and months are those of UTC."""

    TOTAL = "total"
    DAY = "day"
    MONTH = "month"


Usd = Annotated[Decimal, Field(gt=0, max_digits=16, decimal_places=9)]
Credits = Annotated[Decimal, Field(gt=0, max_digits=16, decimal_places=6)]
Workflows = Annotated[list[Name], Field(max_length=500)]
Percent = Annotated[int, Field(ge=1, le=99)]


class CreateKey(Command):
    name: Name
    environment: Environment = Environment.DEV
    scopes: list[Scope] | None = None
    """None: read, run, operate, worker."""
    workflows: Workflows | None = None
    """What it may run; None: everything."""
    expires_at_us: TimestampUs | None = None
    spend_cap_usd: Usd | None = None
    """What it may spend in each period, in dollars; or with the next one in credits."""
    spend_cap_credits: Credits | None = None
    """The cap in credits."""
    cap_period: CapPeriod = CapPeriod.TOTAL
    """What the cap counts over; days and months are those of UTC."""
    soft_cap_percent: Percent | None = None
    """Part of the cap at which it is warned; nothing is stopped."""


class CreatedKey(NewKey):
    """A new key with its secret, shown this once, and its cap."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"api_key"})

    id: str = ""
    """The same as `api_key_id`."""
    workflows: list[str] | None = None
    spend_cap_usd: float | None = None
    cap_period: CapPeriod | None = None
    soft_cap_percent: int | None = None


class UpdateKey(Command):
    """What is not given stays; null takes a list, an expiry, a cap away."""

    name: Name | None = None
    scopes: list[Scope] | None = None
    workflows: Workflows | None = None
    expires_at_us: TimestampUs | None = None
    spend_cap_usd: Usd | None = None
    """Another cap in dollars; null, here or for the credits: none any more."""
    spend_cap_credits: Credits | None = None
    """The same in credits."""
    cap_period: CapPeriod | None = None
    """What the cap counts over from now on; what was spent in that period already counts."""
    soft_cap_percent: Percent | None = None
    """Part of the cap at which it is warned; null: not any more."""


class RotateKey(Command):
    """How long the present secret stays good beside the new one: not at all, 15 minutes, an hour or a day."""

    grace_s: Literal[0, 900, 3600, 86400] = 0
    """Seconds: 0, 900, 3600 or 86400."""


class RotatedKey(NewKey):
    """The key with its new secret, shown this once."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"api_key"})

    old_secret_ends_at_us: int


class ApiKey(Reply):
    """A key without its secret. `period_…` count since the running period of its cap began."""

    id: str
    name: str
    status: KeyStatus
    environment: Environment
    scopes: list[Scope]
    workflows: list[str] | None = None
    created_at_us: int
    created_by: str | None = None
    expires_at_us: int | None = None
    revoked_at_us: int | None = None
    last_used_at_us: int | None = None
    rotated_at_us: int | None = None
    old_secret_ends_at_us: int | None = None
    """Until when the secret before the present one is good; None where it isn't any more."""
    spend_cap_microcredits: int | None = None
    spend_cap_usd: float | None = None
    cap_period: CapPeriod | None = None
    soft_cap_percent: int | None = None
    spent_microcredits: int = 0
    spent_usd: float = 0
    period_spent_microcredits: int | None = None
    period_spent_usd: float | None = None
    period_held_microcredits: int | None = None
    """Set aside for what runs."""


class ModelUsage(Reply):
    """What one model was used for; the names are as they were reported."""

    provider: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int


class KeyUsagePart(Reply):
    """What a key has used in some time: executions that it started, their steps, credits, tokens."""

    executions: int
    steps: int
    spent_microcredits: int
    spent_credits: float
    models: list[ModelUsage]


class KeyUsageDay(KeyUsagePart):
    """One day of UTC."""

    day: dt.date


class KeyUsage(Reply):
    """A key's usage from the first to the last day, both included; days without any are left out."""

    api_key_id: str
    name: str
    first_day: dt.date
    last_day: dt.date
    days: list[KeyUsageDay]
    total: KeyUsagePart


class ExchangeKey(Command):
    """What the token shall carry: all of the key's own scopes that a token can, or these; and how long."""

    scopes: list[Scope] | None = None
    ttl_s: Annotated[int, Field(ge=1, le=900)] = 900
    """Seconds until it ends."""


class ShortToken(Reply):
    token: str = Field(repr=False)
    expires_at_us: int
    scopes: list[Scope]
    environment: Environment
