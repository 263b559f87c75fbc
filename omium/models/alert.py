"""Alerts on the wire: rules, and the messages that they have made."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from omium.models.wire import Command, Count, Json, Name, Reply
from omium.states import AlertChannel, AlertKind, DeliveryStatus, Environment

QUIET_S = 900


class AddAlertRule(Command):
    """Alert of `kinds`, by default of all; at most one message per kind in each quiet time.

    The destination is an https address, an e-mail address (several with commas between), or the name of a
    command that the server's operator has configured.
    """

    name: Name
    channel: AlertChannel
    destination: Annotated[str, Field(min_length=1, max_length=2_000)]
    """An https address, e-mail addresses, or the name of one of the operator's commands."""
    kinds: Annotated[list[AlertKind], Field(min_length=1, max_length=20)] | None = None
    """What to be told of; without it, everything."""
    workflow: Name | None = None
    environment: Environment | None = None
    quiet_s: Annotated[int, Field(ge=0, le=7 * 86_400)] = QUIET_S
    """At most one message of a kind in this time, in seconds."""


class AlertRule(Reply):
    """A rule; of a webhook's address only the server is shown. `note` says why it's disabled."""

    id: str
    name: str
    kinds: list[AlertKind]
    workflow: str | None
    environment: Environment | None
    channel: AlertChannel
    destination: str
    quiet_s: Count
    status: str
    note: str
    created_at_us: int
    created_by: str


class NewAlertRule(AlertRule):
    """A rule just added, or one with a new signing secret, which is shown this once."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"signing_secret"})

    signing_secret: str | None = Field(default=None, repr=False)


class Delivery(Reply):
    """A message: what it tells, and how far it is."""

    id: str
    rule_id: str
    kind: AlertKind
    status: DeliveryStatus
    facts: Count
    items: list[Json]
    first_at_us: int
    last_at_us: int
    due_at_us: int
    attempts: Count
    error: str
    created_at_us: int
    ended_at_us: int | None
