"""Replay, its plan, rollback, and decisions about effects (semantics 2.6 to 2.8)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from omium.models.driver import Grant
from omium.models.execution import CodeVersion, Execution, ProcessIdentity, RunnerAnswer
from omium.models.wire import Command, Json, Path, Reply
from omium.states import EffectDecision


class Edit(Command):
    """A patch: the execution's `input`, a step's `output`, or a checkpoint's `state` becomes `value`."""

    target: Literal["input", "output", "state"]
    path: Path = ""
    """Step path for `output`, checkpoint name for `state`, parameter name (or empty for all) for `input`."""
    value: Json
    reason: str = ""


class Decision(Command):
    """What shall become of one effect."""

    path: Path
    decision: EffectDecision
    output: Json = None
    reason: str = ""


class PlanReplay(Command):
    """Ask what a replay would do; nothing runs."""

    from_step: Path | None = None
    mode: Literal["prefix", "incremental"] | None = None
    """`prefix` keeps what was completed before a point, `incremental` what takes the same input. By default
    specs are replayed `incremental`, code `prefix`."""
    version: int | None = Field(default=None, ge=1)
    """Of a spec: the version that the replay runs on; by default the one that its source ran."""
    edits: list[Edit] = Field(default_factory=list)
    decisions: list[Decision] = Field(default_factory=list)
    force: list[Path] = Field(default_factory=list)


class PlannedStep(Reply):
    """One line of a plan."""

    path: str
    name: str
    disposition: Literal["reuse", "rerun", "blocked"]
    reason: str
    effect: bool = False
    effect_state: str | None = None
    edited: bool = False
    spent_us: int = 0
    usage_tokens: int = 0
    estimated_microcredits: int | None = None
    """What it will cost if it costs as the last time, by today's prices; 0 where it is reused."""


class ReplayPlan(RunnerAnswer):
    """What a replay would reuse, re-run, or be blocked by."""

    execution_id: str
    mode: Literal["prefix", "incremental"]
    from_step: str | None = None
    version: int | None = None
    """Of a spec: the version that the replay runs on."""
    steps: list[PlannedStep]
    reuse: int
    rerun: int
    blocked: int
    exact: bool
    """False where what re-runs is a forecast: for code, and where a node may take the same input again."""
    estimated_microcredits: int | None = None
    """What the replay will cost if what runs again costs as the last time; None where the server does not
    meter, or the price book refuses a model."""
    estimated_credits: int | float | None = None
    """The same in credits."""
    edits: list[Edit] = Field(default_factory=list)
    token: str
    expires_at_us: int


class ReplayExecution(PlanReplay):
    """Start a replay; with blocked steps or re-run effects only under the token of a current plan.

    With `process` set the caller drives it itself (the answer holds a grant); without, it is queued for a
    worker. `id` and `lease_token` may be made by the client, so that a repeat is the same replay.
    """

    plan_token: str | None = None
    reason: str = ""
    id: str | None = None
    process: ProcessIdentity | None = None
    code: CodeVersion | None = None
    lease_token: str | None = None


class ReplayAnswer(RunnerAnswer):
    """The new execution, and the plan that it follows."""

    execution: Execution
    plan: ReplayPlan
    grant: Grant | None = None
    """Present where the caller drives it itself."""


class PlanRollback(Command):
    """Ask what going back would do. Exactly one of `to_seq`, `to_step`, `to_checkpoint`."""

    to_seq: int | None = None
    to_step: Path | None = None
    """Back to the state before this step ran."""
    to_checkpoint: str | None = None
    """Back to right after this checkpoint (id or name) was saved."""


class RollbackExecution(PlanRollback):
    reason: str = ""


class RollbackPlan(Reply):
    execution_id: str
    to_seq: int
    superseded_steps: list[str]
    compensations: list[str]
    """Paths of effects that will be compensated, in the order in which that happens."""
    uncompensated: list[str]
    """Paths of done effects without `compensate`: they stay done."""
    cancelled_children: list[str] = Field(default_factory=list)


class RollbackAnswer(RunnerAnswer):
    execution: Execution
    plan: RollbackPlan


class DecideEffect(Command):
    """Confirm, redo or skip an effect whose outcome is unknown."""

    decision: EffectDecision
    output: Json = None
    reason: str = ""


class EffectView(Reply):
    effect_key: str
    execution_id: str
    key: str
    name: str
    mode: str
    state: str
    redo: int
    attempt: int
    compensate: str | None = None
    compensated: bool = False
    input: Json = None
    output: Json = None
    error: Json = None
    intended_at_us: int
    ended_at_us: int | None = None
    decided_by: str | None = None


class CompensationView(Reply):
    position: int
    generation: int
    key: str
    compensate: str
    status: str
    attempt: int
    error: Json = None


class SkipCompensations(Command):
    """Skip the compensations that have not ended, so that the execution can be resumed."""

    reason: str
