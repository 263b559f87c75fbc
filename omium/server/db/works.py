"""Works that wait: the fair, bounded queue between the event loop and the threads that own connections.

Owns who waits, who is answered, and after-commit hooks. Does not know what a transaction is: a driver takes
works on its thread, runs them (transaction.py), and hands them back here with their outcome.

One lane is one connection. A lane's task sleeps until something waits, makes one hop to the connection's
thread, and that thread takes work after work until nothing waits: one hop and one callback for a whole batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import cast

from omium.errors import ShuttingDown, StorageBusy
from omium.server.db.transaction import DriverTx
from omium.server.db.tx import T, Tx

logger = logging.getLogger(__name__)

Hook = Callable[[], None]


class Work:
    """One function that waits to be run, then its outcome, then its answer."""

    __slots__ = ("_function", "_future", "_hooks", "_result", "error")

    def __init__(self, function: Callable[[Tx], object], future: asyncio.Future[object]) -> None:
        self._function = function
        self._future = future
        self._result: object = None
        self._hooks: Sequence[Hook] = ()
        self.error: BaseException | None = None

    @property
    def name(self) -> str:
        """What the function is called, for logs; never its arguments, which are users' data."""
        function: object = self._function
        while isinstance(function, partial):
            inner = function.args[0] if function.args else None
            function = inner if callable(inner) else function.func
        return getattr(function, "__qualname__", type(function).__name__)

    @property
    def abandoned(self) -> bool:
        """Whether the caller was cancelled, so that nobody waits for an outcome."""
        return self._future.cancelled()

    def run(self, tx: DriverTx) -> None:
        """Run the function and keep its outcome in place of an earlier one; nothing is raised or answered."""
        self._result, self._hooks, self.error = None, (), None
        try:
            self._result = self._function(tx)
            tx.check_whole()
        except BaseException as error:  # a boundary: whatever a work raises belongs to its caller
            self.fail(error)
        else:
            self._hooks = tx.hooks
        finally:
            tx.end()

    def fail(self, error: BaseException) -> None:
        """Make `error` the outcome; hooks go with the result that they belonged to."""
        self._result, self._hooks, self.error = None, (), error

    def answer(self) -> None:
        """Run the hooks, then let the caller go on; on the event loop's thread."""
        for hook in self._hooks:
            try:
                hook()
            except (
                Exception
            ):  # a boundary: the write is durable, a broken hook must not turn it into an error
                logger.exception("an after-commit hook failed")
        if self._future.done():  # cancelled while the work ran
            return
        if self.error is None:
            self._future.set_result(self._result)
        elif isinstance(self.error, StopIteration):  # a future refuses it
            self._future.set_exception(RuntimeError("the work raised StopIteration"))
        else:
            self._future.set_exception(self.error)
            self._future.exception()  # looked at: a caller that is cancelled now shall not cause a warning


class WorkQueue:
    """First come, first served; at most `limit` wait. Made on the event loop that it then belongs to."""

    def __init__(self, limit: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._waiting: deque[Work] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._lanes: list[asyncio.Task[None]] = []
        self._refusal: Exception | None = None
        self._silent = False
        self.refused = 0

    def __len__(self) -> int:
        return len(self._waiting)

    # ---- on the event loop

    async def submit(self, function: Callable[[Tx], T]) -> T:
        """Wait for a turn, then for the outcome; raises `StorageBusy` at once when too many wait already."""
        if self._refusal is not None:
            raise self._refusal
        if len(self._waiting) >= self._limit:
            self.refused += 1
            raise StorageBusy(f"{self._limit} writes or reads wait for the database already; try again.")
        future: asyncio.Future[object] = self._loop.create_future()
        self._waiting.append(Work(function, future))
        self._wake_one()
        return cast("T", await future)

    def add_lane(self, drain: Callable[[], Awaitable[Sequence[Work]]]) -> None:
        """Serve the queue with one more connection; `drain` runs on its thread until nothing waits."""
        self._lanes.append(self._loop.create_task(self._serve(drain)))

    async def close(self, refusal: Exception | None = None) -> None:
        """Refuse new works with `refusal`, finish those that wait, and end the lanes."""
        self._refusal = refusal or ShuttingDown("The database is closed.")
        for sleeper in self._idle:
            if not sleeper.done():
                sleeper.set_result(None)
        await asyncio.gather(*self._lanes)

    def _wake_one(self) -> None:
        while self._idle:
            sleeper = self._idle.popleft()
            if not sleeper.done():
                sleeper.set_result(None)
                break

    def _add(self, works: Sequence[Work]) -> None:
        self._waiting.extend(works)
        for _ in works:
            self._wake_one()

    def _answer(self, works: Sequence[Work]) -> None:
        for work in works:
            if not self._silent:
                work.answer()

    async def _serve(self, drain: Callable[[], Awaitable[Sequence[Work]]]) -> None:
        while True:
            if self._waiting:
                self._answer(await drain())
            elif self._refusal is not None:
                return
            else:
                sleeper = self._loop.create_future()
                self._idle.append(sleeper)
                await sleeper

    # ---- on a connection's thread

    def take(self) -> Work | None:
        """Return the next work that somebody waits for, or None."""
        while True:
            try:
                work = self._waiting.popleft()
            except IndexError:
                return None
            if not work.abandoned:
                return work

    def take_several(self, most: int) -> list[Work]:
        """Return what waits now, the first `most` of it."""
        taken: list[Work] = []
        while len(taken) < most and (work := self.take()) is not None:
            taken.append(work)
        return taken

    def give_back(self, works: Sequence[Work]) -> None:
        """Put works that were taken, and not run, back to the front; the lane goes on taking."""
        self._waiting.extendleft(reversed(works))

    def add_soon(self, works: Sequence[Work]) -> None:
        """Take over works of another queue; they wait here like any other, however many do."""
        if works:
            self._loop.call_soon_threadsafe(self._add, works)

    def refuse_all(self, error: Callable[[], Exception]) -> list[Work]:
        """Take everything that waits and give each its own `error()`; the caller answers them."""
        refused = []
        while (work := self.take()) is not None:
            work.fail(error())
            refused.append(work)
        self.refused += len(refused)
        return refused

    def refuse_from_now_on(self, error: Exception) -> None:
        """Turn every later `submit` away with `error`: the database cannot be used any more."""
        self._refusal = error

    def answer_soon(self, works: Sequence[Work]) -> None:
        """Answer `works` from the event loop, in one callback."""
        if works:
            self._loop.call_soon_threadsafe(self._answer, works)

    def keep_silent(self, *, silent: bool) -> None:
        """Answer nobody, not even those that `answer_soon` was called for: the process is to end."""
        self._silent = silent
