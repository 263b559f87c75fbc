"""Writers: concurrent driver writes of one process travel together, without a thread of their own.

Owns who sends. A caller who finds no request under way takes all that is waiting and sends it as one request;
whoever comes meanwhile waits, and one of those leads the next. Under load this makes one request out of
dozens, alone it adds nothing. One request is under way at a time, so writes of an execution arrive in their
order. A writer is also the `Ports` of the flows that write through it. What a batch is and what its answer
means is batch.py; where relaxed writes go is spool.py.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from omium.clock import Clock
from omium.errors import OmiumError, Suspension
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
from omium.sdk.flows import Http, HttpAnswer, Write, WriteOutcome, drive_sync
from omium.sdk.lease import SYSTEM_CLOCK
from omium.sdk.process import ForkReset


def _locked() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


class Writer(ForkReset):
    """Sends driver writes from any number of threads."""

    def __init__(
        self,
        http: Callable[[Http], HttpAnswer],
        *,
        unavailable_after_s: float = UNAVAILABLE_AFTER_S,
        recorder: Recorder | None = None,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.http = http
        self.sleep = sleep
        self._unavailable_after_s = unavailable_after_s
        self._recorder = recorder
        self._clock = clock
        self.reset_after_fork()
        self.watch_forks()

    def reset_after_fork(self) -> None:
        """Start empty: what waited belongs to threads that this process does not have."""
        self._guard = threading.Lock()
        self._queue: deque[_Turn] = deque()
        self._batch: list[_Turn] = []
        self._leading = False

    def write(self, request: Write) -> WriteOutcome:
        """Send one write and return the server's answer to it, or spool it where that is enough.

        Raises the problem that the server refused it with, `LeaseLost` once another driver has the execution,
        `ForkedDriver` in a forked child, `ConnectionLost` after `within_s` without the server (by default
        this writer's `unavailable_after_s`).
        """
        lease = request.lease
        within_s = self._unavailable_after_s if request.within_s is None else request.within_s
        kind, body = encode_write(lease, request.write)
        if lease.relaxed and self._recorder is not None:
            if kind not in NEEDS_SERVER:
                self._recorder.append(lease, kind, body)
                return spooled_outcome(lease)
            if kind == "heartbeat" and self._recorder.pending(lease):
                return spooled_outcome(lease)  # what waits is sent as soon as possible, and is a sign of life
            if kind != "heartbeat":
                self._recorder.drain(lease, within_s, ends=kind in ENDINGS)
        turn = _Turn(lease, kind, body, seconds_from(self._clock.boot_us(), within_s), request.wait)
        with self._guard:
            self._queue.append(turn)
            if not request.wait:
                return NOT_WAITED
            leads, self._leading = not self._leading, True
        if leads:
            self._lead(turn)
        else:
            self._follow(turn)
        return turn.answer()

    def write_beside(self, requests: Sequence[Write]) -> list[WriteOutcome | BaseException]:
        """Send writes of several executions together, not behind what waits here; return what each was told.

        For what must not be late and has no place in any order: heartbeats.
        """
        told: list[WriteOutcome | BaseException | None] = [None] * len(requests)
        items: deque[_Beside] = deque()
        for place, request in enumerate(requests):
            lease = request.lease
            try:
                kind, body = encode_write(lease, request.write)
            except (Suspension, OmiumError) as error:
                told[place] = error
                continue
            if lease.relaxed and self._recorder is not None and self._recorder.pending(lease):
                told[place] = spooled_outcome(lease)  # what waits is sent soon, and is a sign of life
                continue
            within_s = self._unavailable_after_s if request.within_s is None else request.within_s
            deadline_us = seconds_from(self._clock.boot_us(), within_s)
            items.append(_Beside(lease, kind, body, deadline_us, waited=True, place=place))
        while items:
            batch = take_batch(items)
            drive_sync(deliver(batch, self._clock, lambda: None), self)
            for item in batch:
                told[item.place] = item.error or item.outcome
        assert None not in told
        return cast("list[WriteOutcome | BaseException]", told)

    def hurry(self, within_s: float) -> None:
        """Let what is on its way, or waits, wait no longer than `within_s` for a server that is away."""
        with self._guard:
            hurry((*self._batch, *self._queue), self._clock.boot_us(), within_s)

    def flush(self) -> None:
        """Send what waits to go along with the next write; returns when it is settled."""
        with self._guard:
            last = self._queue[-1] if self._queue else None
            leads = last is not None and not self._leading
            self._leading = self._leading or leads
        if last is not None and leads:
            self._lead(last)

    def _follow(self, turn: _Turn) -> None:
        try:
            turn.wake.acquire()  # released by a leader: the turn is settled, or is the next to lead
            if not turn.settled:
                self._lead(turn)
        except BaseException:  # an interrupt: nobody may count on this thread any more
            with self._guard:
                turn.waited = False
                leads, turn.leads = turn.leads, False
            if leads:
                self._hand_over()
            raise

    def _lead(self, turn: _Turn) -> None:
        """Send batches until `turn` is settled, then let the next one lead."""
        try:
            turn.leads = False
            while not turn.settled:
                self._send_batch()
        except BaseException:
            turn.waited = False  # this thread leaves; if its write is back in the queue, it goes along
            raise
        finally:
            self._hand_over()

    def _send_batch(self) -> None:
        with self._guard:
            batch = self._batch = take_batch(self._queue)
        try:
            drive_sync(deliver(batch, self._clock, self._expire_queue), self)
        except BaseException:  # an interrupt, or a bug: what the others wait for goes with the next leader
            with self._guard:
                self._queue.extendleft(turn for turn in reversed(batch) if not turn.settled)
            raise
        finally:
            for turn in batch:
                if turn.settled:
                    turn.wake.release()

    def _hand_over(self) -> None:
        with self._guard:
            for turn in self._queue:
                if turn.waited:
                    turn.leads = True
                    turn.wake.release()
                    return
            self._leading = False

    def _expire_queue(self) -> None:
        """Settle those behind the batch that the server has kept waiting for too long."""
        with self._guard:
            expire(self._queue, self._clock.boot_us())
            settled = [turn for turn in self._queue if turn.settled]
            self._queue = deque(turn for turn in self._queue if not turn.settled)
        for turn in settled:
            turn.wake.release()


@dataclass(slots=True, eq=False)
class _Beside(Item):
    """A write that goes beside the queue, as the `place`-th of those that were given together."""

    place: int = field(kw_only=True)


@dataclass(slots=True, eq=False)
class _Turn(Item):
    """A write, and the thread that waits for it: `wake` is released when it is settled or has to lead."""

    wake: threading.Lock = field(default_factory=_locked)
    leads: bool = False
