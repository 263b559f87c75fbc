"""Docs: the documentation, with its pages, a search and links; the same in the dashboard and in `omium docs`.

Owns the keys; what they do is widgets/manual.py's.
"""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.screen import Screen

from omium.manual import Manual, Place
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.pages.page import PageScreen
from omium.tui.widgets.manual import ManualReader

READING: Final = (
    Action("search_docs", "slash", "search", "Search all pages; enter opens what is found, esc goes back."),
    Action("contents", "o", "pages", "Show or hide the list of pages."),
    Action("next_link", "l", "next link", "To the next link or code; enter follows, y copies.", "Go"),
    Action("previous_link", "h", "previous link", "To the link or code before.", "Go", shown=False),
    Action("earlier", "left_square_bracket", "back", "Back to what you read before.", "Go"),
    Action("later", "right_square_bracket", "forward", "Forward again, after going back.", "Go"),
    Action("back", "escape", "back", "Leave the search, or go back in what you read.", "Go", shown=False),
    Action("copy", "y", "copy", "Copy the link or code that the cursor is on, or the first code seen."),
    actions.NEXT_FOUND,
    actions.PREVIOUS_FOUND,
    actions.PANES,
    *actions.MOVEMENT,
    Action("read_on", "space", "read on", "One screen down.", "Go", shown=False),
)  # fmt: skip


class Reads:
    """What a screen that holds a `ManualReader` does on each key of `READING`."""

    @property
    def reader(self) -> ManualReader:
        """The manual."""
        assert isinstance(self, Screen)
        return self.query_one(ManualReader)

    def leave_manual(self) -> None:
        """Go back from where nothing was read before: nowhere, unless the screen knows."""

    def action_search_docs(self) -> None:
        """Show the search."""
        self.reader.begin_search()

    def action_contents(self) -> None:
        """Show or hide the list of pages."""
        self.reader.toggle_contents()

    def action_next_link(self) -> None:
        """To the next link or block of code."""
        self.reader.sheet.choose(1)

    def action_previous_link(self) -> None:
        """To the one before."""
        self.reader.sheet.choose(-1)

    def action_earlier(self) -> None:
        """Back to what was read before."""
        self.reader.back()

    def action_later(self) -> None:
        """Forward again."""
        self.reader.back(1)

    def action_back(self) -> None:
        """Leave the search, else go back."""
        if not self.reader.leave_search() and not self.reader.back():
            self.leave_manual()

    def action_copy(self) -> None:
        """Copy code or a link."""
        self.reader.copy()

    def action_next_found(self) -> None:
        """To the next place of the words that were searched."""
        self.reader.go_to_found(1)

    def action_previous_found(self) -> None:
        """To the one before."""
        self.reader.go_to_found(-1)

    def action_cursor_down(self) -> None:
        """One line down."""
        self.reader.move("down")

    def action_cursor_up(self) -> None:
        """One line up."""
        self.reader.move("up")

    def action_scroll_top(self) -> None:
        """To the first line."""
        self.reader.move("home")

    def action_scroll_bottom(self) -> None:
        """To the last line."""
        self.reader.move("end")

    def action_half_down(self) -> None:
        """Half a page down."""
        self.reader.move("half_down")

    def action_half_up(self) -> None:
        """Half a page up."""
        self.reader.move("half_up")

    def action_read_on(self) -> None:
        """One screen down."""
        self.reader.move("page_down")

    def action_select_cursor(self) -> None:
        """Follow the link that the cursor is on, or go to the first one."""
        if not self.reader.sheet.follow():
            self.reader.sheet.choose(1)


class DocsPage(Reads, PageScreen):
    """Page 8."""

    NAME = "docs"
    TITLE = "Docs"
    ACTIONS: ClassVar[tuple[Action, ...]] = READING

    def body(self) -> ComposeResult:
        yield ManualReader(Manual.open())

    @property
    def breadcrumb(self) -> str:
        reader = self.reader
        heading = reader.page.find_heading(reader.place.anchor)
        parts = ["Docs", reader.page.title, *([heading.text] if heading else [])]
        return " › ".join(parts)

    @property
    def command_line(self) -> str:
        return f"omium docs {self.reader.place}"

    def bundle_command(self, file: str) -> str:
        return self.command_line

    def show_place(self, place: Place) -> None:
        """Read from `place` on; other pages of the dashboard send a reader here."""
        self.reader.go(place)

    def on_manual_reader_moved(self) -> None:
        """The header says where we are."""
        self.query_one("PageHeader").refresh()
