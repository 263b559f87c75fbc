"""What stands beside an execution's steps: which pane is shown, and those that draw one step or the whole.

The panes that are lists are execution_lists.py's, the steps execution_steps.py's.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Final

from textual import on
from textual.widgets import ContentSwitcher

from omium.models.driver import RecordValue
from omium.models.execution import Step
from omium.models.workflows import WorkflowVersionDocument
from omium.spec.check import restore_spec
from omium.spec.document import Spec
from omium.tui.comparing import is_cut
from omium.tui.execution_panes import PANES, error_words
from omium.tui.node_states import states_of
from omium.tui.pages.execution_steps import ExecutionSteps
from omium.tui.spec_text import as_json
from omium.tui.widgets.graph_view import GraphView
from omium.tui.widgets.json_view import JsonView
from omium.tui.widgets.lines import LineView
from omium.tui.widgets.step_rows import ROOT
from omium.tui.widgets.step_tree import StepTree
from omium.tui.widgets.tab_strip import TabStrip
from omium.tui.widgets.timeline import Timeline
from omium.words import now_us

STEPS: Final = "steps"
TABS: Final = (
    ("data", "Data"), ("timeline", "Timeline"), *((pane.name, pane.title) for pane in PANES),
    ("graph", "Graph"),
)  # fmt: skip


class ExecutionTabs(ExecutionSteps):
    """What the page of an execution does with its panes."""

    NAME: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self.tab = "data"
        self._spec: Spec | None = None

    @property
    def narrow(self) -> bool:
        """Whether there is room for either the steps or a pane."""
        return self.has_class("-narrow")

    def draw_pane(self) -> None:
        if self.tab == "timeline":
            self._show_timeline()
        elif self.tab == "graph":
            self._draw_graph()

    # ------------------------------------------------------------------------------ which is shown
    def show_tabs(self) -> None:
        tabs = [each for each in TABS if each[0] != "graph" or self._spec is not None]
        if self.narrow:
            tabs.insert(0, (STEPS, "Steps"))
        aside = not self.narrow or self.has_class("-aside")
        self.query_one(TabStrip).show(tabs, self.tab if aside else STEPS)

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_tabs)

    def go_to_tab(self, name: str, *, focus: bool = True) -> None:
        """Show a pane, or (narrow) the steps."""
        self.set_class(name != STEPS, "-aside")
        if name == STEPS:
            self.step_tree.focus()
        else:
            self.tab = name
            self.query_one("#panes", ContentSwitcher).current = name
            if self.narrow or focus:
                self.call_after_refresh(self._focus_pane)
            self.show_pane(anew=False)
        self.show_tabs()

    def _focus_pane(self) -> None:
        found = self.query_one(f"#{self.tab}")
        target = found if found.can_focus else found.query("Listing").first()
        target.focus()

    @on(TabStrip.Picked)
    def _picked(self, event: TabStrip.Picked) -> None:
        self.go_to_tab(event.name)

    def action_next_tab(self) -> None:
        """To the next pane; the cursor stays among the steps where both are seen."""
        self._turn(1)

    def action_previous_tab(self) -> None:
        """To the pane before."""
        self._turn(-1)

    def _turn(self, by: int) -> None:
        names = [name for name, _ in TABS if name != "graph" or self._spec is not None]
        if self.narrow:
            names.insert(0, STEPS)
        here = STEPS if self.narrow and not self.has_class("-aside") else self.tab
        self.go_to_tab(names[(names.index(here) + by) % len(names)], focus=not self.step_tree.has_focus)

    async def action_to_steps(self) -> None:
        """Back to the steps, or to where one came from."""
        if self.step_tree.has_focus or (self.focused is None and not self.narrow):
            await self.dashboard.action_back()
        elif self.narrow:
            self.go_to_tab(STEPS)
        else:
            self.step_tree.focus()

    def show_pane(self, *, anew: bool) -> None:
        match self.tab:
            case "data":
                self._show_data()
            case "timeline":
                self._show_timeline()
            case "graph":
                self._draw_graph()
            case _:
                self.show_list(self.tab, anew=anew)

    @on(StepTree.Chosen)
    def _step_chosen(self) -> None:
        self.go_to_tab("data")

    @on(LineView.Moved, "#timeline")
    def _time_pointed(self) -> None:
        timeline = self.query_one("#timeline", Timeline)
        if timeline.has_focus:
            self.step_tree.point_at(timeline.pointed_key)

    @on(LineView.Moved, "#tree")
    def _step_pointed(self) -> None:
        self.read_near_end()
        if self.tab in ("data", "timeline"):
            self.show_pane(anew=True)
        elif any(pane.name == self.tab and pane.of_step for pane in PANES):
            self.list_soon()

    # ------------------------------------------------------------------------------ what is drawn
    def _show_data(self) -> None:
        view, detail, path = self.query_one("#data", JsonView), self.detail, self.path
        if detail is None:
            return
        if path == ROOT:
            view.show(recorded(detail.error, detail.input, detail.output))
            return
        step = self._book.steps.get(path)
        if step is None:
            view.clear("It has no record yet: it runs, or only holds others.")
            return
        view.show(recorded(step.error, step.input, step.output, sealed=step.output_sealed))
        if is_cut(step):
            self.fetch(
                partial(self.client.get_step_value, self.execution_id, path=path),
                partial(self._show_whole, step),
                name="value",
                failed=lambda error: view.show(recorded(step.error, step.input, f"({error})")),
            )

    def _show_whole(self, step: Step, whole: RecordValue) -> None:
        if self.path == step.key and self.tab == "data":
            view = self.query_one("#data", JsonView)
            view.show(recorded(step.error, step.input, whole.output))

    def _show_timeline(self) -> None:
        detail, reach = self.detail, self._book.span_us()
        if detail is None:
            return
        timeline = self.query_one("#timeline", Timeline)
        from_us = detail.started_at_us or (reach[0] if reach else detail.created_at_us)
        until_us = detail.ended_at_us or (now_us() if reach is None or self._book.running else reach[1])
        timeline.show(self.step_tree.keys, from_us, until_us)
        if not timeline.has_focus:
            timeline.point_at(self.path)

    def show_graph(self, version: WorkflowVersionDocument) -> None:
        self._spec = restore_spec(as_json(version.document))
        self.show_tabs()
        self._draw_graph()

    def _draw_graph(self) -> None:
        if self._spec is not None and self.detail is not None:
            states = states_of(self._spec, self.detail, self._book.steps.values())
            self.query_one("#graph", GraphView).show(self._spec, states)

    @on(GraphView.Chosen)
    def _node_chosen(self, event: GraphView.Chosen) -> None:
        if event.path is not None and self.step_tree.point_at(event.path):
            self.go_to_tab("data")


def recorded(error: object, given: object, output: object, *, sealed: bool = False) -> dict[str, object]:
    """Return what was recorded, what is looked for first at the top."""
    parts: dict[str, object] = {} if error is None else {"error": error_words(error)}
    parts |= {"input": given, "output": "(sealed: only its code can read it)" if sealed else output}
    return parts if error is None else parts | {"about the error": error}
