"""Connections to PostgreSQL: how one is opened, and which Python type each value has on its way in and out.

Owns session settings and type adaptation, so that PostgreSQL gives back exactly what SQLite would: ints,
strings, bytes and None. Statements are run in postgres_wire.py, transactions in postgres_lane.py and
postgres_batches.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg import adapt, conninfo, pq
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap
from psycopg.types.numeric import (
    Float4BinaryLoader,
    Float8BinaryLoader,
    Int8BinaryDumper,
    NumericBinaryLoader,
)
from psycopg.types.string import StrDumper

PgConnection = psycopg.Connection[tuple[Any, ...]]

CONNECT_TIMEOUT_S: Final = 5
LOCK_TIMEOUT_MS: Final = 5_000  # a work waits this long for another server's lock, then `StorageBusy`
WORK_TIMEOUT_MS: Final = 30_000  # for one statement of a write: far beyond any sane one, but not for ever
IDLE_TIMEOUT_MS: Final = 10_000  # a server that is cut off in a transaction gives its locks back

# A peer that went away without a word is noticed in seconds, also while a COMMIT waits for its answer.
_NETWORK: Final[Mapping[str, str]] = {
    "connect_timeout": str(CONNECT_TIMEOUT_S),
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "application_name": "omium",
}


class _TruthLoader(adapt.Loader):
    """A comparison's result: 1 or 0, as on SQLite."""

    format = pq.Format.BINARY

    def load(self, data: Buffer) -> int:
        return bytes(data)[0]


class _WholeNumberLoader(NumericBinaryLoader):
    """`SUM` of a BIGINT is a NUMERIC on PostgreSQL; a fraction means that a statement is not portable."""

    def load(self, data: Buffer) -> int:  # type: ignore[override]  # a narrower type than Decimal, on purpose
        return _whole(super().load(data))


class _WholeFloatLoader(Float4BinaryLoader):
    def load(self, data: Buffer) -> int:
        return _whole(super().load(data))


class _WholeDoubleLoader(Float8BinaryLoader):
    def load(self, data: Buffer) -> int:
        return _whole(super().load(data))


def _whole(number: Decimal | float) -> int:
    if number != int(number):
        raise TypeError(f"{number} is no whole number; round in the statement")
    return int(number)


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    adapters.register_dumper(int, Int8BinaryDumper)  # one size: else each one prepares a statement of its own
    adapters.register_dumper(str, StrDumper)  # text, not "unknown", which has no type in `SELECT :name`
    adapters.register_loader("bool", _TruthLoader)
    adapters.register_loader("numeric", _WholeNumberLoader)
    adapters.register_loader("float4", _WholeFloatLoader)
    adapters.register_loader("float8", _WholeDoubleLoader)
    return adapters


_ADAPTERS: Final = _adapters()


def connect(
    url: str, *, statement_timeout_s: float = WORK_TIMEOUT_MS / 1000, lock_timeout_ms: int | None = None
) -> PgConnection:
    """Open a connection in autocommit mode; raises `psycopg.OperationalError`."""
    lock_timeout_ms = LOCK_TIMEOUT_MS if lock_timeout_ms is None else lock_timeout_ms
    given = conninfo.conninfo_to_dict(url)
    network = {name: value for name, value in _NETWORK.items() if name not in given}
    connection = psycopg.connect(conninfo.make_conninfo(url, **network), autocommit=True, context=_ADAPTERS)
    try:
        connection.execute(
            f"SET lock_timeout = {lock_timeout_ms}; "
            f"SET statement_timeout = {round(statement_timeout_s * 1000)}; "
            f"SET idle_in_transaction_session_timeout = {IDLE_TIMEOUT_MS}; "
            "SET client_min_messages = error"
        )
        durable = connection.execute("SHOW synchronous_commit").fetchone()
        if durable is not None and durable[0] in ("off", "local"):  # what is acknowledged is durable
            connection.execute("SET synchronous_commit = on")
    except BaseException:
        connection.close()
        raise
    return connection
