"""A list of the server's, page by page: loads more at its end, keeps its place when it is loaded again.

Owns the table, its columns at each width, marks, the words it is filtered by, and when the next page is due.
It never asks the server itself: it posts `Listing.More`, and its page hands in what came (`show`, `append`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, TypeVar

from rich.segment import Segment
from rich.text import Text
from textual import events
from textual.binding import BindingType
from textual.coordinate import Coordinate
from textual.message import Message
from textual.strip import Strip
from textual.widgets import DataTable

from omium.tui.actions import MARK, MOVEMENT, OPEN, Action, bindings_of
from omium.tui.content import cell, paint

T = TypeVar("T")
MORE_BEFORE_ROWS: Final = 30
"""The next page is asked for when the cursor is this near to the end of what is loaded."""
_MARK_WIDTH: Final = 1


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column: its title, how an item is shown, its width in columns of the terminal.

    One column has the width 0: it takes what is left. `hide_below` leaves the column out of a list that is
    narrower than so many columns.
    """

    title: str
    show: Callable[[T], Text]
    width: int = 0
    hide_below: int = 0


class Listing(DataTable[Text], Generic[T]):
    """A list of items of one kind.

    `key_of` gives an item's id. `words_of` gives the text that a filter looks through; without it, all cells.
    """

    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVEMENT, MARK)
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(ACTIONS)

    class More(Message):
        """The end is near, and `after` is the cursor of what follows."""

        def __init__(self, listing: Listing[Any], after: str) -> None:
            super().__init__()
            self.listing = listing
            self.after = after

        @property
        def control(self) -> Listing[Any]:
            """The list."""
            return self.listing

    class Pointed(Message):
        """The cursor is on another item; `item` is None in an empty list."""

        def __init__(self, listing: Listing[Any], item: object) -> None:
            super().__init__()
            self.listing = listing
            self.item = item

        @property
        def control(self) -> Listing[Any]:
            """The list."""
            return self.listing

    class Marked(Pointed):
        """An item was marked, or its mark taken away."""

    class Chosen(Pointed):
        """Enter was pressed on an item, or it was clicked twice."""

    def __init__(
        self,
        columns: Sequence[Column[T]],
        key_of: Callable[[T], str],
        *,
        words_of: Callable[[T], str] | None = None,
        marks: bool = True,
        id: str | None = None,  # noqa: A002 -- as every widget of Textual has it
        classes: str | None = None,
    ) -> None:
        super().__init__(cursor_type="row", zebra_stripes=False, cell_padding=0, id=id, classes=classes)
        self._columns = tuple(columns)
        self._key_of = key_of
        self._words_of = words_of
        self._with_marks = marks
        self._items: dict[str, T] = {}
        self._visible: tuple[Column[T], ...] = ()
        self._rooms: list[int] = []
        self._next: str | None = None
        self._asked_after: str | None = None
        self._filter = ""
        self._pointed: str | None = None
        self.marked: set[str] = set()
        self.opens = True
        """Whether enter does something with an item."""

    # ------------------------------------------------------------------------------ what is in it
    def show(self, items: Sequence[T], following: str | None) -> None:
        """Show the first page anew: rows keep their place, those further down stay as they are.

        `following` is the cursor of the next page, or None. When the first page ends the list (`following`
        is None), what is not in it any more goes.
        """
        fresh = {self._key_of(item): item for item in items}
        tail = {} if following is None else self._tail_after(fresh)
        if not tail:
            self._next = following
        self._items = {**fresh, **tail}
        self.marked &= self._items.keys()
        self._asked_after = None
        self._draw()

    def append(self, items: Sequence[T], following: str | None) -> None:
        """Add the next page; rows that are there stay as they are drawn."""
        fresh = {self._key_of(item): item for item in items}
        known = self._items.keys() & fresh.keys()
        self._items.update(fresh)
        self._next = following
        if known or not self.row_count or not self._visible:
            self._draw()
            return
        for key, item in fresh.items():
            if self._fits(item):
                self.add_row(*self._cells(key, item), key=key)
        if self.row_count < MORE_BEFORE_ROWS:
            self._ask_for_more()

    def clear_items(self) -> None:
        """Forget all, as before another question to the server."""
        self._items, self._next, self._asked_after, self._pointed = {}, None, None, None
        self.marked.clear()
        self._draw()

    def update_item(self, item: T) -> None:
        """Show one item anew where it is; one that is not listed is left out."""
        key = self._key_of(item)
        if key in self._items:
            self._items[key] = item
            if key in self.rows:
                self._draw_row(key, item)

    def redraw_seen(self) -> None:
        """Draw the rows that are seen anew, for what changes with time."""
        top = int(self.scroll_offset.y)
        for row in range(top, min(top + self.size.height, self.row_count)):
            key = self._id_at(row)
            if key is not None and key in self._items:
                self._draw_row(key, self._items[key])

    def unmark(self) -> None:
        """Take all marks away."""
        marked, self.marked = self.marked, set()
        for key in marked:
            if key in self.rows:
                self._draw_row(key, self._items[key])

    @property
    def following(self) -> str | None:
        """The cursor of what is not loaded yet; None at the end."""
        return self._next

    @property
    def items(self) -> list[T]:
        """What is loaded, in its order."""
        return list(self._items.values())

    @property
    def shown_items(self) -> list[T]:
        """What is loaded and fits the filter."""
        return [item for item in self._items.values() if self._fits(item)]

    @property
    def pointed(self) -> T | None:
        """The item that the cursor is on."""
        key = self._id_at(self.cursor_row)
        return None if key is None else self._items.get(key)

    @property
    def chosen(self) -> list[T]:
        """The marked items that are shown, or the one that the cursor is on.

        What a filter hides is never chosen: nobody acts on what he does not see.
        """
        if marked := [item for item in self.shown_items if self._key_of(item) in self.marked]:
            return marked
        return [] if self.pointed is None else [self.pointed]

    @property
    def marks_text(self) -> str:
        """How many are marked, and how many of them a filter hides; empty if none are."""
        if not self.marked:
            return ""
        shown = sum(self._key_of(item) in self.marked for item in self.shown_items)
        hidden = len(self.marked) - shown
        return f"{len(self.marked)} marked" + (f", {hidden} of them hidden and left out" if hidden else "")

    @property
    def complete(self) -> bool:
        """Whether everything is loaded."""
        return self._next is None

    @property
    def filter_words(self) -> str:
        """What the list is filtered by; empty shows all."""
        return self._filter

    @filter_words.setter
    def filter_words(self, words: str) -> None:
        self._filter = words.casefold().strip()
        self._draw()

    def point_at(self, key: str) -> bool:
        """Put the cursor on an item; False if it is not listed."""
        if key not in self.rows:
            return False
        self.move_cursor(row=self.get_row_index(key), animate=False)
        return True

    # ------------------------------------------------------------------------------ keys
    def action_half_down(self) -> None:
        """Half a page down."""
        self.move_cursor(row=min(self.cursor_row + self._half, self.row_count - 1), animate=False)

    def action_half_up(self) -> None:
        """Half a page up."""
        self.move_cursor(row=max(self.cursor_row - self._half, 0), animate=False)

    def action_scroll_top(self) -> None:
        """To the first line."""
        self.move_cursor(row=0, animate=False)

    def action_scroll_bottom(self) -> None:
        """To the last line that is loaded; the next page is asked for."""
        self.move_cursor(row=self.row_count - 1, animate=False)
        self._ask_for_more()

    def action_mark(self) -> None:
        """Mark the line or take the mark away, and go on to the next."""
        key = self._id_at(self.cursor_row)
        if key is None or not self._with_marks:
            return
        self.marked ^= {key}
        self._draw_row(key, self._items[key])
        self.post_message(self.Marked(self, self._items[key]))
        self.action_cursor_down()
        self.screen.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer no mark for what cannot be marked, and no opening where nothing opens."""
        return {MARK.name: self._with_marks, OPEN.name: self.opens}.get(action, True)

    @property
    def _half(self) -> int:
        return max(self.scrollable_content_region.height // 2, 1)

    # ------------------------------------------------------------------------------ drawing
    def render_line(self, y: int) -> Strip:
        """Draw a line of the table; in one that a filter has emptied, say so."""
        if y != 1 or self.row_count or not (self._filter and self._items):
            return super().render_line(y)
        said = f" 0 of {len(self._items):,} fit; / and then esc shows all."
        strip = Strip([Segment(said, self.rich_style)])
        return strip.adjust_cell_length(self.size.width, self.rich_style)

    def on_mount(self) -> None:
        # Not by watching `theme`: cells take colours from the variables, which follow it a moment later.
        self.app.theme_changed_signal.subscribe(self, lambda _: self._redraw())

    def on_resize(self, event: events.Resize) -> None:
        self._draw()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        key = self._id_at(self.cursor_row)
        if key != self._pointed:
            self._pointed = key
            self.post_message(self.Pointed(self, self.pointed))
        if self.cursor_row >= self.row_count - MORE_BEFORE_ROWS:
            self._ask_for_more()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if self.pointed is not None:
            self.post_message(self.Chosen(self, self.pointed))

    def _ask_for_more(self) -> None:
        if self._next is not None and self._asked_after != self._next:
            self._asked_after = self._next
            self.post_message(self.More(self, self._next))

    def _tail_after(self, fresh: dict[str, T]) -> dict[str, T]:
        """Return what was loaded beyond the first page: all behind the last of its items that was there."""
        known = list(self._items)
        last = max((at for at, key in enumerate(known) if key in fresh), default=-1)
        if last < 0 or len(known) <= len(fresh):
            return {}
        return {key: self._items[key] for key in known[last + 1 :]}

    def _fits(self, item: T) -> bool:
        if not self._filter:
            return True
        if self._words_of is not None:
            words = self._words_of(item)
        else:
            words = " ".join(column.show(item).plain for column in self._columns)
        folded = words.casefold()
        return all(word in folded for word in self._filter.split())

    def _redraw(self) -> None:
        self._visible = ()
        self._draw()

    def _draw(self) -> None:
        """Bring the table to what is listed, at its width; the cursor stays on its item."""
        width = self.size.width - self.styles.scrollbar_size_vertical
        if width <= 0:
            return
        shown = {key: item for key, item in self._items.items() if self._fits(item)}
        at, was = self.cursor_row, self._id_at(self.cursor_row)
        same_columns = self._lay_out(width)
        if same_columns and list(shown) == [key.value for key in self.rows]:
            for key, item in shown.items():
                self._draw_row(key, item)
        else:
            with self.app.batch_update():
                self.clear()
                for key, item in shown.items():
                    self.add_row(*self._cells(key, item), key=key)
                if was is not None and was in self.rows:
                    self.point_at(was)
                elif shown:
                    self.move_cursor(row=min(max(at, 0), len(shown) - 1), animate=False)
        if not shown and self._pointed is not None:
            self._pointed = None
            self.post_message(self.Pointed(self, None))
        if len(shown) < MORE_BEFORE_ROWS:
            self._ask_for_more()

    def _draw_row(self, key: str, item: T) -> None:
        row = self.get_row_index(key)
        for at, text in enumerate(self._cells(key, item)):
            place = Coordinate(row, at)
            if self.get_cell_at(place) != text:
                self.update_cell_at(place, text)

    def _cells(self, key: str, item: T) -> list[Text]:
        variables = self.app.theme_variables
        cells = [
            paint(_fit(column.show(item), room), variables)
            for column, room in zip(self._visible, self._rooms, strict=True)
        ]
        return [cell("●" if key in self.marked else " "), *cells] if self._with_marks else cells

    def _lay_out(self, width: int) -> bool:
        """Make the columns for `width`; says whether they are as they were."""
        visible = tuple(column for column in self._columns if width >= column.hide_below)
        gaps = len(visible)
        taken = sum(column.width for column in visible) + gaps + (_MARK_WIDTH + 1 if self._with_marks else 0)
        left = max(width - taken, 8)
        widths = [column.width or left for column in visible]
        marks = [_MARK_WIDTH + 1] if self._with_marks else []
        wanted = [*marks, *(each + 1 for each in widths)]
        if visible == self._visible and wanted == [column.width for column in self.ordered_columns]:
            return True
        self._visible, self._rooms = visible, widths
        self.clear(columns=True)
        if self._with_marks:
            self.add_column("", width=_MARK_WIDTH + 1, key="mark")
        for column, room in zip(visible, widths, strict=True):
            self.add_column(Text(column.title), width=room + 1, key=column.title)
        return False

    def _id_at(self, row: int) -> str | None:
        """Return the id of a row's item (not `_key_at`: Textual would call that for the key `@`)."""
        if not 0 <= row < self.row_count:
            return None
        return self.coordinate_to_cell_key(Coordinate(row, 0)).row_key.value


def _fit(text: Text, room: int) -> Text:
    """Return a cell of `room` columns, ending in `…` where it is longer; the gap behind it stays free."""
    text.no_wrap, text.overflow = True, "ellipsis"
    text.truncate(room, overflow="ellipsis")
    if text.justify == "right":
        text.justify = None
        text.pad_left(room - text.cell_len)
    return text
