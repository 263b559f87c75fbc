"""Imports: a run that a framework stored itself, as it becomes an execution."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from omium.models.wire import Command, Digest, Json, Name, Reply, TimestampUs, Tokens

STEPS_MAX = 5_000
STATES_MAX = 100


class ImportedStatus(StrEnum):
    """How a run stood where it was stored."""

    COMPLETED = "completed"
    FAILED = "failed"
    OPEN = "open"
    """It has not ended, or nobody knows: the execution is paused, because nobody here goes on with it."""


class ImportOutcome(StrEnum):
    """What became of an import."""

    CREATED = "created"
    UPDATED = "updated"
    """The run has gone on since it was imported last; the execution shows it as it is now."""
    UNCHANGED = "unchanged"
    OLDER = "older"
    """The execution shows a later state of the run, and was left alone."""
    EXPIRED = "expired"
    """It ended longer ago than this tenant keeps executions: nothing was stored."""
    TAKEN = "taken"
    """Its execution is being removed, or was not imported: nothing was changed."""


class ImportedError(Command):
    """Why a run or a step failed."""

    type: Annotated[str, Field(max_length=200)] = "Error"
    """The exception's class."""
    message: Annotated[str, Field(max_length=10_000)] = ""
    """What it said."""


class ImportedStep(Command):
    """Something that the run did; `error` says that it failed."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    started_at_us: TimestampUs
    """When it began, or not before which moment."""
    ended_at_us: TimestampUs
    input: Json = None
    output: Json = None
    error: ImportedError | None = None


class ImportedState(Command):
    """The run's state as it was saved at a moment."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    at_us: TimestampUs
    state: Json


class ImportedUsage(Command):
    """A call of a model that the run made; it is counted, and not charged."""

    at_us: TimestampUs
    step: Annotated[int, Field(ge=0, lt=STEPS_MAX)] | None = None
    """Which of `steps` made it, counted from 0."""
    model: Annotated[str, Field(max_length=200)] = ""
    input_tokens: Tokens = 0
    output_tokens: Tokens = 0
    cached_tokens: Tokens = 0
    cache_write_tokens: Tokens = 0
    reasoning_tokens: Tokens = 0


class ImportRun(Command):
    """A run with everything that is kept of it; the same `identity` is the same execution."""

    framework: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    identity: Digest
    """What makes it this run wherever its store lies."""
    run_id: Name
    """Its name in the store; the execution's business key."""
    workflow: Name
    status: ImportedStatus
    """How it stands; `open` is one that has not ended, or of which nobody knows."""
    started_at_us: TimestampUs
    """When it began."""
    updated_at_us: TimestampUs
    """When it ended, or was last written."""
    input: Json = None
    output: Json = None
    error: ImportedError | None = None
    steps: Annotated[tuple[ImportedStep, ...], Field(max_length=STEPS_MAX)] = ()
    """What it did, in any order."""
    states: Annotated[tuple[ImportedState, ...], Field(max_length=STATES_MAX)] = ()
    """What it saved, in any order."""
    usage: Annotated[tuple[ImportedUsage, ...], Field(max_length=STEPS_MAX)] = ()
    """Which models it called, in the order in which it did."""


class ImportedRun(Reply):
    """Which execution shows the run, and what was done to it; with `expired` there is none."""

    execution_id: str
    outcome: ImportOutcome
    """`unchanged`, `older`: it was there; `expired`: it ended longer ago than executions are kept, `taken`:
    its execution is being removed, and nothing was stored."""
