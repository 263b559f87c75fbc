"""Recorded calls: what a framework awaits or calls (a model, a tool, a component), as a step.

Owns the way from a framework's own value to what is recorded and back, and what passes a step without being
a failure of it. The step itself is the SDK's; which calls are steps is each adapter's. Loads no framework.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from omium.jsonvalue import JsonValue, input_record
from omium.retry import RetryPolicy
from omium.sdk.async_calls import run_async
from omium.sdk.attempts import StepCall
from omium.sdk.book import Reuse
from omium.sdk.calling import find_active_frame
from omium.sdk.calls import Call
from omium.sdk.context import Frame
from omium.sdk.flows import drive_async, drive_sync
from omium.sdk.options import Concurrency, StepOptions, check_output_schema, make_step_options
from omium.sdk.results import take_whole
from omium.sdk.steps import look_up, recall, run_step

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StepPolicy:
    """What Omium does for one node; what the framework itself does for it stays as it is.

    `retry` is a policy or the most attempts, `timeout_s` ends a try (async work is cancelled; sync work runs
    on in its thread, and the next try waits for it), `breaker` names a circuit breaker, `concurrency` bounds
    how many run at once under its key, `effect` marks what changes the world outside, so that it is never
    done twice unasked (`"idempotent"`: what may be). `record=False` keeps no result and runs the node again
    on resume; `output_schema` is a JSON Schema that what is recorded must fit, else the node fails.
    """

    retry: RetryPolicy | int | None = None
    timeout_s: float | None = None
    breaker: str | None = None
    concurrency: Concurrency | None = None
    effect: bool | Literal["idempotent"] = False
    record: bool = True
    output_schema: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_output_schema("of this policy", self.output_schema, record=self.record)

    def options(self, name: str, *, match: Literal["name"] | None = None) -> StepOptions:
        """Return the options of the step that stands for `name`; `ConfigError` where they contradict."""
        return make_step_options(
            name,
            retry=self.retry,
            timeout_s=self.timeout_s,
            breaker=self.breaker,
            concurrency=self.concurrency,
            effect=self.effect,
            record=self.record,
            output_schema=self.output_schema,
            match=match,
        )


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """How values of a framework are recorded: `dump` gives something with a JSON form, `load` the value.

    `judged` gives what of that an output schema judges, where it is not all of it.
    """

    dump: Callable[[T], object] = _same
    load: Callable[[Any], T] = _same
    judged: Callable[[JsonValue], Iterable[JsonValue]] = take_whole


def shorten_messages(messages: object) -> object:
    """Return what stands for a conversation in a step's input: its length, its digest, and what came last.

    Each turn's conversation holds all before it; kept whole, a long run would be kept once for every turn.
    """
    if not isinstance(messages, list) or len(messages) < 2:  # one message is kept as it is
        return messages
    whole = input_record({"messages": messages})
    return {"messages": len(messages), "digest": whole.digest, "last": messages[-1]}


async def record_async(
    options: StepOptions,
    inputs: Mapping[str, object],
    work: Callable[[], Awaitable[T]],
    form: Form[T],
    *,
    passing: tuple[type[BaseException], ...] = (),
) -> T:
    """Return what was recorded of this call, or await `work` and record what it gives.

    Outside an execution `work` is only awaited. `inputs` tell one call from another: other inputs than those
    recorded run it again. An error of a class in `passing` is the framework's way to say something; the step
    is then neither recorded nor failed.
    """
    frame = find_active_frame()
    if frame is None:
        return await work()
    made: list[T] = []

    async def node() -> object:
        try:
            made[:] = [await work()]
        except passing as error:
            raise _Passing(error) from error
        return form.dump(made[0])

    def invoke(inner: Frame) -> Coroutine[Any, Any, Any]:
        return run_async(Call(node), inner, options.timeout_s, options.name)

    call = _prepare(frame, options, inputs, invoke, form.judged)
    try:
        recorded = await drive_async(run_step(call), frame.driving.link.async_ports())
    except _Passing as carried:
        raise carried.error from None
    return made[0] if made else form.load(recorded)


def record_sync(
    options: StepOptions,
    inputs: Mapping[str, object],
    work: Callable[[], T],
    form: Form[T],
    *,
    passing: tuple[type[BaseException], ...] = (),
) -> T:
    """As `record_async`, for work that is called."""
    frame = find_active_frame()
    if frame is None:
        return work()
    made: list[T] = []

    def node() -> object:
        try:
            made[:] = [work()]
        except passing as error:
            raise _Passing(error) from error
        return form.dump(made[0])

    def invoke(inner: Frame) -> object:
        return Call(node).run(inner, options.timeout_s, options.name)

    call = _prepare(frame, options, inputs, invoke, form.judged)
    try:
        recorded = drive_sync(run_step(call), frame.driving.link.ports)
    except _Passing as carried:
        raise carried.error from None
    return made[0] if made else form.load(recorded)


class LateRecord:
    """A value that gets its place among the steps now, and is recorded when it is known.

    For what a framework decides while it runs: a resume finds it before it is decided again.
    """

    def __init__(self, frame: Frame, options: StepOptions, inputs: Mapping[str, object]) -> None:
        self._value: object = None
        self._call = _prepare(frame, options, inputs, self._give)

    async def find(self) -> Any:
        """Return what is recorded, None where nothing is yet."""
        found = look_up(self._call)
        if not isinstance(found, Reuse):
            return None
        return await drive_async(recall(self._call, found.entry), self._call.driving.link.async_ports())

    async def record(self, value: object) -> None:
        """Record the value; when this returns, a resume finds it."""
        self._value = value
        await drive_async(run_step(self._call), self._call.driving.link.async_ports())

    async def _give(self, _frame: Frame) -> object:
        return self._value


def _prepare(
    frame: Frame,
    options: StepOptions,
    inputs: Mapping[str, object],
    invoke: Callable[[Frame], object],
    judged: Callable[[JsonValue], Iterable[JsonValue]] = take_whole,
) -> StepCall:
    """Allot the identity now, before any await: numbers follow the calls."""
    frame.driving.lease.require()
    types = frame.driving.link.types
    recorded = input_record(inputs, types=types)
    identity = frame.scope.allot(options.name)
    return StepCall(frame, options, identity, recorded, frame.in_order, types, invoke, judged)


class _Passing(BaseException):
    """Carries what the framework says past what a step does when it fails."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error
