"""A database whose writes are watched: which statements each work ran, and every work run twice on demand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from omium.server.db.tx import Database, Sql, SqlValue, Tx
from omium.server.engine.live import AnnouncingDatabase
from omium.server.live import LiveHub
from tests.engine.forwarding import ForwardingTx

T = TypeVar("T")
R = TypeVar("R")


class UndoneError(Exception):
    """Undoes the first run of a work."""


class WatchedTx(ForwardingTx):
    """Notes the first words of every statement."""

    __slots__ = ("_noted",)

    def __init__(self, tx: Tx, noted: list[str]) -> None:
        super().__init__(tx)
        self._noted = noted

    def _note(self, sql: Sql) -> None:
        self._noted.append(" ".join(sql.text.split()[:3]))

    def execute(self, sql: Sql, **params: SqlValue) -> int:
        self._note(sql)
        return super().execute(sql, **params)

    def send(self, sql: Sql, **params: SqlValue) -> None:
        self._note(sql)
        super().send(sql, **params)

    def one(self, sql: Sql, row: type[R], **params: SqlValue) -> R:
        self._note(sql)
        return super().one(sql, row, **params)

    def one_or_none(self, sql: Sql, row: type[R], **params: SqlValue) -> R | None:
        self._note(sql)
        return super().one_or_none(sql, row, **params)

    def all(self, sql: Sql, row: type[R], **params: SqlValue) -> list[R]:
        self._note(sql)
        return super().all(sql, row, **params)

    def value(self, sql: Sql, **params: SqlValue) -> SqlValue:
        self._note(sql)
        return super().value(sql, **params)


class WatchedDatabase(AnnouncingDatabase):
    """`statements` holds those of the last write, in order."""

    def __init__(self, db: Database) -> None:
        super().__init__(db, LiveHub())
        self.statements: list[str] = []
        self.writes = self.reads = 0

    async def read(self, work: Callable[[Tx], T]) -> T:
        self.reads += 1
        return await self._db.read(work)

    async def write(self, work: Callable[[Tx], T]) -> T:
        self.writes += 1
        self.statements = noted = []
        return await self._db.write(lambda tx: work(WatchedTx(tx, noted)))


class TwiceDatabase(AnnouncingDatabase):
    """Runs every work twice: first in a part that is undone, then again, as after a serialization failure."""

    def __init__(self, db: Database) -> None:
        super().__init__(db, LiveHub())
        self.once = db

    async def write(self, work: Callable[[Tx], T]) -> T:
        def undone(tx: Tx) -> None:
            with tx.savepoint():
                work(tx)
                raise UndoneError

        def twice(tx: Tx) -> T:
            with suppress(UndoneError):
                undone(tx)
            return work(tx)

        return await self._db.write(twice)
