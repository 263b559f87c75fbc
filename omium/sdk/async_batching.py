"""The writer for event loops: concurrent driver writes of one loop's tasks travel together.

The same as batching.py with tasks for threads; what a batch is and what its answer means is batch.py. A
module of its own because a script without an event loop should not pay for importing asyncio.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from omium.clock import Clock
from omium.sdk.batch import (
    ENDINGS,
    NEEDS_SERVER,
    NOT_WAITED,
    UNAVAILABLE_AFTER_S,
    Item,
    Recorder,
    deliver,
    encode_write,
    expire,
    hurry,
    seconds_from,
    spooled_outcome,
    take_batch,
)
from omium.sdk.flows import Http, HttpAnswer, Write, WriteOutcome, drive_async
from omium.sdk.lease import SYSTEM_CLOCK


class AsyncWriter:
    """Sends driver writes of the tasks of one event loop.

    What waits is sent by a task that lives as long as something waits, so that cancelling one caller, as a
    timeout around a step does, takes nothing away from the others.
    """

    def __init__(
        self,
        http: Callable[[Http], Coroutine[Any, Any, HttpAnswer]],
        *,
        unavailable_after_s: float = UNAVAILABLE_AFTER_S,
        recorder: Recorder | None = None,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
    ) -> None:
        self.http = http
        self.sleep = sleep
        self._unavailable_after_s = unavailable_after_s
        self._recorder = recorder
        self._clock = clock
        self._queue: deque[_Waiting] = deque()
        self._batch: list[_Waiting] = []
        self._sender: asyncio.Task[None] | None = None

    async def write(self, request: Write) -> WriteOutcome:
        """Send one write and return the server's answer to it; see `Writer.write`.

        When the waiting task is cancelled the write may still arrive: it was asked for.
        """
        lease = request.lease
        within_s = self._unavailable_after_s if request.within_s is None else request.within_s
        kind, body = encode_write(lease, request.write)
        if lease.relaxed and self._recorder is not None:
            if kind not in NEEDS_SERVER:
                await asyncio.to_thread(self._recorder.append, lease, kind, body)
                return spooled_outcome(lease)
            if kind == "heartbeat" and self._recorder.pending(lease):
                return spooled_outcome(lease)  # what waits is sent as soon as possible, and is a sign of life
            if kind != "heartbeat":
                await asyncio.to_thread(self._recorder.drain, lease, within_s, ends=kind in ENDINGS)
        loop = asyncio.get_running_loop()
        deadline_us = seconds_from(self._clock.boot_us(), within_s)
        waiting = _Waiting(lease, kind, body, deadline_us, request.wait, future=loop.create_future())
        self._queue.append(waiting)
        if not request.wait:
            return NOT_WAITED
        self._ensure_sender(loop)
        try:
            await waiting.future
        except asyncio.CancelledError:
            waiting.waited = False
            raise
        return waiting.answer()

    def hurry(self, within_s: float) -> None:
        """Let what is on its way, or waits, wait no longer than `within_s` for a server that is away."""
        hurry((*self._batch, *self._queue), self._clock.boot_us(), within_s)

    async def flush(self) -> None:
        """Send what waits to go along with the next write; returns when it is settled."""
        if self._queue:
            last = self._queue[-1]
            self._ensure_sender(asyncio.get_running_loop())
            await asyncio.shield(last.future)

    def _ensure_sender(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._sender is None:
            self._sender = loop.create_task(self._send_all(), name="omium-writes")

    async def _send_all(self) -> None:
        batch: list[_Waiting] = []
        try:
            while self._queue:
                batch = self._batch = take_batch(self._queue)
                await drive_async(deliver(batch, self._clock, self._expire_queue), self)
                _wake(batch)
                await asyncio.sleep(0)  # those who were woken may have the next write at hand: take it along
        except BaseException as error:  # the loop ends, or a bug: nobody may wait for what will not come
            for waiting in (*batch, *self._queue):
                if not waiting.settled:
                    waiting.error = error
            _wake(batch)
            _wake(self._queue)
            self._queue.clear()
            raise
        finally:
            self._sender = None

    def _expire_queue(self) -> None:
        expire(self._queue, self._clock.boot_us())
        _wake(self._queue)
        self._queue = deque(waiting for waiting in self._queue if not waiting.settled)


@dataclass(slots=True, eq=False)
class _Waiting(Item):
    """A write, and the future on which its task waits; what it was told is in the item."""

    future: asyncio.Future[None] = field(kw_only=True)


def _wake(batch: Iterable[_Waiting]) -> None:
    for waiting in batch:
        if waiting.settled and not waiting.future.done():
            waiting.future.set_result(None)
