"""The steps of an execution as a tree, with state, time, tries, credits and side effects on each row.

Owns drawing and folding; which rows there are is step_rows.py's. Only what is seen is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.message import Message

from omium.models.execution import Cost, ExecutionDetail, Step
from omium.money import format_credits
from omium.safetext import cut_text, width_of
from omium.states import StepStatus
from omium.tui.actions import Action, bindings_of
from omium.tui.content import safe
from omium.tui.widgets.lines import LineView, Pieces
from omium.tui.widgets.step_rows import ROOT, StepBook, StepRow
from omium.words import now_us, span, state_text

FOLD: Final = Action("fold", "left,h", "fold", "Fold the step, or go to the one around it.", shown=False)
UNFOLD: Final = Action("unfold", "right,l", "unfold", "Unfold the step.", shown=False)
FOLD_OR_UNFOLD: Final = Action(
    "toggle_fold", "space", "fold", "Fold the steps inside of this one, or unfold them."
)
CHOOSE: Final = Action("choose", "enter", "look", "Look at what it took and gave.", "Go")
_EFFECTS: Final[Mapping[str, tuple[str, str]]] = {
    "done": ("⚑ done", "green"),
    "unknown": ("⚑ unknown", "red"),
    "intended": ("⚑ intended", "yellow"),
    "not_applied": ("⚑ not applied", "dim"),
    "skipped": ("⚑ skipped", "dim"),
}
"""What the badge of a side effect says of its state."""


class StepTree(LineView):
    """The tree. `book` holds the steps; after it has changed, `redraw()`."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        *LineView.ACTIONS, CHOOSE, FOLD_OR_UNFOLD, FOLD, UNFOLD,
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = bindings_of((CHOOSE, FOLD_OR_UNFOLD, FOLD, UNFOLD))

    class Chosen(Message):
        """Enter was pressed on a step, or it was clicked twice."""

    class ToLast(Message):
        """Somebody goes to the last step, which may not have been read yet."""

    def __init__(self, book: StepBook, *, id: str | None = None) -> None:  # noqa: A002  # Textual's word
        super().__init__(id=id)
        self.book = book
        self.keys: list[str] = []
        self.execution: ExecutionDetail | None = None
        self._charged: Mapping[str, int] = {}

    # ------------------------------------------------------------------------------ what is shown
    def redraw(self) -> None:
        """Show what the book holds now; the cursor stays on its step."""
        pointed = self.pointed_key
        self.keys = self.book.keys()
        self._charged = charged_of(None if self.execution is None else self.execution.cost)
        self.lay_out(self._find(pointed))

    def point_at(self, key: str) -> bool:
        """Put the cursor on a step; False if it has no row."""
        at = self._find(key)
        if at is not None:
            self.move_to(at)
        return at is not None

    def _find(self, key: str) -> int | None:
        return self.keys.index(key) if key in self.keys else None

    @property
    def pointed(self) -> StepRow | None:
        """The row that the cursor is on."""
        return self.book.row(self.keys[self.cursor]) if self.cursor < len(self.keys) else None

    @property
    def pointed_key(self) -> str:
        """The path of the step that the cursor is on; `ROOT` for the execution itself."""
        return self.keys[self.cursor] if self.cursor < len(self.keys) else ROOT

    @property
    def filter_words(self) -> str:
        """The words by which steps are shown, in their path, state or error."""
        return self.book.words

    @filter_words.setter
    def filter_words(self, words: str) -> None:
        self.book.words = words
        self.redraw()

    # ------------------------------------------------------------------------------ keys
    def action_choose(self) -> None:
        """Look at what the step took and gave."""
        self.post_message(self.Chosen())

    def chosen_again(self) -> None:
        self.action_choose()

    def action_scroll_bottom(self) -> None:
        """To the last step; those that have not been read are read now."""
        super().action_scroll_bottom()
        self.post_message(self.ToLast())

    def action_toggle_fold(self) -> None:
        """Fold the steps inside of this one, or unfold them."""
        row = self.pointed
        if row is not None and row.children and row.key != ROOT:
            self.book.folded ^= {row.key}
            self.redraw()

    def action_fold(self) -> None:
        """Fold the step, or go to the one around it."""
        row = self.pointed
        if row is None:
            return
        if row.children and not row.folded and row.key != ROOT:
            self.action_toggle_fold()
        else:
            self.point_at(row.key.rpartition("/")[0])

    def action_unfold(self) -> None:
        """Unfold the step."""
        row = self.pointed
        if row is not None and row.folded:
            self.action_toggle_fold()

    # ------------------------------------------------------------------------------ drawing
    @property
    def row_count(self) -> int:
        return len(self.keys)

    def pieces(self, at: int, width: int) -> Pieces:
        row = self.book.row(self.keys[at])
        words, tone = self._state(row)
        name = self._label(row)
        facts = self._facts(row, width)
        taken = sum(width_of(text) for text, _ in facts)
        room = max(width - taken - 1, 12)
        left = cut_text(name, max(room - width_of(words) - 2, 8))
        state = cut_text(words, max(room - width_of(left) - 1, 1))
        gap = max(width - taken - width_of(left) - width_of(state) - 1, 1)
        return [(left, ""), (" ", ""), (state, tone), (" " * gap, ""), *facts]

    def _label(self, row: StepRow) -> str:
        if row.key == ROOT:
            return "the execution" if self.execution is None else safe(self.execution.workflow)
        sign = ("▸ " if row.folded else "▾ ") if row.children else "  "
        return "  " * (row.depth - 1) + sign + safe(row.name) + (f" ({row.children:,})" if row.folded else "")

    def _state(self, row: StepRow) -> tuple[str, str]:
        if row.key == ROOT:
            detail = self.execution
            return ("", "") if detail is None else state_text(detail.status.value, detail.reason or "")
        if row.step is None or (row.running and row.step.status is not StepStatus.RETRYING):
            return state_text("running") if row.running or row.children else ("", "")
        return state_text(row.step.status.value, note_of(row.step))

    def _facts(self, row: StepRow, width: int) -> Pieces:
        """Return what stands at the right, in columns of fixed widths: as many as there is room for."""
        step = row.step
        if step is None:
            return []
        facts: Pieces = []
        badge, tone = _EFFECTS.get(step.effect_state or "", ("", ""))
        if badge:
            facts.append((f"{badge} " if width >= 56 else "⚑ ", tone))
        if width >= 56:
            facts.append((f"{step.attempt} x".rjust(4) if step.attempt > 1 else "    ", "yellow"))
        if width >= 66:
            facts.append((self._credits(step).rjust(10), "dim"))
        facts.append((took(step).rjust(8), "dim"))
        return facts

    def _credits(self, step: Step) -> str:
        cost = None if self.execution is None else self.execution.cost
        if cost is None:
            return ""
        own = step.status is StepStatus.COMPLETED and not step.reused_from and not step.key.startswith("~")
        own = own and step.key not in cost.free_steps
        return format_credits((cost.step_microcredits if own else 0) + self._charged.get(step.key, 0))


def took(step: Step) -> str:
    """Return how long a step took, with all its tries."""
    if step.status is StepStatus.RETRYING:
        return f"{span(now_us() - step.started_at_us)}…"
    return span(step.ended_at_us - step.started_at_us)


def note_of(step: Step) -> str:
    """Return what is special about a step's record."""
    notes = {
        "superseded": step.superseded_seq is not None,
        "reused": bool(step.reused_from),
        "patched": bool(step.edited_by),
        "interrupted": step.interruptions > 0,
    }
    return ", ".join(note for note, is_so in notes.items() if is_so)


def charged_of(cost: Cost | None) -> Mapping[str, int]:
    """Return what the usage of each step was charged, in micro-credits."""
    return {} if cost is None else {each.key: each.microcredits for each in cost.steps}
