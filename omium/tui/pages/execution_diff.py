"""Two executions side by side: which steps differ, and place by place in what."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import ClassVar, Final

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from omium.models.execution import Step
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.comparing import WHOLE, Compared, Comparison, compare, read_values
from omium.tui.content import cell, right, safe
from omium.tui.json_changes import Change, list_changes
from omium.tui.pages.page import PageScreen
from omium.tui.widgets.filter import FilterBar
from omium.tui.widgets.listing import Column, Listing
from omium.words import count, span

CHANGES: Final = 400
"""So many changed places are shown; whoever needs more compares the JSON elsewhere."""
DIFFERING: Final = Action("differing", "z", "differences", "Show only the steps that differ, or all again.")


class ExecutionDiffPage(PageScreen):
    """The comparison of two executions."""

    NAME: ClassVar[str] = "executions"
    TITLE: ClassVar[str | None] = "Executions"
    ACTIONS: ClassVar[tuple[Action, ...]] = (actions.PANES, actions.FILTER, DIFFERING, actions.COPY)
    DEFAULT_CSS = """
    ExecutionDiffPage #changes { height: 1fr; border-top: solid $panel-lighten-2; padding: 0 1; }
    ExecutionDiffPage #changes:focus { border-top: solid $primary; }
    ExecutionDiffPage #changes Static { height: auto; }
    """

    def __init__(self, first: str, second: str) -> None:
        super().__init__()
        self._ids = (first, second)
        self._only_differing = False
        self._comparison: Comparison | None = None

    def body(self) -> ComposeResult:
        yield FilterBar("#compared")
        yield Static("Reading both …", id="sides", classes="facts", markup=False)
        yield Listing(COLUMNS, lambda row: row.key, marks=False, id="compared")
        with VerticalScroll(id="changes", can_focus=True):
            yield Static("", markup=False)

    @property
    def breadcrumb(self) -> str:
        return f"Executions / {self._ids[0]} against {self._ids[1]}"

    @property
    def command_line(self) -> str:
        return shlex.join(["omium", "executions", "diff", *self._ids])

    @property
    def listing(self) -> Listing[Compared]:
        """The steps."""
        return self.query_one("#compared", Listing)

    def load(self) -> None:
        """Read both and compare them."""
        self.fetch(partial(compare, self.client, *self._ids), self._show)

    def on_news(self, execution_ids: frozenset[str]) -> None:
        if execution_ids & set(self._ids):
            self.load()

    def _show(self, comparison: Comparison) -> None:
        self._comparison = comparison
        rows = [row for row in comparison.rows if not (self._only_differing and row.same)]
        self.listing.show(rows, None)
        one, other, differing = comparison.one, comparison.other, comparison.differing
        lines = [
            f"- {one.detail.id}  {one.line}",
            f"+ {other.detail.id}  {other.line}",
            f"{count(differing, 'step differs', 'steps differ')} of {len(comparison.rows) - 1:,}"
            + (": only those are listed" if self._only_differing else ""),
        ]
        self.query_one("#sides", Static).update("\n".join(map(safe, lines)))
        self._point()

    @on(Listing.Pointed, "#compared")
    def _point(self) -> None:
        row, comparison = self.listing.pointed, self._comparison
        if row is None or comparison is None:
            self.query_one("#changes Static", Static).update("")
            return
        self.fetch(
            partial(read_values, self.client, comparison, row),
            partial(self._show_changes, row),
            name="values",
        )

    def _show_changes(self, row: Compared, values: tuple[object, object]) -> None:
        changes = list(islice(list_changes(*values), CHANGES + 1))
        text = self.painted(Text("\n").join(_lines(row, changes)))
        self.query_one("#changes Static", Static).update(text)

    @on(Listing.Chosen, "#compared")
    def _read_changes(self) -> None:
        self.query_one("#changes").focus()

    def action_filter(self) -> None:
        """Show only steps with some words."""
        self.query_one(FilterBar).open()

    def action_differing(self) -> None:
        """Show only what differs, or all."""
        self._only_differing = not self._only_differing
        if self._comparison is not None:
            self._show(self._comparison)

    def action_copy(self) -> None:
        """Copy the command that shows the same."""
        self.app.copy_to_clipboard(self.command_line)
        self.notify(f"Copied: {self.command_line}", markup=False)


def _lines(row: Compared, changes: list[Change]) -> Iterator[Text]:
    yield cell(f"{row.key or 'As a whole'}: {row.difference}", "bold")
    for change in changes[:CHANGES]:
        for sign, line in change.lines:
            yield cell(f"{sign} {line}", "red" if sign == "-" else "green")
    if len(changes) > CHANGES:
        yield cell("… and more", "dim")
    elif not changes:
        yield cell("Nothing recorded of it differs.", "dim")


def _took(row: Compared) -> str:
    sides = [_side_took(step) for step in (row.one, row.other)]
    return sides[0] if sides[0] == sides[1] else " > ".join(sides)


def _side_took(step: Step | None) -> str:
    return "-" if step is None else span(max(step.ended_at_us - step.started_at_us, 0))


COLUMNS: Final[tuple[Column[Compared], ...]] = (
    Column(
        "STEP",
        lambda row: cell(
            "as a whole" if row.key == WHOLE else "  " * row.key.count("/") + row.key.rpartition("/")[2]
        ),
    ),
    Column("DIFFERENCE", lambda row: cell(row.difference, "dim" if row.same else "yellow"), 34),
    Column("TOOK", lambda row: right("" if row.key == WHOLE else _took(row)), 18, 100),
)
