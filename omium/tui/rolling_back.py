"""Rollback: where to, what is undone then, and what stays done; and skipping what is left to undo.

    roll_back(page, execution_id)                the points that it can go back to, each with its plan
    skip_compensations(page, execution_id)       leave out what a rollback has still to undo

A rollback is one execution's: a group is never rolled back at once. Nothing is done before its plan is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from omium.errors import OmiumError
from omium.models.execution import ExecutionDetail
from omium.models.replay import (
    CompensationView,
    PlanRollback,
    RollbackAnswer,
    RollbackExecution,
    RollbackPlan,
    SkipCompensations,
)
from omium.tui.asking import Asking
from omium.tui.choosing import Choice, Choose
from omium.tui.content import cell, right, safe, safe_lines
from omium.tui.dialogs import Field, Form
from omium.tui.going_on import resume
from omium.tui.widgets.listing import Column, Listing
from omium.words import count


@dataclass(frozen=True, slots=True)
class Point:
    """A place to go back to."""

    key: str
    label: str
    seq: int | None
    to: PlanRollback


def roll_back(page: Asking, execution_id: str, *, step: str | None = None) -> None:
    """Ask where to go back to, `step`'s beginning first; show what is undone then, and do it."""

    def found(detail: ExecutionDetail) -> None:
        points = points_of(detail)
        if not points:
            page.dashboard.notify(
                "It has recorded no step and saved no checkpoint, so there is nowhere to go back to.",
                severity="warning",
                markup=False,
            )
            return
        page.dashboard.push_screen(RollbackScreen(page, detail, points, step))

    page.fetch(lambda: page.client.get_execution(execution_id), found, name="roll-back")


def points_of(detail: ExecutionDetail) -> list[Point]:
    """Return where an execution can go back to, the newest first."""
    points = [
        (
            each.started_at_us,
            Point(
                f"step:{each.key}", f"before {each.key}", each.completed_seq, PlanRollback(to_step=each.key)
            ),
        )
        for each in detail.steps
        if each.superseded_seq is None and not each.key.startswith("~")
    ]
    points += [
        (
            each.created_at_us,
            Point(
                f"checkpoint:{each.id}",
                f"checkpoint {each.name}",
                each.seq,
                PlanRollback(to_checkpoint=each.id),
            ),
        )
        for each in detail.checkpoints
        if each.superseded_seq is None
    ]
    return [point for _, point in sorted(points, key=lambda pair: -pair[0])]


