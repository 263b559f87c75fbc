"""Connections for an event loop: kept open between requests, one request at a time on each.

Owns the sockets of async code, as protocols without streams: half the work per request. The bytes on them are
wire.py; everything else is as in connection.py. A pool belongs to one loop.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final, cast

from omium.clock import Clock
from omium.sdk.credit_watch import CreditWatch
from omium.sdk.flows import Http, HttpAnswer
from omium.sdk.lease import SYSTEM_CLOCK
from omium.sdk.wire import CONNECT_TIMEOUT_S, AnswerReader, Target, encode_request, lost

IDLE_MAX: Final = 32  # as many executions begin beside each other without opening one again


class AsyncConnections:
    """The open connections of one event loop to one server."""

    def __init__(
        self, target: Target, *, clock: Clock = SYSTEM_CLOCK, watch: CreditWatch | None = None
    ) -> None:
        self.target = target
        self._watch = watch
        self._clock = clock
        self._idle: list[_Connection] = []
        self._closed = False

    async def http(self, request: Http) -> HttpAnswer:
        """Send `request` and return its answer, whatever its status; `ConnectionLost` if none comes."""
        data = encode_request(self.target, request)
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + request.timeout_s
        connection = self._take_idle()
        while True:
            kept = connection is not None
            reader = AnswerReader()
            try:
                if connection is None:
                    connection = await self._connect(loop, deadline_s)
                sent_us = self._clock.boot_us()
                await connection.exchange(loop, data, reader, deadline_s)
            except (OSError, ValueError) as error:
                if connection is not None:
                    connection.close()
                if kept and not reader.started and not isinstance(error, TimeoutError):
                    connection = None  # closed by the server while it was idle: it has not read this request
                    continue
                raise lost(self.target, error, request.timeout_s) from error
            except BaseException:  # cancelled: what would come next on this connection is another's answer
                if connection is not None:
                    connection.close()
                raise
            self._give_back(connection, keep=reader.keep_alive)
            if self._watch is not None:
                self._watch.note(reader.status, reader.headers)
            return HttpAnswer(reader.status, reader.headers, b"".join(reader.body), sent_us)

    async def close(self) -> None:
        """Close what is idle; a request that is under way closes its own when it ends."""
        self._closed = True
        closing, self._idle = self._idle, []
        for connection in closing:
            connection.close()
        for connection in closing:
            await connection.ended

    async def _connect(self, loop: asyncio.AbstractEventLoop, deadline_s: float) -> _Connection:
        target, timeout_s = self.target, min(CONNECT_TIMEOUT_S, deadline_s - loop.time())
        context = None
        if target.tls is not None:
            context = target.tls.context or await asyncio.to_thread(target.tls.get_context, timeout_s)
        async with asyncio.timeout(timeout_s):
            _, protocol = await loop.create_connection(
                lambda: _Connection(loop),
                target.host,
                target.port,
                ssl=context,
                server_hostname=target.host if context is not None else None,
            )
        return protocol

    def _take_idle(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.close()
        return None

    def _give_back(self, connection: _Connection, *, keep: bool) -> None:
        if keep and not self._closed and connection.usable and len(self._idle) < IDLE_MAX:
            self._idle.append(connection)
        else:
            connection.close()


class _Connection(asyncio.Protocol):
    __slots__ = ("_answer", "_reader", "_transport", "ended", "usable")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None
        self._answer: asyncio.Future[None] | None = None
        self.ended: asyncio.Future[None] = loop.create_future()
        self.usable = True

    async def exchange(
        self, loop: asyncio.AbstractEventLoop, data: bytes, reader: AnswerReader, deadline_s: float
    ) -> None:
        assert self._transport is not None, "connection_made comes first"
        if not self.usable:
            raise ConnectionResetError("it was closed")
        answer = self._answer = loop.create_future()
        self._reader = reader
        timer = loop.call_at(deadline_s, self._fail, TimeoutError())
        try:
            self._transport.write(data)
            await answer
        finally:
            timer.cancel()
            self._answer = self._reader = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        connected = transport.get_extra_info("socket")
        if connected is not None and connected.family != getattr(socket, "AF_UNIX", None):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:  # something that nobody asked for
            self.close()
            return
        try:
            reader.feed(data)
        except ValueError as error:
            self._fail(error)
            return
        if reader.complete and self._answer is not None and not self._answer.done():
            self._answer.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        self._fail(exc or ConnectionResetError("it was closed before the answer was complete"))
        if not self.ended.done():
            self.ended.set_result(None)

    def close(self) -> None:
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
