"""The tabs of a workflow that are lists, versions and what starts it, and what is done with what is there."""

from __future__ import annotations

from functools import partial
from typing import Any

from textual import on
from textual.widget import Widget
from textual.widgets import TabbedContent

from omium.models.schedules import Schedule, Trigger
from omium.models.wire import Page
from omium.models.workflows import WorkflowDetail, WorkflowVersion, WorkflowVersionDocument
from omium.states import TriggerKind
from omium.tui import start_forms, starts, versions
from omium.tui.choosing import Choice, Choose
from omium.tui.pages.page import PageScreen
from omium.tui.widgets.listing import Listing


class WorkflowTabs(PageScreen):
    """What a workflow's page knows, and the actions of its tabs Versions and Schedules, triggers."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.asked = name
        self.detail: WorkflowDetail | None = None
        self.version: WorkflowVersionDocument | None = None
        """The version that graph and document show: the active one, unless another was chosen."""

    @property
    def name_(self) -> str:
        """The workflow's name, as far as it is known."""
        return self.detail.name if self.detail is not None else self.asked

    @property
    def address(self) -> str:
        """What the server finds it by: its id, since a name may hold anything; code has none."""
        return self.detail.id or self.detail.name if self.detail is not None else self.asked

    @property
    def tab(self) -> str:
        """The tab that is shown: graph, document, versions, runs or starts."""
        return self.query_one("#tabs", TabbedContent).active.removeprefix("tab-") or "graph"

    @property
    def _version_pointed(self) -> WorkflowVersion | None:
        found: Listing[WorkflowVersion] = self.query_one("#versions", Listing)
        return found.pointed

    @property
    def _start_pointed(self) -> starts.Start | None:
        found: Listing[starts.Start] = self.query_one("#starts", Listing)
        return found.pointed

    # ------------------------------------------------------------------------------ what the lists hold
    def focus_tab(self) -> None:
        """Give the keys to what the tab shows, if it shows something."""
        if self.focused is None:
            found = self.query_one(f"#{self.tab}")
            if found.display and all(each.display for each in found.ancestors if isinstance(each, Widget)):
                found.focus()

    def load_tab(self) -> None:
        """Ask for what only the tab that is shown needs."""
        if self.detail is None:
            return
        match self.tab:
            case "versions":
                if self.detail.kind == "spec":
                    self._fetch_versions(None)
                else:
                    self._fill("versions", Page[WorkflowVersion](items=[], next=None))
            case "runs":
                self._fetch_runs(None)
            case "starts":
                self.fetch(
                    partial(starts.list_starts, self.client, self.name_), self._show_starts, name="tab"
                )
            case _:
                pass

    def _fetch_versions(self, after: str | None) -> None:
        address = self.address
        self.fetch(
            lambda: self.client.list_workflow_versions(address, after=after),
            partial(self._fill, "versions", after=after),
            name="tab",
        )

    def _fetch_runs(self, after: str | None) -> None:
        name = self.name_
        self.fetch(
            lambda: self.client.list_executions(workflow=name, after=after),
            partial(self._fill, "runs", after=after),
            name="tab",
        )

    def _fill(self, which: str, found: Page[Any], after: str | None = None) -> None:
        listing: Listing[Any] = self.query_one(f"#{which}", Listing)
        if after is None:
            listing.show(found.items, found.next)
            listing.display = bool(found.items)
            self.query_one(f"#no-{which}").display = not found.items
            if self.tab == which:
                self.focus_tab()
        else:
            listing.append(found.items, found.next)

    def _show_starts(self, found: list[starts.Start]) -> None:
        self._fill("starts", Page[Any](items=found, next=None))

    @on(Listing.More)
    def _load_more(self, event: Listing.More) -> None:
        if event.listing.id == "versions":
            self._fetch_versions(event.after)
        else:
            self._fetch_runs(event.after)

    # ------------------------------------------------------------------------------ versions
    def action_diff(self) -> None:
        """Compare two marked versions, or the one that is pointed at with the one before it."""
        found: Listing[WorkflowVersion] = self.query_one("#versions", Listing)
        numbers = sorted(each.version for each in found.chosen)
        if len(numbers) > 2:
            self.notify("Mark one or two versions: two are compared.", severity="warning")
        elif len(numbers) == 2:
            versions.compare(self, self.address, numbers[0], numbers[1])
        elif numbers and numbers[0] > 1:
            versions.compare(self, self.address, numbers[0] - 1, numbers[0])
        elif numbers:
            self.notify("That is the first version; mark two to compare them.")

    def action_restore(self) -> None:
        """Make an earlier version the active one."""
        version = self._version_pointed
        if version is not None and self.detail is not None and self.detail.version is not None:
            if version.version == self.detail.version:
                self.notify("That version is the active one.")
            else:
                versions.restore(self, self.address, self.name_, self.detail.version, version.version)

    def action_tag(self) -> None:
        """Let a word name the version."""
        if self._version_pointed is not None:
            versions.tag(self, self.address, self.name_, self._version_pointed.version)

    def action_untag(self) -> None:
        """Forget a tag of the version."""
        version = self._version_pointed
        if version is not None and self.detail is not None:
            tags = [each for each in self.detail.tags if each.version == version.version]
            if tags:
                versions.untag(self, self.address, self.name_, tags)
            else:
                self.notify("That version has no tag.")

    # ------------------------------------------------------------------------------ schedules, triggers
    def action_create(self) -> None:
        """Make a schedule or a trigger of it."""
        choices = [
            Choice("schedule", "A schedule", "again and again, at certain times"),
            Choice("trigger", "A trigger", "for a signed webhook, or after another workflow"),
        ]
        self.app.push_screen(Choose(f"What is to start {self.name_}?", choices), self._create)

    def _create(self, kind: str | None) -> None:
        if kind == "schedule":
            start_forms.create_schedule(self, self.name_)
        elif kind == "trigger":
            start_forms.create_trigger(self, self.name_)

    def action_remove(self) -> None:
        """Delete schedules and triggers."""
        found: Listing[starts.Start] = self.query_one("#starts", Listing)
        starts.delete(self, found.chosen, self.load)
        found.marked.clear()

    def action_pause(self) -> None:
        """Pause a schedule, or let it go on."""
        if isinstance(self._start_pointed, Schedule):
            starts.pause_or_resume(self, self._start_pointed)
        elif self._start_pointed is not None:
            self.notify("Only schedules can be paused.")

    def action_rotate(self) -> None:
        """Give a webhook's trigger another secret."""
        start = self._start_pointed
        if isinstance(start, Trigger) and start.kind is TriggerKind.WEBHOOK:
            starts.rotate(self, start)
        elif start is not None:
            self.notify("Only triggers for webhooks have a secret.")
