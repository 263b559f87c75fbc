"""A replay that is asked for, and its plan in words: what it comes to, what else must be known, its lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from omium.models.execution import CodeVersion
from omium.models.replay import (
    Decision,
    Edit,
    PlannedStep,
    PlanReplay,
    ReplayPlan,
)
from omium.money import format_credits
from omium.states import Runner
from omium.tui.content import cell, right, state
from omium.tui.going_on import worker_line
from omium.tui.patching import Patch
from omium.tui.widgets.listing import Column
from omium.words import span


@dataclass(frozen=True, slots=True)
class Wanted:
    """The replay that is asked for."""

    execution_id: str
    workflow: str
    from_step: str | None = None
    version: int | None = None
    edits: tuple[Edit, ...] = ()
    decisions: tuple[Decision, ...] = ()

    def to_plan(self) -> PlanReplay:
        """Return what asks for its plan."""
        return PlanReplay(
            from_step=self.from_step,
            version=self.version,
            edits=list(self.edits),
            decisions=list(self.decisions),
        )

    def with_patch(self, patch: Patch) -> Wanted:
        """Return the same with one more edit, in place of an earlier one of the same, or another version."""
        kept = tuple(
            each
            for each in self.edits
            if patch.edit is None or (each.target, each.path) != (patch.edit.target, patch.edit.path)
        )
        edits = kept if patch.edit is None else (*kept, patch.edit)
        return replace(self, edits=edits, version=patch.version or self.version)


def say_plan(plan: ReplayPlan, wanted: Wanted) -> str:
    """Return what a plan comes to, on a line or two."""
    parts = [f"{plan.reuse} reused", f"{plan.rerun} run again", f"{plan.blocked} blocked"]
    if plan.estimated_microcredits is not None:
        parts.append(
            f"about {format_credits(plan.estimated_microcredits)} credits, if it costs as the last time"
        )
    changes = [f"{each.target} {each.path or '(whole)'}" for each in wanted.edits]
    changes += [f"{each.path}: {each.decision.value}" for each in wanted.decisions]
    if wanted.version is not None:
        changes.append(f"on version {wanted.version}")
    if wanted.from_step is not None:
        changes.append(f"from {wanted.from_step} on")
    return " · ".join(parts) + (f"\nChanged: {', '.join(changes)}" if changes else "")


def say_notes(plan: ReplayPlan, workflow: str, code: CodeVersion | None) -> str:
    """Return what else must be known: how sure the plan is, and who will run it."""
    notes = []
    if not plan.exact and plan.version is not None:
        notes.append("A node that takes the same input as before after all is reused, and not run again.")
    elif not plan.exact:
        notes.append("A forecast: the workflow is code, and what it calls next is its own decision.")
    if plan.runner is Runner.NONE:
        notes.append(f"No worker serves it yet: {worker_line(workflow, plan, code)}")
    return "\n".join(notes)


def _note(step: PlannedStep) -> str:
    return ", ".join(
        note for note in ("edited" if step.edited else "", "effect" if step.effect else "") if note
    )


def _credits(step: PlannedStep) -> str:
    """Return what the step will cost, or nothing on a server that does not meter."""
    return "-" if step.estimated_microcredits is None else format_credits(step.estimated_microcredits)


COLUMNS: Final[tuple[Column[PlannedStep], ...]] = (
    Column("STEP", lambda step: cell(step.path), width=24),
    Column("THEN", lambda step: state(step.disposition, _note(step)), width=18),
    Column("TOOK", lambda step: right(span(step.spent_us)), width=7, hide_below=72),
    Column("CREDITS", lambda step: right(_credits(step)), width=9, hide_below=90),
    Column("WHY", lambda step: cell(step.reason)),
)
