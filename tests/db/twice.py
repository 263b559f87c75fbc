"""A database that runs every work twice, to find works that cannot be run again.

A work is run once in a savepoint that is undone, then once for good: the same that a serialization failure or
a neighbour's full disk do to it. A work that counts in a global, appends to a list of its caller or consumes
an iterator gives a wrong result here.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from omium.server.db.tx import Database, Tx

T = TypeVar("T")


class _Undo(Exception):
    pass


def undo() -> None:
    raise _Undo


def run_twice(work: Callable[[Tx], T]) -> Callable[[Tx], T]:
    """Return a work that does what `work` does, after doing it once in vain."""

    def twice(tx: Tx) -> T:
        try:
            with tx.savepoint():
                work(tx)
                undo()
        except Exception:
            pass  # the second run raises it again, to its caller
        return work(tx)

    return twice


class TwiceDatabase:
    """A `Database` in front of another one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, work: Callable[[Tx], T]) -> T:
        return await self._database.write(run_twice(work))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)
