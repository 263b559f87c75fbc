"""Automation: workflows and what starts them by itself, as lists beside each other.

Owns the lists and which key does what in which of them. What is done is in flows that details use as well:
running.py, starts.py, start_forms.py; a document is edited in document.py.
"""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from rich.text import Text

from omium.models.wire import Page
from omium.models.workflows import Workflow
from omium.states import Scope
from omium.tui.actions import Action
from omium.tui.archiving import ARCHIVE, archive_or_unarchive
from omium.tui.content import cell, right, state
from omium.tui.dialogs import Field, Form
from omium.tui.pages.automation_starts import Schedules, Triggers, Webhooks
from omium.tui.pages.document import DocumentPage
from omium.tui.pages.sections import Section, SectionsPage
from omium.tui.pages.workflow import WorkflowPage
from omium.tui.running import START, start_workflow
from omium.tui.spec_text import skeleton
from omium.tui.start_words import PAUSE
from omium.tui.widgets.listing import Column
from omium.words import ago, now_us

IMPORT: Final = Action(
    "import_document", "I", "import", "Import a workflow: paste its JSON, or read it from a file.", "Act",
    scope=Scope.MANAGE, changes=True,
)  # fmt: skip
WITH_ARCHIVED: Final = Action("with_archived", "w", "archived", "List archived ones, too, or leave them out.")
_NO_WORKFLOWS: Final = """\
No workflows yet.

I   imports one: paste its JSON, or read it from a file.
    Code of CrewAI, LangGraph, Semantic Kernel and others becomes JSON with: omium export PATH.py
+   begins an empty one.

A workflow that is only code (@omium.workflow) comes here by itself when it has run once."""


class Workflows(Section[Workflow]):
    """Workflows, those that are only code among them."""

    name = "workflows"
    title = "Workflows"
    empty = _NO_WORKFLOWS
    scopes: ClassVar[Mapping[str, Scope]] = {"create": Scope.MANAGE}
    with_archived = False

    @property
    def command(self) -> str:  # type: ignore[override]  # it says what is listed
        """The command that lists the same."""
        return "omium workflows list" + (" --archived" if self.with_archived else "")

    def columns(self) -> Sequence[Column[Workflow]]:
        return (
            Column("Workflow", lambda w: cell(w.name)),
            Column("Version", _version, 11),
            Column("From", lambda w: cell(w.source_framework or w.kind), 16, hide_below=100),
            Column("Description", lambda w: cell(w.description), 30, hide_below=150),
            Column("Last run", _last_run, 22),
            Column("", lambda w: cell(_ran(w), "dim"), 11),
            Column("Failures", _failures, 8),
        )

    def key_of(self, item: Workflow) -> str:
        return item.name

    def list_page(self, after: str | None) -> Awaitable[Page[Workflow]]:
        return self.client.list_workflows(archived=self.with_archived, after=after)

    def open(self, item: object) -> None:
        """Show one."""
        if isinstance(item, Workflow):
            self.page.app.push_screen(WorkflowPage(item.id or item.name))

    def create(self) -> None:
        """Begin an empty one."""
        name = Field("name", "Name", placeholder="research", required=True)
        self.page.app.push_screen(Form("A new workflow", [name], send="Write it"), self._begin)

    def _begin(self, given: Mapping[str, str] | None) -> None:
        if given is not None:
            self.page.app.push_screen(DocumentPage(skeleton(given["name"].strip())))

    def start(self) -> None:
        """Run the one that is pointed at."""
        if self.pointed is not None:
            start_workflow(self.page, self.pointed.id or self.pointed.name)

    def archive(self) -> None:
        """Archive the chosen ones, or take an archived one back."""
        archive_or_unarchive(self.page, self.chosen)
        self.listing.marked.clear()

    def import_document(self) -> None:
        """Paste one, or read it from a file."""
        self.page.app.push_screen(DocumentPage())

    def toggle_archived(self) -> None:
        """List archived ones, or leave them out."""
        self.with_archived = not self.with_archived
        self.listing.clear_items()
        self.page.notify("Archived ones, too." if self.with_archived else "Without archived ones.", timeout=3)
        self.page.load()


def _version(workflow: Workflow) -> Text:
    if workflow.version is None:
        return cell("code", "dim")
    return cell(f"{workflow.version} archived" if workflow.archived else workflow.version)


def _last_run(workflow: Workflow) -> Text:
    last = workflow.last_execution
    return cell("never run", "dim") if last is None else state(last.status.value, last.reason or "")


def _ran(workflow: Workflow) -> str:
    last = workflow.last_execution
    return "" if last is None else ago(last.created_at_us, now_us())


def _failures(workflow: Workflow) -> Text:
    return right(workflow.open_failures, "red" if workflow.open_failures else "dim")


class AutomationPage(SectionsPage):
    """Workflows, schedules, triggers and webhooks."""

    NAME: ClassVar[str] = "automation"
    TITLE: ClassVar[str | None] = "Automation"
    SECTIONS: ClassVar[tuple[type[Section[Any]], ...]] = (Workflows, Schedules, Triggers, Webhooks)
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        START, IMPORT, PAUSE, ARCHIVE, WITH_ARCHIVED, *SectionsPage.ACTIONS,
    )  # fmt: skip
    OF_A_SECTION: ClassVar[Mapping[str, str]] = {
        "start": "start", "import_document": "import_document", "pause": "pause", "archive": "archive",
        "with_archived": "toggle_archived", "create": "create", "remove": "remove", "rotate": "rotate",
        "test": "test", "change": "change", "verify": "verify",
    }  # fmt: skip
    """Action to the method of a section that does it."""

    def on_news(self, execution_ids: frozenset[str]) -> None:
        """What ran last is news of a workflow."""
        if isinstance(self.section, Workflows):
            self.load()

    def may_do(self, action: Action) -> bool:
        method = self.OF_A_SECTION.get(action.name)
        if method is None:
            return True
        section = self.section
        scope = getattr(section, "scopes", {}).get(action.name, action.scope)
        return hasattr(section, method) and self.dashboard.offers(replace(action, scope=scope))

    @property
    def command_line(self) -> str:
        item = self.section.pointed
        if isinstance(self.section, Workflows) and isinstance(item, Workflow):
            return f"{self.section.command}\n{shlex.join(['omium', 'workflows', 'show', item.name])}"
        return self.section.command

    def action_start(self) -> None:
        """Start what the cursor is on."""
        self._do("start")

    def action_import_document(self) -> None:
        """Import a workflow."""
        self._do("import_document")

    def action_pause(self) -> None:
        """Pause a schedule, or let it go on."""
        self._do("pause")

    def action_archive(self) -> None:
        """Archive workflows, or take them back."""
        self._do("archive")

    def action_with_archived(self) -> None:
        """List archived workflows, too."""
        self._do("toggle_archived")
