"""A dashboard in this process, driven by keys, on a real server.

    async with open_dashboard(server) as driver:
        await driver.press("2", "j", "enter")
        driver.expect("✓ completed")

`press` waits until what the keys asked for has been answered and drawn. The screen is read as text.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from textual.pilot import Pilot
from textual.worker import WorkerState

from omium.sdk.async_client import AsyncClient
from omium.sdk.transport.client import AsyncHttpxTransport
from omium.sdk.wire import make_target
from omium.tui.app import DashboardApp

PATIENCE_S = 60
LASTING = {"link"}
"""Groups of workers that never end by themselves."""


class Driver:
    """Presses keys and reads the screen."""

    def __init__(self, app: DashboardApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def type(self, text: str) -> None:
        """Type a text into what has the focus."""
        for character in text:
            await self.pilot.press(character)
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is under way: no call, no message, no timer that is due at once."""
        quiet = 0
        until = time.monotonic() + PATIENCE_S
        while quiet < 3:
            assert time.monotonic() < until, f"the dashboard does not come to rest:\n{self.text}"
            await self.pilot.pause()
            quiet = 0 if self._busy() else quiet + 1
            await asyncio.sleep(0.005)

    async def until(self, words: str) -> None:
        """Wait until the screen holds `words`, for what comes by itself."""
        until = time.monotonic() + PATIENCE_S
        while words not in self.text:
            assert time.monotonic() < until, f"{words!r} does not come:\n{self.text}"
            await self.pilot.pause(0.02)

    async def until_said(self, words: str) -> None:
        """Wait until a notice holds `words`."""
        until = time.monotonic() + PATIENCE_S
        while not any(words in each for each in self.notices):
            assert time.monotonic() < until, f"{words!r} is not said: {self.notices}\n{self.text}"
            await self.pilot.pause(0.02)

    def expect(self, *words: str) -> None:
        for each in words:
            assert each in self.text, f"{each!r} is not on the screen:\n{self.text}"

    def expect_not(self, *words: str) -> None:
        for each in words:
            assert each not in self.text, f"{each!r} is on the screen:\n{self.text}"

    @property
    def lines(self) -> list[str]:
        """The screen's lines, without the blanks at their ends."""
        screen = self.app.screen
        return [strip.text.rstrip() for strip in screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def notices(self) -> list[str]:
        """What was said in corners, the newest last."""
        return [each.message for each in self.app._notifications]

    def _busy(self) -> bool:
        running = {WorkerState.PENDING, WorkerState.RUNNING}
        if any(each.state in running and each.group not in LASTING for each in self.app.workers):
            return True
        listening = [self.app, *self.app.screen_stack]
        for screen in self.app.screen_stack:
            listening += screen.walk_children()
        return any(each._message_queue is not None and each._message_queue.qsize() for each in listening)


@asynccontextmanager
async def open_dashboard(
    server,
    *,
    size=(120, 40),
    api_key: str | None = None,
    inner: httpx.AsyncBaseTransport | None = None,
    **chosen,
) -> AsyncIterator[Driver]:
    """Open the dashboard of a `RunningServer` with its owner's key, or another.

    `inner` takes the place of the network.
    """
    key = api_key or server.api_key

    def make_client() -> AsyncClient:
        transport = inner and AsyncHttpxTransport(make_target(server.base_url, key), inner=inner)
        return AsyncClient(server.base_url, key, retry_for_s=0.2, transport=transport)

    app = DashboardApp(make_client, **chosen)
    app.NOTIFICATION_TIMEOUT = 600  # what was said is still there when a test on a busy machine looks
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.settle()
        yield driver
