"""Executions without a workflow function: `with omium.start_execution("name") as execution: ...`.

Owns the object that a script holds while it drives an execution step by step, for code that is not shaped
like a function. It ends as a workflow's function would: what the block raises is recorded and goes on to the
caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from omium.errors import ConfigError, ConnectionLost
from omium.jsonvalue import input_record
from omium.sdk import current, life
from omium.sdk.calling import call_async_step, call_step, find_active_frame
from omium.sdk.calls import Call
from omium.sdk.code_version import describe_code
from omium.sdk.context import Frame
from omium.sdk.coroutines import is_async
from omium.sdk.driving import Driving
from omium.sdk.flows import drive_sync
from omium.sdk.frames import LEAVING
from omium.sdk.joining import Joined, start_local
from omium.sdk.offline import begin_offline
from omium.sdk.options import (
    Credits,
    Retry,
    StepOptions,
    WorkflowOptions,
    make_labels,
    make_step_options,
    read_credits,
)
from omium.sdk.registry import find_workflow
from omium.sdk.session import Session, current_session
from omium.sdk.starting import Beginning, make_driving
from omium.states import Durability, Takeover


class Execution:
    """One execution that this process drives, between entering and leaving the block."""

    def __init__(self, session: Session, beginning: Beginning) -> None:
        self._session = session
        self._beginning = beginning
        self._driving: Driving | None = None
        self._frame: Frame | None = None
        self._scope: AbstractContextManager[None] | None = None
        self._active: AbstractContextManager[None] | None = None
        self._completed = False

    @property
    def id(self) -> str:
        """The execution's id."""
        return self._driven().execution_id

    def step(self, name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run `function(*args, **kwargs)` as a step; of a coroutine function, return an awaitable."""
        with LEAVING:
            return self._call(make_step_options(name), Call(function, args, kwargs), None)

    def step_with(
        self,
        name: str,
        function: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        retry: Retry | None = None,
        timeout_s: float | None = None,
        effect: bool = False,
    ) -> Any:
        """Run a function as a step with the options that `@omium.step` has."""
        options = make_step_options(name, retry=retry, timeout_s=timeout_s, effect=effect)
        with LEAVING:
            return self._call(options, Call(function, args, dict(kwargs or {})), key)

    def _call(self, options: StepOptions, made: Call, key: str | None) -> Any:
        run = call_async_step if is_async(made.fn) else call_step
        return run(self._here(), options, made, key=key)

    def checkpoint(self, name: str, state: object) -> None:
        """Make `state` durable under `name`."""
        drive_sync(current.save(self._here(), name, state), self._session.link.ports)

    def load_checkpoint(self, name: str, default: Any = None) -> Any:
        """Return the newest state saved under `name`, or `default`."""
        return drive_sync(current.load(self._here(), name, default), self._session.link.ports)

    def capture_failure(self, error: BaseException) -> None:
        """Put `error` into the failure inbox though the execution goes on."""
        current.capture(self._here(), error)

    def record_usage(self, **usage: Any) -> None:
        """Record what a provider charged for; the arguments are those of `omium.record_usage`."""
        current.add_usage(self._here(), **usage)

    def complete(self, output: object = None) -> None:
        """Record that the execution ended with `output`; without it, leaving the block does, with None."""
        drive_sync(life.complete(self._driven(), output, self._session.link.types), self._session.link.ports)
        self._completed = True

    def __enter__(self) -> Self:
        session, beginning = self._session, self._beginning
        try:
            joined = drive_sync(start_local(beginning, session.prepare), session.link.ports)
        except ConnectionLost as error:
            joined = begin_offline(session, beginning, error)
        self._begin(joined)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        driving = self._driven()
        self._leave_frame()
        try:
            if error is not None and driving.ended is None:
                ending = drive_sync(life.end_quietly(driving, error), self._session.link.ports)
                if ending is not error:
                    raise ending from error
            elif not self._completed and driving.ended is None:
                self.complete(None)
        finally:
            self._deactivate()

    async def __aenter__(self) -> Self:
        session, beginning = self._session, self._beginning
        try:
            joined = await session.drive_async(start_local(beginning, session.aprepare))
        except ConnectionLost as error:
            joined = begin_offline(session, beginning, error)
        self._begin(joined)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        driving = self._driven()
        self._leave_frame()
        try:
            if error is not None and driving.ended is None:
                ending = await self._session.drive_async(life.end_quietly(driving, error))
                if ending is not error:
                    raise ending from error
            elif not self._completed and driving.ended is None:
                await self._session.drive_async(life.complete(driving, None, self._session.link.types))
        finally:
            self._deactivate()

    def _begin(self, joined: Joined) -> None:
        if joined.granted is None:
            raise ConfigError(
                f"Execution {joined.execution_id} has ended already, so there is nothing to go on with. "
                f"Its output: omium executions show {joined.execution_id}"
            )
        self._driving = make_driving(joined.granted, self._session.link, self._beginning.options)
        self._frame = self._driving.open_root()
        self._active = self._session.active(self._driving)
        self._active.__enter__()
        self._scope = self._frame.entered()
        self._scope.__enter__()

    def _leave_frame(self) -> None:
        if self._scope is not None:
            self._scope.__exit__(None, None, None)
            self._scope = None

    def _deactivate(self) -> None:
        if self._active is not None:
            self._active.__exit__(None, None, None)
            self._active = None

    def _driven(self) -> Driving:
        if self._driving is None:
            raise ConfigError(
                "The execution has not begun: use `with omium.start_execution(...) as execution:`."
            )
        return self._driving

    def _here(self) -> Frame:
        self._driven()
        found = find_active_frame()
        if found is not None and found.driving is self._driving:
            return found
        assert self._frame is not None
        return self._frame


def start_execution(
    workflow: str | Callable[..., Any],
    inputs: Mapping[str, Any] | None = None,
    *,
    execution_id: str | None = None,
    idempotency_key: str | None = None,
    durability: str | None = None,
    takeover: str = "never",
    timeout_s: float | None = None,
    max_credits: Credits | None = None,
    tags: Iterable[str] | None = None,
    business_key: str | None = None,
) -> Execution:
    """Return an execution to be used with `with` or `async with`; it begins when the block is entered.

    With an `idempotency_key` or `execution_id` that was used before, the block goes on with that execution:
    its recorded steps return at once. `timeout_s` bounds the block, `max_credits` what it is charged: before
    that is passed it pauses (`omium.Suspended`). `tags` and the `business_key` (such as an order's number)
    are what people find it by.
    """
    known = find_workflow(workflow)
    name = known.name if known is not None else workflow
    if not isinstance(name, str):
        raise ConfigError(f"{workflow!r} is not a workflow; give its name, or put @omium.workflow on it.")
    session = current_session()
    options = WorkflowOptions(name, timeout_s=timeout_s, takeover=Takeover(takeover))
    return Execution(
        session,
        Beginning(
            workflow=name,
            input=input_record(inputs or {}, types=session.link.types),
            options=options,
            durability=Durability(durability) if durability else session.durability,
            code=describe_code(known.function if known is not None else None),
            execution_id=execution_id,
            idempotency_key=idempotency_key,
            max_microcredits=read_credits(name, max_credits),
            labels=make_labels(tags, business_key),
        ),
    )
