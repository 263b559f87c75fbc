"""Omium: a script with ten steps that is its own safety net: started again, it goes on after the last record.

Prints a line at each step that really runs. With a first argument "hang" it stays in step 5 until it is
killed; with "import" it only imports, which is what starting it costs by itself.
"""

from __future__ import annotations

import sys
import time

import omium
from benchmarks.contenders.work import RESULT, STEPS

HOW = sys.argv[1] if len(sys.argv) > 1 else ""


@omium.step
def work(number: int) -> dict[str, str]:
    """Say that it runs, and return the result."""
    print(f"step {number}", flush=True)
    if HOW == "hang" and number == STEPS // 2:
        time.sleep(3_600)
    return RESULT


@omium.workflow
def chain() -> None:
    """Ten steps, one after the other."""
    for number in range(STEPS):
        work(number)


if __name__ == "__main__":
    if HOW == "import":
        print("imported", flush=True)
    else:
        omium.run_workflow(chain, {}, idempotency_key="recovery")
