"""PostgresTx: a work's statements on one PostgreSQL connection.

Owns what a work may do after one of its statements failed. Does not begin or commit (postgres_lane.py,
postgres_batches.py); how statements travel is postgres_wire.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from omium.server.db.postgres_errors import is_repeatable, translate
from omium.server.db.postgres_wire import EarlierFailed, PostgresWire, Result
from omium.server.db.sql import Sql
from omium.server.db.transaction import DriverTx, Params, Row


class PostgresTx(DriverTx):
    """A work's view of the transaction that is open on `wire`."""

    def __init__(
        self, wire: PostgresWire, now_us: int, lease_now_us: int, *, read_only: bool = False
    ) -> None:
        super().__init__(now_us, lease_now_us, read_only=read_only)
        self._wire = wire
        self._names: Sequence[str] = ()
        self._marks: list[int] = []  # where each open savepoint begins
        self.fault: psycopg.Error | None = (
            None  # the last error of the database, even when the work caught it
        )

    def _fetch(self, sql: Sql, params: Params) -> list[Row]:
        try:
            statement, result = self._wire.fetch(sql, params)
            rows = statement.load(result)
        except (psycopg.Error, EarlierFailed) as error:
            raise self._fail(error) from error
        self._names = statement.columns or ()
        return rows

    def _columns(self) -> Sequence[str]:
        return self._names

    def _run(self, sql: Sql, params: Params) -> int:
        try:
            result: Result = self._wire.fetch(sql, params)[1]
        except (psycopg.Error, EarlierFailed) as error:
            raise self._fail(error) from error
        return result.command_tuples or 0

    def _send(self, sql: Sql, params: Params) -> None:
        try:
            self._wire.post(sql, params)
        except (psycopg.Error, EarlierFailed) as error:
            raise self._fail(error) from error

    def _run_many(self, sql: Sql, rows: list[Params]) -> int:
        try:
            return self._wire.run_many(sql, rows)
        except (psycopg.Error, EarlierFailed) as error:
            raise self._fail(error) from error

    def _begin_inner(self, name: str) -> None:
        self._marks.append(self._wire.mark())
        self._wire.post_command(f"SAVEPOINT {name}")

    def _settle_inner(self) -> None:
        if self._lost is None and self._wire.mark() > self._marks[-1] + 1:
            try:
                self._wire.flush()  # what was sent inside shall fail inside
            except (psycopg.Error, EarlierFailed) as error:
                raise self._fail(error) from error

    def _end_inner(self, name: str) -> None:
        self._marks.pop()
        self._wire.post_command(f"RELEASE SAVEPOINT {name}")

    def _undo_inner(self, name: str) -> None:
        mark = self._marks.pop()
        if self._wire.is_closed or self._wire.earlier_error is not None or self._is_to_be_repeated():
            return  # the whole work is run again (or its connection is gone): this one stays lost
        if not self._wire.drop_since(mark):
            self._wire.post_command(f"ROLLBACK TO SAVEPOINT {name}")
            self._wire.post_command(f"RELEASE SAVEPOINT {name}")
        self._lost = None

    def _is_to_be_repeated(self) -> bool:
        return self.fault is not None and is_repeatable(self.fault)

    def _fail(self, error: psycopg.Error | EarlierFailed) -> Exception:
        self._lose(error)
        if isinstance(error, EarlierFailed):
            return error
        self.fault = error
        return translate(error)
