"""Tenants, their first key and what the server says about itself. Keys in general are keys.py."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from omium.models.people import Password, UserName
from omium.models.wire import Command, Name, Reply
from omium.states import Environment, Role, Scope


class Bootstrap(Command):
    """Create the first tenant and its owner's key, with the one-time token from the server's data folder."""

    token: str = Field(repr=False)
    tenant: Name = "default"
    environment: Environment = Environment.DEV
    user: UserName | None = None
    """Name of the first user, who owns the server and the tenant; with `password`."""
    password: Password | None = Field(default=None, repr=False)


class NewKey(Reply):
    """A key with its secret, shown this once."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"api_key"})

    tenant: str
    tenant_id: str
    api_key: str = Field(repr=False)
    api_key_id: str
    name: str
    environment: Environment
    scopes: list[Scope]
    expires_at_us: int | None = None
    credits: int | float | None = None
    """What the tenant has to begin with, where it was made together with the key."""


class WhoAmI(Reply):
    """A key, or a person: then `user`, `role` and `session_id` are set, and nothing of a key."""

    tenant: str
    tenant_id: str
    api_key_id: str | None = None
    key_name: str | None = None
    user: str | None = None
    user_id: str | None = None
    role: Role | None = None
    session_id: str | None = None
    environment: Environment
    scopes: list[Scope]
    credits: int | float | None = None
    """None while this server does not meter."""
    server_version: str


Days = Annotated[int, Field(ge=1, le=36_500)]


class Retention(Command):
    """How many days an execution is kept after its end, with everything that belongs to it; None is for ever.

    Usage records stay, and whatever another execution's replay still needs.
    """

    completed_days: Days | None = 30
    cancelled_days: Days | None = 30
    failed_days: Days | None = 90


class ChecklistItem(Reply):
    name: str
    done: bool
    command: str


class Status(Reply):
    """What `omium status` shows."""

    tenant: str
    tenant_id: str
    environment: Environment
    credits: int | float | None = None
    """None where this server does not meter; so are the four that follow."""
    held_credits: int | float | None = None
    burn_credits_per_day: int | float | None = None
    """What the last seven days spent, for each day."""
    empty_at_us: int | None = None
    """When the credits are gone at this rate; None for never."""
    credits_low: bool | None = None
    checklist: list[ChecklistItem]
    running: int
    queued: int
    waiting: int
    paused: int
    open_failures: int
    executions_today: int
    success_rate: float | None = None
    workers: int
    unserved: list[str] = Field(default_factory=list)
    """Workflows with queued executions that no worker serves."""
    server_version: str
