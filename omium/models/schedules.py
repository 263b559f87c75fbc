"""Schedules and triggers as they travel, and the times at which they started something."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from omium.models.wire import Command, Json, Name, Reply
from omium.states import (
    EndOutcome,
    Environment,
    FireOutcome,
    MissedPolicy,
    OverlapPolicy,
    ScheduleStatus,
    TriggerKind,
)

CRON_MAX = 200


class CreateSchedule(Command):
    """Start a workflow by its name, again and again."""

    name: Name
    workflow: Name
    cron: Annotated[str, Field(min_length=1, max_length=CRON_MAX)]
    """Minute, hour, day, month, weekday."""
    timezone: Annotated[str, Field(min_length=1, max_length=100)] = "UTC"
    """Whose clock it is, such as Europe/Berlin."""
    input: Json = Field(default_factory=dict)
    environment: Environment | None = None
    """Where; else the caller's own."""
    queue: Name = "default"
    missed: MissedPolicy = MissedPolicy.ONE
    """Times at which no server looked: leave them out, start once for all of them, or for each."""
    missed_max: Annotated[int, Field(ge=1, le=100)] = 10
    """How many of the newest missed times start with `all`."""
    overlap: OverlapPolicy = OverlapPolicy.SKIP
    """A time at which the execution before still runs: start beside it, leave it out, or wait."""


class Schedule(Reply):
    """A schedule; `next_at_us` are its next times, none while it is paused."""

    id: str
    name: str
    workflow: str
    environment: Environment
    queue: str
    cron: str
    timezone: str
    missed: MissedPolicy
    missed_max: int
    overlap: OverlapPolicy
    status: ScheduleStatus
    note: str
    """Why the server paused it, if it did."""
    next_at_us: list[int]
    created_at_us: int
    created_by: str


class Fire(Reply):
    """One time at which something was to start; `code` and `detail` say why it did not."""

    key: str
    due_at_us: int
    at_us: int
    outcome: FireOutcome
    execution_id: str | None = None
    code: str | None = None
    detail: str | None = None


class CreateTrigger(Command):
    """Start a workflow by its name when a signed webhook comes in, or when another workflow ends."""

    name: Name
    kind: TriggerKind
    workflow: Name
    inputs: Json = None
    """What the workflow gets: any value with references into the event, such as `{"$from": "body.id"}`;
    without it, a webhook's body, or what is known of the execution that ended."""
    environment: Environment | None = None
    """Where; else the caller's own."""
    queue: Name = "default"
    after_workflow: Name | None = None
    """Whose end it follows, for the kind `after`."""
    outcome: EndOutcome | None = None
    """Which ends, for the kind `after`; `completed` where nothing is said."""


class Trigger(Reply):
    """A trigger; `path` is where a webhook's sender posts to."""

    id: str
    name: str
    kind: TriggerKind
    workflow: str
    environment: Environment
    queue: str
    path: str | None = None
    after_workflow: str | None = None
    outcome: EndOutcome | None = None
    created_at_us: int
    created_by: str


class NewTrigger(Trigger):
    """A trigger with the signing secret of its webhook, which is shown this once."""

    signing_secret: str | None = None
