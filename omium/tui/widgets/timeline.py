"""When each step ran: a row for each, with a bar from its beginning to its end.

Owns drawing; which rows there are is the tree's matter (step_rows.py), whose paths it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.binding import BindingType

from omium.safetext import cut_text, width_of
from omium.states import StepStatus
from omium.tui.actions import Action, bindings_of
from omium.tui.content import safe
from omium.tui.widgets.lines import LineView, Pieces
from omium.tui.widgets.step_rows import ROOT, StepBook, StepRow
from omium.words import now_us, span, state_text

NEARER: Final = Action("nearer", "plus,equals_sign", "nearer", "Show half the time around the step.")
WIDER: Final = Action("wider", "minus", "wider", "Show more time again.")
_NEAREST: Final = 4_096
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


class Timeline(LineView):
    """Bars of the steps of a book. `show(keys, from_us, until_us)` says of which, and between which times."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (*LineView.ACTIONS, NEARER, WIDER)
    BINDINGS: ClassVar[list[BindingType]] = bindings_of((NEARER, WIDER))

    def __init__(self, book: StepBook, *, id: str | None = None) -> None:  # noqa: A002  # Textual's word
        super().__init__(empty="No step has begun yet.", id=id)
        self.book = book
        self.keys: list[str] = []
        self._whole = (0, 1)
        self._nearer = 1

    def show(self, keys: Sequence[str], from_us: int, until_us: int) -> None:
        """Show the steps of `keys` between two times."""
        self.keys = [key for key in keys if key != ROOT]
        self._whole = (from_us, max(until_us, from_us + 1))
        self.lay_out()

    def point_at(self, key: str) -> None:
        """Put the cursor on a step, if it has a row."""
        at = self.keys.index(key) if key in self.keys else self.cursor
        if at != self.cursor:
            self.move_to(at)

    @property
    def pointed_key(self) -> str:
        """The path of the step that the cursor is on."""
        return self.keys[self.cursor] if self.cursor < len(self.keys) else ROOT

    def action_nearer(self) -> None:
        """Show half the time, around the step that the cursor is on."""
        self._nearer = min(self._nearer * 2, _NEAREST)
        self.refresh()

    def action_wider(self) -> None:
        """Show twice the time."""
        self._nearer = max(self._nearer // 2, 1)
        self.refresh()

    @property
    def window_us(self) -> tuple[int, int]:
        """From when to when is seen."""
        begin, end = self._whole
        length = max((end - begin) // self._nearer, 1)
        if self._nearer == 1 or not self.keys:
            return begin, end
        at = _began(self.book.row(self.keys[min(self.cursor, len(self.keys) - 1)]), end)
        first = max(min(at - length // 4, end - length), begin)
        return first, first + length

    # ------------------------------------------------------------------------------ drawing
    @property
    def row_count(self) -> int:
        return len(self.keys)

    def watch_cursor(self, was: int, at: int) -> None:
        super().watch_cursor(was, at)
        if self._nearer > 1:
            self.refresh()

    def pieces(self, at: int, width: int) -> Pieces:
        row = self.book.row(self.keys[at])
        names = max(min(width // 3, 34), 12)
        label = cut_text("  " * (row.depth - 1) + safe(row.name), names - 1)
        took = span(_ended(row) - _began(row, now_us())).rjust(8)
        glyph, tone = _state(row)
        room = max(width - names - width_of(took) - 3, 8)
        return [
            (f"{glyph} ", tone),
            (label + " " * (names - width_of(label)), ""),
            (self._bar(row, room) if self._draws else self._words(row, room), tone or "dim"),
            (took, "dim"),
        ]

    @property
    def _draws(self) -> bool:
        """Whether bars are drawn; for screen readers there are words."""
        return not getattr(self.app, "plain", False)

    def _words(self, row: StepRow, room: int) -> str:
        return f"begins after {span(max(_began(row, now_us()) - self._whole[0], 0))}".ljust(room)[:room]

    def _bar(self, row: StepRow, room: int) -> str:
        first, last = self.window_us
        began, ended = _began(row, now_us()), _ended(row)
        scale = room / (last - first)
        left = (max(began, first) - first) * scale
        right = (min(ended, last) - first) * scale
        if ended < first:
            return "<".ljust(room)
        if began > last:
            return ">".rjust(room)
        begin = min(int(left), room - 1)
        whole, part = divmod(int(max(right - begin, 0.125) * 8), 8)
        bar = "█" * whole + (_EIGHTHS[part] if part else "")
        return (" " * begin + bar)[:room].ljust(room)


def _began(row: StepRow, otherwise_us: int) -> int:
    return otherwise_us if row.step is None else row.step.started_at_us


def _ended(row: StepRow) -> int:
    if row.step is None or row.running or row.step.status is StepStatus.RETRYING:
        return now_us()
    return row.step.ended_at_us


def _state(row: StepRow) -> tuple[str, str]:
    name = "running" if row.step is None or row.running else row.step.status.value
    words, tone = state_text(name)
    return words.partition(" ")[0], tone
