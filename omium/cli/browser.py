"""The dashboard in a browser: what `omium tui --web` and `omium serve --web` start."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from omium.cli.ending import WrongUse

if TYPE_CHECKING:
    from omium.cli.output import Output
    from omium.config import Settings

HOST: Final = "127.0.0.1"


def serve_dashboard(
    output: Output,
    settings: Settings,
    *,
    port: int,
    origins: Sequence[str],
    logs_in: bool,
    read_only: bool,
    with_parent: bool,
) -> None:
    """Serve the dashboard to browsers of this machine until stopped.

    Without `logs_in` a one-time link is printed that logs in with the key of `settings`. `with_parent` ends
    with whoever holds the other end of standard input.
    """
    from omium.tui.web.server import WebDashboard, make_gate, serve

    if port == 0:
        port = find_free_port()
    try:
        gate = make_gate(port, frozenset(origins))
    except ValueError as error:
        raise WrongUse(str(error)) from None
    dashboard = WebDashboard(settings, gate, logs_in=logs_in, read_only=read_only)

    def ready() -> None:
        address = f"http://localhost:{port}"
        if logs_in:
            output.say(f"The dashboard for browsers is at {', '.join([address, *origins])}")
            return
        output.show(address + dashboard.new_link())
        output.say(
            "Open it once, within 10 minutes; the browser stays logged in for 12 hours. Ctrl-C ends it."
        )

    async def run() -> None:
        until = asyncio.Event()
        if with_parent:
            _end_with_parent(until)
        await serve(dashboard, HOST, port, ready, until)

    try:
        asyncio.run(run())
    except OSError as error:
        raise WrongUse(
            f"Port {port} cannot be used ({error.strerror or error}); name another: --port"
        ) from None


def _end_with_parent(until: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def look() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            until.set()

    loop.add_reader(sys.stdin.fileno(), look)


@contextlib.contextmanager
def dashboard_beside(base_url: str, port: int, origins: Sequence[str], ca_file: str | None) -> Iterator[None]:
    """Run the dashboard for browsers beside a server of this process; it ends with it, however that ends."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMIUM_")}
    if ca_file is not None:
        environment["OMIUM_CA_FILE"] = ca_file
    command = [sys.executable, "-P", "-m", "omium", "tui", "--web", "--log-in", "--with-parent"]
    command += ["--port", str(port), "--base-url", base_url, *(f"--origin={each}" for each in origins)]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) as process:  # noqa: S603 -- ourselves
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def find_free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as tried:
        tried.bind((HOST, 0))
        return int(tried.getsockname()[1])
