"""Life: one execution in this process, from its grant to the write that says how it ended.

Owns what becomes of everything that can come out of a workflow's function: a result, an exception, a pause, a
cancel, an interrupt, a lost lease. One flow for sync and async. Steps inside it are steps.py; how the grant
was got is starting.py; the thread that keeps the lease meanwhile is heartbeat.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from omium.errorinfo import describe_exception
from omium.errors import (
    Cancelled,
    ConnectionLost,
    LeaseLost,
    OmiumError,
    Suspended,
    Suspension,
    Unserialisable,
    Waits,
)
from omium.jsonvalue import TypeRegistry
from omium.retry import RetryPolicy
from omium.sdk.attempts import RETRIED, find_path, mark
from omium.sdk.context import Frame
from omium.sdk.driving import Driving
from omium.sdk.flows import Flow, Invoke, sleep
from omium.sdk.results import encode_bounded

GRACE_S = 30.0  # how long a cancel waits for calls that do not stop (semantics 3.1)
LAST_WORD_S = 5.0  # for the write after an interrupt: the person at the keyboard wants to leave
POLL_S = 0.05

_WIRE_REASONS = {"operator", "effect", "credits", "limit", "drain", "cancel", "interrupted"}


def live(
    driving: Driving, invoke: Callable[[Frame], object], *, retry: RetryPolicy, types: TypeRegistry
) -> Flow[object]:
    """Run the workflow's function, trying again as its policy says, and record how it ended."""
    failures = 0
    root = driving.open_root()
    try:
        while True:
            try:
                result = yield Invoke(invoke, (root,))
            except Exception as error:
                failures += 1
                delay_s = _delay_s(error, failures, retry)
                if delay_s is None:
                    raise
                root.closed = "The workflow is tried again; this belongs to its former try."
                root = driving.open_root()
                yield from driving.pause(delay_s, root)
                driving.book.open_again("", effects_only=False)
            else:
                yield from _complete(driving, result, types)
                return result
    except Exception as error:
        yield from _fail(driving, error)
        raise
    except BaseException as error:
        ending = yield from _stop(driving, error)
        if ending is error:
            raise
        raise ending from error


def end_quietly(driving: Driving, error: BaseException) -> Flow[BaseException]:
    """Record that `error` ends an execution which is driven without a function (a context manager)."""
    if isinstance(error, Exception):
        yield from _fail(driving, error)
        return error
    return (yield from _stop(driving, error))


def complete(driving: Driving, output: object, types: TypeRegistry) -> Flow[None]:
    """Record that the execution ended with `output`."""
    try:
        yield from _complete(driving, output, types)
    except Unserialisable as error:
        yield from _fail(driving, error)
        raise


def _complete(driving: Driving, result: object, types: TypeRegistry) -> Flow[None]:
    output = encode_bounded(f"Workflow {driving.workflow}", result, types)
    yield from driving.write({"type": "execution.completed", "output": output})
    driving.ended = "completed"


def _fail(driving: Driving, error: Exception) -> Flow[None]:
    mark(error, driving, "")
    driving.ended = "failed"
    if isinstance(error, ConnectionLost):
        driving.untold = True
        return  # there is nobody to tell; the server notices by the lease
    body: dict[str, object] = {
        "type": "execution.failed",
        "path": find_path(error) or driving.failed_path,
        "error": describe_exception(error).to_json(),
    }
    try:
        yield from driving.write(body, within_s=LAST_WORD_S if driving.away else None)
    except OmiumError as failure:  # what failed matters more than that it could not be told
        driving.untold = True
        error.add_note(f"Omium: the server could not be told that the execution failed. {failure}")


def _stop(driving: Driving, error: BaseException) -> Flow[BaseException]:
    """Give the lease back, and return what the workflow's caller is to see."""
    ending = find_suspension(error)
    if ending is None and driving.interrupted:
        lost = driving.lease.lost
        ending = LeaseLost(lost) if lost else Cancelled(f"Execution {driving.execution_id} was cancelled.")
    if isinstance(ending, LeaseLost):
        driving.ended = "another driver has it"
        return ending
    if isinstance(ending, Suspended):
        while driving.running:  # other branches end their steps and keep what they paid for
            yield from sleep(POLL_S)
        driving.ended = f"suspended ({ending.reason})"
        if isinstance(ending, Waits):
            yield from _wait(driving, ending)
            return ending
        reason = ending.reason if ending.reason in _WIRE_REASONS else "operator"
        yield from _give_back(driving, reason)
        if ending.reason != "drain":
            driving.say(ending)
        return ending
    if isinstance(ending, Cancelled):
        waited_s = 0.0
        while driving.running and waited_s < GRACE_S:
            yield from sleep(POLL_S)
            waited_s += POLL_S
        driving.ended = "cancelled"
        yield from _give_back(
            driving, "cancel", outcome="still_running" if driving.running or driving.abandoned else "stopped"
        )
        return ending
    driving.ended = f"interrupted ({type(error).__name__})"
    yield from _give_back(driving, "interrupted", error=error)
    return error


def _wait(driving: Driving, ending: Waits) -> Flow[None]:
    """Hand the execution back until what it waits for comes; the answer to this write is not a failure."""
    yield from driving.write(
        {
            "type": "execution.waits",
            "reason": ending.reason,
            "wake_at_us": ending.wake_at_us,
            "detail": ending.detail,
            "signals": [*ending.signals],
        }
    )


def _give_back(
    driving: Driving, reason: str, *, outcome: str = "stopped", error: BaseException | None = None
) -> Flow[None]:
    body: dict[str, object] = {"type": "execution.suspends", "reason": reason, "outcome": outcome}
    if error is not None:
        body["error"] = describe_exception(error).to_json()
    try:
        yield from driving.write(body, within_s=LAST_WORD_S if reason in ("interrupted", "cancel") else None)
    except LeaseLost:
        return
    except Exception as failure:  # a boundary: what ends the drive matters more than this last word
        driving.untold = True
        print(f"omium: {driving.execution_id} could not be given back: {failure}", file=sys.__stderr__)


def find_suspension(error: BaseException) -> Suspension | None:
    """Return the suspension that `error` is, or that a task group wrapped in it."""
    if isinstance(error, Suspension):
        return error
    if isinstance(error, BaseExceptionGroup):
        found = [each for each in map(find_suspension, error.exceptions) if each is not None]
        return max(found, key=lambda each: isinstance(each, LeaseLost), default=None)
    return None


def _delay_s(error: Exception, failures: int, retry: RetryPolicy) -> float | None:
    if isinstance(error, OmiumError) and not isinstance(error, RETRIED):
        return None
    return retry.delay_s(failures, error)


__all__ = ["complete", "end_quietly", "find_suspension", "live"]
