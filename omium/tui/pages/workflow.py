"""A workflow: its graph, its document, its versions, what ran of it, and what starts it by itself.

Owns the frame and which key does what on which tab; the lists are workflow_tabs.py's, what is done with the
document is workflow_deeds.py's. Flows: running.py (a form of inputs), versions.py
(compare, restore, tag), starts.py and start_forms.py (schedules, triggers), node_form.py; document.py saves.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.widgets import Static, TabbedContent, TabPane, Tabs

from omium.errors import ConnectionLost, OmiumError, SpecInvalid
from omium.models.execution import ListedExecution
from omium.models.schedules import Schedule, Trigger
from omium.models.workflows import WorkflowDetail, WorkflowVersion, WorkflowVersionDocument
from omium.sdk.async_client import AsyncClient
from omium.spec.check import restore_spec
from omium.spec.document import Spec
from omium.spec.reading_order import in_reading_order
from omium.states import Scope
from omium.tui import actions, starts
from omium.tui.actions import Action
from omium.tui.archiving import ARCHIVE
from omium.tui.content import safe
from omium.tui.dialogs import Reading
from omium.tui.node_form import find_node
from omium.tui.node_words import node_text
from omium.tui.pages.start import StartPage
from omium.tui.pages.workflow_deeds import EDIT, EDIT_HERE, EDIT_NODE, WRITE, WorkflowDeeds
from omium.tui.running import START
from omium.tui.spec_text import as_json
from omium.tui.start_words import PAUSE
from omium.tui.versions import RESTORE, TAG, UNTAG
from omium.tui.widgets.graph_view import GraphView
from omium.tui.widgets.json_view import JsonView
from omium.tui.widgets.listing import Listing
from omium.tui.workflow_columns import RUN_COLUMNS, START_COLUMNS, VERSION_COLUMNS, facts_text
from omium.words import json_text

OF_A_TAB: Final[Mapping[str, frozenset[str]]] = {
    "edit_node": frozenset({"graph"}),
    "diff": frozenset({"versions"}),
    "restore": frozenset({"versions"}),
    "tag": frozenset({"versions"}),
    "untag": frozenset({"versions"}),
    "create": frozenset({"starts"}),
    "remove": frozenset({"starts"}),
    "pause": frozenset({"starts"}),
    "rotate": frozenset({"starts"}),
}
"""Actions that are about what one tab shows."""
_NEEDS_DOCUMENT: Final = frozenset({"edit", "edit_here", "edit_node", "write", "archive"})
_CODE: Final = """\
This workflow is known by what ran: its definition is code, and there is no document to draw.

