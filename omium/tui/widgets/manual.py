"""The manual as a widget: its pages at the left, one of them, and a search over all.

Owns where the reader is and was. Nothing is opened outside: an address is shown and copied. What the keys are
is the screen's (pages/docs.py), which hands each of its actions on to here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static, Tree
from textual.widgets.option_list import Option
from textual.widgets.tree import TreeNode
from textual.worker import Worker, WorkerState

from omium.manual import Address, Hit, Manual, Page, Place, search
from omium.manual.searching import mark_words
from omium.safetext import cut_text
from omium.tui.content import paint, safe
from omium.tui.widgets.sheet import ManualSheet
from omium.tui.widgets.typeset import Stop

NARROW: Final = 100
HEADINGS_MAX: Final = 3
"""The deepest level of headings that the list of pages shows."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A place that was read, the line that was at the top, and the words that led there."""

    place: Place
    line: float = 0
    words: str = ""


class ManualReader(Widget):
    """Reads the manual, from `place` on."""

    DEFAULT_CSS: ClassVar[str] = """
    ManualReader { height: 1fr; }
    ManualReader #contents {
        width: 34; height: 1fr; padding-left: 1; border-right: solid $panel-lighten-2; overflow-x: hidden;
        scrollbar-size-vertical: 1;
    }
    ManualReader #contents.-hidden { display: none; }
    ManualReader #search { height: 1fr; width: 1fr; display: none; }
    ManualReader.-searching #search { display: block; }
    ManualReader.-searching ManualSheet { display: none; }
    ManualReader #words { border: round $primary; height: 3; }
    ManualReader #hits { height: 1fr; border: none; padding: 0; }
    ManualReader #where { height: 1; padding: 0 1; color: $text-muted; }
    """

    @dataclass
    class Moved(Message):
        """Another place is shown."""

        place: Place

    def __init__(self, manual: Manual | None = None, place: Place | None = None) -> None:
        super().__init__()
        self.manual = manual or Manual.open()
        self.visits: list[Visit] = [Visit(place or Place(self.manual.pages[0].name))]
        self.at = 0
        self.hits: list[Hit] = []
        self._hits_for = ""
        self._contents_wanted: bool | None = None
        self._entries: dict[str, TreeNode[Place]] = {}

    def compose(self) -> ComposeResult:
        tree: Tree[Place] = Tree("", id="contents")
        tree.show_root = False
        tree.guide_depth = 2
        with Horizontal():
            yield tree
            with Vertical():
                yield ManualSheet(id="sheet")
                with Vertical(id="search"):
                    yield Input(placeholder="Words to look for", id="words")
                    yield OptionList(id="hits", markup=False)
                yield Static(id="where", markup=False)

    def on_mount(self) -> None:
        for group, pages in self.manual.list_groups():
            parent = self.contents.root.add(Text(group, "bold"), expand=True)
            for page in pages:
                self._entries[page.name] = parent.add(
                    _label(page.title, 2), Place(page.name), allow_expand=False
                )
        self._show()
        self.sheet.focus()

    def on_resize(self) -> None:
        """Leave the list of pages out where the text needs the room, unless it was asked for."""
        wanted = self.size.width >= NARROW if self._contents_wanted is None else self._contents_wanted
        self.contents.set_class(not wanted, "-hidden")

    # ------------------------------------------------------------------------------------------ parts
    @property
    def sheet(self) -> ManualSheet:
        """The page."""
        return self.query_one("#sheet", ManualSheet)

    @property
    def contents(self) -> Tree[Place]:
        """The list of pages."""
        return self.query_one("#contents", Tree)

    @property
    def place(self) -> Place:
        """Where the reader is."""
        return self.visits[self.at].place

    @property
    def page(self) -> Page:
        """The page that is shown."""
        return self.manual.get_page(self.place.page)

    @property
    def searching(self) -> bool:
        """Whether the search is shown."""
        return self.has_class("-searching")

    # -------------------------------------------------------------------------------------- going about
    def go(self, place: Place, *, words: str = "") -> None:
        """Show `place`; what was shown is what `back` leads to."""
        self._note_line()
        if place != self.place or words:
            self.visits[self.at + 1 :] = [Visit(place, words=words)]
            self.at += 1
        self._show()

    def back(self, step: int = -1) -> bool:
        """Go to where the reader was before (or, with 1, to where `back` came from); False if nowhere."""
        if not 0 <= self.at + step < len(self.visits):
            return False
        self._note_line()
        self.at += step
        self._show()
        return True

    def follow(self, link: str) -> None:
        """Go where a link of this page leads; an address outside is copied and shown."""
        target = self.manual.resolve_link(self.place.page, link)
        if isinstance(target, Place):
            self.go(target)
        elif isinstance(target, Address):
            self.app.copy_to_clipboard(target.url)
            self.notify(safe(target.url), title="Copied; it leads out of the documentation", markup=False)
        else:
            self.notify(
                f"{safe(target.path)} is in Omium's repository, not in the documentation inside.",
                markup=False,
            )

    def move(self, how: str) -> None:
        """Move the cursor or the page: up, down, home, end, half_up, half_down, page_down."""
        if self.searching:
            hits = self.query_one("#hits", OptionList)
            {"up": hits.action_cursor_up, "home": hits.action_first, "end": hits.action_last}.get(
                how, hits.action_cursor_down
            )()
            return
        if self.contents.has_focus and how in {"up", "down"}:
            (self.contents.action_cursor_up if how == "up" else self.contents.action_cursor_down)()
            return
        over = self.contents if self.contents.has_focus else self.sheet
        height = max(over.size.height, 2)
        steps = {
            "up": -1,
            "down": 1,
            "half_up": -height // 2,
            "half_down": height // 2,
            "page_down": height - 2,
        }
        if how in steps:
            over.scroll_relative(y=steps[how], animate=False)
        else:
            over.scroll_to(y=0 if how == "home" else over.max_scroll_y, animate=False)

    def go_to_found(self, step: int) -> None:
        """Scroll to the next place (1) of the words that were searched, or to the one before (-1)."""
        if not self.sheet.go_to_found(step):
            words = self.visits[self.at].words
            said = (
                f"{safe(words)!r} stands nowhere further on this page." if words else "Search first: press /"
            )
            self.notify(said, markup=False, timeout=3)

    def leave_search(self) -> bool:
        """Put the search away; False if it is not shown."""
        if not self.searching:
            return False
        self.remove_class("-searching")
        self.sheet.focus()
        return True

    def toggle_contents(self) -> None:
        """Show or hide the list of pages."""
        self._contents_wanted = self.contents.has_class("-hidden")
        self.on_resize()
        (self.contents if self._contents_wanted else self.sheet).focus()

    def _note_line(self) -> None:
        self.visits[self.at] = replace(self.visits[self.at], line=self.sheet.scroll_offset.y)

    def _show(self) -> None:
        visit = self.visits[self.at]
        self.remove_class("-searching")
        self._show_in_contents(visit.place)
        anchor = "" if visit.line else visit.place.anchor
        self.sheet.show(self.page, anchor=anchor, line=visit.line, words=visit.words)
        if self.app.focused is not self.contents:
            self.sheet.focus()
        self._say(None)
        self.post_message(self.Moved(visit.place))

    def _show_in_contents(self, place: Place) -> None:
        node = self._entries.get(place.page)
        if node is None:
            return
        if not node.children:
            parents = [node]
            for heading in self.page.headings:
                if 1 < heading.level <= HEADINGS_MAX:
                    del parents[max(heading.level - 1, 1) :]
                    parent = parents[-1]
                    parent.allow_expand = True
                    at = Place(place.page, heading.anchor)
                    parents.append(parent.add(_label(heading.text, len(parents) + 2), at, allow_expand=False))
        for other in self._entries.values():
            if other is not node:
                other.collapse()
        node.expand()
        self.call_after_refresh(self._see_in_contents, node)

    def _see_in_contents(self, node: TreeNode[Place]) -> None:
        self.contents.move_cursor(node)
        seen = range(
            int(self.contents.scroll_offset.y), int(self.contents.scroll_offset.y) + self.size.height - 8
        )
        if node.line not in seen:  # its headings stand below it
            self.contents.scroll_to(y=max(node.line - 3, 0), animate=False)

    # ------------------------------------------------------------------------------------------ search
    def begin_search(self) -> None:
        """Show the search, with the words of last time."""
        self.add_class("-searching")
        self.query_one("#words", Input).focus()

    @on(Input.Changed, "#words")
    def _words_changed(self, event: Input.Changed) -> None:
        words = event.value
        self.run_worker(
            lambda: search(self.manual, words), thread=True, exclusive=True, group="search", name=words
        )

    @on(Worker.StateChanged)
    def _searched(self, event: Worker.StateChanged) -> None:
        worker = event.worker
        if worker.group == "search" and event.state is WorkerState.SUCCESS and worker.result is not None:
            event.stop()
            self._show_hits(worker.name, worker.result)

    def _show_hits(self, words: str, hits: list[Hit]) -> None:
        self.hits, self._hits_for = hits, words
        options = self.query_one("#hits", OptionList)
        options.clear_options()
        options.add_options([Option(self._draw(hit, words)) for hit in hits])
        if hits:
            options.highlighted = 0
        elif words.strip():
            options.add_option(Option("Nothing in the documentation has these words.", disabled=True))

    def _draw(self, hit: Hit, words: str) -> Text:
        text = Text(hit.title if hit.heading == hit.title else f"{hit.title}: {hit.heading}", "bold")
        text.append(f"  {hit.place}\n", "dim")
        for piece, found in mark_words(hit.excerpt, words):
            text.append(piece, "yellow bold" if found else "dim")
        return paint(text, self.app.theme_variables)

    @on(Input.Submitted, "#words")
    def _words_given(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value != self._hits_for:
            self._show_hits(event.value, search(self.manual, event.value))
        self._open_hit(self.query_one("#hits", OptionList).highlighted)

    @on(OptionList.OptionSelected, "#hits")
    def _hit_chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._open_hit(event.option_index)

    def _open_hit(self, at: int | None) -> None:
        if at is not None and at < len(self.hits):
            self.go(self.hits[at].place, words=self._hits_for)
            self.sheet.focus()

    def on_key(self, event: events.Key) -> None:
        """From the words down to what was found, and up again."""
        words, hits = self.query_one("#words", Input), self.query_one("#hits", OptionList)
        if event.key == "down" and words.has_focus and self.hits:
            hits.focus()
            event.stop()
        elif event.key == "up" and hits.has_focus and not hits.highlighted:
            words.focus()
            event.stop()
            event.prevent_default()

    # ---------------------------------------------------------------------------------------- messages
    @on(Tree.NodeSelected, "#contents")
    def _chosen(self, event: Tree.NodeSelected[Place]) -> None:
        event.stop()
        if event.node.data is not None:
            self.go(event.node.data)
            self.sheet.focus()

    @on(ManualSheet.Followed)
    def _followed(self, event: ManualSheet.Followed) -> None:
        event.stop()
        self.follow(event.link)

    @on(ManualSheet.StopChanged)
    def _stop_changed(self, event: ManualSheet.StopChanged) -> None:
        event.stop()
        self._say(event.chosen)

    def copy(self) -> str | None:
        """Copy what the cursor is on, a link's target or a block of code, or else the first block seen."""
        chosen = self.sheet.chosen
        text = chosen.text if chosen is not None and not chosen.code else self.sheet.find_code()
        if text is None:
            self.notify("There is no code here to copy.", severity="warning")
            return None
        if chosen is not None and not chosen.code:
            target = self.manual.resolve_link(self.place.page, text)
            text = target.url if isinstance(target, Address) else str(getattr(target, "path", target))
        self.app.copy_to_clipboard(text)
        first, _, more = text.partition("\n")
        self.notify(safe(f"{first} …" if more else first), title="Copied", markup=False, timeout=3)
        return text

    def _say(self, stop: Stop | None) -> None:
        """Say below the page where the link under the cursor leads, or else where we are."""
        if stop is None:
            words = f"{self.page.title} · docs/{self.place.page}.md"
        elif stop.code:
            words = "y copies this block"
        else:
            target = self.manual.resolve_link(self.place.page, stop.text)
            shown = target.url if isinstance(target, Address) else getattr(target, "path", target)
            words = f"→ {shown}"
        self.query_one("#where", Static).update(Text(safe(words), no_wrap=True, overflow="ellipsis"))


def _label(words: str, depth: int) -> Text:
    """Return the words as a line of the list of pages, cut to what there is room for."""
    return Text(cut_text(words, 30 - 2 * depth))
