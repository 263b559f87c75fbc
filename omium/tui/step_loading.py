"""Reading the steps of one execution, as many as are looked at: a page at a time, and those that are new.

Owns how far it has been read. Ten thousand steps are never asked for at once: 300 at first, more when the end
comes near, and all where somebody asks for the last one or looks through them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from omium.models.execution import ExecutionDetail, Step
from omium.models.wire import Page
from omium.tui.widgets.step_rows import StepBook

PAGE: Final = 200
PAGE_OF_ALL: Final = 500
"""Whoever wants all is served sooner with larger pages; a single one stays small for slow links."""
AT_FIRST: Final = 300
ALL: Final = 10**9

Asked = Callable[[str | None], Awaitable[Page[Step]]]


class StepReading:
    """How far the steps have been read into `book`."""

    def __init__(self, book: StepBook) -> None:
        self.book = book
        self.wanted = AT_FIRST
        self.following: str | None = None
        """The cursor of what has not been read; None at the end."""
        self._last: str | None = None
        """The cursor that gave the last page; what is new comes in it and behind it."""
        self._ended_us: int | None = None

    def take_detail(self, detail: ExecutionDetail) -> str | None:
        """Take in the first page, which comes with the execution; returns the cursor to go on from, or None.

        A step that has ended since without a record here began before the last page: then all that was read
        is read again.
        """
        missed = self.book.put_running(detail.running_steps)
        self.book.put(detail.steps)
        has_ended, self._ended_us = detail.ended_at_us != self._ended_us, detail.ended_at_us
        if self._last is None:
            self.following = detail.steps_next
            return self.due()
        if missed or has_ended:
            return detail.steps_next
        return self._last if self.following is None else None

    def take(self, after: str, page: Page[Step]) -> str | None:
        """Take in the page behind `after`; returns the cursor to go on from, or None."""
        self.book.put(page.items)
        self._last, self.following = after, page.next
        return self.due()

    @property
    def page_size(self) -> int:
        """How many steps the next page should have."""
        return PAGE_OF_ALL if self.wanted >= ALL else PAGE

    def due(self) -> str | None:
        """Return the cursor of the next page if it is wanted."""
        return self.following if len(self.book.steps) < self.wanted else None

    def want(self, wanted: int) -> str | None:
        """Want so many steps at least; returns the cursor to go on from, or None."""
        self.wanted = max(self.wanted, wanted)
        return self.due()
