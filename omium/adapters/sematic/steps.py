"""Steps: one function of a pipeline from its first try to its record.

Owns the order of things for a function, as omium/sdk/steps.py does for a step: look up, permission, the try,
the record. It is parted where Sematic's own loop goes on with other functions: between two tries, and
between the body of a function that calls others and their last value. Until that is there, such a step is
open: if the process dies, its body is called again, and what it calls returns from its records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sematic.abstract_function import FunctionError
from sematic.abstract_future import AbstractFuture

from omium.adapters.recorded import StepPolicy
from omium.adapters.sematic.policies import find_bound, make_options
from omium.adapters.sematic.values import decode_output, encode_inputs, encode_output
from omium.errors import StepTimeout, Unserialisable
from omium.jsonvalue import input_record
from omium.sdk.attempts import Attempt, StepCall
from omium.sdk.book import Reuse
from omium.sdk.calls import Call
from omium.sdk.capture import StepLog
from omium.sdk.context import Frame
from omium.sdk.flows import Flow, drive_sync
from omium.sdk.pausing import wait_out
from omium.sdk.steps import count_failures, look_up, make_attempt, recall


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a function is recorded to have returned."""

    value: Any


class Again:
    """The try failed, and another follows."""


class FunctionStep:
    """One function of a pipeline as a step of the current execution."""

    def __init__(self, frame: Frame, node_id: str, future: AbstractFuture, policy: StepPolicy) -> None:
        frame.driving.lease.require()
        types = frame.driving.link.types
        self._future = future
        self._options = make_options(future, policy)
        self._call = StepCall(
            frame,
            self._options,
            frame.scope.allot(self._options.name, node_id),
            input_record(encode_inputs(future), types=types),
            in_order=True,  # Sematic's loop is one thread, and the id says which function it is
            types=types,
            invoke=_never,
        )
        self._attempt: Attempt | None = None
        self._failures = 0
        self._delay_s: float | None = None

    @property
    def path(self) -> str:
        """Where the step stands in its execution."""
        return self._call.identity.path

    @property
    def frame(self) -> Frame:
        """The frame of the newest try: what the function calls stands in it."""
        assert self._attempt is not None, "the step has been tried"
        return self._attempt.frame

    def find_record(self) -> Recorded | None:
        """Return what is recorded of this function with these inputs; None where it has to run."""
        self._drive(wait_out(self._call.driving, self._call.frame))
        found = look_up(self._call)
        if isinstance(found, Reuse):
            return self._read(self._drive(recall(self._call, found.entry)))
        self._attempt = make_attempt(self._call, found)
        self._failures = self._drive(count_failures(self._call, found))
        return None

    def run(self, body: Callable[[], Any]) -> Any:
        """Try `body` once. Return its result, `Recorded` or `Again`; raises what the last try raised."""
        attempt = self._next_attempt()
        try:
            recorded = self._drive(attempt.begin())
            if recorded is not None:  # an effect that turned out to be done
                return self._read(recorded.value)
            with self._call.driving.running_path(attempt.path):
                return call_bounded(body, attempt.frame, self._future, self._options.timeout_s)
        except Exception as error:
            failure = unwrap(error)
        except BaseException as error:
            self._drive(attempt.interrupt(error))
            raise
        self._failures += 1
        self._delay_s = self._drive(attempt.fail(failure, self._failures))
        if self._delay_s is None:
            raise failure
        return Again()

    def succeed(self, value: Any) -> None:
        """Record what the function has come to; when this returns, a resume does not run it again."""
        assert self._attempt is not None, "the step has been tried"
        try:
            form = encode_output(f"The function {self.path}", value, self._future.function.output_type)
        except Unserialisable as error:
            self._drive(self._attempt.fail(error, 0))
            raise
        self._drive(self._attempt.succeed(form))

    def take(self, form: Any, source: str) -> None:
        """Record `form`, a value of the function's that is known already; it comes from `source`.

        Nothing runs, so nothing is asked of a breaker or a concurrency key.
        """
        assert self._attempt is not None, "`find_record` comes first"
        options = replace(self._options, breaker=None, concurrency=None)
        attempt = Attempt(replace(self._call, options=options), self._attempt.run)
        self._drive(attempt.begin())
        if isinstance(attempt.frame.log, StepLog):
            attempt.frame.log.add("log", f"taken from the cache: {source}", "INFO")
        self._drive(attempt.succeed(form))

    def return_slot(self) -> None:
        """Give back the slot of its concurrency key: its own code has ended, what it called has steps."""
        assert self._attempt is not None, "the step has been tried"
        self._attempt.return_slot()

    def leave(self, error: BaseException) -> None:
        """Close a step whose inner functions have failed or were cut off: it may go on where they stopped."""
        assert self._attempt is not None, "the step has been tried"
        self._drive(self._attempt.interrupt(error))

    def _next_attempt(self) -> Attempt:
        assert self._attempt is not None, "`find_record` comes first"
        if self._delay_s is not None:
            self._drive(self._attempt.wait(self._delay_s))
            self._attempt, self._delay_s = self._attempt.next(), None
        return self._attempt

    def _read(self, form: Any) -> Recorded:
        function = self._future.function
        return Recorded(decode_output(f"The function {self.path}", form, function.output_type))

    def _drive(self, flow: Flow[Any]) -> Any:
        return drive_sync(flow, self._call.frame.driving.link.ports)


def call_bounded(
    body: Callable[[], Any], frame: Frame, future: AbstractFuture, timeout_s: float | None
) -> Any:
    """Return what `body` returns in `frame`, or raise what it raises, or that its time is over."""
    bound = find_bound(future, timeout_s)
    try:
        return Call(body).run(frame, bound.timeout_s, future.function.__name__)
    except StepTimeout as error:
        raise bound.explain(future, error) from error


def unwrap(error: Exception) -> Exception:
    """Return the user's own error where Sematic has wrapped it."""
    cause = error.__cause__
    return cause if isinstance(error, FunctionError) and isinstance(cause, Exception) else error


def _never(_frame: Frame) -> object:
    raise AssertionError("a function's step is driven part by part")
