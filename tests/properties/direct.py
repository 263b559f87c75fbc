"""A database without threads and a disk: works run at once, on a SQLite in memory, with the real `SqliteTx`.

For state machines, which run a hundred thousand works: what is tried is the engine and its statements.
Writing to disk, batches and threads have their own tests (tests/db). Every work runs twice, the first time
undone, as after a serialization failure, so a work that keeps something from its first run is found by
every machine.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from typing import Literal, TypeVar

from omium.clock import ManualClock
from omium.server.db.migrate import list_migrations, migrate_sqlite
from omium.server.db.sqlite_tx import SqliteTx
from omium.server.db.tx import Tx

T = TypeVar("T")


class UndoneError(Exception):
    """Ends the first run of a work."""


def undo() -> None:
    raise UndoneError


def make_template() -> bytes:
    """Return an empty database with today's schema."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with contextlib.closing(connection):
        migrate_sqlite(connection, list_migrations(), 0)
        return connection.serialize()


class DirectDatabase:
    """A `Database` of one thread; `writes` counts the transactions that were committed."""

    dialect: Literal["sqlite"] = "sqlite"

    def __init__(self, template: bytes, clock: ManualClock, *, twice: bool = True) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=1_024)
        self._connection.deserialize(template)
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._clock = clock
        self._twice = twice
        self.writes = 0

    async def write(self, work: Callable[[Tx], T]) -> T:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            tx = SqliteTx(self._connection, self._clock)
            if self._twice:
                with contextlib.suppress(Exception), tx.savepoint():  # the second run raises it again
                    work(tx)
                    undo()
            result = work(tx)
            tx.check_whole()
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        self.writes += 1
        for hook in tx.hooks:
            hook()
        return result

    async def read(self, work: Callable[[Tx], T]) -> T:
        return work(SqliteTx(self._connection, self._clock, read_only=True))

    def dump(self) -> bytes:
        """Return everything that is stored: equal before and after whatever changes nothing."""
        return self._connection.serialize()

    async def close(self) -> None:
        self._connection.close()
