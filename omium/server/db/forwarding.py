"""ForwardingDatabase: a database in front of another one. What a subclass adds to its works is its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from omium.server.db.tx import Counters, Database, Dialect, Tx

T = TypeVar("T")


class ForwardingDatabase:
    """Hands everything to the inner database; subclasses override `write`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.dialect: Dialect = db.dialect

    async def write(self, work: Callable[[Tx], T]) -> T:
        return await self._db.write(work)

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
