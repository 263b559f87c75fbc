"""DriverTx: the part of a transaction that is the same for both databases.

Owns how values go in (plain ints, strings and bytes only), how rows become dataclasses, savepoints, and
after-commit hooks. Does not know a driver: sqlite.py and postgres.py run the statements.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

from omium.ids import new_id
from omium.server.db.sql import Sql
from omium.server.db.tx import NoRow, R, SqlValue, TransactionLost

Params = Mapping[str, SqlValue]
Row = tuple[Any, ...]

_PLAIN: Final = frozenset({int, str, bytes, type(None)})
_SCALARS: Final = (int, str, bytes)


class DriverTx(ABC):
    """What a work sees; a driver's subclass runs the statements. One object per run of a work."""

    def __init__(self, now_us: int, lease_now_us: int, *, read_only: bool = False) -> None:
        self.now_us = now_us
        self.lease_now_us = lease_now_us
        self.hooks: list[Callable[[], None]] = []
        self._read_only = read_only
        self._lost: str | None = None  # why no further statement may run
        self._depth = 0

    # ---- what a driver fills in

    @abstractmethod
    def _fetch(self, sql: Sql, params: Params) -> list[Row]:
        """Run `sql`, return every row."""

    @abstractmethod
    def _columns(self) -> Sequence[str]:
        """Return the column names of the last statement that was fetched from."""

    @abstractmethod
    def _run(self, sql: Sql, params: Params) -> int:
        """Run `sql`, return the affected rows."""

    @abstractmethod
    def _run_many(self, sql: Sql, rows: list[Params]) -> int:
        """Run `sql` for each of `rows`, return the affected rows."""

    @abstractmethod
    def _send(self, sql: Sql, params: Params) -> None:
        """Run `sql`, at the latest with the next statement or at the end of the work."""

    @abstractmethod
    def _begin_inner(self, name: str) -> None:
        """Run SAVEPOINT."""

    @abstractmethod
    def _settle_inner(self) -> None:
        """Run what `_send` has kept back since the savepoint, so that its errors belong to it."""

    @abstractmethod
    def _end_inner(self, name: str) -> None:
        """Run RELEASE."""

    @abstractmethod
    def _undo_inner(self, name: str) -> None:
        """Undo what was done since the savepoint and make the work usable again, where that is possible."""

    # ---- what a work uses

    def new_id(self, prefix: str) -> str:
        return new_id(prefix, self.now_us)

    def after_commit(self, hook: Callable[[], None]) -> None:
        if self._read_only:
            raise RuntimeError("A read commits nothing, so nothing can follow its commit; use db.write().")
        self.hooks.append(hook)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        self._check_usable()
        self._depth += 1
        name, hooks = f"inner_{self._depth}", len(self.hooks)
        self._begin_inner(name)
        try:
            yield
            self._settle_inner()
        except BaseException:
            del self.hooks[hooks:]
            self._undo_inner(name)
            raise
        else:
            self._check_usable()  # a swallowed error inside would otherwise keep half of the inner part
            self._end_inner(name)
        finally:
            self._depth -= 1

    def execute(self, sql: Sql, **params: SqlValue) -> int:
        self._check_usable()
        return self._run(sql, _plain(sql, params))

    def send(self, sql: Sql, **params: SqlValue) -> None:
        self._check_usable()
        self._send(sql, _plain(sql, params))

    def execute_many(self, sql: Sql, rows: Iterable[Params]) -> int:
        self._check_usable()
        plain = [_plain(sql, row) for row in rows]
        return self._run_many(sql, plain) if plain else 0

    def one(self, sql: Sql, row: type[R], **params: SqlValue) -> R:
        found = self.one_or_none(sql, row, **params)
        if found is None:
            raise NoRow(f"no row for {sql!r}")
        return found

    def one_or_none(self, sql: Sql, row: type[R], **params: SqlValue) -> R | None:
        found = self.all(sql, row, **params)
        assert len(found) <= 1, f"{len(found)} rows where at most one was expected: {sql!r}"
        return found[0] if found else None

    def all(self, sql: Sql, row: type[R], **params: SqlValue) -> list[R]:
        self._check_usable()
        rows = self._fetch(sql, _plain(sql, params))
        if row in _SCALARS:
            return _scalars(sql, row, self._columns(), rows)
        if row not in sql.checked_rows:
            _check_columns(sql, row, self._columns())
            sql.checked_rows.add(row)
        make = cast("Callable[..., R]", row)
        return [make(*values) for values in rows]

    def value(self, sql: Sql, **params: SqlValue) -> SqlValue:
        self._check_usable()
        rows = self._fetch(sql, _plain(sql, params))
        return cast("SqlValue", rows[0][0]) if rows else None

    def end(self) -> None:
        """Refuse further statements: the work has returned, its transaction may belong to another one now."""
        self._lost = "The work has ended; a `tx` cannot be kept."

    def check_whole(self) -> None:
        """Raise `TransactionLost` when a failed statement's error was swallowed: nothing may be committed."""
        self._check_usable()

    # ---- inner

    def _check_usable(self) -> None:
        if self._lost is not None:
            raise TransactionLost(self._lost)

    def _lose(self, error: BaseException) -> None:
        """Remember that a statement failed, so that the work cannot go on as if it had not."""
        self._lost = f"An earlier statement failed ({error}) outside a savepoint; let its error through."


def _plain(sql: Sql, params: Params) -> Params:
    if params.keys() != sql.parameters:
        given, wanted = sorted(params), sorted(sql.parameters)
        raise TypeError(f"{sql!r} takes {', '.join(wanted) or 'no parameters'}; given: {', '.join(given)}")
    if _PLAIN.issuperset(map(type, params.values())):
        return params
    return {name: _plain_value(sql, name, value) for name, value in params.items()}


def _plain_value(sql: Sql, name: str, value: object) -> SqlValue:
    """Return `value` as a plain `int`, `str` or `bytes`: drivers treat enums of strings differently."""
    match value:
        case None:
            return None
        case bool() | float():
            pass  # SQLite would store 1 or 1.0, PostgreSQL refuse: one answer on both
        case int():
            return int(value)
        case str():
            return str.__str__(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value)
        case _:
            pass
    raise TypeError(f"{name} is {type(value).__name__}; int, str, bytes or None expected in {sql!r}")


def _scalars(sql: Sql, row: type[R], names: Sequence[str], rows: list[Row]) -> list[R]:
    if len(names) != 1:
        raise TypeError(f"{row.__name__} stands for one column, but there are {len(names)} in {sql!r}")
    for (value,) in rows:
        if type(value) is not row:
            raise TypeError(f"{row.__name__} expected, {type(value).__name__} found in {sql!r}")
    return [value for (value,) in rows]


def _check_columns(sql: Sql, row: type[object], names: Sequence[str]) -> None:
    if not dataclasses.is_dataclass(row):
        raise TypeError(f"{row!r} is neither a dataclass nor int, str or bytes")
    fields = [field.name for field in dataclasses.fields(row) if field.init]
    if fields != list(names):
        raise TypeError(f"{row.__name__} has {fields}, the columns are {list(names)} in {sql!r}")
