"""Answers of people: what somebody typed for a task with `human_input` is recorded, not asked for again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from omium.adapters.crew.runs import Part, arecord, find_place, record
from omium.sdk.options import make_step_options


def wrap_answer(function: Callable[..., str]) -> Callable[..., str]:
    """Return a function that asks a person, recorded inside of a run."""

    @functools.wraps(function)
    def ask(crew: Any) -> str:
        place = find_place()
        if place is None:
            return function(crew)
        answer: str = record(place, _describe(), lambda: function(crew))
        return answer

    return ask


def wrap_async_answer(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `wrap_answer`, for a coroutine function."""

    @functools.wraps(function)
    async def ask(crew: Any) -> str:
        place = find_place()
        if place is None:
            return str(await function(crew))
        answer: str = await arecord(place, _describe(), lambda: function(crew))
        return answer

    return ask


def _describe() -> Part:
    # By its number: a loop that is gone through again asks the same questions in the same order.
    return Part(make_step_options("answer", match="name"), {}, str, str)
