"""Answers of people: what somebody said to a task with `human_input` is recorded, not asked for again.

A script asks at its terminal, as CrewAI does. A worker has none: there the execution waits for the signal
that is called as the task or method that asks (`omium signal ID write --data '"shorter"'`), and costs no
process.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from omium.adapters.crew.runs import Part, Run, arecord, find_place, record
from omium.errors import ConfigError
from omium.sdk.context import Frame
from omium.sdk.flows import drive_async, drive_sync
from omium.sdk.options import make_step_options
from omium.sdk.runner import in_running_loop
from omium.sdk.signals import Asked, ask, wait_for

STEP: Final = "answer"
_PLEASE: Final = "What is to be done otherwise? An empty text: it is fine as it is."
_END: Final = re.compile(r"[#:|]")

_GIVEN: ContextVar[object] = ContextVar("omium_crew_given_answer", default=None)
"""What the agent has answered, and a person is asked about."""


def wrap_feedback(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that has an agent's answer judged by a person, who is shown it."""

    @functools.wraps(function)
    def handle(self: Any, formatted_answer: Any, context: Any) -> Any:
        token = _GIVEN.set(formatted_answer.output)
        try:
            return function(self, formatted_answer, context)
        finally:
            _GIVEN.reset(token)

    return handle


def wrap_async_feedback(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `wrap_feedback`, for a coroutine function."""

    @functools.wraps(function)
    async def handle(self: Any, formatted_answer: Any, context: Any) -> Any:
        token = _GIVEN.set(formatted_answer.output)
        try:
            return await function(self, formatted_answer, context)
        finally:
            _GIVEN.reset(token)

    return handle


def wrap_answer(function: Callable[..., str]) -> Callable[..., str]:
    """Return a function that asks a person about an agent's answer, recorded inside of a run."""

    @functools.wraps(function)
    def prompt(crew: Any) -> str:
        place = find_place()
        if place is None:
            return function(crew)
        if _is_on_worker(place):
            return _wait(place, _ask_about_answer())
        answer: str = record(place, _describe(), lambda: function(crew))
        return answer

    return prompt


def wrap_async_answer(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `wrap_answer`, for a coroutine function."""

    @functools.wraps(function)
    async def prompt(crew: Any) -> str:
        place = find_place()
        if place is None:
            return str(await function(crew))
        if _is_on_worker(place):
            asked = _make(place, _ask_about_answer())
            return _as_text(await drive_async(wait_for(asked), place[1].driving.link.async_ports()))
        answer: str = await arecord(place, _describe(), lambda: function(crew))
        return answer

    return prompt


def wrap_flow_feedback(method: Callable[..., str]) -> Callable[..., str]:
    """Return a method of a flow that has a person judge what another one gave."""

    @functools.wraps(method)
    def request(self: Any, message: str, output: Any, *args: Any, **kwargs: Any) -> str:
        place = find_place()
        if place is None or not _is_on_worker(place):
            return method(self, message, output, *args, **kwargs)
        return _wait(place, {"message": message, "output": output})

    return request


def wrap_flow_input(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of CrewAI's console that asks what a flow wants to know (`self.ask(...)`)."""

    @functools.wraps(method)
    def request(self: Any, message: str, *args: Any, **kwargs: Any) -> Any:
        place = find_place()
        if place is None or not _is_on_worker(place):
            return method(self, message, *args, **kwargs)
        if in_running_loop():  # waiting here would hold up all that runs in this loop
            raise ConfigError(
                "self.ask() in an async method of a flow cannot wait for a signal at a worker: make the"
                " method a plain function."
            )
        return _wait(place, message)

    return request


def _is_on_worker(place: tuple[Run, Frame]) -> bool:
    return bool(place[1].driving.on_worker)


def _ask_about_answer() -> object:
    given = _GIVEN.get()
    return {"message": _PLEASE, "answer": given} if isinstance(given, str) else _PLEASE


def _wait(place: tuple[Run, Frame], question: object) -> str:
    return _as_text(drive_sync(wait_for(_make(place, question)), place[1].driving.link.ports))


def _as_text(answer: object) -> str:
    """Return an answer as somebody would have typed it; a signal that brings nothing is an empty one."""
    if answer is None:
        return ""
    if isinstance(answer, str):
        return answer
    return json.dumps(answer, ensure_ascii=False, default=str)


def _make(place: tuple[Run, Frame], question: object) -> Asked:
    frame = place[1]
    around = frame.scope.path.rpartition("/")[2]
    return ask(frame, _END.split(around, maxsplit=1)[0] or STEP, question, step=STEP)


def _describe() -> Part:
    # By its number: a loop that is gone through again asks the same questions in the same order.
    return Part(make_step_options(STEP, match="name"), {}, str, str)
