"""The loop thread: an event loop beside a worker's threads.

Owns the thread, and the tasks that were begun in it. Imports asyncio, which a worker without async code does
not need to run but loads anyway.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any


class LoopThread:
    """One event loop for everything async that this worker runs."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="omium-loop", daemon=True)
        self._thread.start()
        self._ready.wait()

    def submit(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` as a task."""
        self._loop.call_soon_threadsafe(self._start, work)

    def close(self) -> None:
        """End the loop; what still runs in it is cancelled."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _main(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready.set()
        await self._end.wait()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)  # the loop itself holds its tasks weakly
        task.add_done_callback(self._tasks.discard)
