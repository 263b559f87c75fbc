"""A socket between Omium and PostgreSQL, for connections that are cut."""

import asyncio
import contextlib
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class Proxy:
    """A socket between Omium and PostgreSQL; `cut` decides when a connection is cut at a COMMIT."""

    def __init__(self, url):
        parts = urlsplit(url)
        self._server = Path(parse_qs(parts.query)["host"][0]) / ".s.PGSQL.5432"
        self._folder = tempfile.TemporaryDirectory(prefix="omium-proxy-")
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path}?host={self._folder.name}"
        self.cut = None  # "before" PostgreSQL sees the COMMIT, or "after"
        self.down = False
        self._listener = None
        self._tasks = set()

    async def __aenter__(self):
        path = Path(self._folder.name) / ".s.PGSQL.5432"
        self._listener = await asyncio.start_unix_server(self._serve, path)
        return self

    async def __aexit__(self, *_):
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._folder.cleanup()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError), contextlib.closing(writer):
            if not self.down:
                await self._connect(reader, writer)
        self._tasks.discard(task)

    async def _connect(self, reader, writer):
        server_reader, server_writer = await asyncio.open_unix_connection(self._server)
        committing = asyncio.Event()
        with contextlib.closing(server_writer):
            ends = [
                asyncio.ensure_future(self._forward_requests(reader, server_writer, committing)),
                asyncio.ensure_future(self._forward_answers(server_reader, writer, committing)),
            ]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for end in ends:
                    end.cancel()
                await asyncio.gather(*ends, return_exceptions=True)

    async def _forward_requests(self, source, target, committing):
        while data := await source.read(65536):
            if self.cut is not None and b"COMMIT\0" in data:
                if self.cut == "before":
                    return
                committing.set()
            target.write(data)
            await target.drain()

    async def _forward_answers(self, source, target, committing):
        while data := await source.read(65536):
            if committing.is_set():  # PostgreSQL has committed, and its answer goes no further
                return
            target.write(data)
            await target.drain()
