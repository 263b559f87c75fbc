"""A slow line that loses: a TCP proxy on loopback whose answers arrive when a test lets them.

    async with slow_link(server.port) as line:
        line.hold()          # from now on no answer arrives
        line.release()
        line.break_every(3)  # every third connection breaks in the middle of its first answer

Nothing of it depends on how fast this machine is. A line that is cut and healed is tests/faults/proxy.py.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class SlowLink:
    """Forwards connections; what comes back waits while it is held."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._may_pass = asyncio.Event()
        self._may_pass.set()
        self._every = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0
        self.broken = 0
        self.waiting = 0
        """How many answers have come this far, and wait."""

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hold(self) -> None:
        """Let no answer through from now on."""
        self._may_pass.clear()

    def release(self) -> None:
        """Let everything through that waits, and what comes."""
        self._may_pass.set()

    def break_every(self, count: int) -> None:
        """Break each `count`th new connection in the middle of what comes back first; 0 breaks none."""
        self._every = count

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until either side ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        breaks = self._every > 0 and self.connections % self._every == 0
        with contextlib.suppress(OSError, asyncio.CancelledError):
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                there = asyncio.ensure_future(self._pump(reader, to_server))
                back = asyncio.ensure_future(self._back(from_server, writer, breaks=breaks))
                try:
                    await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for each in (there, back):
                        each.cancel()
                    await asyncio.wait((there, back))
            finally:
                to_server.transport.abort()
        writer.transport.abort()
        self._tasks.discard(task)

    async def end(self) -> None:
        """Break what is open."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()

    async def _back(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, breaks: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                self.waiting += 1
                try:
                    await self._may_pass.wait()
                finally:
                    self.waiting -= 1
                if breaks:
                    self.broken += 1
                    writer.write(data[: len(data) // 2])
                    await writer.drain()
                    return
                writer.write(data)
                await writer.drain()


@contextlib.asynccontextmanager
async def slow_link(port: int) -> AsyncIterator[SlowLink]:
    """Listen on a free port, in front of the server on `port`."""
    line = SlowLink(port)
    listening = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    line.port = listening.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        listening.close()
        line.release()
        await line.end()
        await listening.wait_closed()
