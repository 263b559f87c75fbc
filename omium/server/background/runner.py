"""The runner: repeats bounded pieces of work beside the requests, and never dies of one of them.

A sweep's `work(tx)` does a small portion in one transaction (50 ms at the most) and returns how many things
it did; as long as the portion was full, it's called again at once. Every pause has jitter, so that several
servers of one database do not all come at the same moment. Owns no rule: engine and ledger register theirs in
`omium.server.background`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from omium.errors import Problem, ShuttingDown
from omium.logs import get_logger
from omium.server.db.tx import Database, Tx
from omium.server.web.metrics import Metrics

JITTER = 0.2
PORTIONS_MAX = 1_000  # in a row, before other sweeps of this one's lane get a pause

Sleep = Callable[[float], Awaitable[None]]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sweep:
    """A piece of work to repeat: `bounded` is the size of a full portion, None for one call each time."""

    name: str
    every_s: float
    work: Callable[[Tx], int]
    bounded: int | None = None


class Runner:
    """Runs each sweep in a loop of its own until `stop`."""

    def __init__(
        self, db: Database, sweeps: Sequence[Sweep], metrics: Metrics, *, sleep: Sleep = asyncio.sleep
    ) -> None:
        names = [sweep.name for sweep in sweeps]
        if len(set(names)) < len(names):
            raise ValueError(f"two sweeps have the same name: {', '.join(sorted(names))}")
        self._db = db
        self._sweeps = sweeps
        self._metrics = metrics
        self._sleep = sleep
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin every sweep; the first look comes after a part of its pause."""
        self._tasks = [
            asyncio.create_task(self._repeat(sweep), name=f"sweep {sweep.name}") for sweep in self._sweeps
        ]

    async def stop(self) -> None:
        """End every loop; a portion that runs is committed or undone by the database."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def run_once(self, sweep: Sweep) -> int:
        """Run `sweep` until a portion was not full; returns how many things were done and raises nothing."""
        done = 0
        try:
            for _ in range(PORTIONS_MAX):
                count = await self._db.write(sweep.work)
                done += count
                if sweep.bounded is None or count < sweep.bounded:
                    break
        except ShuttingDown:
            pass
        except Problem as problem:  # busy or full: the next round tries again
            log.warning("sweep was turned away", sweep=sweep.name, code=problem.code)
            self._metrics.count("omium_sweep_failures", "Sweeps that failed.", "sweep", sweep.name)
        except Exception:  # the boundary: a sweep's mistake must not stop it, or the others
            log.exception("sweep failed", sweep=sweep.name)
            self._metrics.count("omium_sweep_failures", "Sweeps that failed.", "sweep", sweep.name)
        if done:
            self._metrics.count(
                "omium_sweep_items", "Things that sweeps have done.", "sweep", sweep.name, done
            )
        return done

    async def _repeat(self, sweep: Sweep) -> None:
        await self._sleep(sweep.every_s * random.random())  # noqa: S311  # spreads load, hides nothing
        while True:
            await self.run_once(sweep)
            await self._sleep(sweep.every_s * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311  # as above
