"""Executions, steps, checkpoints and events as they travel."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from omium.models.approval import AwaitedSignal
from omium.models.slot import Slot
from omium.models.wire import Amount, Command, Count, Digest, Json, Name, Path, Reply, TimestampUs
from omium.states import CancelOutcome, Driver, Durability, ExecutionStatus, Runner, StepStatus, Takeover

Comparable = Literal["full", "partial", "none"]
Ticks = Annotated[int, Field(ge=0, lt=2**62)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
BusinessKey = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
TAGS_MAX = 20
LOOP_LIMIT_MAX = 100_000
"""As in a document (`max_iterations`)."""
LOOP_LIMITS_MAX = 100
LoopLimit = Annotated[int, Field(ge=1, le=LOOP_LIMIT_MAX)]


class ProcessIdentity(Command):
    """Which process drives: enough to show, on the same host, that it is gone (semantics 3.3)."""

    host_name: str = ""
    boot_id: str
    pid_namespace: str
    pid: Count
    started_ticks: Ticks


class CodeVersion(Command):
    """The user's code that runs (semantics 2.5), and the command line that would run it again."""

    digest: str = ""
    git_revision: str | None = None
    entrypoint: str | None = None
    cwd: str | None = None
    command: list[str] = Field(default_factory=list)


class Limits(Command):
    """Limits of one execution; None is none. One that is reached pauses it (`limit`) before its next step."""

    max_steps: Count | None = None
    max_interruptions: Count = 5
    max_duration_us: Amount | None = None
    """How long drivers may hold it, all together: time in which it waits or is paused does not count."""
    max_payload_bytes: Amount | None = None
    """How much JSON it may record as inputs, outputs and states."""
    max_microcredits: Amount | None = None
    """What it may be charged, in micro-credits; nothing on a server that does not meter."""


class StartExecution(Command):
    """Begin an execution. With driver `local` the reply is a grant; with `worker` it is queued.

    `id` and `lease_token` may be made by the client, so that a start whose reply was lost, or that was made
    while the server was away, is the same start when it is sent again.
    """

    id: str | None = None
    workflow: Name
    driver: Driver
    queue: Name = "default"
    durability: Durability = Durability.STRICT
    takeover: Takeover = Takeover.NEVER
    input: Json = None
    input_digest: Digest
    comparable: Comparable = "full"
    lease_token: str | None = None
    process: ProcessIdentity | None = None
    code: CodeVersion | None = None
    parent_id: str | None = None
    parent_path: Path | None = None
    limits: Limits = Limits()
    tags: Annotated[list[Tag], Field(max_length=TAGS_MAX)] = Field(default_factory=list)
    """Words to find it by, with others like it; the order does not matter."""
    business_key: BusinessKey | None = None
    """What it is about in the caller's own books, such as an order's number; several may have the same."""
    started_at_us: TimestampUs | None = None


class RunnerAnswer(Reply):
    """Who would go on with the execution; for `none`, `command` is the command line recorded at its start."""

    runner: Runner
    command: list[str] = Field(default_factory=list)
    cwd: str | None = None