class RollbackScreen(ModalScreen[None]):
    """Where to, and what happens then."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", show=False),
        Binding("ctrl+s", "go", "take it back"),
    ]

    def __init__(self, page: Asking, detail: ExecutionDetail, points: list[Point], step: str | None) -> None:
        super().__init__()
        self._page, self._detail, self._points, self._step = page, detail, points, step
        self._plan: RollbackPlan | None = None
        self._where = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog plan"):
            yield Label(safe(f"Take {self._detail.id} back"), classes="dialog-title", markup=False)
            yield Listing(_COLUMNS, lambda point: point.key, marks=False, id="points")
            yield Static("", id="plan", markup=False)
            yield Static("", id="wrong", classes="form-wrong", markup=False)
            yield Input(placeholder="why (it is kept)", id="reason", compact=True)
            with Horizontal(classes="dialog-buttons"):
                yield Button("Take it back (enter)", variant="error", id="go", disabled=True, compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        points = self.query_one("#points", Listing)
        points.show(self._points, None)
        points.focus()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """Put the cursor on what is meant, once the list is laid out."""
        points = self.query_one("#points", Listing)
        if self._step is None or not points.point_at(f"step:{self._step}"):
            self._look(points.pointed)

    @on(Listing.Pointed, "#points")
    def _pointed(self, event: Listing.Pointed) -> None:
        if isinstance(event.item, Point):
            self._look(event.item)

    def _look(self, point: Point | None) -> None:
        if point is None:
            return
        self._plan, self._where = None, point.label
        self.query_one("#go", Button).disabled = True
        self._page.fetch(
            lambda: self._page.client.plan_rollback(self._detail.id, point.to),
            self._planned,
            name="rollback-plan",
            failed=self._refused,
        )

    def _planned(self, plan: RollbackPlan) -> None:
        if self.is_attached:
            self._plan = plan
            self.query_one("#plan", Static).update(safe_lines(say_rollback(plan)))
            self.query_one("#wrong", Static).update("")
            self.query_one("#go", Button).disabled = False

    def _refused(self, error: OmiumError) -> None:
        if self.is_attached:
            self.query_one("#plan", Static).update("")
            self.query_one("#wrong", Static).update(safe_lines(str(error)))

    @on(Listing.Chosen, "#points")
    @on(Input.Submitted)
    @on(Button.Pressed, "#go")
    def action_go(self) -> None:
        """Confirm, then take it back."""
        plan = self._plan
        if plan is None:
            return
        self._page.ask(
            f"Take {self._detail.id} back, {self._where}?",
            say_rollback(plan),
            lambda: self._go(plan),
            yes="Take it back",
        )

    def _go(self, plan: RollbackPlan) -> None:
        command = RollbackExecution(to_seq=plan.to_seq, reason=self.query_one("#reason", Input).value)
        self._page.act(
            f"Roll {self._detail.id} back to event {plan.to_seq}",
            lambda: self._page.client.rollback_execution(self._detail.id, command),
            self._went,
            failed=self._refused,
        )

    def _went(self, answer: RollbackAnswer) -> None:
        self.dismiss()
        page, execution = self._page, answer.execution
        page.load()
        left = answer.plan.compensations
        choices = [Choice("resume", "Go on", "resume it now"), Choice("stay", "Stay here", "it stays paused")]
        details = ""
        if left:
            choices = [Choice("stay", "Stay here")]
            details = f"{count(len(left), 'compensation')} first ({', '.join(left)}); then it can be resumed."
        page.dashboard.push_screen(
            Choose(f"{execution.id} is {execution.status.value}", choices, details=details),
            lambda key: resume(page, execution.id) if key == "resume" else None,
        )

    @on(Button.Pressed, "#cancel")
    def action_leave(self) -> None:
        self.dismiss()


def say_rollback(plan: RollbackPlan) -> str:
    """Return what a rollback does, a line for each kind of thing."""
    facts = [
        ("Back to event", str(plan.to_seq)),
        ("Superseded", ", ".join(plan.superseded_steps) or "nothing"),
        ("Compensated", ", ".join(plan.compensations) or "nothing"),
        ("Stays done", ", ".join(plan.uncompensated)),
        ("Cancelled", ", ".join(plan.cancelled_children)),
    ]
    return "\n".join(f"{name:<14} {value}" for name, value in facts if value)


_COLUMNS: Final[tuple[Column[Point], ...]] = (
    Column("BACK TO", lambda point: cell(point.label)),
    Column("EVENT", lambda point: right("-" if point.seq is None else point.seq), width=7),
)


# ------------------------------------------------------------------------------------------- compensations
def skip_compensations(page: Asking, execution_id: str) -> None:
    """Leave out what a rollback has still to undo: it stays done, for the reason that is asked for."""

    async def list_left() -> list[CompensationView]:
        found = page.client.each(page.client.list_compensations, execution_id, limit=200)
        return [each async for each in found if each.status in ("pending", "failed")]

    def found(left: list[CompensationView]) -> None:
        if not left:
            page.dashboard.notify("Nothing is left to undo.", severity="warning", markup=False)
            return
        names = "\n".join(f"{each.key}  ({each.status})" for each in left)
        fields = [Field("reason", "Why (it is kept)", required=True)]
        form = Form(
            f"Leave {count(len(left), 'compensation')} out", fields, note=f"These stay done:\n{names}"
        )
        page.dashboard.push_screen(form, partial(answered, left))

    def answered(left: list[CompensationView], values: Mapping[str, str] | None) -> None:
        if values is None:
            return
        command = SkipCompensations(reason=values["reason"])
        page.ask(
            f"Leave out {count(len(left), 'compensation')} of {execution_id}?",
            "What was done stays done, and this is not offered again.",
            lambda: page.act(
                f"Skip the compensations of {execution_id}",
                lambda: page.client.skip_compensations(execution_id, command),
                said="Nothing more is undone.",
            ),
            yes="Leave them out",
            count=len(left) if len(left) > 1 else None,
        )

    page.fetch(list_left, found, name="skip-compensations")
