"""What the pages of failures share: the keys, and what each does to the failures that are chosen."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual.timer import Timer

from omium.models.failure import Failure, FailureDetail, Occurrence
from omium.models.wire import Page
from omium.states import FailureKind, FailureStatus, Scope
from omium.tui import actions
from omium.tui.actions import Action
from omium.tui.bundling import bundle
from omium.tui.choosing import Choice, Choose
from omium.tui.failure_acts import answer, ignore, replay_groups, resolve
from omium.tui.pages.execution_diff import ExecutionDiffPage
from omium.tui.pages.page import PageScreen
from omium.tui.pages.waiting import WaitingPage
from omium.tui.patching import Patch, ask_patch
from omium.tui.replaying import replay, resume, roll_back
from omium.tui.run_actions import RESUME

BATCH_EVERY_S: Final = 2.0
"""As often as the server takes a batch's next step."""
REPLAY_GROUP: Final = Action(
    "replay_group", "R", "replay all", "Replay every open execution of it, or of all marked.", "Act",
    scope=Scope.OPERATE, changes=True,
)  # fmt: skip
RESOLVE: Final = Action(
    "resolve", "v", "resolve", "Close it as dealt with; a new occurrence opens it again.", "Act",
    scope=Scope.OPERATE, changes=True,
)  # fmt: skip
OPEN_EXECUTION: Final = Action(
    "open_execution", "o", "execution", "Open the execution that failed last.", "Go"
)
TO_CAUSE: Final = Action("to_cause", "t", "cause", "Go to the failure that came first.", "Go", shown=False)
DEEDS: Final = (
    actions.REPLAY, REPLAY_GROUP, RESUME, actions.PATCH, actions.ROLLBACK, actions.IGNORE, RESOLVE,
    actions.APPROVE, OPEN_EXECUTION, TO_CAUSE, actions.DIFF, actions.COPY, actions.BUNDLE,
)  # fmt: skip