class Usage(Reply):
    """Sums of an execution's usage records."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    calls: int = 0
    reported_cost_microusd: int = 0
    by_model: dict[str, dict[str, int]] = Field(default_factory=dict)


class StepCost(Reply):
    """What the usage that a step reported was charged, all its attempts together."""

    key: str
    microcredits: int


class Cost(Reply):
    """What an execution costs, in micro-credits (a millionth of a credit)."""

    charged_microcredits: int
    """In the journal already, or captured from its hold."""
    usage_microcredits: int
    """The part of it that is reported usage; the rest is the execution's and its steps' own price."""
    held_microcredits: int
    """Set aside for what comes next, while it runs."""
    limit_microcredits: int | None = None
    credits: str
    """What was charged, in credits."""
    price_version: int
    step_microcredits: int
    """What each completed step costs beside its usage."""
    free_steps: list[str] = Field(default_factory=list)
    """Completed ones that cost only their usage: effects that a person or a late report has told of."""
    steps: list[StepCost] = Field(default_factory=list)
    unpriced_reports: int = 0
    """Reports of usage that wait for a price."""


class Execution(Reply):
    """One durable run; the detail view adds input, output, error, usage and runner."""

    id: str
    workflow: str
    environment: str
    queue: str
    driver: Driver
    durability: Durability
    takeover: Takeover
    status: ExecutionStatus
    reason: str | None = None
    cancelling: bool = False
    cancel_outcome: CancelOutcome | None = None
    silent: bool = False
    generation: int
    attempt: int
    """How often a driver has taken it up: its epoch."""
    interruptions: int
    last_seq: int
    steps_completed: int
    worker_id: str | None = None
    parent_id: str | None = None
    parent_path: str | None = None
    replay_of: str | None = None
    lineage_root: str
    started_by: str
    created_at_us: int
    started_at_us: int | None = None
    ended_at_us: int | None = None
    updated_at_us: int
    wake_at_us: int | None = None


class ListedExecution(Execution):
    """An execution with what it is found by."""

    tags: list[str] = Field(default_factory=list)
    business_key: str | None = None


class Step(Reply):
    """What is recorded of a step."""

    key: str
    """The path: its identity within the execution."""
    name: str
    occurrence: int
    explicit_key: bool
    kind: str
    generation: int
    epoch: int
    status: StepStatus
    attempt: int
    interruptions: int
    input: Json = None
    input_digest: str
    comparable: Comparable
    output: Json = None
    output_size_bytes: int | None = None
    output_sealed: bool = False
    error: Json = None
    effect_key: str | None = None
    effect_state: str | None = None
    reused_from: str | None = None
    edited_by: str | None = None
    started_at_us: int
    ended_at_us: int
    completed_seq: int | None = None
    superseded_seq: int | None = None


class StepAttempt(Reply):
    """A failed try of a step, and how long was waited before the next."""

    key: str
    generation: int
    attempt: int
    epoch: int
    error: Json
    started_at_us: int
    ended_at_us: int
    delay_us: int | None = None


class Checkpoint(Reply):
    """State that `checkpoint(name, state)` made durable."""

    id: str
    name: str
    key: str
    seq: int
    generation: int
    state: Json = None
    state_size_bytes: int | None = None
    created_at_us: int
    superseded_seq: int | None = None


class Event(Reply):
    """An append-only fact about an execution."""

    seq: int
    type: str
    at_us: int
    data: Json = None


class Hint(Reply):
    """An execution has news: look at its events from `seq` on."""

    execution_id: str
    seq: int


class LogLine(Command):
    """One line that a step wrote, already redacted."""

    at_us: TimestampUs
    stream: Literal["stdout", "stderr", "log"]
    level: str | None = None
    text: str


class ExecutionDetail(ListedExecution):
    """Everything about one execution that fits on a page; long lists have their own endpoints."""

    input: Json = None
    output: Json = None
    error: Json = None
    code: CodeVersion | None = None
    version: int | None = None
    """Of the stored workflow that it runs, for good; None for code alone."""
    steps: list[Step] = Field(default_factory=list)
    steps_next: str | None = None
    checkpoints: list[Checkpoint] = Field(default_factory=list)
    children: list[str] = Field(default_factory=list)
    replays: list[str] = Field(default_factory=list)
    running_steps: list[str] = Field(default_factory=list)
    process: ProcessIdentity | None = None
    """The process of the newest epoch (`attempt`), for `ResumeExecution.former_gone`."""
    usage: Usage = Usage()
    cost: Cost | None = None
    """None where it is not metered."""
    runner: RunnerAnswer
    refused_spans: int = 0
    """Spans of its trace for which there was no room, where it is `observed`: it is incomplete by them."""
    awaited_slot: Slot | None = None
    """The slot of a concurrency key that it has waited for longest, where its reason is `slot`."""
    awaited_signals: list[AwaitedSignal] = Field(default_factory=list)
    """The signals that its driver waits for, where its reason is `signal`."""


class CancelExecution(Command):
    """Ask that an execution stop."""

    comment: str = ""


class PauseExecution(Command):
    """Ask that an execution pause after the steps that run now."""

    comment: str = ""


class ResumeExecution(Command):
    """Go on with a failed, paused or waiting execution.

    With `process` set the caller drives it itself (reply: a grant); without, it is queued for a worker.
    """

    process: ProcessIdentity | None = None
    code: CodeVersion | None = None
    lease_token: str | None = None
    former_gone: Count | None = None
    """The epoch whose process (`ExecutionDetail.process`) the caller has seen to be gone on its own host: a
    running execution is then taken over at once. Needs `process`."""
    max_steps: Count | None = None
    """Raises the limit of an execution that is paused for it."""
    max_duration_us: Amount | None = None
    """Raises the limit on the time for which drivers have held it, microseconds."""
    max_payload_bytes: Amount | None = None
    """Raises the limit on what it has recorded."""
    max_microcredits: Amount | None = None
    """Sets another limit on what it may be charged, in micro-credits."""
    loop_limits: Annotated[dict[Path, LoopLimit], Field(max_length=LOOP_LIMITS_MAX)] = Field(
        default_factory=dict
    )
    """How often loops of its document may go round from now on, by header, behind the maps around it:
    `draft`, `orders/draft`. Each is more than before; they stay with the execution."""
    comment: str = ""


class ResumeAnswer(RunnerAnswer):
    """What became of a resume that was not taken up by its caller."""

    execution: Execution
