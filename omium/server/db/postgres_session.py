"""PostgresSession: one connection that is opened when it is needed, and opened again when it was lost.

Owns BEGIN, the clock that a transaction has, and how long its statements may wait. Who runs works on it is
postgres_lane.py (one in each transaction) and postgres_batches.py (many).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from omium.clock import Clock, SystemClock
from omium.server.db.postgres_connection import WORK_TIMEOUT_MS, connect
from omium.server.db.postgres_tx import PostgresTx
from omium.server.db.postgres_wire import PostgresWire
from omium.server.db.sql import Sql

_NOW: Final = Sql("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)")
_BEGIN_WRITE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"
_BEGIN_READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"  # one snapshot for the whole read


@dataclass(frozen=True, slots=True)
class Begun:
    """A transaction that is open, and its two clocks."""

    wire: PostgresWire
    now_us: int
    lease_now_us: int
    read_only: bool

    def tx(self) -> PostgresTx:
        """Return what one work sees of the transaction."""
        return PostgresTx(self.wire, self.now_us, self.lease_now_us, read_only=self.read_only)


class PostgresSession:
    """Everything here is called on one thread."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        read_only: bool = False,
        statement_timeout_s: float = WORK_TIMEOUT_MS / 1000,
        lock_timeout_ms: int | None = None,
    ) -> None:
        self._url = url
        self._clock = clock
        # Several servers must agree on the time, so it is the database's; a clock made for a test stays its
        # own.
        self._database_clock = isinstance(clock, SystemClock)
        self._read_only = read_only
        self._statement_timeout_s = statement_timeout_s
        self._lock_timeout_ms = lock_timeout_ms
        self._wire: PostgresWire | None = None

    def begin(self) -> Begun:
        """Open a transaction, and the connection where that is needed; raises `psycopg.Error`."""
        wire = self._open()
        wire.rollback()  # of what an accident may have left open
        wire.begin(_BEGIN_READ if self._read_only else _BEGIN_WRITE)
        if not self._database_clock:
            return Begun(wire, self._clock.now_us(), self._clock.boot_us(), self._read_only)
        statement, result = wire.fetch(_NOW, {})
        ((now_us,),) = statement.load(result)
        return Begun(wire, now_us, now_us, self._read_only)

    def close(self) -> None:
        """Close the connection; a transaction that is open on it is dropped by the server."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _open(self) -> PostgresWire:
        if self._wire is None or self._wire.is_closed:
            self.close()
            connection = connect(
                self._url,
                statement_timeout_s=self._statement_timeout_s,
                lock_timeout_ms=self._lock_timeout_ms,
            )
            self._wire = PostgresWire(connection)
        return self._wire
