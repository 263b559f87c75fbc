"""Overview: where everything stands, what to do first, what ran last."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Sparkline, Static

from omium.errors import ConnectionLost, OmiumError, Problem
from omium.models.account import Status
from omium.models.analytics import UsageAnalysis
from omium.models.credits import Credits
from omium.models.execution import ListedExecution
from omium.models.wire import Page
from omium.states import Span
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.content import cell, right, safe, safe_lines, state
from omium.tui.link import LinkState
from omium.tui.pages.page import PageScreen
from omium.tui.pages.waiting import WaitingPage
from omium.tui.refused import FORBIDDEN
from omium.tui.widgets.listing import Column, Listing
from omium.words import ago, count, local_time, money, now_us, number, span

DAYS_SHOWN: Final = 14
DAY_US: Final = 86_400_000_000
RECENT: Final = 30


class OverviewPage(PageScreen):
    """Balance, what runs, what failed, and the way to everything else."""

    NAME: ClassVar[str] = "overview"
    TITLE: ClassVar[str | None] = "Overview"
    AUTO_FOCUS: ClassVar[str | None] = "Listing"
    ACTIONS: ClassVar[tuple[Action, ...]] = (actions.FOLLOW, actions.COPY, actions.APPROVE)

    def __init__(self) -> None:
        super().__init__()
        self._following = True

    def body(self) -> ComposeResult:
        with Vertical(id="glance"):
            with Horizontal(id="standing"):
                yield Static("Loading …", id="money", classes="facts", markup=False)
                yield Static("", id="now", classes="facts", markup=False)
            yield Sparkline([], id="burn", summary_function=max)
            yield Static("", id="checklist", classes="facts", markup=False)
        yield Static("Recent executions", classes="title", markup=False)
        yield Static("Loading …", id="none-yet", classes="empty", markup=False)
        yield Listing[ListedExecution](
            (
                Column("State", lambda e: state(e.status.value, e.reason or ""), 22),
                Column("Workflow", lambda e: cell(e.workflow)),
                Column("Steps", lambda e: right(f"{e.steps_completed:,}"), 6),
                Column("Took", lambda e: cell(_took(e)), 9, hide_below=70),
                Column("Begun", lambda e: cell(ago(e.created_at_us, now_us())), 12),
                Column("Execution", lambda e: cell(e.id, "dim"), 29, hide_below=120),
            ),
            lambda execution: execution.id,
            marks=False,
            id="recent",
        )

    def load(self) -> None:
        self.fetch(self.client.get_status, self._show_status, failed=self._no_status)
        self.fetch(
            lambda: self.client.list_executions(limit=RECENT),
            self._show_recent,
            name="recent",
            failed=self._no_recent,
        )
        if self.dashboard.link.state is not LinkState.OFFLINE:
            self.fetch(self.client.get_credits, self._show_credits, name="credits", failed=self._no_credits)
            from_us = now_us() - DAYS_SHOWN * DAY_US
            self.fetch(
                lambda: self.client.analyze_usage(from_us=from_us, bucket=Span.DAY),
                self._show_burn,
                name="burn",
                failed=lambda _: None,
            )

    def on_news(self, execution_ids: frozenset[str]) -> None:
        if self._following:
            self.fetch(self.client.get_status, self._show_status)
            self.fetch(lambda: self.client.list_executions(limit=RECENT), self._show_recent, name="recent")

    def action_follow(self) -> None:
        """Keep up with what is new, or stop doing so."""
        self._following = not self._following
        self.notify("Keeps up with what is new." if self._following else "Stands still; f goes on.")

    def action_approve(self) -> None:
        """List what waits for a person."""
        self.app.push_screen(WaitingPage())

    def action_copy(self) -> None:
        """Copy the id of an execution."""
        pointed = self._recent.pointed
        if pointed is not None:
            self.copy_text(pointed.id, pointed.id)

    def _show_status(self, found: Status) -> None:
        told = [("running", found.running), ("queued", found.queued)]
        told += [("waiting", found.waiting), ("paused", found.paused)]
        now = ", ".join(f"{many:,} {name}" for name, many in told if many) or "nothing runs"
        rate = "" if found.success_rate is None else f", {found.success_rate:.0%} completed"
        text = Text()
        text.append(f"Today     {count(found.executions_today, 'execution')}{rate}\n")
        text.append(f"Now       {now}\n")
        failures = f"{found.open_failures:,} open" + (": press 3" if found.open_failures else "")
        text.append(f"Failures  {failures}\n", "red" if found.open_failures else "")
        text.append(f"Workers   {found.workers:,}")
        for workflow in found.unserved:
            text.append(f"\n! {safe(workflow)} is queued and no worker serves it", "yellow")
        self.query_one("#now", Static).update(self.painted(text))
        checklist = self.query_one("#checklist", Static)
        checklist.display = not all(item.done for item in found.checklist)
        lines = Text("Get started\n", "")
        for item in found.checklist:
            glyph, tone = ("✓", "green") if item.done else ("○", "")
            command = "" if item.done else f"   {item.command}"
            lines.append(f"  {glyph} {safe(item.name)}{safe(command)}\n", tone)
        checklist.update(self.painted(lines))

    def _show_credits(self, found: Credits) -> None:
        text = Text()
        tone = "red" if found.available_credits <= 0 else "yellow" if found.low else "green"
        text.append(f"${money(found.usd)}  {number(found.credits)} credits\n", tone)
        if found.held_credits:
            text.append(f"{number(found.held_credits)} of them held for work that runs\n", "dim")
        if found.owed_credits:
            text.append(f"! {number(found.owed_credits)} owed\n", "red")
        if found.burn_credits_per_day:
            text.append(f"{number(round(found.burn_credits_per_day, 2))} a day")
            if found.empty_at_us is not None:
                text.append(f", gone on {local_time(found.empty_at_us)[:10]}")
            text.append("\n")
        if found.low:
            text.append("! Credits are low: 7, then + tops up.\n", "yellow")
        self.query_one("#money", Static).update(self.painted(text))

    def _no_status(self, error: OmiumError) -> None:
        """Say why it is not shown; what may not be looked at is said once, below."""
        forbidden = isinstance(error, Problem) and error.status == FORBIDDEN
        if not forbidden and not isinstance(error, ConnectionLost):
            self.dashboard.tell(error)

    def _no_recent(self, error: OmiumError) -> None:
        """Say why nothing is listed; what is listed stays."""
        self.say_refused("#none-yet", error, shown=bool(self._recent.items))

    def _no_credits(self, error: OmiumError) -> None:
        who = self.dashboard.link.who
        if who is not None and who.credits is None:
            self.query_one("#money", Static).update("Not metered on this server.")
        elif not isinstance(error, ConnectionLost):
            self.query_one("#money", Static).update(safe_lines(str(error)))

    def _show_burn(self, found: UsageAnalysis) -> None:
        values = {point.start_us: point.figures.spent_microcredits / 1e6 for point in found.points}
        series = [values.get(start, 0.0) for start in range(found.from_us, found.until_us, DAY_US)]
        burn = self.query_one("#burn", Sparkline)
        burn.data = series
        burn.display = any(series) and not self.dashboard.plain
        burn.tooltip = f"Credits a day over {DAYS_SHOWN} days"

    def _show_recent(self, found: Page[ListedExecution]) -> None:
        self._recent.show(found.items, None)
        self._recent.display = bool(found.items)
        nothing = self.query_one("#none-yet", Static)
        nothing.update("Nothing ran yet. Put @omium.workflow on a function and call it: 8 tells how.")
        nothing.display = not found.items
        if found.items and self.focused is None:
            self._recent.focus()

    @on(Listing.Chosen, "#recent")
    def _open(self, event: Listing.Chosen) -> None:
        if isinstance(event.item, ListedExecution):
            self.dashboard.open_id(event.item.id)

    @property
    def _recent(self) -> Listing[ListedExecution]:
        found: Listing[ListedExecution] = self.query_one("#recent", Listing)
        return found


def _took(execution: ListedExecution) -> str:
    if execution.started_at_us is None:
        return "-"
    return span((execution.ended_at_us or now_us()) - execution.started_at_us)
