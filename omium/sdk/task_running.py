"""Task running: the nodes' tasks that a worker was granted, each in a thread or in the loop, to their end.

Owns what becomes of a handler's call: its output is recorded, or its error is told and the node's policy
decides; a timed-out coroutine is cancelled, a timed-out sync function has failed and goes on until it ends
(or its process does: supervisor.py); a cancelled coroutine gets a CancelledError. What a task is told is
task_beats.py. If this process dies on any line before the server has answered, the task's lease runs out and
another worker is granted it; a result that comes after that is refused and changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from omium.errors import Cancelled, ConnectionLost, LeaseLostProblem, Problem, StepTimeout
from omium.sdk import capture, carrying
from omium.sdk.async_calls import await_within
from omium.sdk.calls import Call, InThread, make_timeout
from omium.sdk.context import doing, outside
from omium.sdk.flows import drive_sync
from omium.sdk.handlers import Handler
from omium.sdk.loop_thread import LoopThread
from omium.sdk.session import Session
from omium.sdk.task_beats import TaskBeats
from omium.sdk.task_context import LOST, TaskContext
from omium.sdk.task_ending import End, complete, fail

TURN_S: Final = 5.0

_log = logging.getLogger("omium.worker")


class DoingTasks:
    """The nodes' tasks that this worker does now."""

    def __init__(self, session: Session, handlers: Mapping[str, Handler]) -> None:
        self._session = session
        self._handlers = handlers
        self._changed = threading.Condition()
        self._contexts: set[TaskContext] = set()
        self._interrupts: dict[TaskContext, Callable[[], object]] = {}
        self._beats = TaskBeats(session.link.ports, self._interrupt)
        self._loop: LoopThread | None = None
        self._draining = False
        self.left: list[TaskContext] = []
        """What ended here without the server having been told."""

    def begin(self, grant: Mapping[str, Any], release: Callable[[], None]) -> None:
        """Do a task beside others; `release` is called when nothing of it runs any more."""
        link = self._session.link
        context = TaskContext(grant, types=link.types, capture=link.capture)
        handler = self._handlers[grant["handler"]]
        with self._changed:
            self._contexts.add(context)
        self._beats.add(context)
        if handler.is_async:
            if self._loop is None:
                self._loop = LoopThread()
            self._loop.submit(self._do_async(handler, context, release))
        else:
            work = functools.partial(self._do, handler, context, release)
            threading.Thread(target=work, name=f"omium-{context.path}", daemon=True).start()

    def drain(self) -> None:
        """Let what runs end, and wait no longer than a moment for a server that is away."""
        self._draining = True

    def wait(self) -> None:
        """Return when nothing runs any more."""
        with self._changed:
            while self._contexts:
                self._changed.wait(1.0)  # in short waits, so that signals are handled in between

    def close(self) -> None:
        """End the event loop, if there was one."""
        if self._loop is not None:
            self._loop.close()

    def list_contexts(self) -> list[TaskContext]:
        """Return what is being done now."""
        with self._changed:
            return [*self._contexts]

    def abandon(self, context: TaskContext, ended: threading.Event) -> None:
        """Wait for a function that has timed out and cannot be stopped: it keeps its slot until it ends."""
        _log.warning("%s: its time is over, and its function goes on.", _name(context))
        ended.wait()

    def _do(self, handler: Handler, context: TaskContext, release: Callable[[], None]) -> None:
        goes_on: threading.Event | None = None
        try:
            with self._around(context):
                try:
                    call = handler.restore(context, self._session.link.types)
                    end = complete(context, _call(call, context), self._session.link.types)
                except _TimedOut as error:
                    goes_on = error.ended
                    end = fail(context, error.timeout)
                except BaseException as error:  # a boundary: whatever it is, the node is told
                    end = fail(context, self._explain(context, error))
            self._tell(context, end)
            if goes_on is not None:
                self.abandon(context, goes_on)
        except Exception:  # a boundary: the worker goes on with others, and the lease decides
            _log.exception("%s could not be ended", _name(context))
        finally:
            self._leave(context, release)

    async def _do_async(self, handler: Handler, context: TaskContext, release: Callable[[], None]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._let_interrupt(context, asyncio.get_running_loop(), task)
        try:
            with self._around(context):
                try:
                    call = handler.restore(context, self._session.link.types)
                    output = await await_within(call, context.timeout_s, context.path)
                    end = complete(context, output, self._session.link.types)
                except BaseException as error:  # a boundary: whatever it is, the node is told
                    end = fail(context, self._explain(context, error))
                finally:
                    self._interrupts.pop(context, None)
            while task.cancelling():
                task.uncancel()  # it was ours, or the user's own: either way it has been told
            await asyncio.to_thread(self._tell, context, end)
        except Exception:  # a boundary: the worker goes on with others, and the lease decides
            _log.exception("%s could not be ended", _name(context))
        finally:
            self._leave(context, release)

    @contextlib.contextmanager
    def _around(self, context: TaskContext) -> Iterator[None]:
        """Capture what the handler prints, and let its threads know which task it is."""
        carrying.begin()
        if self._session.link.capture:
            capture.begin()
        try:
            with outside(), doing(context):
                yield
        finally:
            if self._session.link.capture:
                capture.end()
            carrying.end()

    def _explain(self, context: TaskContext, error: BaseException) -> BaseException:
        """Return what is told: a cancellation that we caused is one of the execution, not the user's."""
        if isinstance(error, asyncio.CancelledError) and (context.cancel_requested or context.lost):
            return Cancelled(LOST if context.lost else f"The execution {context.execution_id} was cancelled.")
        return error

    def _tell(self, context: TaskContext, end: End) -> None:
        """Report the end, patiently: what was done should not be done again because of a restart."""
        if context.lost:
            _log.info("%s: %s", _name(context), LOST)
            return
        try:
            try:
                self._send(end)
            except LeaseLostProblem:
                raise
            except Problem as problem:
                if end.failed:
                    raise
                # The output was refused (too large): that is how the node failed, and another try would too.
                self._send(fail(context, problem, retryable=False))
        except LeaseLostProblem:
            context.lost = True
            _log.info("%s: %s", _name(context), LOST)
        except (ConnectionLost, Problem) as error:
            self.left.append(context)
            _log.warning("%s could not be reported, and will be done again: %s", _name(context), error)
        if end.error is not None:
            _log.warning("%s failed: %s: %s", _name(context), type(end.error).__name__, end.error)

    def _send(self, end: End) -> None:
        """Send a report until it is answered; in short turns, so that a worker can stop in between."""
        patience_s = self._session.settings.unavailable_after_s
        give_up_s = time.monotonic() + patience_s
        while True:
            try:
                drive_sync(end.send(min(TURN_S, patience_s)), self._session.link.ports)
            except ConnectionLost:
                if self._draining or time.monotonic() >= give_up_s:
                    raise
            else:
                return

    def _let_interrupt(
        self, context: TaskContext, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]
    ) -> None:
        self._interrupts[context] = functools.partial(loop.call_soon_threadsafe, task.cancel)
        if context.cancel_requested or context.lost:  # it was told before there was anything to interrupt
            self._interrupt(context)

    def _interrupt(self, context: TaskContext) -> None:
        """Cancel a coroutine, once; a sync function sees it in `TaskContext.heartbeat`."""
        interrupt = self._interrupts.pop(context, None)
        if interrupt is not None:
            interrupt()

    def _leave(self, context: TaskContext, release: Callable[[], None]) -> None:
        self._beats.remove(context)
        with self._changed:
            self._contexts.discard(context)
            self._changed.notify_all()
        release()


class _TimedOut(Exception):
    """A sync function took too long, and goes on until `ended`."""

    def __init__(self, timeout: StepTimeout, ended: threading.Event) -> None:
        super().__init__(str(timeout))
        self.timeout = timeout
        self.ended = ended


def _call(call: Call, context: TaskContext) -> Any:
    """Return what the function returns; with a timeout it runs in a thread of its own."""
    if context.timeout_s is None:
        return call.fn(*call.args, **call.kwargs)
    running = InThread(functools.partial(call.fn, *call.args, **call.kwargs), f"omium-{context.path}-call")
    if not running.ended.wait(context.timeout_s):
        raise _TimedOut(make_timeout(context.path, context.timeout_s), running.ended)
    return running.take()


def _name(context: TaskContext) -> str:
    return f"{context.execution_id} {context.path}"
