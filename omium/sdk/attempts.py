"""Attempts: one try of a step, and what is written about it (semantics 2.3).

Owns the frame that the user's function runs in, the write at its end, and what the person who reads a
traceback is told. An effect writes more (effects.py); the order of things is steps.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

from omium.clock import US_PER_S
from omium.errorinfo import describe_exception
from omium.errors import (
    BreakerOpen,
    Cancelled,
    ConnectionLost,
    EffectNotApplied,
    OmiumError,
    OutputInvalid,
    RateLimited,
    SlotsTaken,
    StepTimeout,
    Unserialisable,
)
from omium.jsonvalue import InputRecord, JsonValue, TypeRegistry
from omium.sdk.book import Entry, Run
from omium.sdk.capture import StepLog
from omium.sdk.context import Frame
from omium.sdk.driving import Driving
from omium.sdk.flows import Flow
from omium.sdk.identity import Identity
from omium.sdk.options import StepOptions
from omium.sdk.pausing import wait_out
from omium.sdk.results import encode_bounded, encode_result, judge_output, take_whole
from omium.sdk.slots import return_slot, take_slot

RETRIED = (StepTimeout, BreakerOpen, SlotsTaken, RateLimited, EffectNotApplied)
"""Of Omium's own errors, those that another try can change."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an effect turned out to have done already."""

    value: Any


@dataclass(frozen=True, slots=True)
class StepCall:
    """One call of a step, as it was when it was made."""

    frame: Frame
    options: StepOptions
    identity: Identity
    input: InputRecord
    in_order: bool
    types: TypeRegistry
    invoke: Callable[[Frame], object]
    """Runs the user's function in a frame; in async code it returns an awaitable."""
    judged: Callable[[JsonValue], Iterable[JsonValue]] = take_whole
    """What of an output the step's schema judges: a framework records more than what a node gave."""

    @property
    def driving(self) -> Driving:
        """The execution that the call belongs to."""
        driving = self.frame.driving
        assert isinstance(driving, Driving)
        return driving


