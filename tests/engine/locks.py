"""A database that checks the order in which each work takes its locks.

The order is docs/decisions/082-one-order-of-locks.md. SQLite has one writer and PostgreSQL repeats what has
deadlocked, so neither tells by itself. Here every statement that locks a row is compared with the locks that
its work holds already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from omium.server.db.tx import Database, Sql, SqlValue, Tx
from omium.server.engine.live import AnnouncingDatabase
from omium.server.live import LiveHub
from tests.engine.forwarding import ForwardingTx

T = TypeVar("T")
R = TypeVar("R")

MONEY = ["accounts", "holds", "key_meters"]
FIRST = ["replay_batches", "tree_cancels", "executions", "concurrency_slots", "breakers"]
TABLES = [*FIRST, "effects", "failures", "payloads", *MONEY]
KEYS = {
    "concurrency_slots": "key",
    "breakers": "name",
    "effects": "effect_key",
    "payloads": "address",
    "tree_cancels": "execution_id",
}
LOCKS = re.compile(r"\b(?:FROM|UPDATE|INSERT INTO)\s+(\w+)")


class LockTx(ForwardingTx):
    """Notes (table, key) of every lock; raises where one comes too early."""

    __slots__ = ("_held",)

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
        self._held: dict[tuple[str, str], tuple[int, Any]] = {}

    def _lock(self, sql: Sql, rows: Iterable[Any], params: Mapping[str, SqlValue]) -> None:
        text = sql.text.strip()
        found = LOCKS.search(text)
        if found is None or found[1] not in TABLES:
            return
        table = found[1]
        if text.startswith("SELECT"):
            if "{for_update}" not in text and "{skip_locked}" not in text:
                return
            if table in MONEY:  # all of a tenant's money hangs on the one row of its funds
                self._take(table, "", None, sql)
                return
            for row in rows:
                self._take(table, row if isinstance(row, str) else getattr(row, _key(table)), row, sql)
        elif table in MONEY:
            self._take(table, "", None, sql)
        elif _key(table) in params or "id" in params or "execution_id" in params:
            key = params.get(_key(table), params.get("id", params.get("execution_id")))
            if table == "tree_cancels" and text.startswith("INSERT"):
                return  # who works on that row holds, and waits for, children of the execution only
            if text.startswith("INSERT INTO effects"):
                return  # a new key: who makes a redo has locked what it redoes, others go on to payloads only
            if text.startswith("INSERT INTO executions"):  # nobody else can hold what is new
                self._held[table, str(key)] = (TABLES.index(table), (params["created_us"], key))
            elif not (table == "effects" and "effect_key" not in params):  # those were locked before
                self._take(table, key, None, sql, created_us=params.get("created_us"))

    def _take(self, table: str, key: Any, row: Any, sql: Sql, created_us: SqlValue = None) -> None:
        if (table, str(key)) in self._held:
            return
        rank = TABLES.index(table)
        place = (getattr(row, "created_us", created_us), key) if table == "executions" else key
        later = [name for name, held in self._held.items() if held[0] > rank]
        # A second claim skips what is locked; of groups only new ones come so late: others are locked before
        if "{skip_locked}" in sql.text or table == "failures":
            later = [name for name in later if name[0] not in MONEY]
        assert not later, f"{table} {key} is locked after {later}: {sql}"
        if "{skip_locked}" not in sql.text and table in {"executions", "failures"} and row is not None:
            beyond = [name for name, held in self._held.items() if held[0] == rank and held[1] > place]
            assert not beyond, f"{table} {key} is locked after {beyond}: {sql}"
        self._held[table, str(key)] = (rank, place)

    def execute(self, sql: Sql, **params: SqlValue) -> int:
        self._lock(sql, [], params)
        return super().execute(sql, **params)

    def send(self, sql: Sql, **params: SqlValue) -> None:
        self._lock(sql, [], params)
        super().send(sql, **params)

    def execute_many(self, sql: Sql, rows: Iterable[Mapping[str, SqlValue]]) -> int:
        listed = list(rows)
        for params in listed:
            self._lock(sql, [], params)
        return super().execute_many(sql, listed)

    def one(self, sql: Sql, row: type[R], **params: SqlValue) -> R:
        found = super().one(sql, row, **params)
        self._lock(sql, [found], params)
        return found

    def one_or_none(self, sql: Sql, row: type[R], **params: SqlValue) -> R | None:
        found = super().one_or_none(sql, row, **params)
        if found is not None:
            self._lock(sql, [found], params)
        return found

    def all(self, sql: Sql, row: type[R], **params: SqlValue) -> list[R]:
        found = super().all(sql, row, **params)
        self._lock(sql, found, params)
        return found


def _key(table: str) -> str:
    return KEYS.get(table, "id")


class LockDatabase(AnnouncingDatabase):
    """Runs every work under a `LockTx`."""

    def __init__(self, db: Database) -> None:
        super().__init__(db, LiveHub())

    async def write(self, work: Callable[[Tx], T]) -> T:
        return await self._db.write(lambda tx: work(LockTx(tx)))
