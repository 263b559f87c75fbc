"""A transaction in front of another one, for tests that watch what goes through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TypeVar

from omium.server.db.tx import Sql, SqlValue, Tx

R = TypeVar("R")


class ForwardingTx:
    """Hands everything to the inner one; subclasses look at it first."""

    __slots__ = ("_tx", "lease_now_us", "now_us")

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.now_us = tx.now_us
        self.lease_now_us = tx.lease_now_us

    def new_id(self, prefix: str) -> str:
        return self._tx.new_id(prefix)

    def after_commit(self, hook: Callable[[], None]) -> None:
        self._tx.after_commit(hook)

    def savepoint(self) -> AbstractContextManager[None]:
        return self._tx.savepoint()

    def execute(self, sql: Sql, **params: SqlValue) -> int:
        return self._tx.execute(sql, **params)

    def send(self, sql: Sql, **params: SqlValue) -> None:
        self._tx.send(sql, **params)

    def execute_many(self, sql: Sql, rows: Iterable[Mapping[str, SqlValue]]) -> int:
        return self._tx.execute_many(sql, rows)

    def one(self, sql: Sql, row: type[R], **params: SqlValue) -> R:
        return self._tx.one(sql, row, **params)

    def one_or_none(self, sql: Sql, row: type[R], **params: SqlValue) -> R | None:
        return self._tx.one_or_none(sql, row, **params)

    def all(self, sql: Sql, row: type[R], **params: SqlValue) -> list[R]:
        return self._tx.all(sql, row, **params)

    def value(self, sql: Sql, **params: SqlValue) -> SqlValue:
        return self._tx.value(sql, **params)
