"""Webhooks on the wire: targets that nodes' tasks are pushed to, and what they call back with."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from omium.models.execution import LogLine
from omium.models.usage import RecordUsage
from omium.models.wire import Command, Count, Json, Name, Reply
from omium.states import Environment

REPLY_S = 30
CALLBACK_S = 3_600
CONCURRENCY = 8


class CreateWebhook(Command):
    """Push the nodes that call one of `handlers` to `url`, in one environment and queue."""

    name: Name
    """What it is, for people."""
    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    """An https address; others only where the server's operator allows them."""
    handlers: Annotated[list[Name], Field(min_length=1, max_length=100)]
    """As nodes name them in `parameters.handler`."""
    environment: Environment | None = None
    """By default that of the key."""
    queue: Name = "default"
    """Of executions in this queue."""
    concurrency: Annotated[int, Field(ge=1, le=100)] = CONCURRENCY
    """How many tasks it's given at the same time."""
    reply_s: Annotated[int, Field(ge=1, le=120)] = REPLY_S
    """How long it may take to answer."""
    callback_s: Annotated[int, Field(ge=1, le=7 * 86_400)] = CALLBACK_S
    """How long it may take to call back, where it has answered 202."""


class Webhook(Reply):
    """A target; of its address only the server is shown. `note` says what is wrong with it."""

    id: str
    name: str
    destination: str
    handlers: list[str]
    environment: Environment
    queue: str
    concurrency: Count
    reply_s: Count
    callback_s: Count
    status: str
    """`active`, or `disabled` since it answered 410."""
    note: str
    open: Count
    """How many tasks it has now."""
    created_at_us: int
    created_by: str


class NewWebhook(Webhook):
    """A target just created, or one with a new signing secret, which is shown this once."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"signing_secret"})

    signing_secret: str = Field(default="", repr=False)


class WebhookTested(Reply):
    """What a target answered to a message that asks for nothing."""

    ok: bool
    status: int | None
    """The HTTP status; None where there was no answer."""
    detail: str
    elapsed_ms: Count


class TaskSaid(Command):
    """What became of a pushed task: the reply of a target, or a part of its callback."""

    output: Json = None
    """What the node gives: tagged JSON."""
    error: Json = None
    """Instead of an output: an object with `message`, and `type` and `code` if there are any."""
    retryable: bool | None = None
    """False: another try would fail the same way. None: the node's policy decides by the error's name."""
    not_applied: bool = False
    """Of an effect that failed: it certainly did not happen."""
    usage: Annotated[list[RecordUsage], Field(max_length=1_000)] = Field(default_factory=list)
    """What providers charged for."""
    logs: Annotated[list[LogLine], Field(max_length=1_000)] = Field(default_factory=list)
    """What is to be kept with the node's record."""

    @model_validator(mode="after")
    def _say_one_thing(self) -> Self:
        if self.model_fields_set.isdisjoint({"output", "error"}) or (
            self.error is not None and self.output is not None
        ):
            raise ValueError("say either `output` or `error`")
        return self


class CallBack(TaskSaid):
    """What became of a pushed task, said later, with the task's own token."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """The task's own, as it was pushed."""
