"""Calls: running the user's function in its frame, within its time.

Owns what "a step timed out" means. A coroutine is cancelled (async_calls.py). A thread cannot be: a sync
function with a timeout runs in a thread of its own, and when its time is over the step has failed while the
function goes on; `Frame.still_running` tells when it has ended, and its frame is closed, so that nothing it
still does counts (semantics 3.9). A sync function without a timeout runs in the caller's thread.
"""

from __future__ import annotations

import contextvars
import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omium.errors import StepTimeout
from omium.sdk.context import Frame, outside


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the user's with its arguments."""

    fn: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def run(self, frame: Frame, timeout_s: float | None, step: str) -> Any:
        """Return what the function returns, or raise what it raises, or `StepTimeout`."""
        if timeout_s is None:
            return self.run_here(frame)
        return self._run_in_thread(frame, timeout_s, step)

    def run_here(self, frame: Frame) -> Any:
        """Call the function in this thread."""
        with frame.entered():
            return self.fn(*self.args, **self.kwargs)

    def _run_in_thread(self, frame: Frame, timeout_s: float, step: str) -> Any:
        running = InThread(functools.partial(self.run_here, frame), f"omium-{step}")
        try:
            in_time = running.ended.wait(timeout_s)
        except BaseException:  # an interrupt of this thread: nobody waits for the other one any more
            frame.closed = f"The step {step} was interrupted."
            raise
        if not in_time:
            frame.closed = f"The step {step} has timed out; what it still does is not recorded."
            frame.still_running = running.ended
            raise make_timeout(step, timeout_s)
        return running.take()


class InThread:
    """A function of the user's in a thread of its own, with the caller's context, until `ended`."""

    def __init__(self, work: Callable[[], Any], name: str) -> None:
        self.ended = threading.Event()
        self._work = work
        self._result: Any = None
        self._error: BaseException | None = None
        carried = contextvars.copy_context()
        with outside():
            threading.Thread(target=carried.run, args=(self._run,), name=name, daemon=True).start()

    def take(self) -> Any:
        """Return what it returned, or raise what it raised; when it has ended."""
        assert self.ended.is_set()
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:  # it belongs to the thread that waits
            self._error = error
        finally:
            self.ended.set()


def make_timeout(step: str, timeout_s: float) -> StepTimeout:
    """Return the error of a step that took too long."""
    return StepTimeout(
        f"Step {step} took longer than its timeout of {timeout_s:g} s.",
        step=step,
        error_type="StepTimeout",
        code="timeout",
    )
