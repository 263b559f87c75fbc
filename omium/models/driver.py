"""What a driver and the server say to each other while user code runs.

A grant gives (epoch, lease token); every group of writes carries both and changes nothing if they are not the
current ones (semantics 3.2). Writes of one process travel together: one request holds a group per execution,
each group is one transaction, and each write in it is answered in order. Every write has a natural key, so a
repeat is answered as the first time.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, RootModel, model_validator

from omium.models.approval import AwaitedSignal, SignalAnswer
from omium.models.execution import (
    CodeVersion,
    Comparable,
    Execution,
    LogLine,
    ProcessIdentity,
    ResumeAnswer,
)
from omium.models.tasks import Task
from omium.models.usage import RecordUsage
from omium.models.wire import Command, Count, Digest, Json, Name, Path, Reply, TimestampUs
from omium.states import EffectState, StepStatus, WaitingReason

StepKind = Literal["step", "workflow", "child", "effect", "compensation"]
SlotState = Literal["held", "waiting", "taken"]
Attempt = Annotated[int, Field(ge=1, lt=2**31)]


class Record(Reply):
    """A recorded step as the driver needs it to return it again (semantics 2.4)."""

    path: str
    name: str
    occurrence: int
    explicit_key: bool
    kind: StepKind
    status: StepStatus
    attempt: int
    input_digest: str
    comparable: Comparable
    has_output: bool
    output: Json = None
    """Present only when `inline`; else fetch it with `FetchRecords`."""
    inline: bool
    effect_key: str | None = None
    effect_state: EffectState | None = None
    error: Json = None
    completed_seq: int | None = None


class CompensationTask(Reply):
    """One compensation of a rollback that has not ended (semantics 2.8)."""

    position: int
    path: str
    effect_path: str
    effect_key: str
    compensate: str
    input: Json
    output: Json
    attempt: int


class PinnedVersion(Reply):
    """The version of a stored native workflow that an execution runs, for good."""

    workflow_id: str
    version: int
    digest: str
    entrypoint: str | None = None
    """What its document names as the object to serve, such as `crew.py:crew`."""


class Grant(Reply):
    """The right to drive an execution, with what is recorded of it."""

    execution: Execution
    epoch: int
    lease_token: str
    lease_s: float
    heartbeat_s: float
    self_fence_s: float
    input: Json = None
    records: list[Record] = Field(default_factory=list)
    checkpoints: dict[str, Json] = Field(default_factory=dict)
    """Newest state by checkpoint name, where small; else its id under `{"$checkpoint": id}`."""
    compensations: list[CompensationTask] = Field(default_factory=list)
    pinned: PinnedVersion | None = None
    """None where it runs code alone."""


class FetchRecords(Command):
    """Fetch outputs that were too large to travel with the grant, and saved states by `$checkpoint/<id>`.

    With `epoch` and `lease_token` it's refused where another driver was granted meanwhile.
    """

    paths: Annotated[list[Path], Field(max_length=256)]
    epoch: Count | None = None
    lease_token: str | None = None


class RecordValue(Reply):
    path: str
    output: Json = None


class RecordValues(Reply):
    records: list[RecordValue]


class _StepWrite(Command):
    path: Path
    name: Name
    occurrence: Attempt = 1
    explicit_key: bool = False
    kind: StepKind = "step"
    attempt: Attempt = 1
    input: Json = None
    input_digest: Digest
    comparable: Comparable = "full"
    started_at_us: TimestampUs
    ended_at_us: TimestampUs
    logs: list[LogLine] = Field(default_factory=list)
    usage: list[RecordUsage] = Field(default_factory=list)


class StepCompleted(_StepWrite):
    """A plain step ended well. `supersedes` replaces a record whose input was another (2.4 rule 3)."""

    type: Literal["step.completed"] = "step.completed"
    output: Json = None
    has_output: bool = True
    supersedes: bool = False


class StepAttemptFailed(_StepWrite):
    """A try failed. With `delay_us` another follows after that long; without, the step failed for good."""

    type: Literal["step.attempt_failed"] = "step.attempt_failed"
    error: Json
    delay_us: TimestampUs | None = None


class StepAbandoned(Command):
    """A timed-out function still runs in a thread that cannot be killed (semantics 3.9)."""

    type: Literal["step.abandoned"] = "step.abandoned"
    path: Path
    attempt: Attempt


class EffectIntended(_StepWrite):
    """Announce an effect before it is called. The answer says whether it may be (`EffectAnswer`)."""

    type: Literal["effect.intended"] = "effect.intended"
    kind: StepKind = "effect"
    mode: Literal["once", "idempotent"] = "once"
    compensate: str | None = None


class EffectEnded(_StepWrite):
    """Report what became of an effect; `done` also records the step."""

    type: Literal["effect.ended"] = "effect.ended"
    kind: StepKind = "effect"
    effect_key: str
    state: Literal["done", "not_applied", "unknown"]
    output: Json = None
    error: Json = None
    delay_us: TimestampUs | None = None
    """With `not_applied` (or idempotent `unknown`): another try follows after that long."""


class CheckpointSaved(Command):
    """State under a name; the newest of a name is what a resume sees."""

    type: Literal["checkpoint.saved"] = "checkpoint.saved"
    id: str
    name: Name
    path: Path = ""
    state: Json = None
    at_us: TimestampUs


class FailureCaptured(Command):
    """`capture_failure`: something went wrong, the execution goes on."""

    type: Literal["failure.captured"] = "failure.captured"
    id: str
    path: Path = ""
    error: Json


class RecordingGapped(Command):
    """A relaxed driver could record no more (its spool was full): a resume goes on from before this."""

    type: Literal["recording.gapped"] = "recording.gapped"
    id: str
    error: Json


class UsageRecorded(Command):
    type: Literal["usage.recorded"] = "usage.recorded"
    usage: RecordUsage


class LogWritten(Command):
    """Lines of a step that is still running; `chunk` counts from 0 per attempt."""

    type: Literal["log.written"] = "log.written"
    path: Path
    attempt: Attempt
    chunk: Count
    lines: list[LogLine]


class Heartbeat(Command):
    """The driver lives. `running` lists the paths of steps that run now."""

    type: Literal["heartbeat"] = "heartbeat"
    running: Annotated[list[Path], Field(max_length=1000)] = Field(default_factory=list)


class SlotAsked(Command):
    """A step with a concurrency key is about to begin: `WriteResult.slot` says whether it has a slot.

    Said again while it waits; a step that has its slot is told so again.
    """

    type: Literal["slot.asked"] = "slot.asked"
    path: Path
    attempt: Attempt = 1
    key: Name
    limit: Annotated[int, Field(ge=1, le=10_000)]


class SignalAsked(Command):
    """The step at `path` waits for a signal: `WriteResult.signal` is the one that it has, if there is one."""

    type: Literal["signal.asked"] = "signal.asked"
    path: Path
    name: Name


class SlotReturned(Command):
    """A step's try has ended, or it waits no more: its slot, or its place among those that wait, is free.

    Of an earlier try than the one that asked last it changes nothing.
    """

    type: Literal["slot.returned"] = "slot.returned"
    path: Path
    attempt: Attempt = 1
    key: Name


class CompensationEnded(Command):
    type: Literal["compensation.ended"] = "compensation.ended"
    position: Count
    attempt: Attempt = 1
    output: Json = None
    error: Json = None
    """Present: it failed, and the list stops."""


class ExecutionCompleted(Command):
    type: Literal["execution.completed"] = "execution.completed"
    output: Json = None


class ExecutionFailed(Command):
    """The workflow raised. `path` is the step it came from, empty if none; `error` an ErrorInfo."""

    type: Literal["execution.failed"] = "execution.failed"
    path: Path = ""
    error: Json


class ExecutionWaits(Command):
    """Hand the execution back until `wake_at_us`, or until what `reason` names comes."""

    type: Literal["execution.waits"] = "execution.waits"
    reason: WaitingReason
    wake_at_us: TimestampUs | None = None
    detail: Json = None
    signals: Annotated[list[AwaitedSignal], Field(max_length=100)] = Field(default_factory=list)
    """Those that end the waiting, where `reason` is `signal`; one that is there already ends it at once."""


class ExecutionSuspends(Command):
    """The driver stopped because it was told to (pause, effect, credits, drain): the lease is given back."""

    type: Literal["execution.suspends"] = "execution.suspends"
    reason: Literal["operator", "effect", "credits", "limit", "drain", "cancel", "interrupted"]
    outcome: Literal["stopped", "still_running", "unknown"] = "stopped"
    error: Json = None


Write = Annotated[
    StepCompleted
    | StepAttemptFailed
    | StepAbandoned
    | EffectIntended
    | EffectEnded
    | CheckpointSaved
    | FailureCaptured
    | RecordingGapped
    | UsageRecorded
    | LogWritten
    | Heartbeat
    | SlotAsked
    | SlotReturned
    | SignalAsked
    | CompensationEnded
    | ExecutionCompleted
    | ExecutionFailed
    | ExecutionWaits
    | ExecutionSuspends,
    Field(discriminator="type"),
]


class WriteGroup(Command):
    """Writes of one execution under one grant, applied in order in one transaction."""

    execution_id: str
    epoch: Count
    lease_token: str
    writes: Annotated[list[Write], Field(min_length=1, max_length=256)]


class WriteBatch(Command):
    groups: Annotated[list[WriteGroup], Field(min_length=1, max_length=256)]


class EffectAnswer(Reply):
    """`may_call` is the permission; otherwise `state` says why not, and `output` what is recorded."""

    effect_key: str
    state: EffectState
    may_call: bool
    has_output: bool = False
    output: Json = None


class WriteResult(Reply):
    """Exactly one of: accepted (`problem` is None), or refused with a problem object."""

    seq: int | None = None
    effect: EffectAnswer | None = None
    slot: SlotState | None = None
    """Of `slot.asked`. `taken`: there is none, and a step that is around it has one, so it may not wait."""
    signal: SignalAnswer | None = None
    """Of `signal.asked`."""
    problem: dict[str, Json] | None = None


class GroupResult(Reply):
    """Answer to a group, with what the driver must know before its next step."""

    results: list[WriteResult]
    cancel_requested: bool = False
    suspend: str | None = None
    """A paused reason (operator, effect, credits, key-revoked): stop before the next step."""


class WriteAnswer(Reply):
    groups: list[GroupResult]


class ClaimWork(Command):
    """A worker asks for executions of its workflows, and for nodes' tasks that its handlers do.

    The server answers at once, or within `wait_s`. `max_executions` bounds both together.
    """

    worker_id: str
    queue: Name = "default"
    workflows: Annotated[list[Name], Field(max_length=500)] = Field(default_factory=list)
    handlers: Annotated[list[Name], Field(max_length=500)] = Field(default_factory=list)
    entrypoints: Annotated[list[Name], Field(max_length=500)] = Field(default_factory=list)
    """Objects that it serves, such as `crew.py:crew`: of every native workflow whose document names one."""
    process: ProcessIdentity
    code: CodeVersion | None = None
    max_executions: Annotated[int, Field(ge=0, le=100)] = 1
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 1
    wait_s: Annotated[float, Field(ge=0, le=30)] = 20
    execution_id: str | None = None
    """Claim only this one (`omium worker --once --execution ID`)."""
    gone_workers: Annotated[list[str], Field(max_length=100)] = Field(default_factory=list)
    """Workers named in `Claimed.neighbours` whose processes this one has seen to be gone."""

    @model_validator(mode="after")
    def _serve_something(self) -> Self:
        if not self.workflows and not self.handlers and not self.entrypoints:
            raise ValueError("name at least one of `workflows`, `handlers` and `entrypoints`")
        return self


class Neighbour(Reply):
    """Another worker that was last seen on the claimer's own host, and still holds executions.

    If the claimer finds its process gone, it says so in its next claim (`gone_workers`), and what that
    worker held is queued at once instead of after its lease (semantics 3.3).
    """

    worker_id: str
    process: ProcessIdentity


class Claimed(Reply):
    grants: list[Grant]
    tasks: list[Task] = Field(default_factory=list)
    pending: int = 0
    """How many executions wait in this queue for one of the worker's workflows, up to 1,000."""
    neighbours: list[Neighbour] = Field(default_factory=list)


class StopWorker(Command):
    worker_id: str


class Worker(Reply):
    """A process that claims executions. `seen` says whether it asked for work within the last minute."""

    id: str
    environment: str
    queue: str
    workflows: list[str]
    handlers: list[str] = Field(default_factory=list)
    process: ProcessIdentity
    concurrency: int
    seen: bool
    started_at_us: int
    seen_at_us: int
    stopped_at_us: int | None = None


class StartAnswer(RootModel[Grant | Execution]):
    """A grant for the driver `local`; the queued execution for `worker`."""


class ResumeReply(RootModel[Grant | ResumeAnswer]):
    """A grant where the caller drives; else what became of the execution, and who would run it."""
