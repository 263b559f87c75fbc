"""Tool calls inside a task: each is recorded, so that a crash behind it does not do it again.

Owns what a tool's step is called, how its result is kept, and what an exception of a tool is: CrewAI hands it
to the model as text and goes on, so it is a result like any other, which the failure inbox hears of as well.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from omium.adapters.crew.model_calls import inside_again, outside_models
from omium.adapters.crew.naming import make_id
from omium.adapters.crew.plain import make_plain
from omium.adapters.crew.runs import Part, Run, arecord, find_place, record
from omium.errors import OmiumError, Unserialisable
from omium.jsonvalue import encode
from omium.sdk.context import Frame
from omium.sdk.current import capture
from omium.sdk.options import make_step_options

_NOT_ARGUMENTS = frozenset({"config", "security_context"})  # drawn anew in each process
_inside: ContextVar[int | None] = ContextVar("omium_crew_tool", default=None)
"""The tool that runs: a class may call its parent's method, which is the same call."""


class ToolRaised(Exception):
    """What a tool raised when it ran, from its record; it says the same."""


def wrap_run(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a tool's `run` (or `invoke`) that is recorded inside of a run."""

    @functools.wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        place = None if _inside.get() == id(self) else find_place()
        if place is None:
            return method(self, *args, **kwargs)
        part, effect = _describe(place, self, args, kwargs)

        def work() -> Any:
            tool, models = _inside.set(id(self)), outside_models()
            try:
                return method(self, *args, **kwargs)
            except Exception as error:
                if effect or isinstance(error, OmiumError):
                    raise
                return _Raised(error)
            finally:
                inside_again(models)
                _inside.reset(tool)

        return _give(place, record(place, part, work))

    return run


def wrap_arun(method: Callable[..., Any]) -> Callable[..., Any]:
    """As `wrap_run`, for `arun` and `ainvoke`."""

    @functools.wraps(method)
    async def arun(self: Any, *args: Any, **kwargs: Any) -> Any:
        place = None if _inside.get() == id(self) else find_place()
        if place is None:
            return await method(self, *args, **kwargs)
        part, effect = _describe(place, self, args, kwargs)

        async def work() -> Any:
            tool, models = _inside.set(id(self)), outside_models()
            try:
                return await method(self, *args, **kwargs)
            except Exception as error:
                if effect or isinstance(error, OmiumError):
                    raise
                return _Raised(error)
            finally:
                inside_again(models)
                _inside.reset(tool)

        return _give(place, await arecord(place, part, work))

    return arun


class _Raised:
    """Carries a tool's exception past what a step does when it fails; `error` is None from a record."""

    def __init__(self, error: Exception | None, said: str = "", type_name: str = "") -> None:
        self.error = error
        self.said = str(error) if error is not None else said
        self.type_name = type(error).__name__ if error is not None else type_name


def _give(place: tuple[Run, Frame], result: Any) -> Any:
    """Return a tool's result, or raise what it raised."""
    if not isinstance(result, _Raised):
        return result
    if result.error is None:
        raise ToolRaised(result.said)
    capture(place[1], result.error)
    raise result.error


def _describe(
    place: tuple[Run, Frame], tool: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Part, bool]:
    """Return the tool's part of the run, and whether it is an effect."""
    run, frame = place
    name = make_id(str(tool.name)) or "tool"
    given: dict[str, object] = {
        key: make_plain(value) for key, value in kwargs.items() if key not in _NOT_ARGUMENTS
    }
    if args:  # `invoke` takes all arguments as one
        given = {**given, "arguments": make_plain(args[0] if len(args) == 1 else list(args))}
    types = frame.driving.link.types

    def dump(result: Any) -> object:
        if isinstance(result, _Raised):
            return {"raised": result.type_name, "message": result.said}
        try:
            encode(result, types=types)
        except Unserialisable:  # the model is shown its text anyway
            return {"result": str(result)}
        return {"result": result}

    def load(recorded: Any) -> Any:
        _count_use(tool)
        if isinstance(recorded, Mapping) and "raised" in recorded:
            return _Raised(None, str(recorded.get("message", "")), str(recorded["raised"]))
        if isinstance(recorded, Mapping) and "result" in recorded:
            return recorded["result"]
        return recorded  # somebody edited it

    effect = name in run.effects  # then whether it took effect is not ours to say: the step's own rules hold
    return Part(make_step_options(name, effect=effect), given, dump, load), effect


def _count_use(tool: Any) -> None:
    """Count a use that happened in a process before this one, for tools that may only be used so often."""
    counted: list[Any] = [tool, getattr(tool, "_original_tool", None)]
    for each in counted:
        if isinstance(getattr(each, "current_usage_count", None), int):
            each.current_usage_count += 1
