"""One line with the names of panes, of which one is shown; a click chooses another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from omium.safetext import width_of

if TYPE_CHECKING:
    from omium.tui.app import DashboardApp


class TabStrip(Widget):
    """The names; where they do not all fit, those up to the chosen one."""

    DEFAULT_CSS = """
    TabStrip { height: 1; background: $boost; }
    """
    can_focus = False
    chosen: reactive[str] = reactive("")

    class Picked(Message):
        """A name was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's word
        super().__init__(id=id)
        self._names: tuple[tuple[str, str], ...] = ()

    def show(self, names: Sequence[tuple[str, str]], chosen: str) -> None:
        """Show `names`, with one chosen."""
        self._names = tuple(names)
        self.chosen = chosen
        self.refresh()

    def render(self) -> Text:
        line = Text(no_wrap=True, overflow="ellipsis")
        plain = cast("DashboardApp", self.app).plain
        for name, text in self._seen(self.size.width):
            chosen = name == self.chosen
            line.append(f"[{text}]" if chosen and plain else f" {text} ", "reverse bold" if chosen else "")
        return line

    def on_click(self, event: events.Click) -> None:
        at = 0
        for name, text in self._seen(self.size.width):
            at += width_of(text) + 2
            if event.x < at:
                self.post_message(self.Picked(name))
                return

    def _seen(self, width: int) -> list[tuple[str, str]]:
        """Return the names that fit, from the first one that leaves room for the chosen one."""
        names = list(self._names)
        chosen = next((at for at, (name, _) in enumerate(names) if name == self.chosen), 0)
        first = 0
        while first < chosen and sum(width_of(text) + 2 for _, text in names[first : chosen + 1]) > width:
            first += 1
        return names[first:]
