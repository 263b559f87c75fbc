"""Pages and sockets of the dashboard in a browser. Every request passes the gate before anything else.

    GET  /            the dashboard, or the log-in form       GET  /?link=…   a one-time link: sets the cookie
    POST /login       the form                                POST /logout    ends all that the browser has
    GET  /ws          the socket: one dashboard, one process  GET  /static, /files   scripts, styles, a font

The browser's half of textual-serve is used as it is; its page, its shell and its downloads are not.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import signal
import socket as sockets
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from aiohttp import WSMsgType, web
from textual_serve import server as textual_server

from omium.apikeys import split_api_key
from omium.config import Settings
from omium.errors import ConnectionLost, OmiumError
from omium.models.people import LogIn
from omium.sdk.async_client import AsyncClient
from omium.states import Environment
from omium.tui.web.gate import SESSION_S, Credential, Gate, Refused, Visitor
from omium.tui.web.sessions import DashboardProcess
from omium.tui.web.wire import COLUMNS_MAX, LINES_MAX, first_of, pass_on, within

FILES: Final = Path(__file__).parent / "files"
STATIC: Final = Path(textual_server.__file__).parent / "static"
MESSAGE_BYTES_MAX: Final = 256 * 1024
FORM_BYTES_MAX: Final = 16 * 1024
HEARTBEAT_S: Final = 60.0
"""A browser answers within half of it, behind what a slow line has still to bring it."""
WAY_BYTES: Final = 64 * 1024
"""So much may be on its way to a browser: what a key does is not seen behind megabytes of former screens."""
LOG_OUT_S: Final = 10.0
HEADERS: Final[Mapping[str, str]] = {
    # The terminal sets style elements of its own; scripts come from here alone, and nothing from elsewhere.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self';"
        " img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with none at all, browsers send forms with `Origin: null`
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "Omium",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebDashboard:
    """Serves the dashboard of the server in `settings` under `origins`.

    With `logs_in`, people log in with a form; else only one-time links let in. `read_only`: for everybody.
    """

    def __init__(self, settings: Settings, gate: Gate, *, logs_in: bool, read_only: bool = False) -> None:
        self.gate = gate
        self._settings = settings
        self._logs_in = logs_in
        self._read_only = read_only
        self._ending: set[asyncio.Task[None]] = set()
        self._config_folder = tempfile.TemporaryDirectory(prefix="omium-dashboard-")

    def make_app(self) -> web.Application:
        """Return the application, for an aiohttp runner."""
        app = web.Application(middlewares=[self._guard], client_max_size=FORM_BYTES_MAX)
        app.on_response_prepare.append(_protect)
        app.on_cleanup.append(self._wait_for_ending)
        app.add_routes(
            [
                web.get("/", self._show_page),
                web.post("/login", self._log_in),
                web.post("/logout", self._log_out),
                web.get("/ws", self._open_dashboard),
                web.get("/favicon.ico", self._no_icon),
                web.static("/static", STATIC, show_index=False),
                web.static("/files", FILES, show_index=False),
            ]
        )
        return app

    def new_link(self) -> str:
        """Return the path of a one-time link that logs in with the key of `settings`."""
        assert self._settings.api_key is not None, "a link logs somebody in"
        return f"/?link={self.gate.new_link(self._credential(self._settings.api_key))}"

    def close(self) -> None:
        """Remove what is on disk."""
        self._config_folder.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            needed = request.method != "GET" or request.path == "/ws"
            hosts, origins = (request.headers.getall(name, []) for name in ("Host", "Origin"))
            self.gate.check_address(hosts, origins, origin_needed=needed)
            return await handler(request)
        except Refused as refused:
            return web.Response(text=f"{refused}\n", status=refused.status)

    # ------------------------------------------------------------------------------ pages
    async def _show_page(self, request: web.Request) -> web.StreamResponse:
        link = request.query.get("link")
        if link is not None:
            return self._let_in(request, self.gate.use_link(link))
        if self.gate.find_visitor(self._cookie_of(request)) is None:
            if not self._logs_in:
                raise Refused("This dashboard is opened with the link that was printed when it started.")
            return self._show_form("")
        scheme = "wss" if self.gate.origin_under(request.host).startswith("https:") else "ws"
        font_size = _number(request, "fontsize", 16, most=72)
        page = (FILES / "index.html").read_text()
        page = page.replace("{socket}", f"{scheme}://{request.host}/ws").replace(
            "{font_size}", str(font_size)
        )
        return web.Response(text=page, content_type="text/html")

    def _show_form(self, wrong: str) -> web.Response:
        page = (FILES / "login.html").read_text().replace("{wrong}", html.escape(wrong))
        return web.Response(text=page, content_type="text/html", status=401 if wrong else 200)

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        if not self._logs_in:
            raise Refused("This dashboard is opened with the link that was printed when it started.")
        form = await request.post()
        given = {name: str(form.get(name, "")).strip() for name in ("user", "password", "tenant", "key")}
        try:
            credential = await self._find_credential(given)
        except ConnectionLost:
            return self._show_form("The server is away; try again in a moment.")
        except (OmiumError, ValueError) as error:
            return self._show_form(str(error))
        admitted = self.gate.admit(credential)
        former = self.gate.find_visitor(self._cookie_of(request))
        if former is not None:  # its cookie is replaced: nobody could end it any more
            self._leave(former)
        return self._let_in(request, admitted)

    async def _find_credential(self, given: Mapping[str, str]) -> Credential:
        """Return what the server accepts: the given key, or a new session. Raises what it answers."""
        if given["key"]:
            if split_api_key(given["key"]) is None:
                raise ValueError("That is not an Omium API key, or it was not copied whole.")
            credential = self._credential(given["key"])
            async with AsyncClient(settings=_settings_of(credential)) as client:
                await client.get_whoami()
            return credential
        if not given["user"] or not given["password"]:
            raise ValueError("Give a user name and a password, or an API key.")
        command = LogIn(
            user=given["user"][:254],
            password=given["password"][:1024],
            tenant=given["tenant"][:200] or None,
            environment=self._settings.environment or Environment.DEV,
        )
        async with AsyncClient(settings=_settings_of(self._credential(""))) as client:
            session = await client.log_in(command)
        return replace(self._credential(session.session_token), is_session=True)

    def _let_in(self, request: web.Request, cookie: str) -> web.Response:
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(
            self.gate.cookie_under(request.host),
            cookie,
            max_age=int(SESSION_S),
            path="/",
            secure=True,
            httponly=True,
            samesite="Strict",
        )
        return answer

    async def _log_out(self, request: web.Request) -> web.StreamResponse:
        visitor = self.gate.find_visitor(self._cookie_of(request))
        if visitor is not None:
            self._leave(visitor)
        answer = web.Response(status=303, headers={"Location": "/"})
        name = self.gate.cookie_under(request.host)
        answer.del_cookie(name, path="/", secure=True, httponly=True, samesite="Strict")
        return answer

    def _leave(self, visitor: Visitor) -> None:
        """Forget a browser, end its dashboards, and have its session on the server end, if it has one."""
        if not visitor.left.is_set():
            self.gate.leave(visitor)
            if visitor.credential.is_session:
                task = asyncio.ensure_future(_end_session(visitor.credential))
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)

    async def _wait_for_ending(self, _: web.Application) -> None:
        """Let sessions end that are about to."""
        if self._ending:
            await asyncio.wait(self._ending)

    async def _no_icon(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    # ------------------------------------------------------------------------------ the socket
    async def _open_dashboard(self, request: web.Request) -> web.StreamResponse:
        """Run one dashboard for one browser; when either goes, so does the other."""
        visitor = self.gate.get_visitor(self._cookie_of(request))
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MESSAGE_BYTES_MAX)
        if not socket.can_prepare(request).ok:
            raise Refused("A browser opens this as a socket.", 400)
        self.gate.begin(visitor)
        process: DashboardProcess | None = None
        try:
            _shorten_way(request)
            await socket.prepare(request)
            process = DashboardProcess(
                visitor.credential,
                read_only=self._read_only,
                config_folder=self._config_folder.name,
                write_bytes=socket.send_bytes,
                write_str=socket.send_str,
                close=_closing(socket),
                log_out=lambda: self._leave(visitor),
            )
            await process.start(
                _number(request, "width", 80, most=COLUMNS_MAX),
                _number(request, "height", 24, most=LINES_MAX),
            )
            await first_of(pass_on(_texts(socket), process, socket.send_json), visitor.left.wait())
        finally:
            try:
                if process is not None:
                    await process.stop()
            finally:  # not before: what still runs counts
                self.gate.end(visitor)
        return socket

    def _credential(self, secret: str) -> Credential:
        settings = self._settings
        return Credential(settings.base_url, secret, settings.ca_file, settings.tls_pin)

    def _cookie_of(self, request: web.Request) -> str | None:
        return request.cookies.get(self.gate.cookie_under(request.host))


async def _end_session(credential: Credential) -> None:
    """End a session on the server; one that is away keeps it until it gets too old."""
    with contextlib.suppress(OmiumError, TimeoutError):
        async with asyncio.timeout(LOG_OUT_S), AsyncClient(settings=_settings_of(credential)) as client:
            await client.log_out()


async def _protect(_: web.Request, answer: web.StreamResponse) -> None:
    """Put the headers on every answer, also on those that aiohttp makes itself."""
    answer.headers.update(HEADERS)


def _settings_of(credential: Credential) -> Settings:
    return Settings(
        base_url=credential.base_url,
        api_key=credential.api_key or None,
        ca_file=credential.ca_file,
        tls_pin=credential.tls_pin,
    )


def _closing(socket: web.WebSocketResponse) -> Callable[[], Awaitable[None]]:
    async def close() -> None:
        await socket.close()

    return close


async def _texts(socket: web.WebSocketResponse) -> AsyncIterator[str]:
    """Yield what a browser sends, until it sends anything but text."""
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            return
        yield message.data


def _number(request: web.Request, name: str, usual: int, *, most: int) -> int:
    return within(textual_server.to_int(request.query.get(name, ""), usual), most)


def _shorten_way(request: web.Request) -> None:
    """Let the system keep little for a browser that reads slowly: its process waits instead."""
    connection = None if request.transport is None else request.transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, WAY_BYTES)


async def serve(
    dashboard: WebDashboard, host: str, port: int, ready: Callable[[], None], until: asyncio.Event
) -> None:
    """Serve until `until` is set or the process is told to end; `ready` is called when it listens."""
    runner = web.AppRunner(dashboard.make_app(), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, until.set)
    try:
        await web.TCPSite(runner, host, port).start()
        ready()
        await until.wait()
    finally:
        await runner.cleanup()
        dashboard.close()


def make_gate(port: int, origins: Iterable[str]) -> Gate:
    """Return the gate of a dashboard on this machine's `port`, also offered by a proxy under `origins`.

    Raises `ValueError` for what is no origin.
    """
    own = [f"http://{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]")]
    return Gate([*own, *origins], time.monotonic)
