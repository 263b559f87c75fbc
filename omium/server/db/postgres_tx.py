"""PostgresTx: a work's statements on one PostgreSQL connection, and what PostgreSQL's errors mean.

Owns running statements and the translation of their errors. Does not begin or commit (postgres_lane.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import psycopg
from psycopg import errors

from omium.errors import DatabaseCorrupt, StorageBusy, StorageFull
from omium.server.db.postgres_connection import PgConnection
from omium.server.db.sql import Sql, null_test_name
from omium.server.db.transaction import DriverTx, Params, Row
from omium.server.db.tx import ConstraintViolated

_KINDS: Final[dict[type[psycopg.Error], ConstraintViolated.Kind]] = {
    errors.UniqueViolation: "unique",
    errors.ForeignKeyViolation: "foreign-key",
    errors.CheckViolation: "check",
    errors.NotNullViolation: "not-null",
}
_REPEATABLE: Final = (errors.SerializationFailure, errors.DeadlockDetected)  # 40001 and 40P01
_BUSY: Final = (errors.QueryCanceled, errors.LockNotAvailable, errors.TooManyConnections)


class PostgresTx(DriverTx):
    """A work's view of the transaction that is open on `connection`."""

    def __init__(
        self, connection: PgConnection, now_us: int, lease_now_us: int, *, read_only: bool = False
    ) -> None:
        super().__init__(now_us, lease_now_us, read_only=read_only)
        self._connection = connection
        self._cursor = connection.cursor()
        self.fault: psycopg.Error | None = (
            None  # the last error of the database, even when the work caught it
        )

    def _fetch(self, sql: Sql, params: Params) -> list[Row]:
        try:
            self._cursor.execute(sql.render("postgres"), _named(sql, params))
            result = self._cursor.pgresult
            return self._cursor.fetchall() if result is not None and result.nfields else []
        except psycopg.Error as error:
            raise self._fail(error) from error

    def _columns(self) -> Sequence[str]:
        return [column.name for column in self._cursor.description or ()]

    def _run(self, sql: Sql, params: Params) -> int:
        try:
            self._cursor.execute(sql.render("postgres"), _named(sql, params))
        except psycopg.Error as error:
            raise self._fail(error) from error
        return max(self._cursor.rowcount, 0)

    def _run_many(self, sql: Sql, rows: list[Params]) -> int:
        try:
            self._cursor.executemany(
                sql.render("postgres"), [_named(sql, row) for row in rows]
            )  # a pipeline: one round trip for many rows
        except psycopg.Error as error:
            raise self._fail(error) from error
        return max(self._cursor.rowcount, 0)

    def _command(self, text: str) -> None:
        try:
            self._cursor.execute(text)
        except psycopg.Error as error:
            raise self._fail(error) from error

    def _undo(self, name: str) -> None:
        if not (self._connection.broken or self._is_to_be_repeated()):
            super()._undo(name)
        # Otherwise the whole work is run again (or its connection is gone): this one stays lost.

    def _is_to_be_repeated(self) -> bool:
        return self.fault is not None and is_repeatable(self.fault)

    def _fail(self, error: psycopg.Error) -> Exception:
        self.fault = error
        self._lose(error)
        return translate(error)


def _named(sql: Sql, params: Params) -> Params:
    if not sql.null_tested:
        return params
    return {**params, **{null_test_name(name): params[name] for name in sql.null_tested}}


def translate(error: psycopg.Error) -> Exception:
    """Return what `error` means to a work's caller; mistakes in a statement stay what they are."""
    if isinstance(error, psycopg.IntegrityError):
        kinds = [kind for cls, kind in _KINDS.items() if isinstance(error, cls)]
        return ConstraintViolated(str(error), kind=kinds[0] if kinds else "other")
    if isinstance(error, errors.DiskFull):
        return StorageFull()
    if isinstance(error, _BUSY):
        return StorageBusy("The database took too long, or another transaction holds its lock; try again.")
    if isinstance(error, (errors.DataCorrupted, errors.IndexCorrupted)):
        return DatabaseCorrupt(f"The database is damaged ({error}). Restore a backup.")
    if is_repeatable(error):
        return StorageBusy("Other transactions kept changing the same rows; try again.")
    if is_lost(error):
        return StorageBusy("The connection to the database was lost; try again.")
    return error


def is_repeatable(error: psycopg.Error) -> bool:
    """Say whether the transaction may be run again as it is: it met another one."""
    return isinstance(error, _REPEATABLE)


def is_lost(error: psycopg.Error) -> bool:
    """Say whether the server or the connection to it went away."""
    if error.sqlstate is None:  # the driver's own: nothing came from the server
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(("08", "57P")) or error.sqlstate == "25P03"  # idle in transaction: ended
