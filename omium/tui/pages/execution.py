"""One execution: its steps as a tree, and beside it what the step under the cursor, or the whole, is made of.

Owns the frame, its loading and its head. The steps are execution_steps.py's, what stands beside them
execution_tabs.py's and execution_lists.py's, what is done to it is execution_deeds.py's. It is live while it
runs: news bring the facts, the steps that are new, and the pane.
"""

from __future__ import annotations

import shlex
from functools import partial
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import ContentSwitcher, Static

from omium.errors import ConnectionLost, OmiumError
from omium.models.execution import ExecutionDetail
from omium.states import ExecutionStatus
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.content import safe
from omium.tui.execution_words import describe
from omium.tui.pages.execution_deeds import DEEDS, ExecutionDeeds
from omium.tui.pages.execution_tabs import ExecutionTabs
from omium.tui.widgets.filter import FilterBar
from omium.tui.widgets.graph_view import GraphView
from omium.tui.widgets.json_view import JsonView
from omium.tui.widgets.step_tree import StepTree
from omium.tui.widgets.tab_strip import TabStrip
from omium.tui.widgets.timeline import Timeline

TIMES_EVERY_S: Final = 1.0
BEATS_EVERY_S: Final = 5.0
TO_STEPS: Final = Action(
    "to_steps",
    "escape",
    "back",
    "Back to the steps; from there, back to where you came from.",
    "Go",
    shown=False,
)


class ExecutionPage(ExecutionTabs, ExecutionDeeds):
    """The page of one execution."""

    NAME: ClassVar[str] = "executions"
    TITLE: ClassVar[str | None] = "Executions"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        actions.PANES, actions.NEXT_TAB, actions.PREVIOUS_TAB, TO_STEPS, actions.FILTER, actions.FAULTS,
        actions.FOLLOW,
        *DEEDS,
    )  # fmt: skip
    DEFAULT_CSS = """
    ExecutionPage #facts {
        height: auto; max-height: 5; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis;
    }
    ExecutionPage #tree { width: 5fr; border-right: solid $panel-lighten-2; }
    ExecutionPage #side { width: 6fr; }
    ExecutionPage .pane-empty { height: auto; padding: 1 2; color: $text-muted; display: none; }
    ExecutionPage.-narrow #tree { width: 1fr; border-right: none; }
    ExecutionPage.-narrow #side { display: none; }
    ExecutionPage.-narrow.-aside #tree { display: none; }
    ExecutionPage.-narrow.-aside #side { display: block; width: 1fr; }
    """

    def __init__(self, execution_id: str) -> None:
        super().__init__()
        self.execution_id = execution_id

    def body(self) -> ComposeResult:
        yield Static("Loading …", id="facts", markup=False)
        yield TabStrip(id="strip")
        yield FilterBar("#tree")
        with Horizontal():
            yield StepTree(self._book, id="tree")
            with Vertical(id="side"), ContentSwitcher(initial="data", id="panes"):
                yield JsonView(id="data", empty="Loading …")
                yield Timeline(self._book, id="timeline")
                yield from self.lists()
                yield GraphView(id="graph")

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(TIMES_EVERY_S, self._count_on)
        self.set_interval(BEATS_EVERY_S, self._look_what_runs)

    # ------------------------------------------------------------------------------ where we are
    @property
    def breadcrumb(self) -> str:
        return f"Executions / {self.execution_id}"

    @property
    def command_line(self) -> str:
        what = {"events": "events", "checkpoints": "checkpoints", "effects": "effects"}
        if self.tab == "logs":
            step = ["--step", self.path] if self.path else []
            return shlex.join(["omium", "logs", self.execution_id, *step])
        return shlex.join(["omium", "executions", what.get(self.tab, "show"), self.execution_id])

    def bundle_command(self, file: str) -> str:
        step = ["--step", self.path] if self.path and self.tab == "data" else ["--plain"]
        return shlex.join(["omium", "bundle", "open", file, "--execution", self.execution_id, *step])

    # ------------------------------------------------------------------------------ loading
    def load(self) -> None:
        """Ask for the execution; steps and the pane that is shown follow."""
        call = partial(self.client.get_execution, self.execution_id)
        self.fetch(call, self._show, failed=self._not_shown)

    def _not_shown(self, error: OmiumError) -> None:
        """Say it, also where the execution would be seen; one that is shown already stays."""
        if self.detail is None:
            self.query_one("#facts", Static).update(safe(str(error)))
            self.query_one("#data", JsonView).clear("")
        if not isinstance(error, ConnectionLost):  # the banner says that
            self.dashboard.tell(error)

    def on_news(self, execution_ids: frozenset[str]) -> None:
        if self.execution_id in execution_ids:
            self.load()

    def _show(self, detail: ExecutionDetail) -> None:
        first, self.detail = self.detail is None, detail
        self.step_tree.execution = detail
        self.read_on(self._reading.take_detail(detail))
        self.draw()
        self.show_facts()
        if first and detail.version is not None:
            self.fetch(
                partial(self.client.get_workflow_version, detail.workflow, detail.version),
                self.show_graph,
                name="graph",
                failed=lambda _: None,  # the steps say it all; a bundle may not hold the document
            )
        if first:
            self.begin_following(detail)
        self.show_tabs()
        self.show_pane(anew=False)

    def show_facts(self) -> None:
        if self.detail is None:
            return
        lines = describe(self.detail, acts=self.dashboard.offers(actions.REPLAY))
        read, following = len(self._book.steps), self._reading.following
        notes = [f"{read:,} steps are read so far; G reads all"] if following is not None else []
        notes += ["faults only"] * self._book.only_faults + ["following"] * self.following
        if notes:
            lines[0].append(f" · {' · '.join(notes)}", "yellow")
        text = Text("\n", no_wrap=True, overflow="ellipsis").join(self.painted(line) for line in lines)
        self.query_one("#facts", Static).update(text)

    def _count_on(self) -> None:
        """Let the times of what runs go on."""
        if self.detail is not None and self.detail.ended_at_us is None and self.is_current:
            self.show_facts()
            if self._book.running:
                self.step_tree.refresh()
                if self.tab == "timeline":
                    self.draw_pane()

    def _look_what_runs(self) -> None:
        """Ask again: which steps run comes with beats of the driver, which are no news."""
        if self.detail is not None and self.detail.status is ExecutionStatus.RUNNING and self.is_current:
            self.load()

    # ------------------------------------------------------------------------------ looking for things
    def action_filter(self) -> None:
        """Look for words in what has the focus: steps, a list, or a value."""
        bar = self.query_one(FilterBar)
        focused = self.focused
        name = focused.id if focused is not None and hasattr(focused, "filter_words") else "tree"
        if name == "tree":
            self.read_all()
        bar.open(f"#{name}")
