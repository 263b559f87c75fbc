"""Announcements: what a transaction tells this process after its commit, without knowing who listens.

The engine registers an `Announcement` as an after-commit hook; called as it is, it does nothing. A database
that was wrapped in `AnnouncingDatabase` hands announcements to the live hub instead, so that streams and
long polls wake at once. An announcement is a hint: whoever waits also polls, because other servers' commits
announce nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from omium.server.db.tx import Counters, Database, Dialect, R, Sql, SqlValue, Tx
from omium.server.ledger.moves import CreditsMoved
from omium.server.live import LiveHub

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Announcement:
    """An execution has the event `seq` now; `queue` is (environment, queue) if it can be claimed."""

    tenant_id: str
    execution_id: str
    seq: int
    queue: tuple[str, str] | None = None

    def __call__(self) -> None:
        """Tell nobody: the database was opened without a hub (commands on an offline file, tests)."""

    def tell(self, hub: LiveHub) -> None:
        """Wake who watches the execution, its tenant, or its queue."""
        hub.publish(self.tenant_id, self.execution_id, self.seq)
        if self.queue is not None:
            hub.wake(*queue_topic(self.tenant_id, *self.queue))


TOLD = (Announcement, CreditsMoved)
"""Hooks that the hub is told of."""


def queue_topic(tenant_id: str, environment: str, queue: str) -> tuple[str, ...]:
    """Return the topic that wakes the workers of a queue."""
    return ("queue", tenant_id, environment, queue)


class AnnouncingTx:
    """A `Tx` whose announcements reach `hub`; everything else is the inner one's."""

    __slots__ = ("_hub", "_tx", "lease_now_us", "now_us")

    def __init__(self, tx: Tx, hub: LiveHub) -> None:
        self._tx = tx
        self._hub = hub
        self.now_us = tx.now_us
        self.lease_now_us = tx.lease_now_us

    def new_id(self, prefix: str) -> str:
        return self._tx.new_id(prefix)

    def after_commit(self, hook: Callable[[], None]) -> None:
        self._tx.after_commit(partial(hook.tell, self._hub) if isinstance(hook, TOLD) else hook)

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


def _announce(work: Callable[[Tx], T], hub: LiveHub, tx: Tx) -> T:
    return work(AnnouncingTx(tx, hub))


class AnnouncingDatabase:
    """A `Database` whose writes announce what they did to `hub`, after their commit."""

    def __init__(self, db: Database, hub: LiveHub) -> None:
        self._db = db
        self._hub = hub
        self.dialect: Dialect = db.dialect

    async def write(self, work: Callable[[Tx], T]) -> T:
        return await self._db.write(partial(_announce, work, self._hub))

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self._db.read(work)

    async def backup(self, target: Path) -> None:
        await self._db.backup(target)

    async def integrity_problems(self) -> list[str]:
        return await self._db.integrity_problems()

    async def size_bytes(self) -> int:
        return await self._db.size_bytes()

    def counters(self) -> Counters:
        return self._db.counters()

    async def close(self) -> None:
        await self._db.close()
