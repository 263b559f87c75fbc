"""Driving: one execution as long as this process drives it (semantics 3.2 to 3.9, the driver's half).

Owns what every branch of the execution shares: the lease, the book, which paths run now, and what the server
or this process asked for (cancel, pause, drain). Each step passes `check` before it starts, so that is obeyed
at the next step; tasks are interrupted at once. Not owned: one step's life (steps.py), the beat
(heartbeat.py), how an execution begins and ends (life.py).
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from omium.clock import US_PER_S, Clock
from omium.errors import Cancelled, StepTimeout, Suspended, Suspension, Waits
from omium.jsonvalue import TypeRegistry
from omium.sdk.book import Book
from omium.sdk.breakers import Breakers
from omium.sdk.context import Frame, outside
from omium.sdk.flows import AsyncPorts, Flow, Ports, WriteOutcome, sleep, write
from omium.sdk.identity import Scope
from omium.sdk.lease import SYSTEM_CLOCK, Lease
from omium.sdk.slot_rows import SlotRows
from omium.states import WaitingReason

if TYPE_CHECKING:
    import asyncio

OnPause = Literal["raise", "wait"]
STOPPING_S = 2.0  # how long a process that is to end waits for a server that is away
LONG_DELAY_S = 30.0  # a worker does not sleep through more than this: it gives the execution back meanwhile
NAP_S = 1.0  # long sleeps are cut into these, so that a cancel or a pause is seen in between

_SENTENCES = {
    "operator": "was paused by an operator",
    "effect": "waits for a decision about an effect: confirm, redo or skip it",
    "credits": "has no credits for its next step: `omium credits topup`, or a higher cap for its key",
    "limit": "has reached one of its limits: raise it when you resume it (--max-credits, --max-steps, ...)",
    "key-revoked": "was paused because the API key that started it was revoked",
    "drain": "was given back, because this worker stops",
    "interrupted": "was interrupted",
}


@dataclass(frozen=True, slots=True)
class Link:
    """What one execution needs of its process: where effects of flows happen, and what is shared by all."""

    ports: Ports
    async_ports: Callable[[], AsyncPorts]
    """Returns those of the running event loop."""
    types: TypeRegistry
    breakers: Breakers
    capture: bool = True
    effect_wait_s: float = 30.0
    """How long a relaxed execution waits for the server before an effect (semantics 3.6)."""


class Driving:
    """What the branches of one execution share; safe to use from several threads."""

    def __init__(
        self,
        lease: Lease,
        book: Book,
        link: Link,
        *,
        workflow: str,
        generation: int = 1,
        on_pause: OnPause = "raise",
        timeout_s: float | None = None,
        on_worker: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.lease = lease
        self.book = book
        self.workflow = workflow
        self.generation = generation
        self.on_pause = on_pause
        self.link = link
        self.on_worker = on_worker
        """Whether a worker drives: then another claim can go on where this one stops."""
        self.clock = clock
        self.stop_reason: str | None = None
        """Why this process wants the execution suspended before its next step: drain."""
        self.ended: str | None = None
        """How this drive ended: completed, failed, suspended, cancelled or lost."""
        self.failed_path = ""
        self.away = False
        """Set when the server stayed away for as long as anybody waits: last words do not wait again."""
        self.untold = False
        """Set when the server could not be told how this drive ended: it learns that from the lease."""
        self._deadline_us = None if timeout_s is None else clock.boot_us() + round(timeout_s * US_PER_S)
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._along: list[dict[str, object]] = []
        self.checkpoints: dict[str, Any] = {}
        """Newest state by name; a large one as `{"$checkpoint": id}` until it is asked for."""
        self._running: Counter[str] = Counter()
        self._abandoned = 0
        self.paused = False
        """Set while the lease is given back in the middle of the function (pausing.py)."""
        self._waiting: list[str] = []
        self._delayed: dict[str, int] = {}
        """Steps that do not run yet (a later try, a slot), and until when (microseconds UTC)."""
        self._in_row: set[str] = set()
        """Of these the ones that wait for a slot, whose turn may come before."""
        self._awaited: dict[str, Mapping[str, object]] = {}
        """Steps that wait for a signal, and what it is."""
        self._recording = 0
        """Writes that are under way: what they record must not be cut off."""
        self._held: set[str] = set()
        """Steps that ask for a slot, or have one and are not recorded yet: one does not leave meanwhile."""
        self.slot_rows = SlotRows()
        self.leaves = False
        """Set once a branch has ended because the execution waits elsewhere."""
        self.stuck = False
        """Set while a step waits for the end of a function that has timed out."""
        self._interrupts: list[Callable[[], None]] = []
        self.interrupted = False
        """Set when this process cancelled its own tasks: a CancelledError is then not the user's."""

    @property
    def execution_id(self) -> str:
        """The execution's id."""
        return self.lease.execution_id

    @property
    def resume_command(self) -> str:
        """What a person types to go on."""
        return f"omium resume {self.execution_id}"

    @property
    def running(self) -> list[str]:
        """The paths of the steps that run now."""
        with self._changed:
            return [*self._running]

    @property
    def abandoned(self) -> int:
        """How many timed-out functions still run in threads that cannot be killed."""
        return self._abandoned

    def open_root(self) -> Frame:
        """Return the frame in which the workflow's function runs: fresh counters for each try."""
        return Frame(self, Scope())

    def note(self, outcome: WriteOutcome) -> None:
        """Take in what the server said beside its answer: cancel, pause."""
        if outcome.group:
            self.lease.hear(outcome.group)
        self.obey()

    def obey(self) -> None:
        """Interrupt the tasks, once, when the execution was cancelled or the lease is lost."""
        if not self.paused and (self.lease.cancel_requested or self.lease.lost is not None):
            self.interrupt()

    @property
    def waits(self) -> bool:
        """Say whether branches wait for the end of a pause rather than end (`on_pause="wait"`)."""
        if self.on_pause != "wait" or self.stop_reason is not None or self.ended is not None:
            return False
        return self.paused or (self.lease.suspend is not None and self.lease.lost is None)

    @property
    def settled(self) -> bool:
        """Say whether nothing runs but what waits for a pause to end, and the steps around it."""
        with self._changed:
            return all(
                any(path == waiting or waiting.startswith(f"{path}/") for waiting in self._waiting)
                for path in self._running
            )

    @contextmanager
    def waiting_branch(self, path: str) -> Iterator[bool]:
        """Note that a branch in the scope `path` waits; tell whether it is the first."""
        with self._changed:
            self._waiting.append(path)
            first = len(self._waiting) == 1
        try:
            yield first
        finally:
            with self._changed:
                self._waiting.remove(path)

    def check(self, frame: Frame | None = None) -> None:
        """Raise what has to end the branch before it begins anything new."""
        self.lease.require()
        if self.ended is not None:
            raise Cancelled(
                f"Execution {self.execution_id} has ended here: {self.ended}. Nothing new begins."
            )
        if frame is not None and (closed := frame.find_closed()) is not None:
            raise Cancelled(closed)
        if self.lease.cancel_requested:
            raise Cancelled(f"Execution {self.execution_id} was cancelled.")
        if (reason := self.stop_reason or self.lease.suspend) is not None:
            raise self.suspension(reason)
        if self._deadline_us is not None and self.clock.boot_us() > self._deadline_us:
            raise StepTimeout(
                f"Workflow {self.workflow} took longer than its timeout of {self._timeout_s:g} s.",
                code="timeout",
            )

    def extend(self, paused_us: int) -> None:
        """Leave a pause out of the workflow's timeout (semantics 3.3)."""
        if self._deadline_us is not None:
            self._deadline_us += paused_us

    def suspension(self, reason: str, detail: str = "") -> Suspended:
        """Return what ends this drive and leaves the execution as it is."""
        sentence = detail or _SENTENCES.get(reason, f"is paused ({reason})")
        return Suspended(
            f"Execution {self.execution_id} {sentence}. Go on with: {self.resume_command}",
            execution_id=self.execution_id,
            reason=reason,
            resume_command=self.resume_command,
        )

    def ready(self, frame: Frame) -> Flow[None]:
        """Return once a step or an effect may begin in `frame`; raise what says that it may not.

        A strict driver whose last acknowledged write is too old asks first whether it still owns the
        execution: past a takeover it would run beside another (semantics 3.5).
        """
        self.check(frame)
        while not self.lease.may_start(self.clock):
            self.note((yield from write(self.lease, {"type": "heartbeat", "running": self.running[:1000]})))
            self.check(frame)

    def await_retry(self, seconds: float, frame: Frame, path: str) -> Flow[None]:
        """Sleep until the next try of the step `path`.

        A worker gives the execution back once only such long delays are left in it: it costs no slot until
        the last of them is over. The naps until then let other branches come to their next step.
        """
        with self.delayed(path, self.clock.now_us() + round(seconds * US_PER_S)):
            while seconds > 0:
                nap_s = min(seconds, NAP_S)
                yield from self.pause(nap_s, frame)
                seconds -= nap_s
                if self.on_worker and seconds > LONG_DELAY_S:
                    self.leave_if_idle(path, WaitingReason.RETRY, f"the next try of {path}")

    @contextmanager
    def delayed(self, path: str, due_us: int, *, in_row: bool = False) -> Iterator[None]:
        """Note that the step `path` does not run until `due_us`, microseconds UTC, at the latest.

        With `in_row` it waits for a slot, and the server may wake the execution earlier.
        """
        with self._changed:
            self._delayed[path] = due_us
            if in_row:
                self._in_row.add(path)
        try:
            yield
        finally:
            with self._changed:
                self._delayed.pop(path, None)
                self._in_row.discard(path)

    @contextmanager
    def awaiting(self, path: str, signal: Mapping[str, object]) -> Iterator[None]:
        """Note that the step `path` waits for a signal: its name, and what is asked."""
        with self._changed:
            self._awaited[path] = signal
        try:
            yield
        finally:
            with self._changed:
                self._awaited.pop(path, None)

    def hold(self, path: str) -> bool:
        """Note that the step `path` asks for a slot; False where the execution is left: then it may not."""
        with self._changed:
            if not self.leaves:
                self._held.add(path)
            return not self.leaves

    def let_go(self, path: str) -> None:
        """Note that the step `path` has no slot, or is recorded."""
        with self._changed:
            self._held.discard(path)

    def leave_if_idle(self, path: str, reason: WaitingReason, what: str, **detail: str) -> None:
        """Raise `Waits` if nothing runs here but the steps around delayed ones; `detail` is for people."""
        with self._changed:
            idle = (*self._delayed, *self._awaited)
            busy = self._recording > 0 or any(
                not any(each.startswith(f"{running}/") for each in idle)
                for running in (*self._running, *self._held)
            )
            waits_here = bool(self._delayed) and not self.on_worker  # a script goes on with that by itself
            if (busy or waits_here) and not self.leaves:
                return
            timers = [due_us for each, due_us in self._delayed.items() if each not in self._in_row]
            wake_at_us = max(timers or self._delayed.values(), default=None)
            if self._in_row:  # what has a place is woken for its turn, and it must not lose that place
                reason = WaitingReason.SLOT
            elif self._awaited:
                reason = WaitingReason.SIGNAL
            signals = [*self._awaited.values()]
            self.leaves = True
        raise Waits(
            f"Execution {self.execution_id} waits for {what}.",
            execution_id=self.execution_id,
            reason=reason.value,
            resume_command=self.resume_command,
            wake_at_us=wake_at_us,
            detail={"step": path, **detail},
            signals=signals,
        )

    def pause(self, seconds: float, frame: Frame) -> Flow[None]:
        """Sleep between two tries, but not through a cancel or a pause."""
        until_us = self.clock.boot_us() + round(seconds * US_PER_S)
        while (left_us := until_us - self.clock.boot_us()) > 0:
            if self.waits:
                return
            self.check(frame)
            yield from sleep(min(left_us / US_PER_S, NAP_S))
        if not self.waits:
            self.check(frame)

    def along(self, body: dict[str, object]) -> None:
        """Let `body` travel with the next write or heartbeat of this execution: nobody waits for it."""
        with self._changed:
            self._along.append(body)

    def take_along(self) -> list[dict[str, object]]:
        """Return what goes along with the next write or heartbeat, once."""
        with self._changed:
            along, self._along = self._along, []
        return along

    def write(self, body: dict[str, object], *, within_s: float | None = None) -> Flow[WriteOutcome]:
        """Send a driver write and take in what the server says beside its answer."""
        for each in self.take_along():
            yield from write(self.lease, each, wait=False)
        if within_s is None and self.stop_reason is not None:
            within_s = STOPPING_S
        with self._changed:
            self._recording += 1
        try:
            outcome = yield from write(self.lease, body, within_s=within_s)
        finally:
            with self._changed:
                self._recording -= 1
        self.note(outcome)
        return outcome

    @contextmanager
    def running_path(self, path: str) -> Iterator[None]:
        """Let heartbeats list `path` meanwhile."""
        with self._changed:
            self._running[path] += 1
        try:
            yield
        finally:
            with self._changed:
                self._running[path] -= 1
                if not self._running[path]:
                    del self._running[path]
                self._changed.notify_all()

    def abandon(self, ended: threading.Event) -> None:
        """Track a function that goes on in its thread though its step has timed out."""
        with self._changed:
            self._abandoned += 1

        def settle() -> None:
            ended.wait()
            with self._changed:
                self._abandoned -= 1

        with outside():
            threading.Thread(target=settle, name="omium-abandoned", daemon=True).start()

    def wait_idle(self, timeout_s: float) -> bool:
        """Block until no step runs, for at most `timeout_s`; say whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, timeout_s)

    @contextmanager
    def interruptible(self, task: asyncio.Task[object], loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Let a cancel, or the loss of the lease, reach `task` at once rather than at its next step."""

        def interrupt() -> None:
            loop.call_soon_threadsafe(task.cancel)

        with self._changed:
            self._interrupts.append(interrupt)
        try:
            yield
        finally:
            with self._changed:
                self._interrupts.remove(interrupt)

    def interrupt(self) -> None:
        """Cancel the tasks of this execution; threads see the flag at their next step."""
        with self._changed:
            if not self.interrupted:
                self.interrupted = True
                for each in self._interrupts:
                    each()

    def say(self, suspension: Suspension) -> None:
        """Tell the person at the terminal in one line what happened and how to go on."""
        print(f"omium: {suspension}", file=sys.__stderr__, flush=True)  # semantics 3.8 (g)
