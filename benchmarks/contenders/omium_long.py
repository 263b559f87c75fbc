"""Omium: a step of an execution that has many already, and one of a fresh execution, turn by turn.

Two threads hand each other the turn, because one thread cannot be inside two executions. Prints the medians
of both in microseconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time

import omium
from benchmarks.contenders.work import RESULT, STEPS


@omium.step
def work(number: int) -> dict[str, str]:
    """Do nothing and return the result."""
    return RESULT


@omium.workflow
def long(steps: int, turns: int) -> list[float]:
    """Record `steps`, then tell how long each of `turns` further ones takes."""
    for number in range(steps):
        work(number)
    TO_SHORT.release()
    times = []
    for number in range(turns):
        TO_LONG.acquire()
        started_s = time.perf_counter()
        work(steps + number)
        times.append((time.perf_counter() - started_s) * 1e6)
        TO_SHORT.release()
    return times


@omium.workflow
def short(turns: int) -> list[float]:
    """Tell how long each of a few steps takes."""
    times = []
    for number in range(turns):
        TO_SHORT.acquire()
        started_s = time.perf_counter()
        work(number)
        times.append((time.perf_counter() - started_s) * 1e6)
        TO_LONG.release()
    return times


TO_LONG, TO_SHORT = threading.Semaphore(0), threading.Semaphore(0)


def main() -> None:
    """Let a long execution and many short ones take turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=500)
    asked = parser.parse_args()
    times: dict[str, list[float]] = {"long": [], "short": []}
    thread = threading.Thread(target=lambda: times["long"].extend(long(asked.steps, asked.turns)))
    thread.start()
    while len(times["short"]) < asked.turns:
        times["short"] += short(min(STEPS, asked.turns - len(times["short"])))
    thread.join()
    # The first turns wait for the other's start to end; medians do not care.
    print(json.dumps({f"{name}_us": statistics.median(seen) for name, seen in times.items()}))


if __name__ == "__main__":
    main()
