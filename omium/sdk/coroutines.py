"""Coroutines: which functions give one when they are called, and letting frameworks see it.

A wrapper of Omium's is a plain function also around a coroutine function, because a step's number is allotted
when it is called and not when it is awaited; so the usual marks have to be put on it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

_ASYNC_MARK = "__omium_async__"


def is_async(function: Callable[..., Any]) -> bool:
    """Say whether a call of `function` gives a coroutine; also for decorated and callable objects."""
    call = getattr(function, "__call__", None)  # noqa: B004  # not whether it's callable: how
    return (
        inspect.iscoroutinefunction(function)
        or inspect.iscoroutinefunction(call)
        or getattr(function, _ASYNC_MARK, False)
    )


def mark_async(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let frameworks see that `function` returns a coroutine, though it is not declared with `async def`.

    It cannot be: a coroutine function's body runs when it's awaited, but a step's number is allotted when
    it's called.
    """
    setattr(function, _ASYNC_MARK, True)
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    from asyncio import coroutines  # noqa: PLC0415  # loaded by async code anyway

    function._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001  # 3.11's way
    return function
