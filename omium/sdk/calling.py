"""Calling: from a call of a decorated function to the flow that runs it.

Owns what happens at call time, before any await or thread hop: the identity is allotted and the arguments are
recorded as they are then. Sync and async differ only in who drives the flow. Used by the decorators, by
`Execution.step`, and by adapters, which wrap what their frameworks call.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from omium.jsonvalue import input_record
from omium.sdk.attempts import StepCall
from omium.sdk.calls import Call
from omium.sdk.context import Frame, find_frame
from omium.sdk.driving import Driving
from omium.sdk.flows import AsyncPorts, Flow, drive_async, drive_sync
from omium.sdk.frames import shorten
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

    return _end(run_step(prepared(invoke)), _LazyPorts(frame))


async def _end(flow: Flow[Any], ports: AsyncPorts) -> Any:
    try:
        return await drive_async(flow, ports)
    except BaseException as error:  # it goes on in the user's code
        shorten(error)
        raise


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
    shape = _find_shape(call.fn)
    if shape is None:
        return {"args": list(call.args), **call.kwargs}
    if (plainly := _bind_plainly(shape, call)) is not None:
        return plainly
    bound = shape.signature.bind(*call.args, **call.kwargs)
    bound.apply_defaults()
    return bound.arguments


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a function takes. `names` only if each of them can be given by position and by name."""

    signature: inspect.Signature
    names: tuple[str, ...] | None
    defaults: Mapping[str, object]


def _bind_plainly(shape: _Shape, call: Call) -> dict[str, object] | None:
    """Return what `Signature.bind` would, at a tenth of its cost; None where that has to look itself."""
    names, args, kwargs = shape.names, call.args, call.kwargs
    if names is None or len(args) > len(names):
        return None
    bound: dict[str, object] = dict(zip(names, args, strict=False))
    by_name = 0
    for name in names[len(args) :]:
        if name in kwargs:
            bound[name] = kwargs[name]
            by_name += 1
        elif name in shape.defaults:
            bound[name] = shape.defaults[name]
        else:
            return None
    return bound if by_name == len(kwargs) else None


@functools.lru_cache(maxsize=4096)
def _shape(function: Callable[..., Any]) -> _Shape | None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none
        return None
    parameters = signature.parameters.values()
    plain = all(each.kind is each.POSITIONAL_OR_KEYWORD for each in parameters)
    defaults = {each.name: each.default for each in parameters if each.default is not each.empty}
    return _Shape(signature, tuple(signature.parameters) if plain else None, defaults)


def _find_shape(function: Callable[..., Any]) -> _Shape | None:
    try:
        return _shape(function)
    except TypeError:  # a callable object that cannot be hashed
        return _shape.__wrapped__(function)


def find_signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature of `function`, None if it has none."""
    shape = _find_shape(function)
    return None if shape is None else shape.signature


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
