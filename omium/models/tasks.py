"""Tasks: what the server hands out of a spec's nodes, and what whoever did them says afterwards.

A worker is granted tasks by the same claim as executions (driver.py, `ClaimWork.handlers`). A grant is an
epoch and a token; whatever is said about the task carries both, and changes nothing once they are not the
current ones. Pushed tasks (webhook.py) carry the same token.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from omium.models.execution import LogLine
from omium.models.usage import RecordUsage
from omium.models.wire import Command, Count, Json, Path, Reply

TASKS_MAX = 200
LINES_MAX = 1_000
RETRY_AFTER_S_MAX = 7 * 86_400


class Task(Reply):
    """One node that is to be done now, and the right to say what came of it."""

    execution_id: str
    path: str
    """Which activation it is: the node's id, with the numbers of loops and items."""
    node: str
    type: str
    handler: str
    workflow: str
    environment: str
    attempt: int
    epoch: int
    token: str
    lease_s: float
    heartbeat_s: float
    timeout_s: float | None = None
    inputs: Json = None
    """The node's inputs by name; tagged JSON, as everything that is recorded."""
    parameters: Json = None
    agent: Json = None
    tools: Json = None
    effect_key: str | None = None
    """Of an effect: the same on every attempt, resume and replay."""


class TaskGrant(Command):
    """Which task is meant, and the proof that it was granted to whoever says this."""

    execution_id: Annotated[str, Field(min_length=1, max_length=200)]
    """As the task was granted."""
    path: Path
    """As the task was granted."""
    epoch: Count
    """As the task was granted."""
    token: Annotated[str, Field(min_length=1, max_length=200)]
    """As the task was granted."""


class BeatTasks(Command):
    """Whoever does these tasks lives."""

    tasks: Annotated[list[TaskGrant], Field(min_length=1, max_length=TASKS_MAX)]
    """Those that are being done now."""


class TaskNews(Reply):
    """What there is to know about one task that was beaten for."""

    lost: bool = False
    """Somebody else was granted it, or it has ended: stop, nothing that is said of it counts any more."""
    cancel_requested: bool = False


class TasksNews(Reply):
    """The news of each task, in the order in which they were named."""

    tasks: list[TaskNews]


class _TaskEnd(TaskGrant):
    usage: Annotated[list[RecordUsage], Field(max_length=1_000)] = Field(default_factory=list)
    """What providers charged for."""
    logs: Annotated[list[LogLine], Field(max_length=LINES_MAX)] = Field(default_factory=list)
    """What was printed and logged."""


class CompleteTask(_TaskEnd):
    """It is done."""

    output: Json = None
    """What the node gives: tagged JSON."""


class FailTask(_TaskEnd):
    """A try failed; the node's retry policy decides what follows."""

    error: Json
    """An ErrorInfo: an object with `type` and `message`, and what else is known."""
    retryable: bool | None = None
    """False: another try would fail the same way. None: the policy decides by the error's name."""
    retry_after_s: Annotated[float, Field(ge=0, le=RETRY_AFTER_S_MAX)] | None = None
    """What a provider asked to wait; it wins over the policy's own delay."""
    not_applied: bool = False
    """Of an effect: it certainly did not happen, so that it may be tried again."""


class TaskEnded(Reply):
    """What became of the task: its result is recorded, it is tried again, or the node has failed."""

    state: Literal["completed", "retrying", "failed", "effect-unknown"]
