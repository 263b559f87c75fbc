"""A schedule or a trigger: what it starts, when, and what became of its times."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widgets import Static

from omium.errors import ConnectionLost, OmiumError
from omium.models.schedules import Fire, Schedule, Trigger
from omium.models.wire import Page
from omium.states import Scope, TriggerKind
from omium.tui import actions, starts
from omium.tui.actions import Action
from omium.tui.content import safe
from omium.tui.pages.page import PageScreen
from omium.tui.running import START
from omium.tui.start_words import FIRE_COLUMNS, PAUSE, schedule_facts, trigger_facts
from omium.tui.widgets.listing import Listing


class StartPage(PageScreen):
    """The detail of what `start_id` names, a schedule (`sc_…`) or a trigger (`tr_…`)."""

    NAME: ClassVar[str] = "automation"
    TITLE: ClassVar[str | None] = "Automation"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        START, PAUSE, actions.ROTATE, actions.REMOVE, actions.COPY, actions.PANES,
    )  # fmt: skip
    SCOPES: ClassVar[dict[str, Scope]] = {"rotate": Scope.OPERATE, "remove": Scope.OPERATE}

    def __init__(self, start_id: str) -> None:
        super().__init__()
        self.start_id = start_id
        self.shown: starts.Start | None = None

    @property
    def _is_schedule(self) -> bool:
        return self.start_id.startswith("sc_")

    def body(self) -> ComposeResult:
        yield Static("Loading …", id="facts", classes="facts", markup=False)
        yield Static("What became of its times", classes="title", markup=False)
        yield Static("", id="empty", classes="empty", markup=False)
        yield Listing[Fire](FIRE_COLUMNS, lambda fire: fire.key, marks=False, id="fires")

    @property
    def breadcrumb(self) -> str:
        kind = "Schedules" if self._is_schedule else "Triggers"
        return f"Automation / {kind} / {self.shown.name if self.shown else self.start_id}"

    @property
    def command_line(self) -> str:
        return f"omium {'schedules' if self._is_schedule else 'triggers'} show {self.start_id}"

    # ------------------------------------------------------------------------------ what is shown
    def load(self) -> None:
        wrong = self._not_shown
        if self._is_schedule:
            self.fetch(lambda: self.client.get_schedule(self.start_id), self.show, name="start", failed=wrong)
        else:
            self.fetch(lambda: self.client.get_trigger(self.start_id), self.show, name="start", failed=wrong)
        self.fetch(partial(self._list_fires, None), self._show_fires, name="fires", failed=self._no_fires)

    def _not_shown(self, error: OmiumError) -> None:
        """Say why nothing is shown; what was shown stays."""
        self.say_refused("#facts", error, shown=self.shown is not None)

    def _no_fires(self, error: OmiumError) -> None:
        """Where nothing of it is shown, the facts say why already."""
        if self.shown is not None and not isinstance(error, ConnectionLost):
            self.dashboard.tell(error)

    async def _list_fires(self, after: str | None) -> Page[Fire]:
        if self._is_schedule:
            return await self.client.list_schedule_fires(self.start_id, after=after)
        return await self.client.list_trigger_fires(self.start_id, after=after)

    def show(self, found: starts.Start) -> None:
        """Show what is known of it."""
        self.shown = found
        facts = schedule_facts(found) if isinstance(found, Schedule) else trigger_facts(found)
        facts = [("Name", f"{found.name} ({found.id})"), *facts]
        lines = [f"{name:<13} {safe(value)}" for name, value in facts]
        self.query_one("#facts", Static).update("\n".join(lines))
        self.query("PageHeader").refresh(layout=True)

    def _show_fires(self, found: Page[Fire]) -> None:
        listing: Listing[Fire] = self.query_one("#fires", Listing)
        listing.show(found.items, found.next)
        listing.display = bool(found.items)
        empty = self.query_one("#empty", Static)
        empty.update(
            "It has not come to start anything yet." + (" s starts it now." if self._is_schedule else "")
        )
        empty.display = not found.items
        if found.items and self.focused is None:
            listing.focus()

    @on(Listing.More, "#fires")
    def _load_more(self, event: Listing.More) -> None:
        listing: Listing[Fire] = self.query_one("#fires", Listing)
        self.fetch(
            partial(self._list_fires, event.after),
            lambda found: listing.append(found.items, found.next),
            name="more",
        )

    @on(Listing.Chosen, "#fires")
    def _open(self, event: Listing.Chosen) -> None:
        fire = event.item
        if isinstance(fire, Fire) and fire.execution_id is not None:
            self.dashboard.open_id(fire.execution_id)
        elif isinstance(fire, Fire):
            self.notify(safe(f"Nothing was started: {fire.detail or fire.outcome.value}"), markup=False)

    # ------------------------------------------------------------------------------ what is done
    def may_do(self, action: Action) -> bool:
        if action.name in {"start", "pause"}:
            return self._is_schedule
        if action.name == "rotate" and not (
            isinstance(self.shown, Trigger) and self.shown.kind is TriggerKind.WEBHOOK
        ):
            return False
        who = self.dashboard.link.who
        scope = self.SCOPES.get(action.name)
        return scope is None or who is None or scope in who.scopes

    def action_start(self) -> None:
        """Start its workflow now."""
        if isinstance(self.shown, Schedule):
            starts.run_now(self, self.shown)

    def action_pause(self) -> None:
        """Pause it, or let it go on."""
        if isinstance(self.shown, Schedule):
            starts.pause_or_resume(self, self.shown)

    def action_rotate(self) -> None:
        """Give it another secret."""
        if isinstance(self.shown, Trigger):
            starts.rotate(self, self.shown)

    def action_remove(self) -> None:
        """Delete it, and go back."""
        if self.shown is not None:
            starts.delete(self, [self.shown], self._gone)

    def action_copy(self) -> None:
        """Copy its id."""
        self.copy_text(self.start_id, self.start_id)

    def _gone(self) -> None:
        if self.is_current:
            self.app.pop_screen()
