"""A page with nothing of its own, from which tests begin the flows that pages share."""

from contextlib import asynccontextmanager

from textual.app import ComposeResult
from textual.widgets import Static

from omium.tui.pages.page import PageScreen
from tests.tui.driving import open_dashboard


class BarePage(PageScreen):
    NAME = "failures"
    TITLE = "Bare"

    def body(self) -> ComposeResult:
        yield Static("bare", markup=False)


@asynccontextmanager
async def open_bare(server, **chosen):
    """Open a dashboard on a bare page; yields the driver and the page."""
    async with open_dashboard(server, **chosen) as driver:
        page = BarePage()
        await driver.app.push_screen(page)
        await driver.settle()
        yield driver, page
