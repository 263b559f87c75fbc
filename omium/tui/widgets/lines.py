"""Rows that are drawn only where they are seen: what trees, timelines and long values are made of.

A subclass says how many rows there are (`row_count`) and what is on one (`pieces`); the cursor, scrolling,
clicks and drawing are here. Ten thousand rows cost what a screen of them costs.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from omium.tui.actions import BOTTOM, DOWN, HALF_DOWN, HALF_UP, TOP, UP, Action, bindings_of
from omium.tui.content import safe, tone_style

Pieces = list[tuple[str, str]]
"""A row: texts, already safe, each with a tone (a word of `content.TONES`, or none)."""


class LineView(ScrollView, can_focus=True):
    """Rows with a cursor. `empty` is said where there is none."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (DOWN, UP, TOP, BOTTOM, HALF_DOWN, HALF_UP)
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(ACTIONS)
    DEFAULT_CSS: ClassVar[str] = """
    LineView { height: 1fr; width: 1fr; overflow: hidden scroll; scrollbar-size-vertical: 1; }
    """

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, view: LineView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> LineView:
            """The rows."""
            return self.view

    cursor: reactive[int] = reactive(0, repaint=False)  # two rows are: the one it leaves and its new one

    def __init__(self, *, empty: str = "", id: str | None = None) -> None:  # noqa: A002  # Textual's word
        super().__init__(id=id)
        self.empty = empty

    # ------------------------------------------------------------------------------ what a subclass says
    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return 0

    def pieces(self, at: int, width: int) -> Pieces:
        """Return what is on the row `at`, of at most `width` columns."""
        return []

    def chosen_again(self) -> None:
        """A click on the row that the cursor is on already."""

    # ------------------------------------------------------------------------------ moving
    def lay_out(self, at: int | None = None) -> None:
        """Draw anew after rows have changed, with the cursor on the row `at`, or where it is."""
        self.virtual_size = Size(self.size.width, max(self.row_count, 1))
        self.move_to(self.cursor if at is None else at)
        self.refresh()

    def move_to(self, at: int) -> None:
        """Put the cursor on a row, and scroll to it."""
        self.cursor = max(min(at, self.row_count - 1), 0)
        if self.size.height:
            self.scroll_to_region(
                Region(0, self.cursor, 1, 1), animate=False, immediate=True, force=True, x_axis=False
            )

    def action_cursor_down(self) -> None:
        """One row down."""
        self.move_to(self.cursor + 1)

    def action_cursor_up(self) -> None:
        """One row up."""
        self.move_to(self.cursor - 1)

    def action_scroll_top(self) -> None:
        """To the first row."""
        self.move_to(0)

    def action_scroll_bottom(self) -> None:
        """To the last row."""
        self.move_to(self.row_count - 1)

    def action_half_down(self) -> None:
        """Half a page down."""
        self.move_to(self.cursor + max(self.size.height // 2, 1))

    def action_half_up(self) -> None:
        """Half a page up."""
        self.move_to(self.cursor - max(self.size.height // 2, 1))

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor there."""
        at = int(self.scroll_offset.y) + event.y
        if 0 <= at < self.row_count:
            again = at == self.cursor
            self.move_to(at)
            if again:
                self.chosen_again()

    def watch_cursor(self, was: int, at: int) -> None:
        top = int(self.scroll_offset.y)
        for line in (was, at):
            self.refresh(Region(0, line - top, self.size.width, 1))
        self.post_message(self.Moved(self))

    # ------------------------------------------------------------------------------ drawing
    def on_mount(self) -> None:
        self.watch(self.app, "theme", self._theme_changed, init=False)

    def _theme_changed(self) -> None:
        self.refresh()

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, max(self.row_count, 1))

    def render_line(self, y: int) -> Strip:
        at = int(self.scroll_offset.y) + y
        width = self.scrollable_content_region.width
        base = self.rich_style
        if at >= self.row_count:
            words = safe(self.empty) if at == 0 else ""
            return Strip([Segment(words, base + self._tone("dim"))]).adjust_cell_length(width, base)
        pointed = Style(reverse=True, bold=self.has_focus) if at == self.cursor else Style()
        segments = [Segment(text, base + self._tone(tone) + pointed) for text, tone in self.pieces(at, width)]
        return Strip(segments).adjust_cell_length(width, base + pointed)

    def _tone(self, tone: str) -> Style:
        return tone_style(tone, self.app.theme_variables) if tone else Style()
