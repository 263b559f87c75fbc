"""SqliteDatabase: one file, one writing connection, a few reading ones, one server at a time.

Owns opening and closing: the lock, the checks before anything is served, and the order of both. Batches are
in writer.py, reads in reader.py, copies in backup.py.

The process must never open() the database file itself, not even to look at it: closing that handle would drop
SQLite's locks, and acknowledged commits were lost that way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from omium.clock import Clock
from omium.errors import DatabaseCorrupt, StorageError, StorageFull
from omium.server.db import ballast
from omium.server.db.backup import copy_sqlite, explain_os_error, sqlite_problems, sync_path
from omium.server.db.lock import FileLock
from omium.server.db.migrate import check_current, list_migrations, migrate_sqlite, sqlite_records
from omium.server.db.reader import Reader
from omium.server.db.settings import DatabaseSettings
from omium.server.db.sqlite_connection import (
    FileConnection,
    connect,
    connect_reader,
    connect_writer,
    open_connection,
)
from omium.server.db.sqlite_tx import is_no_space, translate
from omium.server.db.tx import Counters, T, Tx
from omium.server.db.works import WorkQueue
from omium.server.db.writer import Writer, size_bytes

logger = logging.getLogger(__name__)


class SqliteDatabase:
    """A `Database` in a SQLite file; made by `open_sqlite`."""

    dialect: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, path: Path, clock: Clock, settings: DatabaseSettings, lock: FileLock) -> None:
        self.path = path
        self._clock = clock
        self._settings = settings
        self._lock = lock
        self._writes = WorkQueue(settings.max_waiting)
        self._reads = WorkQueue(settings.max_waiting)
        self._writer = Writer(self._writes, clock, path.with_name(path.name + "-wal"), settings.on_fatal)
        self._readers: list[Reader] = []
        self._connections: list[FileConnection] = []

    async def start(self, *, migrate: bool) -> None:
        """Open the connections, check the file, bring its schema up to date, and begin to serve."""
        settings = self._settings
        writer = await self._open(lambda: connect_writer(self.path, settings.busy_timeout_s))
        await writer.execute_function(lambda connection: self._prepare(connection, migrate=migrate))
        self._writes.add_lane(lambda: writer.execute_function(self._writer.drain))
        for _ in range(settings.connections):
            await self._add_reader()
        # SQLite syncs the folder when it makes the log, but forgives a failure: then a power cut could take
        # the whole log away, with everything acknowledged since.
        await asyncio.to_thread(sync_path, self.path.parent)

    async def write(self, work: Callable[[Tx], T]) -> T:
        return await self._writes.submit(work)

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self._reads.submit(work)

    async def backup(self, target: Path) -> None:
        await asyncio.to_thread(copy_sqlite, self.path, target)

    async def integrity_problems(self) -> list[str]:
        return await asyncio.to_thread(_integrity_problems, self.path)

    async def size_bytes(self) -> int:
        return sum(size_bytes(self._file(suffix)) for suffix in ("", "-wal", "-shm"))

    def counters(self) -> Counters:
        writer = self._writer
        return Counters(
            works=writer.works,
            works_failed=writer.works_failed,
            works_repeated=writer.works_repeated,
            batches=writer.batches,
            largest_batch=writer.largest_batch,
            waiting=len(self._writes),
            refused=self._writes.refused + self._reads.refused,
            commit_us=writer.commit_us,
            checkpoints=writer.checkpoints,
            outcomes_unknown=writer.outcomes_unknown,
            reads=sum(reader.reads for reader in self._readers),
            reads_timed_out=sum(reader.reads_timed_out for reader in self._readers),
        )

    async def close(self) -> None:
        if self._lock.released:
            return
        await asyncio.gather(self._reads.close(), self._writes.close())
        await self.stop()
        self._lock.release()

    async def stop(self) -> None:
        """Close the connections, the writer's last: it moves the write-ahead log into the file."""
        while self._connections:
            await self._connections.pop().close()

    async def _add_reader(self) -> None:
        connection = await self._open(lambda: connect_reader(self.path, self._settings.busy_timeout_s))
        reader = Reader(self._reads, self._clock, self._settings.read_deadline_s)
        await connection.execute_function(reader.prepare)
        self._readers.append(reader)
        self._reads.add_lane(lambda: connection.execute_function(reader.drain))

    async def _open(self, connect: Callable[[], sqlite3.Connection]) -> FileConnection:
        connection = await open_connection(connect)
        self._connections.append(connection)
        return connection

    def _prepare(self, connection: sqlite3.Connection, *, migrate: bool) -> None:
        if self.path.stat().st_size <= self._settings.checked_bytes:
            problems = [row[0] for row in connection.execute("PRAGMA quick_check(5)") if row[0] != "ok"]
            if problems:
                raise _damaged(self.path, "; ".join(problems))
        migrations = list_migrations(self._settings.migrations)
        if migrate:
            for name in migrate_sqlite(connection, migrations, self._clock.now_us()):
                logger.info("migration %s applied", name)
        else:
            check_current(migrations, sqlite_records(connection))

    def _file(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)


async def open_sqlite(
    file: Path, *, clock: Clock, migrate: bool = True, settings: DatabaseSettings | None = None
) -> SqliteDatabase:
    """Open `file`, which is made (mode 0600) where there is none.

    Raises `DatabaseLocked` (another server has it), `DatabaseCorrupt`, `DatabaseTooNew`, `MigrationChanged`,
    `StorageFull` (where giving the ballast back to the disk was not enough), `StorageError`.
    """
    settings = settings or DatabaseSettings()
    try:
        path = _resolve(file)
        lock = FileLock(path)
    except OSError as error:
        raise explain_os_error(file, error) from error
    database = SqliteDatabase(path, clock, settings, lock)
    try:
        _make_private(path)
        try:
            await database.start(migrate=migrate)
        except sqlite3.Error as error:
            if not (is_no_space(error) and (freed := ballast.release(path))):
                raise
            logger.warning("the disk with %s is full; %s bytes kept for this were given back", path, freed)
            await database.stop()
            await database.start(migrate=migrate)
    except sqlite3.Error as error:
        await database.close()
        raise _explained(path, error) from error
    except OSError as error:
        await database.close()
        raise explain_os_error(path, error) from error
    except BaseException:
        await database.close()
        raise
    ballast.keep(path, settings.ballast_bytes)
    return database


def _resolve(file: Path) -> Path:
    path = file.resolve()  # one lock for the file, however it is named
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _make_private(path: Path) -> None:
    """Make the file before SQLite does, for its mode; the log and its index get the same one from SQLite."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def _explained(path: Path, error: sqlite3.Error) -> Exception:
    if is_no_space(error):
        return StorageFull(f"The disk with {path} is full: free some space and start again.")
    explained = translate(error)
    if isinstance(explained, DatabaseCorrupt):
        return _damaged(path, str(error))
    if explained is error:
        return StorageError(f"{path} cannot be opened: {error}.")
    return explained


def _damaged(path: Path, what: str) -> DatabaseCorrupt:
    return DatabaseCorrupt(f"{path} is damaged ({what}). Restore a backup with `omium db restore`.")


def _integrity_problems(path: Path) -> list[str]:
    with contextlib.closing(connect(path, "ro")) as connection:
        return sqlite_problems(connection)
