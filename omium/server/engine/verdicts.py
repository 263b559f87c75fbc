"""Verdicts: what becomes of each recorded path in a replay, and the plan that they make. Pure values.

How they are come to is plan.py, for specs also spec_plan.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from omium.models.replay import PlanReplay
from omium.server.engine.source import Source
from omium.server.store.steps import StepRow
from omium.states import EffectState, ExecutionStatus

Disposition = Literal["reuse", "rerun", "blocked"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one path; `record` is what the new execution begins with there."""

    path: str
    disposition: Disposition
    reason: str
    record: StepRow | None = None
    edited: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replay does; `cutoff` is the first event whose record is not taken over (prefix)."""

    source: Source
    command: PlanReplay
    cutoff: int
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def reused(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.record is not None]

    @property
    def needs_token(self) -> bool:
        """Whether a person must have seen it: something is blocked, or an effect happens again."""
        return any(
            verdict.disposition == "blocked" or self.repeats_effect(verdict) for verdict in self.verdicts
        )

    def repeats_effect(self, verdict: Verdict) -> bool:
        """Say whether an effect that may have happened is called again."""
        effect = self.source.effects.get(verdict.path)
        happened = effect is not None and effect.state not in {EffectState.NOT_APPLIED, EffectState.INTENDED}
        return verdict.disposition == "rerun" and happened

    @property
    def is_exact(self) -> bool:
        """Whether nothing is left to guess: all is reused, nothing was changed."""
        return (
            self.source.row.status == ExecutionStatus.COMPLETED
            and not self.command.edits
            and all(verdict.disposition == "reuse" for verdict in self.verdicts)
        )

    @property
    def is_certain(self) -> bool:
        """Whether it says what will run: a spec's plan does, but for what may take the same input again."""
        certain = self.source.pinned is not None and not any(
            verdict.disposition == "rerun" and verdict.record is not None for verdict in self.verdicts
        )
        return self.is_exact or certain
