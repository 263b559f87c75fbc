"""Usage: tokens and calls that a provider charged for, as reported."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from omium.models.wire import Command, Count, Name, Path, Reply, TimestampUs, Tokens


class RecordUsage(Command):
    """One provider call's usage. `id` is made by the client: the same id is counted once."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    execution_id: str | None = None
    path: Path | None = None
    attempt: Count | None = None
    provider: Annotated[str, Field(max_length=200)] | None = None
    model: Annotated[str, Field(max_length=200)] | None = None
    input_tokens: Tokens = 0
    output_tokens: Tokens = 0
    cached_tokens: Tokens = 0
    cache_write_tokens: Tokens = 0
    reasoning_tokens: Tokens = 0
    calls: Count = 1
    reported_cost_microusd: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    breaker: Name | None = None
    """The circuit breaker through which the call went: it may limit what is spent in a minute."""
    at_us: TimestampUs


class UsageRecord(Reply):
    """A stored usage record."""

    id: str
    execution_id: str | None = None
    path: str | None = None
    provider: str | None = None
    model: str | None = None
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int = 0
    reasoning_tokens: int
    calls: int
    reported_cost_microusd: int | None = None
    charged_microcredits: int | None = None
    """What was charged for it, in micro-credits; None: nothing, because it was free, waits for a price, or
    the server does not meter."""
    price_version: int | None = None
    """The version of the price book by which it was charged."""
    at_us: int
