"""The floor: SQLite in this process, one row per step, one commit for all that run beside each other.

Nothing else is done: no workflow, no input, no key. Who has a server in another process stays below it.
"""

from __future__ import annotations

import json
import sqlite3
import time

from benchmarks.contenders.work import RESULT, STEPS, read_arguments, tell


def main() -> None:
    """Insert and commit until the time is over."""
    asked = read_arguments()
    connection = sqlite3.connect(asked.folder / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE steps (workflow INTEGER, step INTEGER, result BLOB, PRIMARY KEY (workflow, step))"
    )
    started_s, done, workflow = time.perf_counter(), 0, 0
    while time.perf_counter() - started_s < asked.seconds:
        for step in range(STEPS):
            connection.execute("BEGIN IMMEDIATE")
            for beside in range(asked.at_once):
                row = (workflow + beside, step, json.dumps(RESULT).encode())
                connection.execute("INSERT INTO steps VALUES (?, ?, ?)", row)
            connection.execute("COMMIT")
            done += asked.at_once
        workflow += asked.at_once
    tell(done, time.perf_counter() - started_s)


if __name__ == "__main__":
    main()
