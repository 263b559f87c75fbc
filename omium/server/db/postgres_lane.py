"""PostgresLane: one PostgreSQL connection on a thread of its own, which runs works one by one.

Owns COMMIT, running a work again, and a connection that went away. Reads go this way, and writes that had
trouble in a batch (postgres_batches.py): here a work has time to wait for a lock, and harms only itself.

When the process or the connection dies before COMMIT is sent, the work did not happen and is run again. When
it dies in COMMIT, nobody can say: the caller gets `OutcomeUnknown` and asks again with the same natural key.
"""

from __future__ import annotations

import logging
import random
import time
from typing import Final

import psycopg
from psycopg import errors

from omium.errors import OutcomeUnknown, StorageBusy
from omium.server.db.postgres_errors import is_lost, is_repeatable, translate
from omium.server.db.postgres_session import Begun, PostgresSession
from omium.server.db.postgres_wire import CommitLost
from omium.server.db.works import Work, WorkQueue

logger = logging.getLogger(__name__)

MOST_ATTEMPTS: Final = 12
LOST_S: Final = 5.0  # how long a work is tried again while the database cannot be reached
ANSWER_S: Final = 0.002  # an answer waits this long for company while more works wait
AWAY: Final = "The database cannot be reached now; try again in a moment."


class PostgresLane:
    """Runs the works of one queue; everything here is called on the lane's own thread."""

    def __init__(self, queue: WorkQueue, session: PostgresSession, *, read_only: bool = False) -> None:
        self._queue = queue
        self._session = session
        self._read_only = read_only
        self._is_away = False  # the last work found no database, however often it tried
        self.works = self.works_failed = self.works_repeated = self.works_timed_out = 0
        self.commits = self.commit_us = self.outcomes_unknown = 0
        self.largest_batch = 0

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

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _run(self, work: Work) -> None:
        give_up_at = time.monotonic() + LOST_S
        for attempt in range(1, MOST_ATTEMPTS + 1):
            fault = self._try(work)
            self._is_away = fault is not None and is_lost(fault)
            if fault is None:
                return
            if is_lost(fault):
                self.close()
            elif isinstance(fault, errors.QueryCanceled):
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
            begun = self._session.begin()
            tx = begun.tx()
            work.run(tx)
            fault = tx.fault
            if fault is not None and (is_repeatable(fault) or is_lost(fault)):
                begun.wire.rollback()
                return fault
            if self._read_only or work.error is not None:
                begun.wire.rollback()
                return fault if isinstance(fault, errors.QueryCanceled) else None
            return self._commit(begun, work)
        except psycopg.Error as error:
            if not is_lost(error):
                work.fail(translate(error))
            return error

    def _commit(self, begun: Begun, work: Work) -> psycopg.Error | None:
        started = time.monotonic_ns()
        try:
            begun.wire.commit()
        except CommitLost:
            self.close()
            self.outcomes_unknown += 1
            work.fail(OutcomeUnknown())
            return None
        except psycopg.Error as error:  # a constraint that is checked now, or a statement sent along
            begun.wire.rollback()
            work.fail(translate(error))
            return error
        self.commits += 1
        self.largest_batch = 1
        self.commit_us += (time.monotonic_ns() - started) // 1000
        return None
