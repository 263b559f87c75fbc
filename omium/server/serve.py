"""Serve: the process around the app: folders, sockets, signals, and what it tells a person at the start.

Owns the life of one server process. Exits with 0 after SIGTERM or SIGINT, with 1 after a sentence on stderr
when it cannot start. The parts themselves are app.py's.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import resource
import shlex
import signal
import socket
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import uvicorn
import uvloop

from omium import __version__
from omium.config import DEFAULT_BASE_URL
from omium.errors import ConfigError, OmiumError
from omium.folders import data_folder
from omium.later import later
from omium.logs import LogFormat, configure_logs, get_logger
from omium.server.app import open_app
from omium.server.settings import ServerSettings
from omium.server.store import tenants
from omium.server.web.context import ServerContext
from omium.server.web.dispatch import Application
from omium.server.web.protocol import ConnectionGuard

if TYPE_CHECKING:
    from omium.server.tls import Certificate

BACKLOG = 2_048
OPEN_FILES_RESERVED = 128
TOKEN_CHECK_EVERY_S = 30.0
_tls = later("omium.server.tls")  # most servers on a laptop have none

log = get_logger(__name__)


def run_server(settings: ServerSettings) -> int:
    """Run a server until it is told to stop; returns the exit code. Errors end as one sentence on stderr."""
    os.umask(0o077)
    try:
        configure_logs(cast("LogFormat", settings.log_format), settings.log_level)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except (OmiumError, OSError, ValueError) as error:
        print(f"omium serve: {error}", file=sys.stderr)  # noqa: T201  # a person reads this one
        return 1
    return 0


async def serve(settings: ServerSettings) -> None:
    """Open the app, listen, and return after a graceful end."""
    refuse_strangers_in_clear(settings)
    raise_open_files(settings.connections_max + OPEN_FILES_RESERVED)
    with bind(settings) as listener:
        async with open_app(settings) as app:
            certificate = _tls().load_certificate(settings) if settings.tls else None
            guard = ConnectionGuard(settings, app.server.clock, app.server.metrics)
            app.server.metrics.add_source(guard.collect)
            server = Server(app, guard, certificate, listener)
            async with asyncio.TaskGroup() as tasks:
                beside = [tasks.create_task(guard.run()), tasks.create_task(offer_token(app.server))]
                try:
                    await server.serve(sockets=[listener])
                finally:
                    for task in beside:
                        task.cancel()


class Server(uvicorn.Server):
    """uvicorn's server with our signals: drain first, and exit with 0."""

    def __init__(
        self,
        app: Application,
        guard: ConnectionGuard,
        certificate: Certificate | None,
        listener: socket.socket,
    ) -> None:
        settings = app.server.settings
        self._protocol_class = guard.protocol_class()
        super().__init__(
            uvicorn.Config(
                app,
                http=self._protocol_class,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=settings.keep_alive_s,
                timeout_graceful_shutdown=settings.drain_s,
                backlog=BACKLOG,
                ssl_certfile=certificate.chain_file if certificate else None,
                ssl_keyfile=certificate.key_file if certificate else None,
            )
        )
        self._app = app
        self._certificate = certificate
        self._listener = listener

    def stop(self) -> None:
        """Begin to stop: new requests get 503, streams end, what runs may end. A second time: at once."""
        if self.should_exit:
            self.force_exit = True
        self._app.server.drain()
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as a wish to stop. uvicorn would raise them again afterwards."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so. Like uvicorn's own, but a TLS handshake has a deadline, too."""
        config, settings = self.config, self._app.server.settings
        protocol = partial(self._protocol_class, config=config, server_state=self.server_state, app_state={})
        loop = asyncio.get_running_loop()
        deadline_s = settings.header_deadline_s if config.ssl else None
        self.servers = [
            await loop.create_server(
                protocol, sock=listener, ssl=config.ssl, backlog=BACKLOG, ssl_handshake_timeout=deadline_s
            )
            for listener in sockets or []
        ]
        self.started = True
        gc.collect()
        gc.freeze()  # what is loaded now stays: collections need not walk it again and again
        await announce(self._app.server, self._listener, self._certificate)


async def announce(server: ServerContext, listener: socket.socket, certificate: Certificate | None) -> None:
    """Print where the server is and what to do next; the first line is what scripts wait for."""
    settings = server.settings
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    url = f"{'https' if certificate else 'http'}://{shown}:{port}"
    lines = [
        f"Omium {__version__} is ready at {url}",
        f"Data folder: {settings.data}",
        f"Documentation: {url}/docs",
        "Agents elsewhere, seen through OpenTelemetry (KEY: an API key with the scope ingest):",
        f"  OTEL_EXPORTER_OTLP_ENDPOINT={url} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        "  OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20KEY",
    ]
    if certificate:
        lines.append(f"TLS: clients trust {certificate.authority_file}, SHA-256 {certificate.fingerprint}")
    if await server.db.read(tenants.find_any_tenant_id) is None:
        lines.append(f"Next, in another terminal on this machine: {tell_init(url, settings.data)}")
    print("\n".join(lines), flush=True)  # noqa: T201  # for a person at the terminal
    log.info("ready", host=host, port=port, data=str(settings.data), version=__version__)
    notify_systemd("READY=1")


def tell_init(url: str, data: Path) -> str:
    """Return the command that makes the first tenant of the server at `url` that keeps `data`."""
    near = url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//127.0.0.1:")
    words = ["omium", "init"]
    if near != DEFAULT_BASE_URL:
        words += ["--base-url", near]
    if data != data_folder():
        words += ["--data", str(data.absolute())]
    return shlex.join(words)


async def offer_token(server: ServerContext) -> None:
    """Keep a one-time token in the data folder for as long as the server has no tenant."""
    while await server.db.read(tenants.find_any_tenant_id) is None:
        if not server.bootstrap.is_open:
            server.bootstrap.offer()
        await asyncio.sleep(TOKEN_CHECK_EVERY_S)
    server.bootstrap.withdraw()


def refuse_strangers_in_clear(settings: ServerSettings) -> None:
    """Raise `ConfigError` where others could reach the server without TLS."""
    if settings.listens_to_strangers and not settings.tls and not settings.behind_proxy:
        raise ConfigError(
            f"{settings.host} can be reached from other machines, and API keys would travel in clear. Add"
            " --tls, or --behind-proxy CIDR if a proxy in front of it ends TLS, or listen on 127.0.0.1."
        )


_REMEDIES = {
    errno.EADDRINUSE: "Stop what uses the port (a server that runs already?), or choose another with --port",
    errno.EACCES: "Ports below 1024 are for privileged users; choose another with --port",
    errno.EADDRNOTAVAIL: "This machine has no such address; choose another with --host",
}


@contextlib.contextmanager
def bind(settings: ServerSettings) -> Iterator[socket.socket]:
    """Bind the address before anything else is opened, so that a taken port is noticed first."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {settings.host}: {error.strerror}; choose another --host."
        ) from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            remedy = _REMEDIES.get(error.errno or 0, "Choose another with --host or --port")
            raise ConfigError(
                f"Cannot listen on {settings.host} port {settings.port}: {error.strerror}. {remedy}."
            ) from error
        yield listener


def raise_open_files(wanted: int) -> None:
    """Let this process open as many files as it has connections, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


def notify_systemd(state: str) -> None:
    """Tell systemd about `state` (`Type=notify`), where it started us."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address.startswith(("/", "@")):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier, contextlib.suppress(OSError):
            notifier.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
