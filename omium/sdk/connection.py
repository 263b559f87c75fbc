"""Connections for threads: kept open between requests, one request at a time on each.

Owns the sockets of sync code. The bytes on them are wire.py; retries are exchange.py and batch.py, with one
exception: a kept connection that the server had closed meanwhile is replaced without a word.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from typing import Final

from omium.clock import Clock
from omium.sdk.credit_watch import CreditWatch
from omium.sdk.flows import Http, HttpAnswer
from omium.sdk.lease import SYSTEM_CLOCK
from omium.sdk.process import ForkReset
from omium.sdk.wire import CONNECT_TIMEOUT_S, READ_BYTES, AnswerReader, Target, encode_request, lost

IDLE_MAX: Final = 32  # as many executions begin beside each other without opening one again


class Connections(ForkReset):
    """The open connections of this process to one server; safe to use from any thread."""

    def __init__(
        self, target: Target, *, clock: Clock = SYSTEM_CLOCK, watch: CreditWatch | None = None
    ) -> None:
        self.target = target
        self._watch = watch
        self._clock = clock
        self._guard = threading.Lock()
        self._idle: list[_Connection] = []
        self._open: set[_Connection] = set()
        self.watch_forks()

    def http(self, request: Http) -> HttpAnswer:
        """Send `request` and return its answer, whatever its status; `ConnectionLost` if none comes."""
        data = encode_request(self.target, request)
        deadline_s = time.monotonic() + request.timeout_s
        connection = self._take_idle()
        while True:
            kept = connection is not None
            reader = AnswerReader()
            try:
                if connection is None:
                    connection = self._connect(deadline_s)
                sent_us = self._clock.boot_us()
                connection.exchange(data, reader, deadline_s)
            except (OSError, ValueError) as error:
                if connection is not None:
                    self._drop(connection)
                if kept and not reader.started and not isinstance(error, TimeoutError):
                    connection = None  # closed by the server while it was idle: it has not read this request
                    continue
                raise lost(self.target, error, request.timeout_s) from error
            except BaseException:  # an interrupt: what would come next on this connection is another's answer
                if connection is not None:
                    self._drop(connection)
                raise
            self._give_back(connection, keep=reader.keep_alive)
            if self._watch is not None:
                self._watch.note(reader.status, reader.headers)
            return HttpAnswer(reader.status, reader.headers, b"".join(reader.body), sent_us)

    def close(self) -> None:
        """Close what is idle; a request that is under way closes its own when it ends."""
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            self._drop(connection)

    def reset_after_fork(self) -> None:
        """Close the parent's sockets here, which says nothing on the wire, and begin anew."""
        self._guard = threading.Lock()
        for connection in self._open:
            connection.close()
        self._idle, self._open = [], set()

    def _connect(self, deadline_s: float) -> _Connection:
        connection = _Connection(self.target, min(CONNECT_TIMEOUT_S, _left(deadline_s)))
        with self._guard:
            self._open.add(connection)
        return connection

    def _take_idle(self) -> _Connection | None:
        while True:
            with self._guard:
                connection = self._idle.pop() if self._idle else None
            if connection is None or not connection.stale():
                return connection
            self._drop(connection)

    def _give_back(self, connection: _Connection, *, keep: bool) -> None:
        with self._guard:
            if keep and len(self._idle) < IDLE_MAX:
                self._idle.append(connection)
                return
        self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        with self._guard:
            self._open.discard(connection)
        connection.close()


class _Connection:
    __slots__ = ("_poll", "_socket")

    def __init__(self, target: Target, timeout_s: float) -> None:
        plain = socket.create_connection((target.host, target.port), timeout_s)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = plain
            if target.tls is not None:
                context = target.tls.get_context(timeout_s)
                self._socket = context.wrap_socket(plain, server_hostname=target.host)
        except BaseException:
            plain.close()
            raise
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def stale(self) -> bool:
        """Say whether the server closed it, or said something that nobody asked for."""
        return bool(self._poll.poll(0))

    def exchange(self, data: bytes, reader: AnswerReader, deadline_s: float) -> None:
        self._socket.settimeout(_left(deadline_s))
        self._socket.sendall(data)
        while not reader.complete:
            self._socket.settimeout(_left(deadline_s))
            received = self._socket.recv(READ_BYTES)
            if not received:
                raise ConnectionResetError("it was closed before the answer was complete")
            reader.feed(received)

    def close(self) -> None:
        self._socket.close()


def _left(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
