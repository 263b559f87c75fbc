"""Usage: one provider call's tokens and cost, in the form in which they are reported.

Owns the record that `record_usage` makes, wherever it is called: in a step (current.py) or in a handler of a
spec's node (task_context.py).
"""

from __future__ import annotations

import time

from omium.ids import new_id

USD_MICRO = 1_000_000


def make_usage(
    execution_id: str,
    path: str | None,
    attempt: int | None,
    *,
    model: str | None = None,
    provider: str | None = None,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cached_tokens: int = 0,
    cache_write_tokens: int = 0,
    reasoning_tokens: int = 0,
    calls: int = 1,
    cost_usd: float | None = None,
) -> dict[str, object]:
    """Return a `models.usage.RecordUsage` of now, with an id of its own so that it is counted once."""
    now_us = time.time_ns() // 1000
    record: dict[str, object] = {
        "id": new_id("us", now_us),
        "execution_id": execution_id,
        "path": path,
        "attempt": attempt,
        "provider": provider,
        "model": model,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cached_tokens": cached_tokens,
        "reasoning_tokens": reasoning_tokens,
        "calls": calls,
        "reported_cost_microusd": None if cost_usd is None else round(cost_usd * USD_MICRO),
        "at_us": now_us,
    }
    if cache_write_tokens:  # servers of before it was counted refuse what they do not know
        record["cache_write_tokens"] = cache_write_tokens
    return record
