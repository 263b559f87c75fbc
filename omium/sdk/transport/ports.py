"""The transport of a process that drives executions: writer, connections and spool behind the ports of flows.

Owns what is one per process and server, and per event loop what only a loop can own. Loads neither httpx nor
pydantic, nor asyncio before there is a loop.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
import weakref
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any, Final

from omium.clock import Clock
from omium.config import Settings
from omium.sdk.batching import Writer
from omium.sdk.connection import Connections
from omium.sdk.credit_watch import CreditWatch
from omium.sdk.flows import AsyncPorts, Http, HttpAnswer, Write, WriteOutcome
from omium.sdk.lease import SYSTEM_CLOCK, Lease
from omium.sdk.process import ForkReset
from omium.sdk.wire import make_target

if TYPE_CHECKING:
    import asyncio

    from omium.sdk.async_batching import AsyncWriter
    from omium.sdk.async_connection import AsyncConnections
    from omium.sdk.sender import Sender
    from omium.sdk.spooling import Spool


LEFTOVERS_WITHIN_S: Final = 15.0  # for a server that is restarting; a person waits for the execution to go on


class Transport(ForkReset):
    """The sync `Ports` of this process; `async_ports()` are those of the running event loop."""

    def __init__(self, settings: Settings, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.settings: Final = settings
        self._clock = clock
        self._target = make_target(
            settings.base_url, settings.api_key, ca_file=settings.ca_file, tls_pin=settings.tls_pin
        )
        self._watch = CreditWatch()
        self._connections = Connections(self._target, clock=clock, watch=self._watch)
        self._writer = Writer(
            self._connections.http,
            unavailable_after_s=settings.unavailable_after_s,
            recorder=self,
            clock=clock,
        )
        self._spooling: tuple[Spool, Sender] | None = None
        self.reset_after_fork()
        self.watch_forks()
        if any((settings.folder / "spool").glob("*.spool")):  # a process before this one left something
            self._open_spool()[1].wake()

    def reset_after_fork(self) -> None:
        """Begin without the parent's event loops; connections and spool see to themselves."""
        self._guard = threading.RLock()
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = weakref.WeakKeyDictionary()

    def http(self, request: Http, /) -> HttpAnswer:
        """Send `request` once; `ConnectionLost` if no answer comes."""
        return self._connections.http(request)

    def write(self, request: Write, /) -> WriteOutcome:
        """Send or spool one driver write; see `Writer.write`."""
        return self._writer.write(request)

    def write_beside(self, requests: Sequence[Write], /) -> list[WriteOutcome | BaseException]:
        """Send writes of several executions together; see `Writer.write_beside`."""
        return self._writer.write_beside(requests)

    def sleep(self, seconds: float, /) -> None:
        """Block this thread."""
        time.sleep(seconds)

    def async_ports(self) -> AsyncPorts:
        """Return the ports of the running event loop; their connections close when the loop ends."""
        import asyncio  # noqa: PLC0415  # there is a loop, so it is loaded

        running = asyncio.get_running_loop()
        with self._guard:
            known = self._loops.get(running)
            if known is None:
                known = self._loops[running] = _Loop(self)
        return known.writer

    @property
    def spool(self) -> Spool:
        """The spool of this process, opened at the first use: what relaxed executions record."""
        return self._open_spool()[0]

    def start_offline(self, lease: Lease, body: bytes) -> None:
        """Record a start (a StartExecution as JSON) that the server will be told of when it is back."""
        spool, sender = self._open_spool()
        spool.start(lease, body)
        sender.wake()

    def append(self, lease: Lease, write_type: str, body: bytes, /) -> None:
        """Record a write of a relaxed execution; the writer calls this."""
        spool, sender = self._open_spool()
        spool.append(lease, write_type, body)
        sender.wake()

    def pending(self, lease: Lease, /) -> bool:
        """Say whether records of the execution wait here."""
        return self._spooling is not None and self._spooling[0].pending(lease)

    def drain(self, lease: Lease, within_s: float, /, *, ends: bool = False) -> None:
        """Send what waits here of the execution; see `Spool.drain`."""
        self._open_spool()[0].drain(lease, within_s, ends=ends)

    def send_leftovers(self, execution_id: str, /) -> bool:
        """Send what this process holds, and dead ones left, of an execution; say whether there was anything.

        Raises why it could not be sent, `ConnectionLost` or the problem of the key: going on without it would
        lose it.
        """
        if not (self.settings.folder / "spool").exists():  # nothing was ever relaxed here: load nothing
            return False
        done = self.spool.send_leftovers(execution_id, LEFTOVERS_WITHIN_S)
        if done.kept is not None:
            raise done.kept
        return done.sent + done.rejected > 0

    def hurry(self, within_s: float) -> None:
        """Let no write that is under way wait longer than `within_s` for a server that is away."""
        self._writer.hurry(within_s)
        with self._guard:
            loops = [*self._loops.items()]
        for loop, known in loops:
            with contextlib.suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(known.writer.hurry, within_s)

    def adopt(self, execution_id: str, /) -> list[tuple[str, dict[str, Any]]] | None:
        """Take over what a dead process began here while the server was away; see `Spool.adopt`."""
        if not (self.settings.folder / "spool").exists():
            return None
        return self.spool.adopt(execution_id)

    def flush(self) -> None:
        """Send what waits to go along with the next write."""
        self._writer.flush()

    def close(self) -> None:
        """Send quickly what is spooled, close what is idle; those of event loops close with their loops."""
        with self._guard:
            spooling, self._spooling = self._spooling, None
        if spooling is not None:
            spool, sender = spooling
            sender.stop()
            spool.close()
        self._connections.close()

    def _open_spool(self) -> tuple[Spool, Sender]:
        with self._guard:
            if self._spooling is None:
                from omium.sdk.sender import Sender  # noqa: PLC0415  # loads cryptography: relaxed pays for it
                from omium.sdk.spooling import Spool  # noqa: PLC0415  # as above

                spool = Spool(self.settings, self, clock=self._clock)
                self._spooling = spool, Sender(spool)
                atexit.register(_close_at_exit, weakref.ref(self))
            return self._spooling


def _close_at_exit(transport: weakref.ref[Transport]) -> None:
    """Give the spool a last chance; what is left is for the next process."""
    alive = transport()
    if alive is not None:
        alive.close()


class _Loop:
    """What belongs to one event loop. Made inside it."""

    def __init__(self, transport: Transport) -> None:
        from omium.sdk.async_batching import AsyncWriter  # noqa: PLC0415  # imports asyncio
        from omium.sdk.async_connection import AsyncConnections  # noqa: PLC0415  # as above

        settings = transport.settings
        connections = AsyncConnections(  # one noun
            transport._target,  # noqa: SLF001
            clock=transport._clock,  # noqa: SLF001
            watch=transport._watch,  # noqa: SLF001
        )
        self.writer: AsyncWriter = AsyncWriter(
            connections.http,
            unavailable_after_s=settings.unavailable_after_s,
            recorder=transport,
            clock=transport._clock,  # noqa: SLF001  # as above
        )
        self._end = _close_at_end(connections)
        with_hook = self._end.__anext__()  # the loop gets to know the generator
        try:
            with_hook.send(None)
        except StopIteration:
            return


async def _close_at_end(connections: AsyncConnections) -> AsyncGenerator[None]:
    """Wait for the end of the loop: `asyncio.run` closes the async generators that are still open then."""
    try:
        yield
    finally:
        await connections.close()
