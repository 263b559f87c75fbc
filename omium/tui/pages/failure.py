"""One failure whole: its answers, the steps around it, a tab for each question, and what to do about it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.widgets import TabbedContent

from omium.errors import ConnectionLost, OmiumError
from omium.models.failure import Failure, FailureDetail
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.pages.failure_deeds import DEEDS, FailureDeeds
from omium.tui.pages.failure_pane import FailurePane

NEXT_TAB: Final = Action("next_tab", "right_square_bracket", "next tab", "To the next tab.", "Go")
PREVIOUS_TAB: Final = Action(
    "previous_tab", "left_square_bracket", "tab before", "To the tab before.", "Go", shown=False
)


class FailurePage(FailureDeeds):
    """A failure's page."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (*DEEDS, NEXT_TAB, PREVIOUS_TAB, actions.PANES)

    def __init__(self, failure_id: str) -> None:
        super().__init__()
        self.failure_id = failure_id
        self._detail: FailureDetail | None = None

    def body(self) -> ComposeResult:
        yield FailurePane(id="failure")

    @property
    def pane(self) -> FailurePane:
        """All about it."""
        return self.query_one("#failure", FailurePane)

    @property
    def breadcrumb(self) -> str:
        tab = f" / {self.pane.tabs.active}" if self.dashboard.plain and self.is_mounted else ""
        return f"Failures / {self.failure_id}{tab}"  # plain: no line is under the tab's name

    @property
    def command_line(self) -> str:
        return shlex.join(["omium", "failures", "show", self.failure_id])

    @property
    def chosen(self) -> Sequence[Failure]:
        return () if self._detail is None else (self._detail,)

    @property
    def detail(self) -> FailureDetail | None:
        return self._detail

    @property
    def step_key(self) -> str:
        return self.pane.step_key

    def load(self) -> None:
        """Ask for all about it."""
        self.fetch(lambda: self.client.get_failure(self.failure_id), self._show, failed=self._not_shown)

    def _not_shown(self, error: OmiumError) -> None:
        if self._detail is None:
            self.pane.say(str(error))
        elif not isinstance(error, ConnectionLost):  # the banner says that
            self.dashboard.tell(error)

    def _show(self, detail: FailureDetail) -> None:
        first = self._detail is None
        self._detail = detail
        self.pane.show(detail)
        self.look_again_if_replayed(detail)
        if first:
            self.pane.begin()

    @on(TabbedContent.TabActivated)
    def _tab_shown(self) -> None:
        self.query("PageHeader").refresh(layout=True)

    def action_next_tab(self) -> None:
        """To the next tab."""
        self.pane.turn(1)

    def action_previous_tab(self) -> None:
        """To the tab before."""
        self.pane.turn(-1)
