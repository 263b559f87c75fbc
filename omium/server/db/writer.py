"""Writer: puts all waiting works into one SQLite transaction, and answers them after its COMMIT.

Owns batches, savepoints between works, what happens when one of them fails, and checkpoints of the write-
ahead log (it is the only connection that makes them: SQLite up to 3.51.2 can damage the log when two do).
Does not own its connection (sqlite.py) or the queue (works.py). Everything here runs on the connection's
thread.

When the process dies: before COMMIT returns nobody was answered and SQLite drops the transaction; after it,
the writes are there and the callers find that out by asking again (idempotency records are in the same
transaction).
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

from omium.clock import Clock
from omium.errors import OutcomeUnknown
from omium.server.db.sqlite_tx import SqliteTx, error_code, is_fatal, is_no_space, translate
from omium.server.db.works import Work, WorkQueue

logger = logging.getLogger(__name__)

MOST_WORKS: Final = 256
BATCH_S: Final = 0.025  # no further work joins a batch that is this old
SLOW_S: Final = 0.25  # a work that takes longer is worth a line in the log
CHECKPOINT_CHANGES: Final = 4_000  # row changes between two checkpoints
WAL_STEP_BYTES: Final = 32 << 20  # or this much more log, when rows are large
WAL_LARGE_BYTES: Final = 256 << 20  # readers keep the log from being reused: wait for them
FATAL_EXIT_STATUS: Final = 70  # EX_SOFTWARE


class Writer:
    """The one writing connection. `drain` is handed to its thread whenever something waits."""

    def __init__(
        self,
        queue: WorkQueue,
        clock: Clock,
        wal: Path,
        on_fatal: Callable[[sqlite3.Error], None] | None = None,
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._wal = wal
        self._on_fatal = on_fatal or exit_now
        self._dead = False
        self._changes_at_checkpoint = 0
        self._wal_limit_bytes = WAL_STEP_BYTES
        self.works = self.works_failed = self.works_repeated = 0
        self.batches = self.largest_batch = self.commit_us = self.checkpoints = self.outcomes_unknown = 0

    def drain(self, connection: sqlite3.Connection) -> list[Work]:
        """Run batches until nothing waits; return the last batch, for the caller to answer."""
        done: list[Work] = []
        while True:
            self._queue.answer_soon(done)
            if self._dead:
                return self._queue.refuse_all(
                    lambda: OutcomeUnknown("The database failed; restart the server.")
                )
            done = self._run_batch(connection)
            if self._checkpoint_is_due(connection):
                self._queue.answer_soon(done)
                done = []
                self._checkpoint(connection)
            if not self._queue:
                return done

    def _run_batch(self, connection: sqlite3.Connection) -> list[Work]:
        works: list[Work] = []
        try:
            connection.execute(
                "BEGIN IMMEDIATE"
            )  # a deferred one that reads first fails at once when it writes
        except sqlite3.Error as error:
            return self._cannot_begin(error)
        try:
            whole = self._run_works(connection, works) and self._commit(connection)
        except sqlite3.Error as error:  # from SAVEPOINT, RELEASE or ROLLBACK TO: as if a work had met it
            if is_fatal(error):
                return self._die(error, works)
            whole = False
        except _Fatal as fatal:
            return self._die(fatal.error, works)
        except Exception as error:  # a boundary: a mistake in here must not leave callers waiting for ever
            logger.exception("the writer failed")
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for work in works:
                work.fail(error)
            return works
        if not whole:
            return self._run_alone(connection, works)
        self._count(works)
        return works

    def _run_works(self, connection: sqlite3.Connection, works: list[Work]) -> bool:
        """Run what waits inside the open transaction; False means that the transaction is lost."""
        started = time.monotonic()
        while (work := self._queue.take()) is not None:
            works.append(work)
            alone_so_far = len(works) == 1  # nothing to protect yet: one savepoint saved
            if not alone_so_far:
                connection.execute("SAVEPOINT work")
            self._run(work, connection)
            # After SQLITE_FULL, an I/O error or an interrupt the *whole* transaction may be gone, and what
            # follows would commit by itself: look, even when the work has caught the error.
            if not connection.in_transaction:
                return False
            if work.error is not None and alone_so_far:
                connection.execute("ROLLBACK")
                return True  # it has seen committed data only, so it may be answered as it is
            if work.error is not None:
                connection.execute("ROLLBACK TO SAVEPOINT work")
            if not alone_so_far:
                connection.execute("RELEASE SAVEPOINT work")
            if len(works) == MOST_WORKS or time.monotonic() - started > BATCH_S:
                break
        return True

    def _run(self, work: Work, connection: sqlite3.Connection) -> None:
        tx = SqliteTx(connection, self._clock)
        started = time.monotonic()
        work.run(tx)
        if (took_s := time.monotonic() - started) > SLOW_S:  # everybody behind it has waited, too
            logger.warning("a work took %d ms inside its transaction: %s", took_s * 1000, work.name)
        if tx.fault is not None and is_fatal(tx.fault):
            raise _Fatal(tx.fault)

    def _commit(self, connection: sqlite3.Connection) -> bool:
        """Commit; False means that it certainly did not happen, and the transaction is gone."""
        if not connection.in_transaction:
            return True
        started = time.monotonic_ns()
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if is_fatal(error):  # the row may be there after a restart: nobody can be answered
                raise _Fatal(error) from error
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._commit_error = error
            return False
        self.commit_us += (time.monotonic_ns() - started) // 1000
        return True

    def _run_alone(self, connection: sqlite3.Connection, works: list[Work]) -> list[Work]:
        """Run each of `works` again, in a transaction of its own: the guilty one harms only itself."""
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        self.works_repeated += len(works)
        for work in works:
            try:
                connection.execute("BEGIN IMMEDIATE")
                self._run(work, connection)
                if work.error is not None:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                elif not self._commit(connection):
                    work.fail(translate(self._commit_error))
            except _Fatal as fatal:
                return self._die(fatal.error, works)
            except sqlite3.Error as error:
                if is_fatal(error):
                    return self._die(error, works)
                work.fail(translate(error))
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        self._count(works)
        return works

    def _cannot_begin(self, error: sqlite3.Error) -> list[Work]:
        """Refuse everything that waits: each would only wait for the same lock, one after the other."""
        if is_fatal(error):
            return self._die(error, [])
        return self._queue.refuse_all(lambda: translate(error))

    def _die(self, error: sqlite3.Error, works: list[Work]) -> list[Work]:
        """End the process; where a test's `on_fatal` returns, nothing is answered with success any more."""
        self._queue.keep_silent(silent=True)
        self._on_fatal(error)
        self._queue.keep_silent(silent=False)
        self._dead = True
        gone = f"The database failed ({error}); restart the server."
        self._queue.refuse_from_now_on(OutcomeUnknown(gone))
        for work in works:
            work.fail(OutcomeUnknown(gone))
        self.outcomes_unknown += len(works)
        return works + self._queue.refuse_all(lambda: OutcomeUnknown(gone))

    def _count(self, works: list[Work]) -> None:
        self.works += len(works)
        self.works_failed += sum(work.error is not None for work in works)
        self.batches += 1
        self.largest_batch = max(self.largest_batch, len(works))

    # ---- checkpoints

    def _checkpoint_is_due(self, connection: sqlite3.Connection) -> bool:
        if self._dead:
            return False
        if connection.total_changes - self._changes_at_checkpoint >= CHECKPOINT_CHANGES:
            return True
        return size_bytes(self._wal) > self._wal_limit_bytes

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        """Copy the log into the file. By hand, because SQLite's own checkpoints swallow a failing fsync."""
        mode = "RESTART" if size_bytes(self._wal) > WAL_LARGE_BYTES else "PASSIVE"
        try:
            connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        except sqlite3.Error as error:
            if is_fatal(error):
                self._queue.answer_soon(self._die(error, []))
                return
            if not is_no_space(error):
                logger.warning("a checkpoint failed (%s, code %s)", error, error_code(error))
        self.checkpoints += 1
        self._changes_at_checkpoint = connection.total_changes
        self._wal_limit_bytes = max(WAL_STEP_BYTES, size_bytes(self._wal) + WAL_STEP_BYTES)


class _Fatal(Exception):
    """Carries SQLite's error out of a batch."""

    def __init__(self, error: sqlite3.Error) -> None:
        super().__init__(str(error))
        self.error = error


def size_bytes(path: Path) -> int:
    """Return the size of a file of the database, 0 where there is none; never opens it (see sqlite.py)."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def exit_now(error: sqlite3.Error) -> NoReturn:
    """End the process without any answer: what the disk holds is known only after a restart."""
    logger.critical(
        "the database failed: %s (code %s); the process ends so that nothing wrong is acknowledged",
        error,
        error_code(error),
    )
    for handler in logging.getLogger().handlers:
        handler.flush()
    os._exit(FATAL_EXIT_STATUS)
