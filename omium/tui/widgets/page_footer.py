"""The last line of every page: what the keys do here, and at its right end always how to see them all."""

from __future__ import annotations

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.events import Resize
from textual.widget import Widget
from textual.widgets import Footer

from omium.tui.actions import HELP


class PageFooter(Footer):
    """Textual's footer: `? help` keeps its place, and a key without room for its words is left out."""

    DEFAULT_CSS = """
    PageFooter.-compact FooterKey.-always { dock: right; margin: 0; padding-left: 1; }
    """

    def compose(self) -> ComposeResult:
        others: list[Widget] = []
        last: Widget | None = None
        for part in super().compose():
            if getattr(part, "action", "") == HELP.name:
                last = part
            else:
                others.append(part)
        room = self.app.size.width - (0 if last is None else _width(last))
        for part in others:
            room -= _width(part)
            if room < 0:  # and none of those behind it: the first ones matter most
                break
            yield part
        if last is not None:
            last.add_class("-always")
            yield last

    def on_resize(self, event: Resize) -> None:
        """Look anew at what there is room for."""
        self.call_after_refresh(self.bindings_changed, self.screen)


def _width(part: Widget) -> int:
    """Return the columns of a key and its words, with the one that is kept free beside them."""
    words = (getattr(part, name, "") for name in ("key_display", "description"))
    return sum(cell_len(each) + 1 for each in words)
