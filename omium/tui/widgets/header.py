"""The first lines of every page: the pages with their keys, where we are, the balance, a lost server."""

from __future__ import annotations

from typing import cast

from rich.text import Text
from textual import events
from textual.widget import Widget

from omium.safetext import cut_text, width_of
from omium.tui.app import DashboardApp
from omium.tui.content import paint, safe
from omium.tui.frame import Frame


class PageHeader(Widget):
    """Two lines: the pages, then the place; a third in red while the server is away."""

    DEFAULT_CSS = """
    PageHeader { dock: top; height: auto; background: $panel; }
    """
    can_focus = False

    def on_mount(self) -> None:
        app = self._dashboard
        self.watch(app, "link_state", self._again, init=False)
        self.watch(app, "balance", self._again, init=False)
        self.watch(app, "theme", self._again, init=False)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return 3 if self._dashboard.banner else 2

    def render(self) -> Text:
        app = self._dashboard
        width = max(self.size.width, 20)
        page = cast("Frame", self.screen)
        lines = [self._tabs(page.NAME, width), self._place(page, width)]
        if app.banner:
            lines.append(Text(cut_text(f" ! {safe(app.banner)}", width), "red", no_wrap=True))
        return Text("\n", no_wrap=True).join(paint(line, app.theme_variables) for line in lines)

    def on_click(self, event: events.Click) -> None:
        """A click on a page's name opens it."""
        if event.y != 0:
            return
        at = 0
        for name, text in self._labels(max(self.size.width, 20)):
            at += width_of(text)
            if event.x < at:
                self._dashboard.action_page(name)
                return

    def _labels(self, width: int) -> list[tuple[str, str]]:
        """Each page with its text: wide where they fit, else close together, else only 1 to 8."""
        pages = self._dashboard.pages
        wide = [(page.name, f" {page.key} {page.title} ") for page in pages]
        close = [(page.name, f"{page.key}{page.title} ") for page in pages]
        for labels in (wide, close):
            if sum(width_of(text) for _, text in labels) <= width:
                return labels
        return close[:8]

    def _tabs(self, current: str, width: int) -> Text:
        line = Text(no_wrap=True)
        for name, text in self._labels(width):
            line.append(text, "reverse bold" if name == current else "")
        return line

    def _place(self, page: Frame, width: int) -> Text:
        app = self._dashboard
        who = app.whereabouts
        room = max(width - width_of(who) - 3, 10)
        left = cut_text(safe(page.breadcrumb), room)
        gap = max(width - width_of(left) - width_of(who) - 2, 1)
        line = Text(" ", no_wrap=True)
        line.append(left, "bold")
        line.append(" " * gap)
        line.append(cut_text(who, max(width - width_of(left) - 3, 0)), "dim")
        return line

    def _again(self) -> None:
        self.refresh(layout=True)

    @property
    def _dashboard(self) -> DashboardApp:
        return cast("DashboardApp", self.app)