class Attempt:
    """One try of a step, and what is written about it."""

    def __init__(self, call: StepCall, run: Run) -> None:
        self.call = call
        self.run = run
        self.driving = call.driving
        self.path = run.identity.path
        self.frame = call.frame.open(run.identity, run.attempt)
        self._has_slot = False
        self.started_us = time.time_ns() // 1000

    def begin(self) -> Flow[Recorded | None]:
        """Get permission to run. Returns a result if an effect turns out to be recorded already."""
        yield from wait_out(self.driving, self.call.frame)
        yield from self.driving.ready(self.call.frame)
        if (asked := self.call.options.concurrency) is not None:
            yield from take_slot(self.driving, self.call.frame, self.path, self.run.attempt, asked)
            self._has_slot = True
        if (breaker := self.call.options.breaker) is not None:
            yield from self.driving.link.breakers.enter(breaker)
        if self.driving.link.capture:
            self.frame.log = StepLog()
        self.started_us = time.time_ns() // 1000
        recorded = yield from self.announce()
        if recorded is not None:
            self.return_slot()
            self._let_go()
        return recorded

    def announce(self) -> Flow[Recorded | None]:
        """Say beforehand what is about to be done: nothing, for a plain step."""
        yield from ()
        return None

    def succeed(self, result: object) -> Flow[None]:
        """Record the result; when this returns, a resume will not run the step again."""
        try:
            output = None
            if self.call.options.record:
                output = encode_bounded(f"Step {self.path}", result, self.call.types)
                self.judge(output)
        except (Unserialisable, OutputInvalid) as error:
            yield from self.fail(error, 0)
            raise
        yield from self.succeed_encoded(output)

    def judge(self, output: JsonValue) -> None:
        """Raise `OutputInvalid` where a result that is JSON already is not as the step's schema asks."""
        if (schema := self.call.options.output_schema) is not None:
            for value in self.call.judged(output):
                judge_output(f"step {self.path}", value, schema)

    def succeed_encoded(self, output: JsonValue) -> Flow[None]:
        """Record a result that is JSON already."""
        self.return_slot()
        self._report(None)
        try:
            yield from self.record_success(output)
        finally:
            self._let_go()
        self._note("completed")

    def record_success(self, output: JsonValue) -> Flow[None]:
        """Write the one record of a plain step, unless what is around it has ended without it."""
        if (closed := self.call.frame.find_closed()) is not None:
            raise Cancelled(closed)
        yield from self.driving.write(
            {
                "type": "step.completed",
                **self.body(),
                "output": output,
                "has_output": self.call.options.record,
                "supersedes": self.run.supersedes,
            }
        )

    def fail(self, error: Exception, failures: int) -> Flow[float | None]:
        """Record that the try failed; return how long to wait before the next, None if it was the last."""
        self.frame.closed = self.frame.closed or f"The step {self.path} has failed in another branch."
        self.return_slot()
        self._report(error)
        if isinstance(error, ConnectionLost):
            self._let_go()
            return None  # there is nobody to tell
        mark(error, self.driving, self.path)
        if self.frame.still_running is not None:
            self.driving.abandon(self.frame.still_running)
        try:
            delay_s = yield from self.record_failure(error, self._delay_s(error, failures))
            if self.frame.still_running is not None:
                yield from self.driving.write(
                    {"type": "step.abandoned", "path": self.path, "attempt": self.run.attempt}
                )
        except ConnectionLost as lost:
            error.add_note(f"Omium: this failure could not be recorded. {lost}")
            self.driving.away = True
            return None
        finally:
            self._let_go()
        self._note("retrying")
        self.driving.book.open_again(self.path, effects_only=True)
        return delay_s

    def record_failure(self, error: Exception, delay_s: float | None) -> Flow[float | None]:
        """Write that the try failed, and return the delay before the next that may follow."""
        yield from self.driving.write(
            {
                "type": "step.attempt_failed",
                **self.body(),
                "error": describe_exception(error).to_json(),
                "delay_us": None if delay_s is None else round(delay_s * US_PER_S),
            }
        )
        return delay_s

    def interrupt(self, error: BaseException) -> Flow[None]:  # noqa: ARG002  # an effect describes it
        """Close the try without a record: it was cut off, which is neither a success nor a failure."""
        self.return_slot()
        self._let_go()
        self.frame.closed = self.frame.closed or f"The step {self.path} was interrupted."
        yield from ()

    def wait(self, delay_s: float) -> Flow[None]:
        """Wait for the next try; a function that could not be stopped has to end first."""
        if self.frame.still_running is None:
            yield from self.driving.await_retry(delay_s, self.call.frame, self.path)
        else:  # in this process, which knows when the function has ended
            yield from self.driving.pause(delay_s, self.call.frame)
        while self.frame.still_running is not None and not self.frame.still_running.is_set():
            self.driving.stuck = True  # a worker whose processes can be killed does not wait any longer
            yield from self.driving.pause(0.2, self.call.frame)
        self.driving.stuck = False

    def next(self) -> Self:
        """Return the try after this one."""
        return type(self)(self.call, replace(self.run, attempt=self.run.attempt + 1))

    def body(self) -> dict[str, object]:
        """Return what every write about this try says."""
        identity, options = self.run.identity, self.call.options
        return {
            "path": identity.path,
            "name": identity.name,
            "occurrence": identity.occurrence,
            "explicit_key": identity.explicit_key,
            "kind": options.kind,
            "attempt": self.run.attempt,
            "input": self.call.input.json,
            "input_digest": self.call.input.digest,
            "comparable": self.call.input.comparable,
            "started_at_us": self.started_us,
            "ended_at_us": max(time.time_ns() // 1000, self.started_us),
            "logs": self.frame.log.take() if isinstance(self.frame.log, StepLog) else [],
            "usage": self._take_usage(),
        }

    def _take_usage(self) -> list[dict[str, object]]:
        usage, self.frame.usage = self.frame.usage, []
        if (breaker := self.call.options.breaker) is not None:  # it may limit what is spent in a minute
            usage = [{**each, "breaker": breaker} for each in usage]
        return usage

    def encode(self, result: object) -> JsonValue:
        """Return `result` as JSON; `Unserialisable` names the step."""
        return encode_result(f"Step {self.path}", result, self.call.types)

    def _delay_s(self, error: Exception, failures: int) -> float | None:
        if isinstance(error, OmiumError) and not isinstance(error, RETRIED):
            return None
        return self.call.options.retry.delay_s(failures, error)

    def return_slot(self) -> None:
        """Give back the slot of this try, if it has one: its function has ended."""
        if self._has_slot and (asked := self.call.options.concurrency) is not None:
            self._has_slot = False
            return_slot(self.driving, self.path, self.run.attempt, asked)

    def _let_go(self) -> None:
        if self.call.options.concurrency is not None:
            self.driving.let_go(self.path)

    def _report(self, error: Exception | None) -> None:
        if self.call.options.breaker is not None:
            self.driving.link.breakers.report(self.call.options.breaker, error)

    def _note(self, status: str) -> None:
        """Tell the book, for a later try of what is around this step."""
        identity, options = self.run.identity, self.call.options
        self.driving.book.add(
            Entry(
                path=identity.path,
                name=identity.name,
                digest=self.call.input.digest,
                kind=options.kind,
                status=status,
                attempt=self.run.attempt,
                occurrence=identity.occurrence,
                explicit_key=identity.explicit_key,
                has_output=options.record,
                effect_state="done" if options.effect and status == "completed" else None,
                claimed=True,
            )
        )


def mark(error: BaseException, driving: Driving, path: str) -> None:
    """Tell the person who reads the traceback where to look; once, at the innermost step."""
    if getattr(error, "__omium__", None) == driving.execution_id:
        return
    try:
        error.__omium__ = driving.execution_id  # type: ignore[attr-defined]  # ours, on the user's exception
        error.__omium_path__ = path  # type: ignore[attr-defined]  # where the failure came from
        error.add_note(
            f"Omium: execution {driving.execution_id}"
            + (f", step {path}" if path else "")
            + f". Look at it with: omium executions show {driving.execution_id}"
        )
    except (AttributeError, TypeError):  # an exception with slots: it stays as it is
        driving.failed_path = path


def find_path(error: BaseException) -> str:
    """Return the innermost step that `error` came from, empty if it came from none."""
    path: Any = getattr(error, "__omium_path__", "")
    return path if isinstance(path, str) else ""
