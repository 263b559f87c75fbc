"""DBOS on SQLite, tuned: its file is in WAL mode, which stays with the file, synchronous FULL."""

from __future__ import annotations

import os
import sqlite3

from dbos import DBOS

from benchmarks.contenders.work import RESULT, STEPS, count_threads, read_arguments


@DBOS.step()  # type: ignore[untyped-decorator]  # not installed where types are checked
def work(number: int) -> dict[str, str]:
    """Do nothing and return the result."""
    return RESULT


@DBOS.workflow()  # type: ignore[untyped-decorator]
def chain() -> None:
    """Ten steps, one after the other."""
    for number in range(STEPS):
        work(number)


def main() -> None:
    """Run alone, or in threads beside each other, as DBOS does for sync workflows."""
    asked = read_arguments()
    file = asked.folder / "dbos.db"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{file}", "log_level": "ERROR"})
    DBOS.launch()
    count_threads(asked.seconds, asked.at_once, chain)
    with sqlite3.connect(file) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    assert mode == "wal", mode
    os._exit(0)


if __name__ == "__main__":
    main()
