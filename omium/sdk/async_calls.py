"""Calls of coroutine functions, within their time: the asyncio half of calls.py.

A module of its own because a script without an event loop should not pay for importing asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from omium.sdk.calls import Call, make_timeout
from omium.sdk.context import Frame


async def run_async(call: Call, frame: Frame, timeout_s: float | None, step: str) -> Any:
    """Await the coroutine function in its frame, as `await_within` does."""
    with frame.entered():
        return await await_within(call, timeout_s, step)


async def await_within(call: Call, timeout_s: float | None, step: str) -> Any:
    """Await the coroutine function; after `timeout_s` it's cancelled and `StepTimeout` raised."""
    called: Awaitable[Any] = call.fn(*call.args, **call.kwargs)
    if timeout_s is None:
        return await called
    limit = asyncio.timeout(timeout_s)
    try:
        async with limit:
            return await called
    except TimeoutError as error:
        if limit.expired():
            raise make_timeout(step, timeout_s) from error
        raise
