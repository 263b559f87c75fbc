"""A page of the manual as a widget: scrolled, with links and blocks of code that the cursor goes to.

Lines are made section by section and drawn only where they are seen, so the longest page opens at once. What
a link leads to is its owner's to know: this posts `Followed` and `StopChanged`.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events, work
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from omium.manual import Page
from omium.manual.searching import split_words
from omium.tui.widgets.typeset import STOP, Stop, Typesetter

AT_ONCE_S: Final = 0.03
"""How long sections are set before a keypress is looked at."""
_CHOSEN: Final = Style(reverse=True)
_FOUND: Final = Style(reverse=True, bold=True)


class ManualSheet(ScrollView, can_focus=True):
    """Shows one page. `stops` are its links and blocks of code, `stop` is the chosen one."""

    DEFAULT_CSS: ClassVar[str] = """
    ManualSheet {
        height: 1fr; width: 1fr; margin-left: 1; overflow: hidden scroll; scrollbar-size-vertical: 1;
    }
    """

    @dataclass
    class Followed(Message):
        """A link was chosen by enter or by a click."""

        link: str

    @dataclass
    class StopChanged(Message):
        """The cursor is on another stop, or on none."""

        chosen: Stop | None

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's word
        super().__init__(id=id)
        self.page: Page | None = None
        self.stops: list[Stop] = []
        self.stop: int | None = None
        self.found: list[int] = []
        self.complete = False
        self._words: re.Pattern[str] | None = None
        self._lines: list[list[Segment]] = []
        self._starts: dict[str, int] = {}
        self._set_for: tuple[str, int, str] | None = None
        self._going_to: str | float | None = None

    # ---------------------------------------------------------------------------------- what is shown
    def show(self, page: Page, *, anchor: str = "", line: float = 0, words: str = "") -> None:
        """Show `page` from the heading `anchor` on, or from `line`; mark `words` where they stand."""
        self.page = page
        chosen = split_words(words)
        self._words = (
            re.compile("|".join(rf"(?<![^\W_]){re.escape(word)}" for word in chosen), re.IGNORECASE)
            if chosen
            else None
        )
        self._going_to = anchor or line
        self.stop = None
        self._set()

    @property
    def heading_anchor(self) -> str:
        """The anchor of the heading that the first lines seen stand under."""
        top = self.scroll_offset.y + 1
        passed = [anchor for anchor, start in self._starts.items() if start <= top]
        return passed[-1] if passed else ""

    def on_resize(self) -> None:
        """Set the page again if its width has changed, and stay where we were."""
        if not self._is_set():
            if self._going_to is None:
                self._going_to = self.heading_anchor if self.scroll_offset.y else 0
            self._set()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_attached and self._set_for is not None and not self._is_set():
            if self._going_to is None:
                self._going_to = self.scroll_offset.y
            self._set()

    def _is_set(self) -> bool:
        """Say whether the page has been set, or is being set, for this width and theme."""
        width = self.scrollable_content_region.width - 1
        return self.page is not None and self._set_for == (self.page.name, width, self.app.theme)

    def _set(self) -> None:
        width = self.scrollable_content_region.width - 1
        if self.page is None or width < 1:
            return
        if not self._is_set():
            self._set_for = (self.page.name, width, self.app.theme)
            self._lines, self._starts, self.stops, self.stop, self.found = [], {}, [], None, []
            self.complete = False
            self._set_all(self.page, width)
        else:
            self.found = []
            self._note_found(0)
            self._arrive()

    @work(group="set", exclusive=True)
    async def _set_all(self, page: Page, width: int) -> None:
        setter = Typesetter(width, self.app.theme_variables, dark=self.app.current_theme.dark)
        pause_at = time.monotonic() + AT_ONCE_S
        for section in page.sections:
            if section.heading is not None:
                self._starts[section.heading.anchor] = len(self._lines)
            sheet = setter.set(section)
            start = len(self._lines)
            self.stops += [Stop(each.text, each.code, each.line + start) for each in sheet.stops]
            first = len(self.stops) - len(sheet.stops)
            self._lines += [[_shift(each, first) for each in line] for line in sheet.lines]
            self._lines.append([])
            self._note_found(start)
            if time.monotonic() > pause_at:
                self._arrive()
                await asyncio.sleep(0)
                pause_at = time.monotonic() + AT_ONCE_S
        self.complete = True
        self._arrive()

    def _note_found(self, start: int) -> None:
        if self._words is not None:
            for number in range(start, len(self._lines)):
                if self._words.search("".join(each.text for each in self._lines[number])):
                    self.found.append(number)

    def _arrive(self) -> None:
        """Show what has been set, and go to where we wanted to be once that is there."""
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._lines))
        target = self._going_to
        line = self._starts.get(target) if isinstance(target, str) else target
        if line is not None and (self.complete or len(self._lines) > line + self.size.height):
            self._going_to = None
            self.scroll_to(y=line, animate=False, force=True, immediate=True)
        elif self.complete:
            self._going_to = None
        self.refresh()

    # ------------------------------------------------------------------------------------------ lines
    def render_line(self, y: int) -> Strip:
        number = self.scroll_offset.y + y
        width = self.scrollable_content_region.width
        if number >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        segments = self._lines[number]
        if self.stop is not None and not self.stops[self.stop].code:
            segments = [_reverse(each, self.stop) for each in segments]
        strip = Strip(segments)
        if self._words is not None:
            strip = self._mark(strip)
        if self._stop_marked(number):
            strip = Strip([Segment("▌"), *strip.crop(1)])
        return strip.adjust_cell_length(width).apply_style(self.rich_style)

    def _stop_marked(self, number: int) -> bool:
        """Say whether the line belongs to the block of code that the cursor is on."""
        if self.stop is None or not self.stops[self.stop].code:
            return False
        return any(_meta(each) == self.stop for each in self._lines[number])

    def _mark(self, strip: Strip) -> Strip:
        assert self._words is not None
        text = strip.text
        spans = [match.span() for match in self._words.finditer(text)]
        if not spans:
            return strip
        cuts = [cell_len(text[:at]) for span in spans for at in span]
        pieces = list(strip.divide([*cuts, strip.cell_length]))
        marked = [piece.apply_style(_FOUND) if number % 2 else piece for number, piece in enumerate(pieces)]
        return Strip.join(marked)

    # ------------------------------------------------------------------------------------------ stops
    def choose(self, step: int) -> None:
        """Go to the next link or block of code (`step` 1), or to the one before (-1), from what is seen."""
        if not self.stops:
            return
        top, height = self.scroll_offset.y, max(self.size.height, 1)
        current = self.stop
        if current is not None and top <= self.stops[current].line < top + height:
            chosen = current + step
        elif step > 0:
            chosen = next((at for at, each in enumerate(self.stops) if each.line >= top), len(self.stops) - 1)
        else:
            seen = [at for at, each in enumerate(self.stops) if each.line < top + height]
            chosen = seen[-1] if seen else 0
        self._choose(max(0, min(chosen, len(self.stops) - 1)))

    def _choose(self, at: int | None) -> None:
        self.stop = at
        if at is not None:
            line, top, height = self.stops[at].line, self.scroll_offset.y, max(self.size.height, 1)
            if not top <= line < top + height - 1:
                self.scroll_to(y=max(line - height // 3, 0), animate=False, force=True, immediate=True)
        self.post_message(self.StopChanged(None if at is None else self.stops[at]))
        self.refresh()

    @property
    def chosen(self) -> Stop | None:
        """The stop that the cursor is on."""
        return None if self.stop is None or self.stop >= len(self.stops) else self.stops[self.stop]

    def follow(self) -> bool:
        """Follow the link that the cursor is on; False if it is on none."""
        stop = self.chosen
        if stop is None or stop.code:
            return False
        self.post_message(self.Followed(stop.text))
        return True

    def find_code(self) -> str | None:
        """Return the block of code that the cursor is on, or else the first one that is seen."""
        stop = self.chosen
        if stop is not None and stop.code:
            return stop.text
        top, end = self.scroll_offset.y, self.scroll_offset.y + self.size.height
        for line in self._lines[top:end]:
            for segment in line:
                at = _meta(segment)
                if at is not None and self.stops[at].code:
                    return self.stops[at].text
        return None

    def go_to_found(self, step: int) -> bool:
        """Scroll to the next line with the words, or to the one before; False if there is none."""
        top = self.scroll_offset.y
        if step > 0:
            line = next((each for each in self.found if each > top + 2), None)
        else:
            line = next((each for each in reversed(self.found) if each < top + 2), None)
        if line is None:
            return False
        self.scroll_to(y=max(line - 2, 0), animate=False, force=True, immediate=True)
        return True

    def on_click(self, event: events.Click) -> None:
        """A click on a link follows it, one on a block of code chooses that."""
        at = event.style.meta.get(STOP)
        if isinstance(at, int) and at < len(self.stops):
            self._choose(at)
            self.follow()


def _meta(segment: Segment) -> int | None:
    if segment.style is None or not segment.style.meta:
        return None
    at = segment.style.meta.get(STOP)
    return at if isinstance(at, int) else None


def _shift(segment: Segment, first: int) -> Segment:
    at = _meta(segment)
    if at is None or not first:
        return segment
    return Segment(segment.text, (segment.style or Style()) + Style(meta={STOP: at + first}))


def _reverse(segment: Segment, stop: int) -> Segment:
    if _meta(segment) != stop or not segment.text.strip():
        return segment
    return Segment(segment.text, (segment.style or Style()) + _CHOSEN)
