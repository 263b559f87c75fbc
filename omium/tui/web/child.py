"""The process of one dashboard in a browser: `python -m omium.tui.web.child FD`, started by sessions.py.

Reads what it logs in with from the pipe FD, once, and runs the application without whatever would touch this
machine: its files, its editor, its shell. What it says to sessions.py is written as textual-serve does it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import threading
from pathlib import Path

from textual import on

from omium.config import Settings
from omium.errors import OmiumError
from omium.sdk.async_client import AsyncClient
from omium.tui.app import DashboardApp
from omium.tui.frame import run_beside
from omium.tui.leaving import LogOut
from omium.tui.web.confine import confine


class BrowserDashboard(DashboardApp):
    """The dashboard of one browser, which logs in with `settings`."""

    CSS_PATH = str(Path(__file__).parents[1] / "omium.tcss")  # beside the class that this one extends

    def __init__(self, settings: Settings, *, read_only: bool) -> None:
        super().__init__(lambda: AsyncClient(settings=settings), in_browser=True, read_only=read_only)
        self._given = settings.api_key

    @on(LogOut)
    def _leave(self) -> None:
        run_beside(self, self._log_out, group="leave", exclusive=True)

    async def _log_out(self) -> None:
        """End a session that was opened in this dashboard; then have all of this browser's end."""
        client = self.link.client
        if client.settings.api_key != self._given:
            with contextlib.suppress(OmiumError):  # it is a key, not a session; or it gets too old by itself
                await client.log_out()
        _tell("log_out")


def main() -> None:
    """Run one dashboard until its browser goes away, or the process that started it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    app = _make_dashboard(int(sys.argv[1]))
    confine()
    app.run()


def _make_dashboard(pipe_fd: int) -> BrowserDashboard:
    """Make it in a function that returns: a traceback shows what functions hold, which is then no key."""
    with os.fdopen(pipe_fd, "rb") as pipe:
        told = json.loads(pipe.read())
    settings = Settings(
        base_url=told["base_url"],
        api_key=told["api_key"],
        ca_file=told["ca_file"],
        tls_pin=told["tls_pin"],
    )
    return BrowserDashboard(settings, read_only=told["read_only"])


def _tell(kind: str) -> None:
    """Say something to the process that started this one."""
    packet = json.dumps({"type": kind}).encode()
    os.write(1, b"M%s%s" % (len(packet).to_bytes(4, "big"), packet))


def _end_with_parent() -> None:
    """End when nobody holds the other end of standard input: who started this was killed."""
    gone = select.poll()
    gone.register(0, 0)  # hanging up is always told
    gone.poll()
    os._exit(1)  # whatever it does: nobody sees it, and nothing of it is kept


if __name__ == "__main__":
    main()
