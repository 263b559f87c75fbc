"""Where alerts arrive in tests: real HTTP and SMTP servers on loopback."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class Received:
    head: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpTarget:
    """Answers every request with `status`, after `delay` is set; remembers what came."""

    port: int = 0
    status: str = "200 OK"
    extra: str = ""
    body: bytes = b"fine"
    received: list[Received] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/private-path"

    @property
    def allowed(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.received.append(Received(first, headers, body))
            self.arrived.set()
            await self.hold.wait()
            writer.write(
                f"HTTP/1.1 {self.status}\r\n{self.extra}content-length: {len(self.body)}\r\n\r\n".encode()
            )
            writer.write(self.body)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def open_target(tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpTarget]:
    target = HttpTarget()
    target.hold.set()
    server = await asyncio.start_server(target.answer, "127.0.0.1", 0, ssl=tls)
    target.port = server.sockets[0].getsockname()[1]
    try:
        yield target
    finally:
        target.hold.set()
        server.close()
        await server.wait_closed()
