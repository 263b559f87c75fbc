"""Reader: runs reads on one read-only SQLite connection, each on a snapshot and within its deadline.

A long read keeps the write-ahead log from being reused, so it is ended: SQLite asks a progress handler now
and then, which is exact enough and, unlike an interrupt from another thread, cannot hit the next read.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final

from omium.clock import Clock
from omium.server.db.sqlite_tx import SqliteTx, translate
from omium.server.db.works import Work, WorkQueue

_OPCODES_BETWEEN_LOOKS: Final = 20_000  # about a millisecond of SQLite's own work


class Reader:
    """One of several reading connections on a shared queue; `drain` is handed to its thread."""

    def __init__(self, queue: WorkQueue, clock: Clock, deadline_s: float) -> None:
        self._queue = queue
        self._clock = clock
        self._deadline_s = deadline_s
        self._ends_at = 0.0
        self.reads = self.reads_timed_out = 0

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Let SQLite ask now and then whether the deadline has passed."""
        connection.set_progress_handler(self._is_late, _OPCODES_BETWEEN_LOOKS)

    def drain(self, connection: sqlite3.Connection) -> list[Work]:
        """Run reads until nothing waits; return the last one, for the caller to answer."""
        done: list[Work] = []
        while (work := self._queue.take()) is not None:
            self._queue.answer_soon(done)
            self._run(work, connection)
            done = [work]
        return done

    def _run(self, work: Work, connection: sqlite3.Connection) -> None:
        self._ends_at = time.monotonic() + self._deadline_s
        tx = SqliteTx(connection, self._clock, read_only=True)
        try:
            connection.execute("BEGIN")
            work.run(tx)
        except sqlite3.Error as error:
            work.fail(translate(error))
        finally:
            self._ends_at = float("inf")
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        self.reads += 1
        if tx.fault is not None and getattr(tx.fault, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            self.reads_timed_out += 1

    def _is_late(self) -> bool:
        return time.monotonic() > self._ends_at
