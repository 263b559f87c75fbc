"""PostgresDatabase: lanes to one PostgreSQL database, for writing and for reading.

Owns opening, closing and the questions about the whole database. Writes go into batches
(postgres_batches.py), and one by one where that has trouble; reads one by one (postgres_lane.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Literal

import psycopg

from omium.clock import Clock
from omium.errors import StorageError
from omium.server.db.backup_postgres import copy_postgres, postgres_problems
from omium.server.db.migrate import check_current, list_migrations
from omium.server.db.migrate_postgres import migrate_postgres, postgres_records
from omium.server.db.postgres_batches import LOCK_MS, STATEMENT_S, PostgresBatches
from omium.server.db.postgres_connection import WORK_TIMEOUT_MS, connect
from omium.server.db.postgres_lane import PostgresLane
from omium.server.db.postgres_session import PostgresSession
from omium.server.db.settings import DatabaseSettings
from omium.server.db.sql import Sql
from omium.server.db.tx import Counters, T, Tx
from omium.server.db.works import WorkQueue

_SIZE = Sql("SELECT pg_database_size(current_database()) AS size_bytes")

Lane = PostgresBatches | PostgresLane

logger = logging.getLogger(__name__)


class PostgresDatabase:
    """A `Database` on a PostgreSQL server; made by `open_postgres`."""

    dialect: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, url: str, clock: Clock, settings: DatabaseSettings) -> None:
        self._url = url
        self._clock = clock
        self._settings = settings
        self._writes = WorkQueue(settings.max_waiting)
        self._reads = WorkQueue(settings.max_waiting)
        self._alone = WorkQueue(settings.max_waiting)  # writes that had trouble in a batch
        self._batches = [
            PostgresBatches(self._writes, self._alone, self._session(STATEMENT_S, lock_timeout_ms=LOCK_MS))
            for _ in range(settings.postgres_writers)
        ]
        self._lone_writers = [
            PostgresLane(self._alone, self._session()) for _ in range(settings.postgres_lone_writers)
        ]
        deadline_s = settings.read_deadline_s
        self._readers = [
            PostgresLane(self._reads, self._session(deadline_s, read_only=True), read_only=True)
            for _ in range(settings.connections)
        ]
        self._threads: list[tuple[ThreadPoolExecutor, Lane]] = []
        self._closed = False

    async def start(self, *, migrate: bool) -> None:
        """Bring the schema up to date and begin to serve."""
        await asyncio.to_thread(self._prepare, migrate=migrate)
        lanes: list[tuple[WorkQueue, Sequence[Lane]]] = [
            (self._writes, self._batches),
            (self._alone, self._lone_writers),
            (self._reads, self._readers),
        ]
        for queue, several in lanes:
            for lane in several:
                self._add_lane(queue, lane)

    async def write(self, work: Callable[[Tx], T]) -> T:
        return await self._writes.submit(work)

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self._reads.submit(work)

    async def backup(self, target: Path) -> None:
        await asyncio.to_thread(copy_postgres, self._url, target, self._settings.migrations)

    async def integrity_problems(self) -> list[str]:
        return await asyncio.to_thread(postgres_problems, self._url)

    async def size_bytes(self) -> int:
        return await self.read(lambda tx: tx.one(_SIZE, int))

    def counters(self) -> Counters:
        batches, lone, readers = self._batches, self._lone_writers, self._readers
        writers: list[Lane] = [*batches, *lone]
        return Counters(
            works=sum(lane.works for lane in writers),
            works_failed=sum(lane.works_failed for lane in writers),
            works_repeated=sum(lane.works_repeated for lane in writers),
            batches=sum(lane.commits for lane in writers),
            largest_batch=max(lane.largest_batch for lane in writers),
            waiting=len(self._writes) + len(self._alone),
            refused=self._writes.refused + self._alone.refused + self._reads.refused,
            commit_us=sum(lane.commit_us for lane in writers),
            checkpoints=0,
            outcomes_unknown=sum(lane.outcomes_unknown for lane in writers),
            reads=sum(lane.works for lane in readers),
            reads_timed_out=sum(lane.works_timed_out for lane in readers),
        )

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(self._reads.close(), self._writes.close())
        await self._alone.close()  # the last, because batches hand works over to it
        loop = asyncio.get_running_loop()
        for thread, lane in self._threads:
            await loop.run_in_executor(thread, lane.close)
            thread.shutdown()

    def _session(
        self,
        timeout_s: float = WORK_TIMEOUT_MS / 1000,
        *,
        read_only: bool = False,
        lock_timeout_ms: int | None = None,
    ) -> PostgresSession:
        return PostgresSession(
            self._url,
            self._clock,
            read_only=read_only,
            statement_timeout_s=timeout_s,
            lock_timeout_ms=lock_timeout_ms,
        )

    def _add_lane(self, queue: WorkQueue, lane: Lane) -> None:
        """Serve `queue` with one more thread; it connects when it has something to do."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, thread_name_prefix="omium-postgres")
        self._threads.append((thread, lane))
        queue.add_lane(partial(loop.run_in_executor, thread, lane.drain))

    def _prepare(self, *, migrate: bool) -> None:
        migrations = list_migrations(self._settings.migrations)
        with closing(connect(self._url)) as connection:
            if migrate:
                for name in migrate_postgres(connection, migrations, self._clock.now_us()):
                    logger.info("migration %s applied", name)
            else:
                check_current(migrations, postgres_records(connection))


async def open_postgres(
    url: str, *, clock: Clock, migrate: bool = True, settings: DatabaseSettings | None = None
) -> PostgresDatabase:
    """Open the database at `url`; the time is the database's own unless `clock` is one made for tests.

    Raises `StorageError` where it cannot be reached, `DatabaseTooNew`, `MigrationChanged`.
    """
    database = PostgresDatabase(url, clock, settings or DatabaseSettings())
    try:
        await database.start(migrate=migrate)
    except psycopg.Error as error:
        await database.close()
        raise StorageError(f"PostgreSQL cannot be used: {error}".strip()) from error
    except BaseException:
        await database.close()
        raise
    return database
