"""Circuit breakers as they travel; the state machine is `omium.breaker`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from omium.models.wire import Command, Count, Json, Name, Reply
from omium.states import BreakerState

BreakerReason = Literal["failures", "tokens", "credits", "hand"]
Spend = Annotated[int, Field(ge=1, lt=2**53)]


class BreakerLimits(Command):
    """How much may be spent through a breaker within a minute; None: any amount."""

    tokens_per_minute: Spend | None = None
    """Tokens, in and out, that calls may use within a minute before the next ones wait."""
    microcredits_per_minute: Spend | None = None
    """Millionths of a credit that calls may cost within a minute before the next ones wait."""


class BreakerPolicy(BreakerLimits):
    """When a breaker opens, how it is probed, and how much may be spent through it."""

    window_s: Annotated[float, Field(gt=0, le=3600)] = 60
    min_calls: Annotated[int, Field(ge=1, le=10_000)] = 10
    failure_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    cooldown_s: Annotated[float, Field(gt=0, le=86_400)] = 30
    probes: Annotated[int, Field(ge=1, le=100)] = 2


class BreakerCall(Command):
    """Outcome of calls through a breaker since the last report, and whether the next wants permission."""

    name: Name
    policy: BreakerPolicy | None = None
    """None: as it stands, and as `BreakerPolicy()` where it is new."""
    succeeded: Count = 0
    failed: Count = 0
    want_permission: bool = False


class BreakerAnswer(Reply):
    name: str
    state: BreakerState
    allowed: bool
    retry_after_s: float | None = None
    because: BreakerReason | None = None
    """Why it lets no call through."""
    limited: bool = False
    """Whether spending is limited: then ask before every call, also while it is closed."""


class Breaker(Reply):
    name: str
    environment: str
    state: BreakerState
    changed_at_us: int
    updated_at_us: int
    calls: int
    failures: int
    tokens: int = 0
    """Spent within the last minute; counted only while spending is limited."""
    microcredits: int = 0
    """Charged within the last minute; counted only while spending is limited."""
    retry_after_s: float | None = None
    because: BreakerReason | None = None
    """Why it lets no call through: what failed, what was spent, or somebody opened it."""
    tokens_per_minute: int | None = None
    """The limit: the operator's or the policy's, whichever is less."""
    microcredits_per_minute: int | None = None
    policy: Json = None


class SetBreaker(Command):
    """Reset a breaker (closed), or open it by hand."""

    state: Literal["closed", "open"]
    reason: str = ""
