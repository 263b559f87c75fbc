"""The failure inbox: groups of occurrences with one fingerprint (execution.md, Failures)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from omium.models.execution import Execution, RunnerAnswer, StepAttempt
from omium.models.replay import Edit
from omium.models.wire import Command, Count, Json, Reply, TimestampUs
from omium.states import FailureStatus


class Failure(Reply):
    """One inbox item."""

    id: str
    status: FailureStatus
    kind: str
    """error, timeout, effect-unknown, effect-duplicated, driver-lost, crash-loop, compensation-failed or
    captured."""
    environment: str
    workflow: str
    fingerprint: str
    error_type: str
    message: str
    step: str
    count: int
    open_count: int
    first_seen_at_us: int
    last_seen_at_us: int
    execution_id: str
    """The newest occurrence's execution."""
    ignored_until_us: int | None = None
    ignored_count_left: int | None = None
    ignored_code: str | None = None
    ignored_reason: str | None = None


class Occurrence(Reply):
    id: str
    execution_id: str
    key: str
    seq: int
    status: FailureStatus
    cause_id: str | None = None
    error: Json
    created_at_us: int
    disposed_at_us: int | None = None
    disposed_by: str | None = None
    disposed_reason: str | None = None


class WhatChanged(Reply):
    """What differs from the last completed execution of the same workflow and environment."""

    since_execution_id: str | None = None
    code_digest: list[str | None] | None = None
    git_revision: list[str | None] | None = None
    models: list[list[str]] | None = None
    inputs: list[str] = Field(default_factory=list)


class ReplayBatch(Reply):
    """A group that is replayed one execution after another."""

    id: str
    status: str
    """running, done, or stopped."""
    stopped_reason: str | None = None
    launched: int
    remaining: int
    next_at_us: int


class FailureDetail(Failure):
    """What a failure must answer without scrolling."""

    sentence: str
    root: bool
    cause: Occurrence | None = None
    occurrence: Occurrence
    retry_safe: bool
    retry_safe_reason: str
    changed: WhatChanged
    attempts: list[StepAttempt] = Field(default_factory=list)
    effects: list[Json] = Field(default_factory=list)
    execution: Execution
    runner: RunnerAnswer
    next_action: str
    batch: ReplayBatch | None = None
    """The newest batch replay of this group."""


class IgnoreFailure(Command):
    """Close with a reason, until something: no field set means for good, as long as nothing new comes."""

    reason: Annotated[str, Field(min_length=1, max_length=2000)]
    until_us: TimestampUs | None = None
    until_count: Count | None = None
    until_new_code: bool = False


class ResolveFailure(Command):
    reason: str = ""


class ReplayFailure(Command):
    """Replay the open occurrences of a group: at most `limit`, stopped when it fails the same way again."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    from_failed_step: bool = True
    edits: list[Edit] = Field(default_factory=list)
    reason: str = ""


class ReplayedFailure(Reply):
    failure: Failure
    executions: list[Execution]
    skipped: dict[str, str] = Field(default_factory=dict)
    """Execution id to the reason why it was not replayed."""
    remaining: int = 0
    """How many occurrences the batch has still to look at."""
    batch: ReplayBatch | None = None
