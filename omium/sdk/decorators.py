"""Decorators: `@omium.step` and `@omium.workflow`.

Own the public way to declare what is recorded. Each works bare or with arguments, on functions and methods,
sync and async, and on generators; the decorated function keeps its signature and calls like the plain one.
They only find the frame and pick the driver: what happens then is calling.py for steps, run.py for workflows.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar, cast, overload

from omium.errors import ConfigError
from omium.sdk import run
from omium.sdk.calling import call_async_step, call_step, find_active_frame, prepare
from omium.sdk.calls import Call
from omium.sdk.coroutines import is_async, mark_async
from omium.sdk.frames import shorten
from omium.sdk.generators import stream, stream_async
from omium.sdk.identity import clean_name
from omium.sdk.options import (
    Concurrency,
    Credits,
    Key,
    Retry,
    StepOptions,
    WorkflowOptions,
    check_timeout,
    function_name,
    make_policy,
    make_step_options,
    read_credits,
)
from omium.sdk.registry import ATTRIBUTE, REGISTRY, Workflow
from omium.states import Durability, Takeover

F = TypeVar("F", bound=Callable[..., Any])


@overload
def step(function: F, /) -> F: ...
@overload
def step(
    *,
    name: str | None = None,
    retry: Retry | None = None,
    timeout_s: float | None = None,
    effect: bool | Literal["idempotent"] = False,
    compensate: Callable[..., Any] | str | None = None,
    breaker: str | None = None,
    concurrency: Concurrency | None = None,
    key: Key | None = None,
    ignore: Iterable[str] = (),
    record: bool = True,
    output_schema: Mapping[str, Any] | None = None,
    match: Literal["name"] | None = None,
) -> Callable[[F], F]: ...
def step(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    retry: Retry | None = None,
    timeout_s: float | None = None,
    effect: bool | Literal["idempotent"] = False,
    compensate: Callable[..., Any] | str | None = None,
    breaker: str | None = None,
    concurrency: Concurrency | None = None,
    key: Key | None = None,
    ignore: Iterable[str] = (),
    record: bool = True,
    output_schema: Mapping[str, Any] | None = None,
    match: Literal["name"] | None = None,
) -> F | Callable[[F], F]:
    """Record what a function returns, so that a resume does not run it again.

    Outside any execution the function just runs. Inside, its result is durable before the call returns.

    `name` is the step's name, by default the function's. `retry` is a `RetryPolicy` or the most attempts.
    `timeout_s` ends a try: a coroutine is cancelled; a sync function runs in a thread of its own, which
    cannot be stopped and is waited for before the next try. `effect=True` marks what changes the world
    outside, so that it is never done twice unasked; `"idempotent"` says that its receiver honours
    `omium.effect_key()`. `compensate` undoes the effect in a rollback: it's called with (inputs, output,
    effect_key). `breaker` names a circuit breaker. `concurrency=omium.Concurrency("provider", 4)` lets at
    most so many steps of that key run at once, in all executions. `key`, a text or a function of the
    arguments, identifies a call instead of its number. `ignore` names parameters that say nothing about the
    input. `record=False` keeps no value and runs again on resume. `output_schema` is a JSON Schema that
    what is recorded must fit; else the step fails with `OutputInvalid`, and isn't tried again. `match="name"`
    returns a record whatever its input was.
    """

    def decorate(function: F) -> F:
        if isinstance(function, staticmethod | classmethod):
            return cast("F", type(function)(decorate(cast("F", function.__func__))))
        options = make_step_options(
            name or function_name(function),
            retry=retry,
            timeout_s=timeout_s,
            effect=effect,
            compensate=None if compensate is None else REGISTRY.add_compensation(compensate),
            breaker=breaker,
            concurrency=concurrency,
            key=key,
            ignore=ignore,
            record=record,
            output_schema=output_schema,
            match=match,
        )
        return cast("F", _wrap_step(function, options))

    return decorate if function is None else decorate(function)


@overload
def workflow(function: F, /) -> F: ...
@overload
def workflow(
    *,
    name: str | None = None,
    retry: Retry | None = None,
    timeout_s: float | None = None,
    durability: Literal["strict", "relaxed"] | None = None,
    takeover: Literal["never", "auto"] = "never",
    on_pause: Literal["raise", "wait"] = "raise",
    queue: str = "default",
    ignore: Iterable[str] = (),
    max_credits: Credits | None = None,
) -> Callable[[F], F]: ...
def workflow(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    retry: Retry | None = None,
    timeout_s: float | None = None,
    durability: Literal["strict", "relaxed"] | None = None,
    takeover: Literal["never", "auto"] = "never",
    on_pause: Literal["raise", "wait"] = "raise",
    queue: str = "default",
    ignore: Iterable[str] = (),
    max_credits: Credits | None = None,
) -> F | Callable[[F], F]:
    """Make a function a durable workflow: each call outside an execution starts one.

    Called inside another workflow it is a scope of the same execution, recorded like a step; for an execution
    of its own use `omium.run_workflow`.

    `retry` tries the whole function again; steps that are recorded return at once. `timeout_s` bounds one
    drive. `durability="relaxed"` records into a local spool while the server is away. `takeover="auto"` lets
    a worker go on when this process is lost. `on_pause="wait"` blocks while the execution is paused instead
    of raising `omium.Suspended`. `queue` is where `run_workflow(name)` and workers meet. `max_credits` is
    what one execution may be charged: before it would pass that, it pauses.
    """

    def decorate(function: F) -> F:
        chosen = clean_name(name or function_name(function))
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigError(
                f"Workflow {chosen} is a generator; make the part that streams a step, and return."
            )
        options = WorkflowOptions(
            name=chosen,
            retry=make_policy(retry),
            timeout_s=check_timeout(chosen, timeout_s),
            durability=None if durability is None else Durability(durability),
            takeover=Takeover(takeover),
            on_pause=on_pause,
            queue=clean_name(queue),
            ignore=frozenset([ignore] if isinstance(ignore, str) else ignore),
            max_microcredits=read_credits(chosen, max_credits),
        )
        if options.takeover is Takeover.AUTO and options.durability is Durability.RELAXED:
            raise ConfigError(f'Workflow {chosen}: takeover="auto" needs durability="strict".')
        return cast("F", _wrap_workflow(function, options))

    return decorate if function is None else decorate(function)


def _wrap_step(function: Callable[..., Any], options: StepOptions) -> Callable[..., Any]:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        if options.effect is not None:
            raise ConfigError(
                f"Step {options.name} is a generator, which cannot be an effect; return instead."
            )
        if options.concurrency is not None:
            raise ConfigError(
                f"Step {options.name} is a generator, which takes no concurrency key: whoever reads it would "
                "keep the slot for as long as it likes; return instead."
            )
        return _wrap_stream(function, options)
    if is_async(function):

        @functools.wraps(function)
        def call_async(*args: Any, **kwargs: Any) -> Any:
            frame = find_active_frame()
            if frame is None:
                return function(*args, **kwargs)
            return call_async_step(frame, options, Call(function, args, kwargs))

        return mark_async(call_async)

    @functools.wraps(function)
    def call_sync(*args: Any, **kwargs: Any) -> Any:
        frame = find_active_frame()
        if frame is None:
            return function(*args, **kwargs)
        try:
            return call_step(frame, options, Call(function, args, kwargs))
        except BaseException as error:
            shorten(error)
            raise

    return call_sync


def _wrap_stream(function: Callable[..., Any], options: StepOptions) -> Callable[..., Any]:
    streams = stream if inspect.isgeneratorfunction(function) else stream_async

    @functools.wraps(function)
    def call_stream(*args: Any, **kwargs: Any) -> Any:
        frame = find_active_frame()
        if frame is None:
            return function(*args, **kwargs)
        call, link = Call(function, args, kwargs), frame.driving.link
        prepared = prepare(frame, options, call)
        return streams(prepared, call, link.ports if streams is stream else link.async_ports)

    return call_stream


def _wrap_workflow(function: Callable[..., Any], options: WorkflowOptions) -> Callable[..., Any]:
    inner = make_step_options(
        options.name, retry=options.retry, timeout_s=options.timeout_s, ignore=options.ignore, kind="workflow"
    )
    asynchronous = is_async(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        frame = find_active_frame()
        called = Call(function, args, kwargs)
        try:
            if frame is None or frame.driving.lease.pid != os.getpid():  # a forked child opens its own
                return (run.arun_local if asynchronous else run.run_local)(known, called)
            return (call_async_step if asynchronous else call_step)(frame, inner, called)
        except BaseException as error:
            shorten(error)
            raise

    wrapped = mark_async(call) if asynchronous else call
    known = Workflow(options, function, wrapped)
    setattr(wrapped, ATTRIBUTE, known)
    REGISTRY.workflows[options.name] = known
    return wrapped
