"""SqliteTx: a work's statements on one SQLite connection, and what SQLite's errors mean.

Owns running statements and the translation of their errors. Does not begin or commit (writer.py, reader.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from omium.clock import Clock
from omium.errors import DatabaseCorrupt, StorageBusy, StorageFull
from omium.server.db.sql import Sql
from omium.server.db.transaction import DriverTx, Params, Row
from omium.server.db.tx import ConstraintViolated

_PRIMARY: Final = 0xFF  # the low byte of an extended result code is its primary code
_NO_SPACE: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_KINDS: Final[dict[int, ConstraintViolated.Kind]] = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: "unique",
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: "unique",
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: "foreign-key",
    sqlite3.SQLITE_CONSTRAINT_CHECK: "check",
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: "not-null",
}


class SqliteTx(DriverTx):
    """A work's view of the transaction that is open on `connection`."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock, *, read_only: bool = False) -> None:
        super().__init__(clock.now_us(), clock.boot_us(), read_only=read_only)
        self._connection = connection
        self._cursor: sqlite3.Cursor | None = None
        self.fault: sqlite3.Error | None = (
            None  # the last error of the database, even when the work caught it
        )

    def _fetch(self, sql: Sql, params: Params) -> list[Row]:
        try:
            self._cursor = self._connection.execute(sql.render("sqlite"), sql.values(params))
            # Always to the end: a COMMIT after a half-read `UPDATE ... RETURNING` fails.
            return self._cursor.fetchall()
        except sqlite3.Error as error:
            raise self._fail(error) from error

    def _columns(self) -> Sequence[str]:
        return [column[0] for column in self._cursor.description or ()] if self._cursor else ()

    def _run(self, sql: Sql, params: Params) -> int:
        try:
            cursor = self._connection.execute(sql.render("sqlite"), sql.values(params))
            cursor.fetchall()
            if cursor.rowcount >= 0:
                return cursor.rowcount
            # sqlite3 counts only statements that begin with INSERT, UPDATE or DELETE, not `WITH ... UPDATE`.
            changes: int = self._connection.execute("SELECT changes()").fetchall()[0][0]
        except sqlite3.Error as error:
            raise self._fail(error) from error
        return changes

    def _run_many(self, sql: Sql, rows: list[Params]) -> int:
        if sql.text.lstrip()[:4].upper() == "WITH":  # sqlite3 takes no such statement for many rows
            return sum(self._run(sql, row) for row in rows)
        try:
            return self._connection.executemany(sql.render("sqlite"), map(sql.values, rows)).rowcount
        except sqlite3.Error as error:
            raise self._fail(error) from error

    def _command(self, text: str) -> None:
        try:
            self._connection.execute(text)
        except sqlite3.Error as error:
            raise self._fail(error) from error

    def _send(self, sql: Sql, params: Params) -> None:
        try:
            self._connection.execute(sql.render("sqlite"), sql.values(params)).fetchall()
        except sqlite3.Error as error:
            raise self._fail(error) from error

    def _begin_inner(self, name: str) -> None:
        self._command(f"SAVEPOINT {name}")

    def _settle_inner(self) -> None:
        pass  # every statement has run

    def _end_inner(self, name: str) -> None:
        self._command(f"RELEASE SAVEPOINT {name}")

    def _undo_inner(self, name: str) -> None:
        if not self._connection.in_transaction:
            return  # SQLite has rolled the whole transaction back: this one stays lost
        self._command(f"ROLLBACK TO SAVEPOINT {name}")
        self._command(f"RELEASE SAVEPOINT {name}")
        self._lost = None

    def _fail(self, error: sqlite3.Error) -> Exception:
        self.fault = error
        self._lose(error)
        return translate(error)


def translate(error: sqlite3.Error) -> Exception:
    """Return what `error` means to a work's caller; mistakes in a statement stay what they are."""
    code = error_code(error)
    primary = code & _PRIMARY
    if primary == sqlite3.SQLITE_CONSTRAINT:
        return ConstraintViolated(str(error), kind=_KINDS.get(code, "other"))
    if is_no_space(error):
        return StorageFull()
    if primary in _BUSY:
        return StorageBusy("Another process holds the database's lock; try again.")
    if primary == sqlite3.SQLITE_INTERRUPT:
        return StorageBusy("The read took too long and was ended; ask for less, or try again.")
    if primary in _DAMAGED:
        return DatabaseCorrupt(
            f"The database is damaged ({error}). Restore a backup with `omium db restore`."
        )
    return error


def is_busy(error: sqlite3.Error) -> bool:
    """Say whether another process holds the lock."""
    return error_code(error) & _PRIMARY in _BUSY


def is_no_space(error: sqlite3.Error) -> bool:
    """Say whether the disk is full; the shared index of the write-ahead log says so in its own way."""
    return error_code(error) in _NO_SPACE


def is_fatal(error: sqlite3.Error) -> bool:
    """Say whether the writer cannot go on: what is on disk is unknown or damaged."""
    primary = error_code(error) & _PRIMARY
    return primary in _DAMAGED or (primary == sqlite3.SQLITE_IOERR and not is_no_space(error))


def error_code(error: sqlite3.Error) -> int:
    """Return SQLite's extended result code, 0 for errors of the Python module itself."""
    return getattr(error, "sqlite_errorcode", 0)
