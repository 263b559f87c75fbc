"""The dashboard for browsers, served in this process; a browser whose headers are those that a test wants.

async with serve_web(settings, logs_in=True) as web:
    answer = await web.post("/login", {"key": key})
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from omium.config import Settings
from omium.tui.web.server import WebDashboard, make_gate

PATIENCE_S = 120
NOBODY = Settings(base_url="http://127.0.0.1:9", api_key="om_dev_x")


@dataclass(slots=True)
class Answer:
    """What a browser got."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(slots=True)
class ServedWeb:
    """One browser, and the dashboard that it talks to."""

    dashboard: WebDashboard
    port: int
    session: aiohttp.ClientSession
    cookies: dict[str, str] = field(default_factory=dict)
    """What the browser keeps; `Secure` ones come back too, as on localhost."""

    @property
    def name(self) -> str:
        return f"localhost:{self.port}"

    def headers(self, changed: Mapping[str, str]) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        usual = {"Host": self.name, "Origin": f"http://{self.name}", "Cookie": cookies}
        return {name: value for name, value in (usual | dict(changed)).items() if value}

    async def ask(self, method: str, path: str, data: object = None, **headers: str) -> Answer:
        async with self.session.request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            data=data,
            headers=self.headers(headers),
            allow_redirects=False,
        ) as answer:
            for name, morsel in answer.cookies.items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
            return Answer(answer.status, answer.headers, await answer.text())

    async def open_socket(self, query: str = "width=100&height=30", **headers: str):
        """Open a dashboard; raises `aiohttp.WSServerHandshakeError` where that is refused."""
        return await self.session.ws_connect(
            f"http://127.0.0.1:{self.port}/ws?{query}", headers=self.headers(headers)
        )


@contextlib.asynccontextmanager
async def serve_web(
    settings: Settings = NOBODY, *, logs_in: bool = False, read_only: bool = False
) -> AsyncIterator[ServedWeb]:
    """Serve on a free port of this machine until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    dashboard = WebDashboard(settings, make_gate(port, ()), logs_in=logs_in, read_only=read_only)
    runner = web.AppRunner(dashboard.make_app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield ServedWeb(dashboard, port, session)
    finally:
        await runner.cleanup()
        dashboard.close()


async def read_until(opened: aiohttp.ClientWebSocketResponse, words: bytes) -> bytes:
    """Read what a dashboard draws until it has drawn `words`."""
    seen = b""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while words not in seen:
                message = await opened.receive()
                assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), (message, seen)
                seen += message.data if isinstance(message.data, bytes) else message.data.encode()
    except TimeoutError:
        raise AssertionError(f"{words!r} does not come: {seen!r}") from None
    return seen


async def read_to_the_end(opened: aiohttp.ClientWebSocketResponse) -> None:
    """Read until the dashboard has ended."""
    async with asyncio.timeout(PATIENCE_S):
        while not opened.closed:
            await opened.receive()


async def press(opened: aiohttp.ClientWebSocketResponse, keys: str) -> None:
    await opened.send_str(json.dumps(["stdin", keys]))