Its executions are under Runs. Code of a framework becomes a document that can be looked at and edited with:
omium export PATH.py --import"""


LOAD_AFTER_S: Final = 5.0
"""So long after news the whole workflow is loaded again; a document may be large."""


class WorkflowPage(WorkflowDeeds):
    """The detail of one workflow, by its name or id."""

    NAME: ClassVar[str] = "automation"
    TITLE: ClassVar[str | None] = "Automation"
    AUTO_FOCUS: ClassVar[str | None] = ""
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        START, EDIT_NODE, EDIT_HERE, EDIT, actions.DIFF, RESTORE, TAG, UNTAG, actions.CREATE, actions.REMOVE,
        PAUSE, actions.ROTATE, ARCHIVE, actions.COPY, WRITE, actions.PREVIOUS_TAB, actions.NEXT_TAB,
        actions.PANES,
    )  # fmt: skip
    DEFAULT_CSS = """
    WorkflowPage #facts { height: auto; max-height: 4; }
    WorkflowPage #graph-tab { layout: horizontal; }
    WorkflowPage #node-pane { width: 44; border-left: solid $panel-lighten-2; padding: 0 1; }
    WorkflowPage.-wide #node-pane { width: 64; }
    WorkflowPage.-narrow #graph-tab { layout: vertical; }
    WorkflowPage.-narrow #facts { max-height: 2; }
    WorkflowPage.-narrow #node-pane { width: 1fr; height: 8; border: none;
        border-top: solid $panel-lighten-2; }
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._load_due = False
        self._spec: Spec | None = None

    # ------------------------------------------------------------------------------ the frame
    def body(self) -> ComposeResult:
        yield Static("Loading …", id="facts", classes="facts", markup=False)
        with TabbedContent(id="tabs"):
            with TabPane("Graph", id="tab-graph"):
                yield Static(_CODE, id="no-graph", classes="empty", markup=False)
                with Container(id="graph-tab"):
                    yield GraphView(id="graph")
                    with VerticalScroll(id="node-pane"):
                        yield Static("", id="node", markup=False)
            with TabPane("Document", id="tab-document"):
                yield Static(_CODE, id="no-document", classes="empty", markup=False)
                yield JsonView(id="document")
            with TabPane("Versions", id="tab-versions"):
                yield Static("No versions.", id="no-versions", classes="empty", markup=False)
                yield Listing[WorkflowVersion](VERSION_COLUMNS, lambda v: str(v.version), id="versions")
            with TabPane("Runs", id="tab-runs"):
                yield Static("It has not run yet. s starts it.", id="no-runs", classes="empty", markup=False)
                yield Listing[ListedExecution](RUN_COLUMNS, lambda run: run.id, marks=False, id="runs")
            with TabPane("Schedules, triggers", id="tab-starts"):
                yield Static(
                    "Nothing starts it by itself. + makes a schedule, or a trigger for a webhook or another"
                    " workflow's end.",
                    id="no-starts", classes="empty", markup=False,
                )  # fmt: skip
                yield Listing[starts.Start](START_COLUMNS, lambda start: start.id, id="starts")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(Tabs).can_focus = False  # `[` and `]` change the tab; the keys are the tab's
        self.query_one("#graph").focus()
        if self.dashboard.plain:
            self.query_one("#node-pane").styles.border = ("none", "transparent")

    @property
    def breadcrumb(self) -> str:
        which = f"@{self.looked_at}" if self.looked_at is not None else ""
        tab = (
            f" / {self.tab}" if self.dashboard.plain and self.is_mounted else ""
        )  # no line is under its name
        return f"Automation / {self.name_}{which}{tab}"

    @property
    def command_line(self) -> str:
        name = self.name_ + (f"@{self.looked_at}" if self.looked_at is not None else "")
        match self.tab:
            case "graph":
                return shlex.join(["omium", "workflows", "graph", name])
            case "document":
                return shlex.join(["omium", "workflows", "export", name])
            case "runs":
                return shlex.join(["omium", "executions", "list", "--workflow", self.name_])
            case "starts":
                return "omium schedules list\nomium triggers list"
            case _:
                return shlex.join(["omium", "workflows", "versions", self.name_])

    @on(TabbedContent.TabActivated)
    def _other_tab(self) -> None:
        self.set_focus(None)  # what had it is in the tab before, and would bring that back
        self.focus_tab()
        self.load_tab()
        self.query("PageHeader").refresh(layout=True)
        self.refresh_bindings()

    # ------------------------------------------------------------------------------ what is shown
    def load(self) -> None:
        self.fetch(
            partial(_look, self.client, self.asked, self.looked_at), self._show, failed=self._not_found
        )

    def on_news(self, execution_ids: frozenset[str]) -> None:
        """What ran may be of this workflow: its runs are listed at once, the rest is loaded later."""
        if self.tab == "runs":
            self.load_tab()
        if not self._load_due:
            self._load_due = True
            self.set_timer(LOAD_AFTER_S, self._load_late)

    def _load_late(self) -> None:
        self._load_due = False
        if self.is_current:
            self.load()

    def _show(self, found: tuple[WorkflowDetail, WorkflowVersionDocument | None]) -> None:
        self.detail, version = found
        self.query_one("#tabs").display = True
        facts = facts_text(self.detail, version)
        self.query_one("#facts", Static).update(self.painted(facts))
        self.query("PageHeader").refresh(layout=True)
        for name in ("graph", "document"):
            self.query_one(f"#no-{name}").display = version is None
        self.query_one("#graph-tab").display = version is not None
        self.query_one("#document").display = version is not None
        if version is None and isinstance(self.focused, GraphView | JsonView):
            self.set_focus(None)
        if version is not None and (self.version is None or version.version != self.version.version):
            self.version = version
            self._draw(version)
        self.load_tab()

    def _not_found(self, error: OmiumError) -> None:
        """Say why nothing is shown; what was shown stays."""
        if self.detail is None:
            self.query_one("#facts", Static).update(safe(error))
            self.query_one("#tabs").display = False
        elif not isinstance(error, ConnectionLost):  # the banner says that
            self.dashboard.tell(error)

    def _draw(self, version: WorkflowVersionDocument) -> None:
        self.query_one("#document", JsonView).show(in_reading_order(as_json(version.document)))
        try:
            self._spec = restore_spec(as_json(version.document))
        except SpecInvalid as invalid:  # stored by a newer server
            self.dashboard.tell(invalid, "The graph cannot be drawn")
            return
        self.query_one("#graph", GraphView).show(self._spec)

    @on(GraphView.Pointed)
    def _point(self, event: GraphView.Pointed) -> None:
        node, spec = event.node, self._spec
        if node is not None and spec is not None and event.path is not None:
            text = node_text(event.path, node, spec.agents.get(node.agent or ""))
            self.query_one("#node", Static).update(self.painted(text))
            self.query_one("#node-pane").scroll_home(animate=False)

    @on(GraphView.Chosen)
    def _read_node(self, event: GraphView.Chosen) -> None:
        if self.version is not None and event.path is not None:
            node = find_node(self.version.document, event.path)
            self.app.push_screen(
                Reading(event.path, json_text(node, indent=2), note="m changes it in a form.")
            )

    @on(Listing.Chosen)
    def _open(self, event: Listing.Chosen) -> None:
        item = event.item
        if isinstance(item, ListedExecution):
            self.dashboard.open_id(item.id)
        elif isinstance(item, Schedule | Trigger):
            self.app.push_screen(StartPage(item.id))
        elif isinstance(item, WorkflowVersion) and self.detail is not None:
            self.looked_at = None if item.version == self.detail.version else item.version
            self.query_one("#tabs", TabbedContent).active = "tab-graph"
            self.load()

    # ------------------------------------------------------------------------------ what may be done
    def may_do(self, action: Action) -> bool:
        tabs = OF_A_TAB.get(action.name)
        if tabs is not None and self.tab not in tabs:
            return False
        if action.name in _NEEDS_DOCUMENT:
            return self.version is not None
        if action.name in {"create", "remove", "rotate"}:
            who = self.dashboard.link.who
            return who is None or Scope.OPERATE in who.scopes
        return True


async def _look(
    client: AsyncClient, name: str, looked_at: int | None
) -> tuple[WorkflowDetail, WorkflowVersionDocument | None]:
    """Return a workflow, and the version of it that is looked at."""
    detail = await client.get_workflow(name)
    if looked_at is None or detail.active is None or looked_at == detail.version:
        return detail, detail.active
    return detail, await client.get_workflow_version(detail.id or detail.name, looked_at)
