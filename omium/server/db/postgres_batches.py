"""PostgresBatches: one PostgreSQL connection on a thread of its own, which commits waiting works together.

Owns batches and the savepoints between works. A batch has no patience: a work that meets a lock, a deadlock
or a slow statement is undone and handed to the lanes that run works one by one (postgres_lane.py), where it
may wait without its neighbours; when the whole transaction cannot be kept, all its works go there. So every
difficult case has one place, and here is only what usually happens.

What a work sees of the clock is the time of its batch's BEGIN. Nobody who joins has heard an answer that was
given later, because works are taken before it.

When the process or the connection dies before COMMIT is sent, nothing happened and the works are run again.
When it dies in COMMIT, every work of the batch has an unknown outcome, those that raised too: what they saw
may not be there. Nobody is answered before.
"""

from __future__ import annotations

import logging
import time
from typing import Final

import psycopg

from omium.errors import OutcomeUnknown
from omium.server.db.postgres_errors import is_crowded_out, is_lost
from omium.server.db.postgres_session import Begun, PostgresSession
from omium.server.db.postgres_wire import CommitLost, EarlierFailed
from omium.server.db.works import Work, WorkQueue

logger = logging.getLogger(__name__)

MOST_WORKS: Final = (
    48  # PostgreSQL keeps 64 subtransactions at hand for each transaction; works have some, too
)
BATCH_S: Final = 0.025  # no further work is run in a batch that is this old
LOCK_MS: Final = 25  # a work waits this long for another transaction's lock while its neighbours wait for it
STATEMENT_S: Final = 1.0  # and a single statement of it may take this long


class PostgresBatches:
    """Runs the works of `queue`; what has trouble goes to `alone`. Called on the lane's own thread."""

    def __init__(self, queue: WorkQueue, alone: WorkQueue, session: PostgresSession) -> None:
        self._queue = queue
        self._alone = alone
        self._session = session
        self.works = self.works_failed = self.works_repeated = 0
        self.commits = self.largest_batch = self.commit_us = self.outcomes_unknown = 0

    def drain(self) -> list[Work]:
        """Run batches until nothing waits; return the last batch, for the caller to answer."""
        done: list[Work] = []
        while works := self._queue.take_several(MOST_WORKS):
            self._queue.answer_soon(done)
            try:
                done = self._run_batch(works)
            except Exception as error:  # a boundary: a mistake in here must not leave callers waiting
                logger.exception("a batch failed")
                self.close()
                for work in works:
                    work.fail(error)
                done = works
        return done

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _run_batch(self, works: list[Work]) -> list[Work]:
        """Run `works` and commit; return those that may be answered now."""
        try:
            begun = self._session.begin()
        except psycopg.Error:
            return self._hand_over(works)
        batch = _Batch(begun)
        try:
            batch.run(works)
            self._commit(begun, batch)
        except CommitLost:
            self.close()
            self.outcomes_unknown += len(batch.kept)
            for work in batch.kept:
                work.fail(OutcomeUnknown())
        except (psycopg.Error, EarlierFailed):  # nothing of it is there, so all of it may be run again
            self._drop(begun)
            batch.crowded_out, batch.kept = batch.kept + batch.crowded_out, []
        self._queue.give_back(works[batch.ran :])
        self._hand_over(batch.crowded_out)
        self._count(batch.kept)
        return batch.kept

    def _commit(self, begun: Begun, batch: _Batch) -> None:
        if all(work.error is not None for work in batch.kept):
            begun.wire.rollback()
            return
        started = time.monotonic_ns()
        begun.wire.commit()
        self.commits += 1
        self.commit_us += (time.monotonic_ns() - started) // 1000

    def _drop(self, begun: Begun) -> None:
        """End the transaction now: others may wait for its locks."""
        try:
            begun.wire.rollback()
        except psycopg.Error:
            self.close()

    def _hand_over(self, works: list[Work]) -> list[Work]:
        self.works_repeated += len(works)
        self._alone.add_soon(works)
        return []

    def _count(self, works: list[Work]) -> None:
        self.works += len(works)
        self.works_failed += sum(work.error is not None for work in works)
        self.largest_batch = max(self.largest_batch, len(works))


class _Batch:
    """The works of one transaction: those that are kept if it commits, and those that are undone already."""

    def __init__(self, begun: Begun) -> None:
        self._begun = begun
        self._wire = begun.wire
        self.ran = 0
        self.kept: list[Work] = []
        self.crowded_out: list[Work] = []

    def run(self, works: list[Work]) -> None:
        """Run one after the other, each in a savepoint unless it has no neighbour.

        Raises `psycopg.Error` or `EarlierFailed` when nothing can be kept; what ran until then is in `kept`.
        """
        started = time.monotonic()
        for work in works:
            self._run(work, protected=len(works) > 1)
            if time.monotonic() - started > BATCH_S:
                return

    def _run(self, work: Work, *, protected: bool) -> None:
        self.ran += 1
        self.kept.append(work)
        mark = self._wire.begin_work()
        if protected:
            self._wire.post_command("SAVEPOINT work")
        tx = self._begun.tx()
        work.run(tx)
        if self._wire.earlier_error is not None:
            raise EarlierFailed(self._wire.earlier_error)
        if tx.fault is not None and is_lost(tx.fault):
            raise tx.fault
        if tx.fault is not None and is_crowded_out(tx.fault):
            self.crowded_out.append(self.kept.pop())
        elif work.error is None:
            if protected:
                self._wire.post_command("RELEASE SAVEPOINT work")
            return
        self._undo(mark, protected=protected)

    def _undo(self, mark: int, *, protected: bool) -> None:
        if not protected:
            self._wire.rollback()
        elif not self._wire.drop_since(mark):
            self._wire.post_command("ROLLBACK TO SAVEPOINT work")
            self._wire.post_command("RELEASE SAVEPOINT work")
