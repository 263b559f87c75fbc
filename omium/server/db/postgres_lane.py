"""PostgresLane: one PostgreSQL connection on a thread of its own, which runs works one transaction each.

Owns BEGIN, COMMIT, running a work again, and a connection that went away. PostgreSQL groups the commits of
all lanes by itself, and works of different tenants never share locks, so there are no batches here.

When the process or the connection dies before COMMIT is sent, the work did not happen and is run again. When
it dies in COMMIT, nobody can say: the caller gets `OutcomeUnknown` and asks again with the same natural key.
"""

from __future__ import annotations

import logging
import random
import time
from typing import Final

import psycopg

from omium.clock import Clock, SystemClock
from omium.errors import OutcomeUnknown, StorageBusy
from omium.server.db.postgres_connection import PgConnection, connect
from omium.server.db.postgres_tx import PostgresTx, is_lost, is_repeatable, translate
from omium.server.db.works import Work, WorkQueue

logger = logging.getLogger(__name__)

MOST_ATTEMPTS: Final = 12
LOST_S: Final = 5.0  # how long a work is tried again while the database cannot be reached
ANSWER_S: Final = 0.002  # an answer waits this long for company while more works wait
AWAY: Final = "The database cannot be reached now; try again in a moment."
_NOW: Final = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
_BEGIN_WRITE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"
_BEGIN_READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"  # one snapshot for the whole read


class PostgresLane:
    """Runs the works of one queue; everything here is called on the lane's own thread."""

    def __init__(
        self, url: str, queue: WorkQueue, clock: Clock, *, read_deadline_s: float | None = None
    ) -> None:
        self._url = url
        self._queue = queue
        self._clock = clock
        # Several servers must agree on the time, so it is the database's; a clock made for a test stays its
        # own.
        self._database_clock = isinstance(clock, SystemClock)
        self._read_only = read_deadline_s is not None
        self._deadline_s = read_deadline_s
        self._connection: PgConnection | None = None
        self._is_away = False  # the last work found no database, however often it tried
        self.works = self.works_failed = self.works_repeated = self.works_timed_out = 0
        self.commits = self.commit_us = self.outcomes_unknown = 0

    def drain(self) -> list[Work]:
        """Run works until nothing waits; return the last ones, for the caller to answer."""
        done: list[Work] = []
        answer_at = 0.0
        while (work := self._queue.take()) is not None:
            try:
                self._run(work)
            except Exception as error:  # a boundary: a mistake in here must not leave the caller waiting
                logger.exception("a database lane failed")
                self.close()
                work.fail(error)
            self.works += 1
            self.works_failed += work.error is not None
            # Each answer wakes the event loop's thread, which then wants the interpreter: while more works
            # wait, answer a few together.
            now = time.monotonic()
            if not done:
                answer_at = now + ANSWER_S
            done.append(work)
            if self._is_away:  # each would only find that out once more, one after the other
                done += self._queue.refuse_all(lambda: StorageBusy(AWAY))
            if now >= answer_at:
                self._queue.answer_soon(done)
                done = []
        return done

    def open(self) -> PgConnection:
        """Return the lane's connection, opened again where it was lost; raises `psycopg.OperationalError`."""
        if self._connection is None or self._connection.closed:
            if self._deadline_s is None:
                self._connection = connect(self._url)
            else:
                self._connection = connect(self._url, statement_timeout_s=self._deadline_s)
        return self._connection

    def close(self) -> None:
        """Close the connection; a transaction that is open on it is dropped by the server."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run(self, work: Work) -> None:
        give_up_at = time.monotonic() + LOST_S
        for attempt in range(1, MOST_ATTEMPTS + 1):
            fault = self._try(work)
            self._is_away = fault is not None and is_lost(fault)
            if fault is None:
                return
            if is_lost(fault):
                self.close()
            elif isinstance(fault, psycopg.errors.QueryCanceled):
                self.works_timed_out += 1
            if not (is_repeatable(fault) or is_lost(fault)):
                return
            work.fail(StorageBusy(AWAY) if self._is_away else translate(fault))
            if self._is_away and time.monotonic() > give_up_at:
                return
            if attempt < MOST_ATTEMPTS:
                self.works_repeated += 1
                time.sleep(random.uniform(0, 0.002 * 2 ** min(attempt, 8)))  # noqa: S311  # spreads rivals

    def _try(self, work: Work) -> psycopg.Error | None:
        """Run `work` once; return None when its outcome stands, else what the database reported."""
        try:
            connection = self.open()
            tx = self._begin(connection)
            work.run(tx)
            if tx.fault is not None and (is_repeatable(tx.fault) or is_lost(tx.fault)):
                self._rollback(connection)
                return tx.fault
            if self._read_only or work.error is not None:
                self._rollback(connection)
                return tx.fault if isinstance(tx.fault, psycopg.errors.QueryCanceled) else None
        except psycopg.Error as error:
            if not is_lost(error):
                work.fail(translate(error))
            return error
        return self._commit(connection, work)

    def _begin(self, connection: PgConnection) -> PostgresTx:
        begin = _BEGIN_READ if self._read_only else _BEGIN_WRITE
        if not self._database_clock:
            connection.execute(begin)
            return PostgresTx(
                connection, self._clock.now_us(), self._clock.boot_us(), read_only=self._read_only
            )
        cursor = connection.execute(f"{begin}; {_NOW}")  # one round trip
        cursor.nextset()
        (now_us,) = cursor.fetchall()[0]
        return PostgresTx(connection, now_us, now_us, read_only=self._read_only)

    def _commit(self, connection: PgConnection, work: Work) -> psycopg.Error | None:
        started = time.monotonic_ns()
        try:
            status = connection.execute("COMMIT").statusmessage
        except psycopg.Error as error:
            if is_repeatable(error):
                return error
            if is_lost(error) or connection.closed:
                self.close()
                self.outcomes_unknown += 1
                work.fail(OutcomeUnknown())
                return None
            work.fail(translate(error))
            return None
        self.commits += 1
        self.commit_us += (time.monotonic_ns() - started) // 1000
        if status != "COMMIT":  # PostgreSQL answers "ROLLBACK", not an error, when a statement had failed
            work.fail(RuntimeError(f"COMMIT was answered with {status}"))
        return None

    def _rollback(self, connection: PgConnection) -> None:
        if not connection.closed:
            connection.execute("ROLLBACK")
