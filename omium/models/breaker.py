"""Circuit breakers as they travel; the state machine is `omium.breaker`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from omium.models.wire import Command, Count, Json, Name, Reply
from omium.states import BreakerState


class BreakerPolicy(Command):
    """When a breaker opens, and how it is probed."""

    window_s: Annotated[float, Field(gt=0, le=3600)] = 60
    min_calls: Annotated[int, Field(ge=1, le=10_000)] = 10
    failure_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    cooldown_s: Annotated[float, Field(gt=0, le=86_400)] = 30
    probes: Annotated[int, Field(ge=1, le=100)] = 2


class BreakerCall(Command):
    """Outcome of calls through a breaker since the last report, and whether the next wants permission."""

    name: Name
    policy: BreakerPolicy = BreakerPolicy()
    succeeded: Count = 0
    failed: Count = 0
    want_permission: bool = False


class BreakerAnswer(Reply):
    name: str
    state: BreakerState
    allowed: bool
    retry_after_s: float | None = None


class Breaker(Reply):
    name: str
    environment: str
    state: BreakerState
    changed_at_us: int
    updated_at_us: int
    calls: int
    failures: int
    retry_after_s: float | None = None
    policy: Json = None


class SetBreaker(Command):
    """Reset a breaker (closed), or open it by hand."""

    state: Literal["closed", "open"]
    reason: str = ""
