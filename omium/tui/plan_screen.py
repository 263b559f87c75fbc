"""The plan of a replay: what is reused, what runs again, what it costs, and its start.

Owns the dialog. Which replay is asked for is its caller's (replaying.py), what can be edited patching.py's,
who runs it going_on.py's. A plan that has become stale is made again; a start whose answer was lost is
the same start when it is repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label, Static

from omium.errors import ConnectionLost, CreditsExhausted, OmiumError, PlanNeeded, PlanStale
from omium.ids import new_id
from omium.models.execution import ExecutionDetail
from omium.models.replay import (
    Decision,
    PlannedStep,
    ReplayAnswer,
    ReplayExecution,
    ReplayPlan,
)
from omium.tui.asking import Asking
from omium.tui.content import safe, safe_lines
from omium.tui.deciding import decision_form, read_decision
from omium.tui.going_on import say_who_goes_on
from omium.tui.patching import ask_patch
from omium.tui.plan_text import COLUMNS, Wanted, say_notes, say_plan
from omium.tui.widgets.listing import Listing
from omium.words import now_us

TOP_UP: Final = "(omium credits topup 20 in another terminal, then enter again; or leave, and page 7.)"


class PlanScreen(ModalScreen[None]):
    """What a replay would do, step by step, and what it costs; enter starts it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "leave", show=False),
        Binding("ctrl+s", "start", "start"),
        Binding("p", "edit", "edit"),
        Binding("h", "from_here", "from here"),
        Binding("a", "decide", "decide"),
        Binding("j,down", "down", "down", show=False, priority=True),
        Binding("k,up", "up", "up", show=False, priority=True),
    ]

    def __init__(self, page: Asking, detail: ExecutionDetail, wanted: Wanted) -> None:
        super().__init__()
        self._page, self._detail, self._wanted = page, detail, wanted
        self._plan: ReplayPlan | None = None
        self._new_id = ""
        self._starting = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog plan"):
            title = f"Replay {self._wanted.execution_id} of {self._wanted.workflow}"
            yield Label(safe(title), classes="dialog-title", markup=False)
            yield Static("Loading the plan …", id="summary", markup=False)
            yield Listing(COLUMNS, lambda step: step.path, marks=False, id="steps")
            yield Static("", id="notes", classes="form-note", markup=False)
            yield Static("", id="wrong", classes="form-wrong", markup=False)
            yield Static(
                "p puts another value in · h runs again from the step on · a decides about an effect",
                classes="form-help",
                markup=False,
            )
            with Horizontal(classes="dialog-buttons"):
                yield Button("Start (enter)", variant="primary", id="start", disabled=True, compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        self._make_plan()

    # ------------------------------------------------------------------------------ the plan
    def _make_plan(self, wanted: Wanted | None = None) -> None:
        """Ask for the plan of `wanted`; one that is refused leaves what was shown before."""
        asked = wanted or self._wanted
        self._page.fetch(
            lambda: self._page.client.plan_replay(asked.execution_id, asked.to_plan()),
            partial(self._planned, asked),
            name="plan",
            failed=self._refused,
        )

    def _planned(self, wanted: Wanted, plan: ReplayPlan) -> None:
        if not self.is_attached:
            return
        again = self._plan is not None and wanted == self._wanted
        self._wanted, self._plan, self._new_id = wanted, plan, new_id("ex", now_us())
        if not again:
            self._say("")
        self.query_one("#summary", Static).update(safe_lines(say_plan(plan, wanted)))
        self.query_one("#notes", Static).update(
            safe_lines(say_notes(plan, wanted.workflow, self._detail.code))
        )
        steps = self.query_one("#steps", Listing)
        steps.show(plan.steps, None)
        start = self.query_one("#start", Button)
        start.disabled = bool(plan.blocked)
        if plan.blocked:
            blocked = next(step for step in plan.steps if step.disposition == "blocked")
            steps.point_at(blocked.path)
            steps.focus()
            self._say(
                f"Nobody knows whether {blocked.path} happened, so it cannot start: a decides."
                if blocked.effect_state in ("unknown", "intended")
                else f"{blocked.path} blocks it: {blocked.reason}"
            )
        else:
            start.focus()

    def _refused(self, error: OmiumError) -> None:
        if self.is_attached:
            self._say(str(error))

    def _say(self, text: str) -> None:
        self.query_one("#wrong", Static).update(safe_lines(text))

    # ------------------------------------------------------------------------------ the start
    def action_start(self) -> None:
        """Start what the plan says."""
        plan, wanted = self._plan, self._wanted
        if plan is None or plan.blocked or self._starting:
            return
        self._starting = True
        command = ReplayExecution(
            from_step=wanted.from_step,
            version=wanted.version,
            edits=list(wanted.edits),
            decisions=list(wanted.decisions),
            plan_token=plan.token,
            reason="; ".join(dict.fromkeys(each.reason for each in wanted.edits if each.reason)),
            id=self._new_id,
        )
        self._say("Starting …")
        self._page.act(
            f"Replay {wanted.execution_id}",
            lambda: self._page.client.replay_execution(wanted.execution_id, command),
            self._started,
            failed=self._not_started,
        )

    def _started(self, answer: ReplayAnswer) -> None:
        self.dismiss()
        execution = answer.execution
        self._page.load()
        done = f"Replay {execution.id} is {execution.status.value}"
        say_who_goes_on(self._page, execution.id, execution.workflow, answer, done, code=self._detail.code)

    def _not_started(self, error: OmiumError) -> None:
        self._starting = False
        if not self.is_attached:
            self._page.dashboard.tell(error, "Replay")
            return
        match error:
            case PlanStale() | PlanNeeded():
                self._say(
                    "Something changed since this plan was made. This is the new one: look at it again."
                )
                self._make_plan()
            case CreditsExhausted():
                self._say(f"{error} {TOP_UP}")
            case ConnectionLost():
                self._say(f"{error} Press enter to try again: it will not be started twice.")
            case _:
                self._say(str(error))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "start":
            self.action_start()
        else:
            self.dismiss()

    # ------------------------------------------------------------------------------ another plan
    @property
    def _pointed(self) -> PlannedStep | None:
        pointed: PlannedStep | None = self.query_one("#steps", Listing).pointed
        return pointed

    def action_edit(self) -> None:
        """Edit a value that the replay begins with."""
        pointed = self._pointed
        ask_patch(
            self._page,
            self._detail,
            lambda made: self._make_plan(self._wanted.with_patch(made)),
            step=None if pointed is None else pointed.path,
        )

    def action_from_here(self) -> None:
        """Run again from the step that the cursor is on; the same once more takes that back."""
        if self._pointed is not None:
            path = self._pointed.path
            first = None if self._wanted.from_step == path else path
            self._make_plan(replace(self._wanted, from_step=first))

    def action_decide(self) -> None:
        """Decide about the effect that the cursor is on, for this replay and those after it."""
        step = self._pointed
        if step is None or not step.effect:
            self._say("a decides about an effect; the cursor is on no effect.")
            return
        note = "What you decide holds for this replay and those after it."
        self.app.push_screen(decision_form(step.path, note), partial(self._decided, step.path))

    def _decided(self, path: str, values: Mapping[str, str] | None) -> None:
        if values is None:
            return
        made = read_decision(values)
        decision = Decision(path=path, decision=made.decision, output=made.output, reason=made.reason)
        others = tuple(each for each in self._wanted.decisions if each.path != path)
        self._make_plan(replace(self._wanted, decisions=(*others, decision)))

    def action_down(self) -> None:
        self.query_one("#steps", Listing).action_cursor_down()

    def action_up(self) -> None:
        self.query_one("#steps", Listing).action_cursor_up()

    def action_leave(self) -> None:
        self.dismiss()
