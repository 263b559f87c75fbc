"""The seam between Omium and its database: what a transaction may do, and what a database offers.

    execution = await db.write(lambda tx: executions.start_execution(tx, principal, command))

A work is one plain function of a `Tx`. It runs whole on a database thread, has no await, no I/O and no
globals, and may be run more than once (a serialization failure, a neighbour that filled the disk), so
whatever it tells the world goes through `tx.after_commit`. Nobody is answered before the COMMIT.

Owns the types. The drivers are sqlite.py and postgres.py; open one with `omium.server.db.open.open_database`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from omium.server.db.sql import Dialect, Sql

__all__ = [
    "ConstraintViolated",
    "Counters",
    "Database",
    "Dialect",
    "NoRow",
    "Sql",
    "SqlValue",
    "TransactionLost",
    "Tx",
]

# No floats and no booleans: both databases give back exactly what they were given.
SqlValue = None | int | str | bytes

R = TypeVar("R")
T = TypeVar("T")


class NoRow(LookupError):
    """`Tx.one` found no row."""


class ConstraintViolated(Exception):
    """A statement broke a constraint of the schema; `kind` says which sort, the message which one.

    Prefer `ON CONFLICT DO NOTHING` and a look at the affected rows. Where a violation is expected, run the
    statement inside `tx.savepoint()`: outside of one, nothing more can be done with the transaction.
    """

    Kind = Literal["unique", "foreign-key", "check", "not-null", "other"]

    def __init__(self, message: str, *, kind: Kind) -> None:
        super().__init__(message)
        self.kind = kind


class TransactionLost(RuntimeError):
    """A statement was tried after another one had failed outside a savepoint; let the first error through."""


class Tx(Protocol):
    """What a work sees of its transaction. Synchronous; valid only while the work runs."""

    @property
    def now_us(self) -> int:
        """Wall clock, microseconds UTC, the same during the whole work. PostgreSQL's own on PostgreSQL."""
        ...

    @property
    def lease_now_us(self) -> int:
        """Clock that leases are measured with, microseconds since an unnamed point.

        CLOCK_BOOTTIME on SQLite, which nobody can step; it starts again with the machine. The database's
        clock on PostgreSQL, where several servers must agree. Compare it only with earlier values of itself.
        """
        ...

    def new_id(self, prefix: str) -> str:
        """Return a fresh id such as `ex_01k9...`, sortable by `now_us`."""
        ...

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Call `hook` on the event loop's thread after COMMIT, before the work's caller goes on.

        Dropped with its work (or its savepoint) if that is undone, and registered afresh when the work is run
        again. A hook that raises is logged and harms nobody. Refused with `RuntimeError` in a read.
        """
        ...

    def savepoint(self) -> AbstractContextManager[None]:
        """An inner part that undoes only itself when an exception leaves it; the exception goes on."""
        ...

    def execute(self, sql: Sql, **params: SqlValue) -> int:
        """Run `sql` and return how many rows it inserted, updated or deleted.

        Raises `ConstraintViolated`; `TypeError` for a float, a boolean, or anything else but `SqlValue`.
        """
        ...

    def send(self, sql: Sql, **params: SqlValue) -> None:
        """Run `sql` as `execute` does, where nobody asks how many rows it touched.

        PostgreSQL gets it together with the next statement, or with COMMIT, which saves a round trip; what is
        wrong with it shows there, and undoes this work.
        """
        ...

    def execute_many(self, sql: Sql, rows: Iterable[Mapping[str, SqlValue]]) -> int:
        """Run `sql` once for each of `rows` and return the affected rows of all together."""
        ...

    def one(self, sql: Sql, row: type[R], **params: SqlValue) -> R:
        """Return the only row; raises `NoRow` where there is none, `AssertionError` where there are several.

        `row` is a dataclass whose fields are named as the selected columns, in the same order (checked once),
        or `int`, `str` or `bytes` for a statement with a single column.
        """
        ...

    def one_or_none(self, sql: Sql, row: type[R], **params: SqlValue) -> R | None:
        """Return the only row, or None; otherwise as `one`."""
        ...

    def all(self, sql: Sql, row: type[R], **params: SqlValue) -> list[R]:
        """Return every row; `row` as for `one`."""
        ...

    def value(self, sql: Sql, **params: SqlValue) -> SqlValue:
        """Return the first column of the first row, or None where there is no row."""
        ...


@dataclass(frozen=True, slots=True)
class Counters:
    """What /metrics tells about the database; every number but `waiting` and `largest_batch` only grows."""

    works: int  # committed or answered with their own error
    works_failed: int  # raised, and undid only themselves
    works_repeated: int  # run again: a lost batch, a serialization failure, a lost connection
    batches: int  # transactions committed by the writer
    largest_batch: int
    waiting: int  # works that wait for the writer now
    refused: int  # works turned away because too many waited or the database was busy
    commit_us: int  # spent in COMMIT, all together
    checkpoints: int  # of the write-ahead log (SQLite)
    outcomes_unknown: int  # the answer to a COMMIT was lost
    reads: int
    reads_timed_out: int


class Database(Protocol):
    """A database that is open; belongs to the event loop that opened it."""

    dialect: Dialect

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction and return its result once that is durable.

        Raises whatever `work` raised, after the works beside it are durable; `StorageBusy` (too many wait, or
        another process holds the lock), `StorageFull`, `OutcomeUnknown`, `ShuttingDown`. When the caller is
        cancelled, the work may or may not happen.
        """
        ...

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on one snapshot of the committed state, where nothing can be written.

        Raises `StorageBusy` when it takes longer than two seconds.
        """
        ...

    async def backup(self, target: Path) -> None:
        """Write every acknowledged write to the new file `target`, mode 0600, while work goes on."""
        ...

    async def integrity_problems(self) -> list[str]:
        """Return what is wrong with the stored data, as sentences; an empty list is good news."""
        ...

    async def size_bytes(self) -> int:
        """Return how much disk the database takes, its write-ahead log included."""
        ...

    def counters(self) -> Counters:
        """Return the counters for /metrics."""
        ...

    async def close(self) -> None:
        """Finish what is waiting, then close every connection; later calls raise `ShuttingDown`."""
        ...
