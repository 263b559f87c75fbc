"""Protocol: deadlines and caps on connections, where bytes arrive; uvicorn and Starlette have none of them.

    head      must be complete within `header_deadline_s` of the connection's or the request's first moment,
    and
              within `header_bytes_max`
    answer    must be read: a client that takes nothing for half a minute is cut off
    body      must keep a pace of `body_bytes_per_s_min` after a grace of `body_deadline_s`
    number    at most `connections_max` in all, `connections_per_address_max` of one address

A connection only notes what it waits for; once a second the guard looks at all of them, which costs a request
nothing. Built on uvicorn's httptools protocol: the few attributes used are pinned by
tests/web/test_protocol.py.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from omium.clock import US_PER_S, Clock
from omium.errors import HeadersTooLarge, InvalidRequest, Problem, RequestTimeout, StorageBusy
from omium.logs import get_logger
from omium.server.settings import ServerSettings
from omium.server.web.hosts import is_loopback
from omium.server.web.metrics import Metrics, gauge

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CHECK_EVERY_S = 1.0
UNREAD_US = 30 * US_PER_S  # how long a client may leave an answer unread

log = get_logger(__name__)


class ConnectionGuard:
    """What all connections of a server have in common: limits, counts, and the look once a second."""

    def __init__(self, settings: ServerSettings, clock: Clock, metrics: Metrics) -> None:
        self.clock = clock
        self.header_bytes_max = settings.header_bytes_max
        self._header_us = round(settings.header_deadline_s * US_PER_S)
        self._body_grace_us = round(settings.body_deadline_s * US_PER_S)
        self._body_bytes_per_s = settings.body_bytes_per_s_min
        self._connections_max = settings.connections_max
        self._per_address_max = settings.connections_per_address_max
        self._proxied = bool(settings.behind_proxy)
        self._metrics = metrics
        self._open: set[GuardedProtocol] = set()
        self._by_address: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def protocol_class(self) -> type[HttpToolsProtocol]:
        """Return the class that uvicorn makes one of for each connection."""
        return type("BoundProtocol", (GuardedProtocol,), {"guard": self})

    def admit(self, connection: GuardedProtocol) -> bool:
        """Count a new connection; False if there are too many."""
        address = connection.address
        limited = not self._proxied and not is_loopback(address)
        if len(self._open) >= self._connections_max or (
            limited and self._by_address[address] >= self._per_address_max
        ):
            self._count("refused")
            return False
        self._open.add(connection)
        self._by_address[address] += 1
        return True

    def release(self, connection: GuardedProtocol) -> None:
        """Forget a connection; one that was not admitted is fine."""
        if connection in self._open:
            self._open.remove(connection)
            self._by_address[connection.address] -= 1
            if not self._by_address[connection.address]:
                del self._by_address[connection.address]

    def check(self) -> None:
        """Close every connection that is too slow."""
        now_us = self.clock.boot_us()
        for connection in list(self._open):
            if connection.unread_since_us is not None and now_us - connection.unread_since_us > UNREAD_US:
                self._count("unread")
                connection.transport.abort()
            elif connection.head_since_us is not None and now_us - connection.head_since_us > self._header_us:
                self._count("head")
                connection.refuse(RequestTimeout("The request's head was too slow."), silent_if_empty=True)
            elif connection.body_since_us is not None and connection.flow.read_paused:
                connection.restart_body(now_us)  # it's we who do not read
            elif connection.body_since_us is not None:
                elapsed_us = now_us - connection.body_since_us - self._body_grace_us
                if elapsed_us > 0 and connection.body_bytes < elapsed_us * self._body_bytes_per_s / US_PER_S:
                    self._count("body")
                    connection.refuse(RequestTimeout("The request's body arrives too slowly."))

    def collect(self) -> list[Metric]:
        """Return what /metrics shows of connections."""
        return [gauge("omium_connections_open", "Open connections.", self.open)]

    async def run(self) -> None:
        """Check once a second until cancelled."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            self.check()

    def _count(self, why: str) -> None:
        self._metrics.count("omium_connections_refused", "Connections closed by a limit.", "why", why)


class GuardedProtocol(HttpToolsProtocol):
    """One connection. `head_since_us` and `body_since_us` say since when the client owes bytes."""

    guard: ConnectionGuard

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.head_since_us: int | None = None
        self.body_since_us: int | None = None
        self.body_bytes = 0
        self.head_bytes = 0
        self.unread_since_us: int | None = None
        self.address = ""
        self.refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        if not self.guard.admit(self):
            self.refuse(StorageBusy("The server has too many open connections; try again in a moment."))
            return
        self.head_since_us = self.guard.clock.boot_us()

    def connection_lost(self, exc: Exception | None) -> None:
        self.guard.release(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.refused:
            return
        cycle: RequestResponseCycle | None = self.cycle  # None until the first request, whatever uvicorn says
        idle = cycle is None or cycle.response_complete
        if idle and self.head_since_us is None and self.body_since_us is None:
            self.head_since_us = self.guard.clock.boot_us()  # also for line ends, which begin no message
        if self.head_since_us is not None:
            self.head_bytes += len(data)
        super().data_received(data)
        if self.head_bytes > self.guard.header_bytes_max and not self.refused:
            self.refuse(
                HeadersTooLarge(f"The request's head has more than {self.guard.header_bytes_max} bytes.")
            )

    def pause_writing(self) -> None:
        self.unread_since_us = self.guard.clock.boot_us()
        super().pause_writing()

    def resume_writing(self) -> None:
        self.unread_since_us = None
        super().resume_writing()

    def on_message_begin(self) -> None:
        if self.head_since_us is None:
            self.head_since_us = self.guard.clock.boot_us()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.head_since_us = None
        if self.head_bytes > self.guard.header_bytes_max:  # it may have come together with its body
            self.head_bytes = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if self.head_bytes > self.guard.header_bytes_max:
                return  # data_received refuses it
        self.head_bytes = 0
        self.body_since_us = self.guard.clock.boot_us()
        self.body_bytes = 0
        self.scope["extensions"] = {"omium.abort": {"abort": self.transport.abort}}
        super().on_headers_complete()

    def restart_body(self, now_us: int) -> None:
        """Begin to measure the body's pace again."""
        self.body_since_us = now_us
        self.body_bytes = 0

    def on_body(self, body: bytes) -> None:
        if self.head_bytes > self.guard.header_bytes_max:
            return  # there is no request that it could belong to
        self.body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.head_bytes > self.guard.header_bytes_max:
            return
        self.body_since_us = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP like every other mistake."""
        self.refuse(InvalidRequest(msg))

    def refuse(self, problem: Problem, *, silent_if_empty: bool = False) -> None:
        """Answer `problem`, unless an answer has begun, and close the connection."""
        self.refused = True
        self.head_since_us = self.body_since_us = None
        cycle: RequestResponseCycle | None = self.cycle
        answering = cycle is not None and cycle.response_started and not cycle.response_complete
        if not answering and not (silent_if_empty and self.head_bytes == 0):
            body = json.dumps(problem.to_problem()).encode()
            head = (
                b"content-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[problem.status] + head % len(body) + body)
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()
