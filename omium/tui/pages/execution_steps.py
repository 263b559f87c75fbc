"""The steps of an execution's page: read page by page, drawn as a tree, looked through and pointed at.

Owns when they are read for and how often they are drawn. What stands beside them is execution_tabs.py's.
"""

from __future__ import annotations

import gc
from functools import partial
from typing import ClassVar, Final

from textual import on

from omium.models.execution import Step
from omium.models.wire import Page
from omium.tui.pages.execution_lists import ExecutionLists
from omium.tui.step_loading import ALL, PAGE, StepReading
from omium.tui.widgets.step_rows import StepBook
from omium.tui.widgets.step_tree import StepTree

NEAR_END: Final = 60
"""Further steps are read when the cursor is so near to the last that was."""
DRAW_EVERY_S: Final = 0.25
DRAW_MANY_EVERY_S: Final = 1.0
MANY: Final = 2_000
"""While steps come page by page, they are drawn so often; less often where there are many already."""


class ExecutionSteps(ExecutionLists):
    """What the page of an execution does with its steps."""

    NAME: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self._book = StepBook()
        self._reading = StepReading(self._book)
        self._draw_due = False
        self._frozen = False
        self._to_last = False
        """Whether somebody went to the last step, which is still being read for."""

    def on_unmount(self) -> None:
        if self._frozen:
            gc.unfreeze()

    @property
    def step_tree(self) -> StepTree:
        """The steps."""
        return self.query_one("#tree", StepTree)

    @property
    def path(self) -> str:
        """The step that is pointed at; `ROOT` for the execution."""
        return self.step_tree.pointed_key

    def find_step(self, path: str) -> Step | None:
        """Return what is recorded of a step."""
        return self._book.steps.get(path)

    def show_facts(self) -> None:
        """Say how the execution stands."""

    def draw_pane(self) -> None:
        """Draw again what is drawn of the steps beside them."""

    # ------------------------------------------------------------------------------ reading and drawing
    def read_on(self, after: str | None) -> None:
        """Ask for the steps after a cursor; None asks for nothing."""
        if after is not None:
            self.fetch(
                partial(
                    self.client.list_steps, self.execution_id, limit=self._reading.page_size, after=after
                ),
                partial(self._steps_came, after),
                name="steps",
            )

    def _steps_came(self, after: str, page: Page[Step]) -> None:
        following = self._reading.take(after, page)
        if len(self._book.steps) > MANY:
            gc.freeze()  # else Python would look through all of them again and again, between two keys
            self._frozen = True
        if following is None:
            self.draw()
        elif not self._draw_due:
            self._draw_due = True
            self.set_timer(DRAW_EVERY_S if len(self._book.steps) < MANY else DRAW_MANY_EVERY_S, self.draw)
        self.read_on(following)

    def draw(self) -> None:
        """Draw the steps, and what is drawn of them beside."""
        self._draw_due = False
        self.step_tree.redraw()
        if self._at_end or self._to_last:
            self.step_tree.move_to(self.step_tree.row_count - 1)
            self._to_last = self._to_last and self._reading.following is not None
        self.draw_pane()
        self.show_facts()

    def read_near_end(self) -> None:
        """Read further steps when the cursor comes near to the last that was."""
        near = self.step_tree.cursor >= self.step_tree.row_count - NEAR_END
        if near and self._reading.following is not None:
            self.read_on(self._reading.want(len(self._book.steps) + PAGE))

    def read_all(self) -> None:
        """Read all steps, as for looking through them."""
        self.read_on(self._reading.want(ALL))

    @on(StepTree.ToLast)
    def want_all(self) -> None:
        """Read all steps, for whoever goes to the last one."""
        self._to_last = self._reading.following is not None
        self.read_on(self._reading.want(ALL))

    def action_faults(self) -> None:
        """Show only the steps that failed, or all again."""
        self._book.only_faults = not self._book.only_faults
        self.read_on(self._reading.want(ALL))
        self.draw()