class FailureDeeds(PageScreen):
    """A page with failures on it."""

    NAME: ClassVar[str] = "failures"
    TITLE: ClassVar[str | None] = "Failures"

    def __init__(self) -> None:
        super().__init__()
        self._looking_again: Timer | None = None

    @property
    def chosen(self) -> Sequence[Failure]:
        """The failures that an action is about."""
        return ()

    @property
    def detail(self) -> FailureDetail | None:
        """All about the failure that is looked at, as far as it is loaded."""
        return None

    @property
    def step_key(self) -> str:
        """The step that is looked at."""
        return "" if self.detail is None else self.detail.occurrence.key

    def bundle_command(self, file: str) -> str:
        of = ["--execution", self.chosen[0].execution_id] if self.chosen else []
        return shlex.join(["omium", "bundle", "open", file, *of, "--plain"])

    def may_do(self, action: Action) -> bool:
        if action in DEEDS and action is not actions.APPROVE and not self.chosen:
            return False
        if action.name in {"to_cause", "diff"}:
            detail = self.detail
            if detail is None:
                return False
            return (
                detail.cause if action.name == "to_cause" else detail.changed.since_execution_id
            ) is not None
        return True

    def look_again_if_replayed(self, detail: FailureDetail) -> None:
        """Load again soon while a batch runs: its own steps are no news of an execution."""
        if detail.batch is not None and detail.batch.status == "running":
            if self._looking_again is not None:
                self._looking_again.stop()
            self._looking_again = self.set_timer(BATCH_EVERY_S, self._look_again)

    def _look_again(self) -> None:
        if self.is_current:
            self.load()

    # ------------------------------------------------------------------------------ deeds
    def action_replay(self) -> None:
        """Show the plan of a replay; of several executions, ask whether one is meant or all."""
        if len(self.chosen) > 1:
            replay_groups(self, self.chosen)
            return
        self._with_detail(self._replay_one)

    def _replay_one(self, detail: FailureDetail) -> None:
        if detail.open_count <= 1:
            self._with_open(detail, lambda each: replay(self, each.execution_id))
            return

        def chosen(key: str | None) -> None:
            if key == "all":
                replay_groups(self, [detail])
            elif key == "one":
                self._with_open(detail, lambda each: replay(self, each.execution_id))

        choices = [
            Choice("one", "The newest", "its plan first"),
            Choice("all", f"All {detail.open_count:,}", "one after another, as the server goes"),
        ]
        self.app.push_screen(Choose(f"Replay which of {detail.workflow}?", choices), chosen)

    def action_replay_group(self) -> None:
        """Replay all that is open of the chosen failures."""
        if self.chosen:
            replay_groups(self, self.chosen)

    def action_patch(self) -> None:
        """Put another value in, and replay with it: the newest, or all."""
        self._with_detail(lambda detail: self._with_open(detail, lambda each: self._patch(detail, each)))

    def _patch(self, detail: FailureDetail, occurrence: Occurrence) -> None:
        def patched(patch: Patch) -> None:
            edits = [] if patch.edit is None else [patch.edit]
            if patch.edit is None or detail.open_count <= 1:
                replay(self, occurrence.execution_id, edits=edits, version=patch.version)
                return

            def chosen(key: str | None) -> None:
                if key == "all":
                    replay_groups(self, [detail], edits)
                elif key == "one":
                    replay(self, occurrence.execution_id, edits=edits)

            choices = [
                Choice("one", "This execution", "its plan first"),
                Choice("all", f"All {detail.open_count:,}", "each begins with this value"),
            ]
            self.app.push_screen(Choose("Replay with it", choices), chosen)

        self.fetch(
            lambda: self.client.get_execution(occurrence.execution_id),
            lambda execution: ask_patch(self, execution, patched, step=self.step_key or occurrence.key),
            name="patch",
        )

    def action_resume(self) -> None:
        """Go on with the newest open execution, keeping every recorded step."""
        self._with_detail(
            lambda detail: self._with_open(detail, lambda each: resume(self, each.execution_id))
        )

    def action_rollback(self) -> None:
        """Take the newest open execution back; a group is never rolled back at once."""
        self._with_detail(self._roll_back)

    def _roll_back(self, detail: FailureDetail) -> None:
        if detail.kind == FailureKind.COMPENSATION_FAILED:
            answer(self, detail)
            return
        step = self.step_key
        self._with_open(
            detail, lambda each: roll_back(self, each.execution_id, step=step or each.key or None)
        )

    def action_ignore(self) -> None:
        """Close the chosen failures, for good or until something."""
        if self.chosen:
            ignore(self, self.chosen)

    def action_resolve(self) -> None:
        """Close the chosen failures as dealt with."""
        if self.chosen:
            resolve(self, self.chosen)

    def action_approve(self) -> None:
        """Answer what the failure waits for; else list what waits for a person."""
        detail = self.detail
        if detail is None or detail.status is not FailureStatus.OPEN or not answer(self, detail):
            self.app.push_screen(WaitingPage())

    # ------------------------------------------------------------------------------ going about
    def action_open_execution(self) -> None:
        """Open the execution that failed last."""
        if self.chosen:
            self.dashboard.open_id(self.chosen[0].execution_id)

    def action_to_cause(self) -> None:
        """Go to the failure that came first."""
        detail = self.detail
        if detail is None or detail.cause is None:
            return
        cause = detail.cause

        def found(page: Page[Failure]) -> None:
            if page.items:
                self.dashboard.open_id(page.items[0].id)
            else:
                self.dashboard.open_id(cause.execution_id)

        self.fetch(
            lambda: self.client.list_failures(execution=cause.execution_id, limit=1), found, name="to-cause"
        )

    def action_diff(self) -> None:
        """Compare with the last execution that was completed."""
        detail = self.detail
        if detail is not None and detail.changed.since_execution_id is not None:
            self.app.push_screen(ExecutionDiffPage(detail.changed.since_execution_id, detail.execution.id))

    def action_bundle(self) -> None:
        """Write the execution that failed last into one file."""
        if self.chosen:
            bundle(self, self.chosen[0].execution_id)

    def action_copy(self) -> None:
        """Copy the ids of the chosen failures."""
        if self.chosen:
            self.app.copy_to_clipboard("\n".join(each.id for each in self.chosen))
            self.notify("Copied.", timeout=2)

    # ------------------------------------------------------------------------------ what is meant
    def _with_detail(self, then: Callable[[FailureDetail], None]) -> None:
        if not self.chosen:
            return
        wanted = self.chosen[0].id
        if self.detail is not None and self.detail.id == wanted:
            then(self.detail)
        else:
            self.fetch(lambda: self.client.get_failure(wanted), then, name="failure-detail")

    def _with_open(self, detail: FailureDetail, then: Callable[[Occurrence], None]) -> None:
        """Hand over the newest open occurrence; the newest of all where none is open."""
        if detail.occurrence.status is FailureStatus.OPEN or not detail.open_count:
            then(detail.occurrence)
            return

        def found(page: Page[Occurrence]) -> None:
            opened = [each for each in page.items if each.status is FailureStatus.OPEN]
            then(opened[0] if opened else detail.occurrence)

        self.fetch(
            lambda: self.client.list_occurrences(detail.id, limit=200), found, name="failure-occurrences"
        )
