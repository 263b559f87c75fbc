"""Turns: which of the things that a workflow waits for comes next, the same again on a resume.

LlamaIndex's loop decides everything by the order in which steps end and events arrive. Owns that order: it is
recorded where more than one thing could have come, in front of the first record that depends on it, and it is
kept until it is used up. What is recorded comes back first, and what has to run waits until then (`hold`); an
event that was taken from a step which had not ended is therefore in the order itself. An order that cannot be
kept, since the code or a record was changed, is left.

Why this is enough, and what else was thought of: docs/decisions/243-an-order-for-llama-index.md.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workflows.runtime.types.named_task import PullTask, WorkerTask
from workflows.runtime.types.ticks import WorkflowTick

from omium.adapters.llama_index.clock import LoopClock
from omium.adapters.llama_index.values import EventCodec
from omium.adapters.recorded import LateRecord

TIME: Final = "time"
_MAIL: Final = "mail:"

Deliver = Callable[[str], Awaitable[str]]
"""Takes what a step gave from now on, and returns a digest of it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What came at one turn: the end of a step, an event, a time."""

    position: int
    key: str
    mail: WorkflowTick | None = None


class Turns:
    """The order of one run. `late` makes the record of its next part, `deliver` is told whose turn it is.

    `has_records` says whether anything of the execution is recorded: without that, nothing is waited for.
    """

    def __init__(
        self,
        clock: LoopClock,
        codec: EventCodec,
        late: Callable[[int, str], LateRecord],
        deliver: Deliver,
        *,
        has_records: bool,
    ) -> None:
        self._codec = codec
        self.clock = clock
        self.changed = asyncio.Event()
        self.mailbox = Mailbox(self.changed)
        self._make_late = late
        self._deliver = deliver
        self._ahead: deque[Entry] = deque()
        self._parts = 0
        self._late: LateRecord | None = None
        self._position = 0
        self._chain = ""
        self._entries = self._saved = 0
        self._unsaved: list[Entry] = []
        self._chain_of_unsaved = ""
        self._saving = asyncio.Lock()
        self._settled = False
        self._failure: BaseException | None = None
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._needs: dict[str, int] = {}
        self._unrecorded: set[str] = set()
        self._leading: set[str] = set()
        """Runs of steps without a record behind which there may be records: these come back first."""
        self._has_records = has_records
        self._held: defaultdict[str, list[asyncio.Event]] = defaultdict(list)
        self._let_go: set[str] = set()

    def begin(self, invocation: str, *, is_recorded: bool) -> None:
        """Note that the task that calls does this run of a step, and what came before it."""
        task = asyncio.current_task()
        assert task is not None, "steps run in tasks"
        self._tasks[invocation] = task
        if not is_recorded:
            self._unrecorded.add(invocation)
            self._leading |= {invocation} if self._has_records else set()
        self._needs[invocation] = self._entries

    def fail(self, failure: BaseException) -> None:
        """End the run with something that no step and no policy of the workflow may see."""
        self._failure = self._failure or failure
        self.changed.set()

    async def hold(self, invocation: str) -> None:
        """Wait until everything that is recorded is back, or until the order waits for this one."""
        if self._settled:
            return
        gate = asyncio.Event()
        self._held[invocation].append(gate)
        self.changed.set()
        await gate.wait()

    async def save(self, invocation: str) -> None:
        """Record the order that this run of a step depends on, if it isn't yet."""
        async with self._saving:
            if self._saved >= self._needs[invocation] or self._late is None:
                return
            part, chain = self._unsaved, self._chain_of_unsaved
            self._unsaved = []
            await self._late.record([self._dump(each) for each in part])
            self._saved += len(part)
            self._late = self._next_part(chain)

    async def choose(self, tasks: Sequence[WorkerTask | PullTask], timeout_s: float | None) -> Any:
        """Return the task whose turn it is, None for what was to come at a time (`timeout_s` from now)."""
        self._position += 1
        self.clock.aim(timeout_s)
        workers = [each for each in tasks if isinstance(each, WorkerTask)]
        pull = next(each.task for each in tasks if isinstance(each, PullTask))
        wanted = await self._find_wanted(workers)
        chosen = await self._follow(wanted, workers, pull) if wanted is not None else None
        if chosen is None:
            chosen = await self._take_first(workers, pull)
        if chosen != TIME:
            key = next((each.key for each in workers if each.task is chosen), None)
            mail = chosen.result() if key is None else None
            await self._count(
                Entry(self._position, key or _MAIL + mail_key(mail), mail), chosen, len(workers)
            )
            return chosen
        self.clock.arrive()
        await self._count(Entry(self._position, TIME), None, len(workers))
        return None

    async def _find_wanted(self, workers: list[WorkerTask]) -> str | None:
        """Return what the record says of this turn, None where it says nothing (any more)."""
        if self._late is None and not self._ahead:
            late = self._next_part(self._chain)
            recorded = await late.find()
            if recorded is None:
                self._late = late
            else:
                self._ahead.extend(map(self._load, recorded))
                self._entries = self._saved = self._entries + len(self._ahead)
        if not self._ahead:
            self.mailbox.open()
            return None
        ahead = self._ahead[0]
        if ahead.position == self._position:
            if ahead.mail is not None:
                self.mailbox.put_nowait(ahead.mail)
            return ahead.key
        if ahead.position > self._position and len(workers) == 1:  # there was no choice, so none is recorded
            return str(workers[0].key)
        self._leave()
        return None

    def _next_part(self, chain: str) -> LateRecord:
        self._parts += 1
        return self._make_late(self._parts, chain)

    def _leave(self) -> None:
        """Go on without the rest of the record: the code, or what was recorded, is another now."""
        self._entries -= len(self._ahead)
        self._saved = self._entries
        self._ahead.clear()
        if self._late is None:
            self._late = self._next_part(self._chain)
        self.mailbox.open()

    async def _follow(self, wanted: str, workers: list[WorkerTask], pull: asyncio.Task[Any]) -> Any:
        """Return what is `wanted` as soon as it is there, None where it cannot come."""
        if wanted == TIME:
            if self.clock.is_aimed:
                return TIME
            self._leave()
            return None
        mail = wanted.removeprefix(_MAIL) if wanted.startswith(_MAIL) else None
        self.mailbox.want(mail)
        task = pull if mail is not None else next((each.task for each in workers if each.key == wanted), None)
        while task is not None:
            self._raise_failure()
            if task.done():
                return task
            running = [each.task for each in workers if not each.task.done()]
            for name in [name for name in self._held if self._tasks.get(name) is task]:
                self._release(name)  # it ended without a record, such as one that took too long
            if mail and self.mailbox.is_empty and all(map(self._is_waiting, workers)):
                break  # it was sent once, and is not this time
            if mail == "" and self.clock.is_due:  # an event from outside, which may never come
                break
            await self._await_change([*running, pull], within_s=self.clock.left_s if mail == "" else None)
        self._leave()
        return None

    async def _take_first(self, workers: list[WorkerTask], pull: asyncio.Task[Any]) -> Any:
        """Return what is there first: the end of a step, an event, a time."""
        while True:
            self._raise_failure()
            done = next((each.task for each in workers if each.task.done()), None)
            if done is not None or pull.done():
                return done or pull
            if self.clock.is_due:
                return TIME
            if not self._settled and self.mailbox.is_empty and all(map(self._is_waiting, workers)):
                leading = self._leading.intersection(self._held)
                self._settled = not leading
                for name in leading or list(self._held):
                    self._release(name)
            await self._await_change([*(each.task for each in workers), pull], within_s=self.clock.left_s)

    def _is_waiting(self, worker: WorkerTask) -> bool:
        """Say whether nothing recorded can come of this step: it waits to run, or runs already."""
        if worker.task.done():
            return True
        names = {name for name, task in self._tasks.items() if task is worker.task}
        return bool(names & (set(self._held) | (self._let_go - self._leading)))

    def _release(self, invocation: str) -> None:
        self._let_go.add(invocation)
        for gate in self._held.pop(invocation, ()):
            gate.set()

    async def _await_change(self, tasks: list[asyncio.Task[Any]], *, within_s: float | None) -> None:
        self.changed.clear()
        noticed = asyncio.ensure_future(self.changed.wait())
        try:
            await asyncio.wait({*tasks, noticed}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            noticed.cancel()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _dump(self, entry: Entry) -> list[Any]:
        """Return an entry as JSON; with the event itself, where no record of a step has it (yet)."""
        sender = getattr(getattr(entry.mail, "emission", None), "invocation_id", None)
        if sender not in self._tasks and sender not in self._unrecorded:
            return [entry.position, entry.key]
        return [entry.position, entry.key, self._codec.dump_tick(entry.mail)]

    def _load(self, told: list[Any]) -> Entry:
        return Entry(int(told[0]), str(told[1]), self._codec.load_tick(told[2]) if told[2:] else None)

    async def _count(self, entry: Entry, chosen: asyncio.Task[Any] | None, workers: int) -> None:
        name = next((name for name, task in self._tasks.items() if task is chosen), None)
        digest = await self._deliver(name) if name is not None else ""
        if name is not None:
            del self._tasks[name]
        self._chain = hashlib.sha256(f"{self._chain}|{entry.key}|{digest}".encode()).hexdigest()[:32]
        if self._ahead and self._ahead[0].position == self._position:
            self._ahead.popleft()
        elif name is None or workers > 1:
            self._entries += 1
            self._unsaved.append(entry)
            self._chain_of_unsaved = self._chain


class Mailbox:
    """What is sent into a run. Until it is `open` it gives only what the order wants next."""

    def __init__(self, changed: asyncio.Event) -> None:
        self._ticks: list[WorkflowTick] = []
        self._seen: set[str] = set()
        self._changed = changed
        self._arrived = asyncio.Event()
        self._wanted: str | None = None
        self._is_open = False

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to take out now."""
        return self._find() is None

    def open(self) -> None:
        """Give what comes, in the order in which it comes."""
        self._is_open = True
        self._arrived.set()

    def want(self, key: str | None) -> None:
        """Give only what has this key (`mail_key`), nothing for None."""
        self._wanted = key
        self._arrived.set()

    def put_nowait(self, tick: WorkflowTick) -> None:
        """Take something in; what a step sends again, because it runs again, only once."""
        key = mail_key(tick)
        if key and key in self._seen:
            return
        self._seen.add(key)
        self._ticks.append(tick)
        self._arrived.set()
        self._changed.set()

    async def get(self) -> WorkflowTick:
        """Return the next, once it is there."""
        while (at := self._find()) is None:
            self._arrived.clear()
            await self._arrived.wait()
        self._wanted = None
        return self._ticks.pop(at)

    def _find(self) -> int | None:
        if self._is_open:
            return 0 if self._ticks else None
        return next((at for at, tick in enumerate(self._ticks) if mail_key(tick) == self._wanted), None)


def mail_key(tick: Any) -> str:
    """Return what names an event that a step sent; empty for what comes from outside."""
    emission = getattr(tick, "emission", None)
    return "" if emission is None else f"{emission.invocation_id}:{emission.index}"
