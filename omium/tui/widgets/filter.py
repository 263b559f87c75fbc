"""The filter of a list: a line that appears on `/`, narrows while it is typed, stays while it is kept.

    def body(self) -> ComposeResult:
        yield FilterBar("#failures")        # the list that it filters
        yield Listing(..., id="failures")

    def action_filter(self) -> None:        # with actions.FILTER among the page's ACTIONS
        self.query_one(FilterBar).open()

Owns the line and its keys; which items fit is the list's matter (`Listing.filter_words`). A page whose filter
is more than words says which of them are the list's (`words_of`) and hears `FilterBar.Kept`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final, Protocol, cast

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from omium.tui.actions import Action, bindings_of
from omium.tui.content import safe

KEEP = Action("submit", "enter", "keep it", "Keep the filter, and go to the list.")
DROP = Action("drop", "escape", "drop it", "Show all again.")
TO_LIST = Action("to_list", "down", "to the list", "To the list; the filter stays.", shown=False)


_BY_KEY: Final = {action.key: action for action in (KEEP, DROP, TO_LIST)}


class Filtered(Protocol):
    """What can be filtered or searched: a list, a tree, a value."""

    filter_words: str


class FilterBar(Input):
    """The line of a list's filter.

    `listing` is the selector of the list. `words_of` gives those words of a text that the list itself looks
    for (all of them, by default); `placeholder` says what can be typed.
    """

    ACTIONS: ClassVar[tuple[Action, ...]] = (KEEP, DROP, TO_LIST)
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(ACTIONS)
    DEFAULT_CSS = """
    FilterBar { display: none; height: 1; padding: 0 1; background: $boost; }
    FilterBar.-open { display: block; }
    """

    class Kept(Message):
        """The filter is this text from now on; an empty one filters nothing."""

        def __init__(self, bar: FilterBar, text: str) -> None:
            super().__init__()
            self.bar = bar
            self.text = text

        @property
        def control(self) -> FilterBar:
            """The line."""
            return self.bar

    def __init__(
        self,
        listing: str,
        *,
        words_of: Callable[[str], str] = str,
        placeholder: str = "Words to look for; enter keeps them, esc shows all again",
        id: str | None = None,  # noqa: A002 -- as every widget of Textual has it
    ) -> None:
        super().__init__(placeholder=placeholder, id=id, compact=True, select_on_focus=False)
        self._selector = listing
        self._words_of = words_of
        self._kept = ""
        self.can_focus = False  # until it is opened: a page begins in its list

    @property
    def kept(self) -> str:
        """The text that is kept; empty if nothing is filtered."""
        return self._kept

    def open(self, listing: str | None = None) -> None:
        """Show the line with what is kept, and type into it; `listing` is another list than before.

        What was kept for the list before is dropped.
        """
        if listing is not None and listing != self._selector:
            self.value = ""
            self._settle("")
            self._selector = listing
        self.can_focus = True
        self.add_class("-open")
        self.screen.set_focus(self)

    def keep(self, text: str) -> None:
        """Make `text` the filter, as if it had been typed and kept."""
        self.value = safe(text)
        self._settle(text)

    def action_drop(self) -> None:
        """Show all again, and go back to the list."""
        self.value = ""
        self._leave()

    def action_to_list(self) -> None:
        """Keep the filter, and go to the list."""
        self._leave()

    async def action_submit(self) -> None:
        """Keep the filter, and go to the list."""
        self._leave()

    async def on_key(self, event: events.Key) -> None:
        """End the typing here, in the order of what was typed: the keys behind it are the list's.

        They may wait for this line already, as over a slow link. Their default is kept from them then, which
        is to be typed; they go up to the application, which asks what has the focus by now.
        """
        if self.screen.focused is not self:
            event.prevent_default()
        elif (action := _BY_KEY.get(event.key)) is not None:
            event.stop()
            event.prevent_default()
            await self.run_action(action.name)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.has_focus:
            self._listing.filter_words = self._words_of(event.value)

    def on_blur(self) -> None:
        if not self._kept and not self.value:
            self.remove_class("-open")
            self.can_focus = False

    @property
    def _listing(self) -> Filtered:
        return cast("Filtered", self.screen.query_one(self._selector))

    def _leave(self) -> None:
        """Make what is typed the filter, and give the keys to the list, both at once."""
        self._settle(self.value)
        self.screen.set_focus(cast("Widget", self._listing))

    def _settle(self, text: str) -> None:
        text = text.strip()
        self.set_class(bool(text), "-open")
        self.can_focus = bool(text) or self.has_focus
        self._listing.filter_words = self._words_of(text)
        if text != self._kept:
            self._kept = text
            self.post_message(self.Kept(self, text))
