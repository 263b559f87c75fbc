"""Calling: from a call of a decorated function to the flow that runs it.

Owns what happens at call time, before any await or thread hop: the identity is allotted and the arguments are
recorded as they are then. Sync and async differ only in who drives the flow. Used by the decorators, by
`Execution.step`, and by adapters, which wrap what their frameworks call.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from omium.jsonvalue import input_record
from omium.sdk.attempts import StepCall
from omium.sdk.calls import Call
from omium.sdk.context import Frame, find_frame
from omium.sdk.driving import Driving
from omium.sdk.flows import drive_async, drive_sync
from omium.sdk.options import StepOptions
from omium.sdk.steps import run_step


def find_active_frame() -> Frame | None:
    """Return the frame that a call made now belongs to; None if there is none, or its execution completed."""
    frame = find_frame()
    if frame is None or frame.driving.ended == "completed":
        return None  # what an execution left running behind it runs on, unrecorded
    return frame


def call_step(frame: Frame, options: StepOptions, call: Call, *, key: str | None = None) -> Any:
    """Run a sync function as a step, and return its result."""
    prepared = prepare(frame, options, call, key=key)
    invoke = functools.partial(_invoke, call, options)
    return drive_sync(run_step(prepared(invoke)), _link_of(frame).ports)


def call_async_step(
    frame: Frame, options: StepOptions, call: Call, *, key: str | None = None
) -> Coroutine[Any, Any, Any]:
    """Return the coroutine that runs a coroutine function as a step; its identity is allotted now."""
    from omium.sdk.async_calls import run_async  # noqa: PLC0415  # asyncio is loaded by those who use it

    prepared = prepare(frame, options, call, key=key)

    def invoke(inner: Frame) -> Coroutine[Any, Any, Any]:
        return run_async(call, inner, options.timeout_s, options.name)

    return drive_async(run_step(prepared(invoke)), _LazyPorts(frame))


def prepare(
    frame: Frame, options: StepOptions, call: Call, *, key: str | None = None
) -> Callable[[Callable[[Frame], object]], StepCall]:
    """Allot the identity and record the arguments; what is returned takes the way to invoke the function."""
    driving: Driving = frame.driving
    driving.lease.require()
    arguments = bind(call)
    if key is None and options.key is not None:
        key = options.key if isinstance(options.key, str) else options.key(*call.args, **call.kwargs)
    identity = frame.scope.allot(options.name, key)
    return functools.partial(
        StepCall,
        frame,
        options,
        identity,
        input_record(arguments, options.ignore, types=driving.link.types),
        frame.in_order,
        driving.link.types,
    )


def bind(call: Call) -> Mapping[str, object]:
    """Return the arguments by parameter name, defaults included; TypeError as the call itself would raise."""
    signature = find_signature(call.fn)
    if signature is None:
        return {"args": list(call.args), **call.kwargs}
    bound = signature.bind(*call.args, **call.kwargs)
    bound.apply_defaults()
    return bound.arguments


@functools.lru_cache(maxsize=4096)
def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none
        return None


def find_signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature of `function`, None if it has none."""
    try:
        return _signature(function)
    except TypeError:  # a callable object that cannot be hashed
        return _signature.__wrapped__(function)


def _invoke(call: Call, options: StepOptions, frame: Frame) -> Any:
    return call.run(frame, options.timeout_s, options.name)


class _LazyPorts:
    """The async ports of the loop that awaits, which may be another than the one that called."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def __getattr__(self, name: str) -> Any:
        return getattr(_link_of(self._frame).async_ports(), name)


def _link_of(frame: Frame) -> Any:
    return frame.driving.link
