"""The last line of every page: what the keys do here, and at its right end always how to see them all."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Footer

from omium.tui.actions import HELP


class PageFooter(Footer):
    """Textual's footer, in which `? help` keeps its place where there is no room for every key."""

    DEFAULT_CSS = """
    PageFooter.-compact FooterKey.-always { dock: right; margin: 0; padding-left: 1; }
    """

    def compose(self) -> ComposeResult:
        last: Widget | None = None
        for part in super().compose():
            if getattr(part, "action", "") == HELP.name:
                last = part
            else:
                yield part
        if last is not None:
            last.add_class("-always")
            yield last
