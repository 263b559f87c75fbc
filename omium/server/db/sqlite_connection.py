"""Connections to a SQLite file: how they are opened, and how a whole function gets onto their thread.

Owns every pragma and the one private method of aiosqlite that Omium uses. Everything else in this package
that touches a SQLite file gets its connection here, so the whole process has one way to open it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Final, Literal, TypeVar
from urllib.parse import quote

import aiosqlite

T = TypeVar("T")

Mode = Literal["rw", "rwc", "ro"]

_STATEMENTS: Final = 1_024  # prepared statements kept per connection: more than Omium has
_WRITER_CACHE_KIB: Final = 8_192
_READER_CACHE_KIB: Final = 4_096
_WAL_KEPT_BYTES: Final = 32 << 20  # what stays on disk of a write-ahead log that once was larger


class FileConnection(aiosqlite.Connection):
    """aiosqlite's connection and thread; `execute_function` hands it a function, not a statement."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connect, iter_chunk_size=64)
        # A process that fails before it closes its database shall end, not wait for this thread for ever.
        thread: Thread = getattr(self, "_thread", self)  # type: ignore[arg-type]  # 0.21: the connection itself
        thread.daemon = True

    async def execute_function(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run `function` with the raw connection on the connection's thread: one hop there, one back."""
        # `_execute` is private, the same in aiosqlite 0.21 and 0.22; tests hold it to that.
        # The method is not called `run`, because in 0.21 a connection *is* its thread.
        result: T = await self._execute(function, self._conn)  # type: ignore[no-untyped-call]
        return result


async def open_connection(connect: Callable[[], sqlite3.Connection]) -> FileConnection:
    """Return a connection made by `connect` on its own thread; close it when done."""
    failures: list[BaseException] = []

    def connect_or_stand_in() -> sqlite3.Connection:
        # Where its connector raises, aiosqlite leaves a thread behind that may outlive the event loop and
        # then fail.
        try:
            return connect()
        except BaseException as error:  # a boundary: raised again below, on the caller's side
            failures.append(error)
            return sqlite3.connect(":memory:")

    connection = FileConnection(connect_or_stand_in)
    await connection
    if failures:
        await connection.close()
        raise failures[0]
    return connection


def connect_writer(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open `path` for the one connection that writes and makes checkpoints."""
    connection = connect(path, "rwc", busy_timeout_s)
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # writer.py makes them, and sees their errors
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}")
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open `path` for reading only: it neither writes nor makes checkpoints, even if asked to."""
    connection = connect(path, "ro", busy_timeout_s)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect(path: Path, mode: Mode, busy_timeout_s: float = 2.0) -> sqlite3.Connection:
    """Open `path` in autocommit mode: transactions are begun and ended by statements, never by sqlite3."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        cached_statements=_STATEMENTS,
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        connection.close()
        raise
    return connection
