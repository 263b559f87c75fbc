"""What is done to one execution from its page: go on, replay, patch, roll back, answer, stop, compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from omium.models.execution import ExecutionDetail, Step
from omium.states import (
    ENDED_STATUSES,
    RESUMABLE_STATUSES,
    ROLLBACK_STATUSES,
    Driver,
    ExecutionStatus,
    PausedReason,
    Runner,
    Scope,
    WaitingReason,
)
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.bundling import bundle
from omium.tui.deciding import approve, decide_effect, send_signal
from omium.tui.dialogs import Field, Form
from omium.tui.going_on import resume
from omium.tui.pages.execution_diff import ExecutionDiffPage
from omium.tui.pages.page import PageScreen
from omium.tui.replaying import patch, replay
from omium.tui.rolling_back import roll_back, skip_compensations
from omium.tui.run_actions import COPY_JSON, PAUSE, RESUME
from omium.tui.several import CANCEL_IT, PAUSE_IT, do_it, may_be_done
from omium.words import json_text

SIGNAL: Final = Action(
    "signal", "S", "signal", "Tell it something by name, which it waits for now or later.", "Act",
    scope=Scope.OPERATE, changes=True, shown=False,
)  # fmt: skip
SKIP: Final = Action(
    "skip_compensations", "K", "skip compensations",
    "After a rollback that failed: leave out the compensations that have not ended.", "Act",
    scope=Scope.OPERATE, changes=True, shown=False,
)  # fmt: skip
DEEDS: Final = (
    RESUME, actions.REPLAY, actions.PATCH, actions.ROLLBACK, actions.APPROVE, PAUSE, actions.CANCEL, SIGNAL,
    SKIP, actions.DIFF, actions.COPY, COPY_JSON, actions.BUNDLE,
)  # fmt: skip


class ExecutionDeeds(PageScreen):
    """The actions of the page of an execution."""

    NAME: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self.execution_id = ""
        self.detail: ExecutionDetail | None = None

    @property
    def path(self) -> str:
        """The step that is pointed at."""
        return ""

    def find_step(self, path: str) -> Step | None:
        """Return what is recorded of a step."""
        return None

    def may_do(self, action: Action) -> bool:
        detail = self.detail
        if action not in DEEDS:
            return True
        return detail is not None and _makes_sense(action, detail)

    def action_resume(self) -> None:
        """Go on with it."""
        resume(self, self.execution_id)

    def action_replay(self) -> None:
        """Plan a replay."""
        replay(self, self.execution_id)

    def action_patch(self) -> None:
        """Put another value, by default that of the step under the cursor, and replay."""
        patch(self, self.execution_id, self.path or None)

    def action_rollback(self) -> None:
        """Go back to before the step under the cursor, or to a point that is chosen."""
        roll_back(self, self.execution_id, step=self.path or None)

    def action_approve(self) -> None:
        """Answer what it waits for: a node's question, or what became of a side effect."""
        detail = self.detail
        if detail is not None and detail.reason == PausedReason.EFFECT:
            decide_effect(self, self.execution_id)
        else:
            approve(self, self.execution_id)

    def action_pause(self) -> None:
        """Ask that it pause."""
        if self.detail is not None:
            do_it(self, PAUSE_IT, [self.detail], self.load)

    def action_cancel(self) -> None:
        """Ask that it stop."""
        if self.detail is not None:
            do_it(self, CANCEL_IT, [self.detail], self.load)

    def action_signal(self) -> None:
        """Tell it something by name."""
        awaited = self.detail.awaited_signals if self.detail is not None else ()
        send_signal(self, self.execution_id, awaited)

    def action_skip_compensations(self) -> None:
        """Leave out the compensations that have not ended."""
        skip_compensations(self, self.execution_id)

    def action_bundle(self) -> None:
        """Write it into a file."""
        bundle(self, self.execution_id)

    def action_diff(self) -> None:
        """Compare it with another, by default with what it is a replay of."""
        detail = self.detail
        if detail is None:
            return
        other = detail.replay_of or next(iter(detail.replays), "")
        fields = [
            Field("other", "With", other, placeholder="ex_…", required=True, check=_check_id,
                  help="The id of another execution; in the list, space marks two and d compares them."),
        ]  # fmt: skip

        def answered(values: Mapping[str, str] | None) -> None:
            if values is not None:
                self._compare(detail, values["other"].strip())

        self.app.push_screen(Form("Compare it", fields, send="Compare"), answered)

    def _compare(self, detail: ExecutionDetail, other: str) -> None:
        came_first = detail.replay_of != other
        ids = (detail.id, other) if came_first else (other, detail.id)
        self.app.push_screen(ExecutionDiffPage(*ids))

    def action_copy(self) -> None:
        """Copy its id."""
        self.copy_text(self.execution_id, self.execution_id)

    def action_copy_json(self) -> None:
        """Copy what is recorded of the step under the cursor, or of all of it."""
        detail = self.detail
        if detail is None:
            return
        step = self.find_step(self.path)
        plain = (step or detail).model_dump(mode="json")
        self.copy_text(json_text(plain, indent=2), f"the JSON of {self.path or self.execution_id}")


def _check_id(text: str) -> str | None:
    return None if text.strip().startswith("ex_") else "Write the id of an execution; it begins with ex_."


def _makes_sense(action: Action, detail: ExecutionDetail) -> bool:
    """Say whether an action fits how the execution stands; the server has the last word."""
    if action in (actions.COPY, COPY_JSON, actions.DIFF, actions.BUNDLE):
        return True
    if detail.driver is Driver.OBSERVED:
        return False
    ended = detail.status in ENDED_STATUSES
    match action.name:
        case "resume":
            unserved = detail.status is ExecutionStatus.QUEUED and detail.runner.runner is Runner.NONE
            return detail.status in RESUMABLE_STATUSES or unserved
        case "rollback":
            return detail.status in ROLLBACK_STATUSES
        case "approve":
            asks = detail.status is ExecutionStatus.WAITING and detail.reason == WaitingReason.APPROVAL
            return asks or detail.reason == PausedReason.EFFECT
        case "pause":
            return may_be_done(PAUSE_IT, detail)
        case "cancel":
            return may_be_done(CANCEL_IT, detail)
        case "signal":
            return not ended
        case "skip_compensations":
            return detail.reason == PausedReason.ROLLBACK_FAILED
        case _:
            return True
