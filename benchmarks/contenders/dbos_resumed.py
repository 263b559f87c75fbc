"""DBOS on SQLite: the same script; a launch recovers what this executor had under way."""

from __future__ import annotations

import os
import sys
import time

from dbos import DBOS, SetWorkflowID

from benchmarks.contenders.work import RESULT, STEPS

HOW, FOLDER = sys.argv[1], sys.argv[2]


@DBOS.step()  # type: ignore[untyped-decorator]  # not installed where types are checked
def work(number: int) -> dict[str, str]:
    """Say that it runs, and return the result."""
    print(f"step {number}", flush=True)
    if HOW == "hang" and number == STEPS // 2:
        time.sleep(3_600)
    return RESULT


@DBOS.workflow()  # type: ignore[untyped-decorator]
def chain() -> None:
    """Ten steps, one after the other."""
    for number in range(STEPS):
        work(number)


if __name__ == "__main__":
    if HOW == "import":
        print("imported", flush=True)
    else:
        url = f"sqlite:///{FOLDER}/dbos.db"
        DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR"})
        DBOS.launch()
        with SetWorkflowID("recovery"):
            chain()
        os._exit(0)
