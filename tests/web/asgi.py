"""A client for streams inside the test's own loop: httpx's in-process transport waits for a whole answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.serverfixture import AppClient

PATIENCE_S = 20


class OpenStream:
    """An answer that is still being sent."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.aborted = False
        self._asked = False
        self.ended = asyncio.Event()
        self.gone = asyncio.Event()
        self.takes = asyncio.Event()
        self.takes.set()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(self):
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        await self.takes.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if message.get("body"):
            self._chunks.put_nowait(message["body"])
        if not message.get("more_body"):
            self.ended.set()

    def abort(self) -> None:
        self.aborted = True
        self.ended.set()

    async def next(self) -> bytes:
        """The next chunk that is not the opening."""
        async with asyncio.timeout(PATIENCE_S):
            chunk = await self._chunks.get()
            return await self._chunks.get() if chunk.startswith(b"retry:") else chunk

    async def wait_for_end(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.ended.wait()


@asynccontextmanager
async def open_stream(client: AppClient, path: str, **headers: str) -> AsyncIterator[OpenStream]:
    """GET `path` with the client's key, without waiting for the end of the answer."""
    stream = OpenStream()
    path, _, query = path.partition("?")
    sent = {"host": "localhost", "authorization": f"Bearer {client.api_key}", **headers}
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 1),
        "extensions": {"omium.abort": {"abort": stream.abort}},
    }
    task = asyncio.create_task(client.app(scope, stream.receive, stream.send))
    try:
        yield stream
    finally:
        stream.gone.set()
        async with asyncio.timeout(PATIENCE_S):
            await task


async def until(condition) -> None:
    """Let the loop turn until `condition()` holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  # what is awaited has no event: a counter of the server
            await asyncio.sleep(0)
