"""Runs: what every store is asked for, whichever framework wrote it.

Owns the words: a run as a store's newest record tells it, and the same run with its steps for an import. How
a run is read is the business of threads.py (LangGraph), crew_checkpoints.py and crew_flows.py (CrewAI).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from omium.jsonvalue import JsonValue
from omium.redact import redact_text

BLOB_BYTES_MAX: Final = 16 * 2**20
"""Of one stored value or checkpoint; what is larger is said to be there, and not read."""
MESSAGE_MAX: Final = 500


class RunState(enum.StrEnum):
    """Where a run stands."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    """It asked a person, and has no answer yet."""
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """Something would come next: it runs, waits before a node, or its process is gone."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its newest record tells it; lists and texts are empty where that says nothing."""

    run_id: str
    framework: str
    workflow: str
    state: RunState
    checkpoints: int
    updated_us: int | None
    last: tuple[str, ...] = ()
    """What finished last: nodes, tasks, methods."""
    next: tuple[str, ...] = ()
    failed_at: str = ""
    error_type: str = ""
    error_message: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class RecordedError:
    """What a store says of a failure, secrets concealed."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """Something that a run did; times are bounds where the store has none of the step itself."""

    name: str
    started_us: int
    ended_us: int
    input: JsonValue = None
    output: JsonValue = None
    error: RecordedError | None = None


@dataclass(frozen=True, slots=True)
class RecordedState:
    """The state of a run as it was saved at a moment."""

    name: str
    at_us: int
    state: JsonValue


@dataclass(frozen=True, slots=True)
class RecordedUsage:
    """A call of a model; `step` is the place of the step that made it."""

    at_us: int
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    step: int | None = None


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run with everything that is imported of it; `identity` is the same wherever its store lies."""

    run: Run
    identity: str
    started_us: int
    updated_us: int
    input: JsonValue
    output: JsonValue
    steps: tuple[RecordedStep, ...]
    states: tuple[RecordedState, ...]
    usage: tuple[RecordedUsage, ...] = ()
    omitted: tuple[str, ...] = ()
    """What was left out, as sentences."""


class Store(Protocol):
    """An opened store; it can only be read."""

    def list_runs(self, limit: int) -> list[Run]:
        """Return at most `limit` runs, the newest first."""
        ...

    def find_run(self, run_id: str) -> Run | None:
        """Return the run with this id."""
        ...

    def record(self, run: Run) -> RecordedRun | None:
        """Return `run` with its steps; None where nothing of it can be read."""
        ...


def read_moment(text: object) -> int | None:
    """Return the microseconds of a time in ISO 8601, UTC unless it says otherwise; None where it is none."""
    try:
        moment = datetime.fromisoformat(str(text))
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        found = round(moment.timestamp() * 1_000_000)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found >= 0 else None


def clean_message(text: str) -> str:
    """Return what an error says without the secrets in it, cut to `MESSAGE_MAX` characters."""
    return redact_text(text[: 4 * MESSAGE_MAX])[0][:MESSAGE_MAX]
