"""Connections to PostgreSQL: how one is opened, and which Python type each value has on its way in and out.

Owns session settings and type adaptation, so that PostgreSQL gives back exactly what SQLite would: ints,
strings, bytes and None. Statements are run in postgres_tx.py, transactions in postgres_lane.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg import adapt, conninfo
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap
from psycopg.types.numeric import Int8BinaryDumper
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

    def load(self, data: Buffer) -> int:
        return int(bytes(data) == b"t")


class _WholeNumberLoader(adapt.Loader):
    """`SUM` of a BIGINT is a NUMERIC on PostgreSQL; a fraction means that a statement is not portable."""

    def load(self, data: Buffer) -> int:
        text = bytes(data)
        try:
            return int(text)
        except ValueError:
            raise TypeError(f"{text.decode()} is no whole number; round in the statement") from None


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    adapters.register_dumper(int, Int8BinaryDumper)  # one size: else each one prepares a statement of its own
    adapters.register_dumper(str, StrDumper)  # text, not "unknown", which has no type in `SELECT :name`
    adapters.register_loader("bool", _TruthLoader)
    for name in ("numeric", "float4", "float8"):
        adapters.register_loader(name, _WholeNumberLoader)
    return adapters


_ADAPTERS: Final = _adapters()


def connect(url: str, *, statement_timeout_s: float = WORK_TIMEOUT_MS / 1000) -> PgConnection:
    """Open a connection in autocommit mode; raises `psycopg.OperationalError`."""
    given = conninfo.conninfo_to_dict(url)
    network = {name: value for name, value in _NETWORK.items() if name not in given}
    connection = psycopg.connect(conninfo.make_conninfo(url, **network), autocommit=True, context=_ADAPTERS)
    try:
        connection.execute(
            f"SET lock_timeout = {LOCK_TIMEOUT_MS}; "
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
