"""The work that all contenders do: workflows of ten steps, each with a result of 500 bytes of JSON.

Owns the steps' result, the arguments, and counting within a time. A step's result is durable before the
next step of its workflow begins; workflows beside each other know nothing of each other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

STEPS = 10
RESULT = {"text": "x" * 488}
assert len(json.dumps(RESULT)) == 500


@dataclass(frozen=True, slots=True)
class Asked:
    """How long to work, how many workflows beside each other, and where."""

    seconds: float
    at_once: int
    folder: Path
    url: str
    server: str


def read_arguments() -> Asked:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--url", default="", help="of a database that is there already")
    parser.add_argument("--server", default="", help="the program of the contender's own server")
    asked = parser.parse_args()
    return Asked(asked.seconds, asked.at_once, asked.folder, asked.url, asked.server)


def tell(steps: int, seconds: float) -> None:
    """Print what was found, for `run_contender`."""
    print(json.dumps({"steps_per_s": steps / seconds, "steps": steps, "seconds": seconds}), flush=True)


def count_alone(seconds: float, run_workflow: Callable[[], None]) -> None:
    """Run workflows one after the other until the time is over, after one to warm up."""
    run_workflow()
    started_s, done = time.perf_counter(), 0
    while time.perf_counter() - started_s < seconds:
        run_workflow()
        done += 1
    tell(done * STEPS, time.perf_counter() - started_s)


def count_threads(seconds: float, at_once: int, run_workflow: Callable[[], None]) -> None:
    """The same in threads: each begins its next workflow when its last has ended."""
    if at_once == 1:
        count_alone(seconds, run_workflow)
        return
    counts = [0] * at_once
    warm, ends = threading.Barrier(at_once + 1), [0.0]

    def work(thread: int) -> None:
        run_workflow()
        warm.wait()
        while time.perf_counter() < ends[0]:
            run_workflow()
            counts[thread] += 1

    threads = [threading.Thread(target=work, args=(thread,), daemon=True) for thread in range(at_once)]
    for thread in threads:
        thread.start()
    ends[0] = float("inf")
    warm.wait()
    started_s = time.perf_counter()
    ends[0] = started_s + seconds
    for thread in threads:
        thread.join()
    tell(sum(counts) * STEPS, time.perf_counter() - started_s)


async def count_tasks(seconds: float, at_once: int, run_workflow: Callable[[], Awaitable[object]]) -> None:
    """The same in tasks of one event loop."""
    await asyncio.gather(*(run_workflow() for _ in range(at_once)))
    started_s, done = time.perf_counter(), 0

    async def work() -> None:
        nonlocal done
        while time.perf_counter() - started_s < seconds:
            await run_workflow()
            done += 1

    await asyncio.gather(*(work() for _ in range(at_once)))
    tell(done * STEPS, time.perf_counter() - started_s)
