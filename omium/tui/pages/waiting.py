"""Waiting for you: approvals, and effects of which nobody knows whether they happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.widgets import Static

from omium.errors import OmiumError
from omium.models.approval import Approval
from omium.models.failure import Failure
from omium.states import FailureKind, FailureStatus
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.content import cell
from omium.tui.deciding import decide, decide_effect
from omium.tui.pages.page import PageScreen
from omium.tui.widgets.listing import Column, Listing
from omium.words import ago, count, now_us

PAGE: Final = 200
NOTHING: Final = (
    "Nothing waits for you. Here stand the approvals that workflows ask for, and side effects of which\n"
    "nobody knows whether they happened."
)
OPEN_IT: Final = Action("open_execution", "o", "execution", "Open the execution that waits.", "Go")


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that waits for a person."""

    item: Approval | Failure

    @property
    def key(self) -> str:
        """What it is told apart by."""
        return (
            f"{self.item.execution_id}/{self.item.path}" if isinstance(self.item, Approval) else self.item.id
        )

    @property
    def asks(self) -> str:
        """What it wants to know."""
        if isinstance(self.item, Approval):
            return self.item.message or f"{self.item.node}: go on?"
        return f"Did {self.item.step} happen? {self.item.message}"

    @property
    def since_us(self) -> int:
        """When it was asked."""
        return self.item.asked_at_us if isinstance(self.item, Approval) else self.item.last_seen_at_us

    @property
    def until_us(self) -> int | None:
        """When it is decided without a person."""
        return self.item.expires_at_us if isinstance(self.item, Approval) else None


class WaitingPage(PageScreen):
    """What waits for a person, the oldest first."""

    NAME: ClassVar[str] = "failures"
    TITLE: ClassVar[str | None] = "Waiting for you"
    ACTIONS: ClassVar[tuple[Action, ...]] = (actions.APPROVE, OPEN_IT)

    def body(self) -> ComposeResult:
        yield Static("Loading …", id="waiting-summary", classes="facts", markup=False)
        yield Listing(COLUMNS, lambda each: each.key, marks=False, id="waiting")

    @property
    def breadcrumb(self) -> str:
        return "Failures / Waiting for you"

    @property
    def command_line(self) -> str:
        return "omium approvals list"

    @property
    def listing(self) -> Listing[Waiting]:
        """The list."""
        return self.query_one("#waiting", Listing)

    def load(self) -> None:
        """Ask for what waits."""
        self.fetch(self._read, self._show, failed=self._refused)

    def _refused(self, error: OmiumError) -> None:
        """Say why nothing is listed; what is listed stays."""
        self.say_refused("#waiting-summary", error, shown=bool(self.listing.items))

    async def _read(self) -> list[Waiting]:
        approvals = await self.client.list_approvals(limit=PAGE)
        effects = await self.client.list_failures(
            status=FailureStatus.OPEN, kind=FailureKind.EFFECT_UNKNOWN, limit=PAGE
        )
        found = [*map(Waiting, approvals.items), *map(Waiting, effects.items)]
        return sorted(found, key=lambda each: each.since_us)

    def _show(self, found: Sequence[Waiting]) -> None:
        self.listing.show(found, None)
        self.listing.set_class(not found, "-no-rows")
        said = f"{count(len(found), 'thing')} to decide: enter or a answers." if found else NOTHING
        self.query_one("#waiting-summary", Static).update(said)
        if found and self.focused is None:
            self.listing.focus()

    @on(Listing.Chosen, "#waiting")
    def action_approve(self) -> None:
        """Answer what the cursor is on."""
        pointed = self.listing.pointed
        if pointed is None or not self.dashboard.offers(actions.APPROVE):
            return
        if isinstance(pointed.item, Approval):
            decide(self, pointed.item)
        else:
            decide_effect(self, pointed.item.execution_id)

    def action_open_execution(self) -> None:
        """Open the execution that waits."""
        if self.listing.pointed is not None:
            self.dashboard.open_id(self.listing.pointed.item.execution_id)


COLUMNS: Final[tuple[Column[Waiting], ...]] = (
    Column("ASKS", lambda each: cell(each.asks)),
    Column("WORKFLOW", lambda each: cell(each.item.workflow), width=16, hide_below=60),
    Column("SINCE", lambda each: cell(ago(each.since_us, now_us())), width=12),
    Column("UNTIL", lambda each: cell(ago(each.until_us, now_us())), width=10, hide_below=90),
)
