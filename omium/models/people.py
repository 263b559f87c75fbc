"""People: signing up, logging in, sessions, members, invitations and tenants."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from omium.models.wire import Command, Name, Reply
from omium.states import Environment, Role, Scope

UserName = Annotated[str, Field(min_length=1, max_length=254)]
Password = Annotated[str, Field(min_length=1, max_length=1024)]
OneTimeSecret = Annotated[str, Field(min_length=1, max_length=200)]
Note = Annotated[str, Field(max_length=200)]

DAY_S = 24 * 3600
INVITATION_S = 7 * DAY_S


class SignUp(Command):
    """Become a user: the first with the server's one-time token, later ones as the server's policy says."""

    user: UserName
    password: Password = Field(repr=False)
    token: OneTimeSecret | None = Field(default=None, repr=False)
    """The one-time token from the data folder of a fresh server: its first user, who owns it."""
    invitation: OneTimeSecret | None = Field(default=None, repr=False)
    """The secret of an invitation: a member of the tenant that it is for."""
    tenant: Name | None = None
    """Name of the tenant that is created, where neither exists yet nor an invitation names one."""
    environment: Environment = Environment.DEV


class LogIn(Command):
    """Open a session, in exactly one tenant."""

    user: UserName
    password: Password = Field(repr=False)
    tenant: Name | None = None
    """Name or id; by default the one of the latest session."""
    invitation: OneTimeSecret | None = Field(default=None, repr=False)
    """Joins a further tenant on the way, and opens the session there."""
    environment: Environment = Environment.DEV


class NewSession(Reply):
    """A session with its secret, shown this once."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"session_token"})

    session_token: str = Field(repr=False)
    session_id: str
    user: str
    user_id: str
    tenant: str
    tenant_id: str
    role: Role
    environment: Environment
    scopes: list[Scope]
    expires_at_us: int


class SwitchSession(Command):
    """Go to another tenant or environment, with another session."""

    tenant: Name | None = None
    environment: Environment | None = None


class Session(Reply):
    id: str
    tenant: str
    tenant_id: str
    environment: Environment
    agent: str
    address: str
    created_at_us: int
    last_used_at_us: int
    expires_at_us: int
    current: bool
    """The one that asks."""


class EndedSessions(Reply):
    ended: int


class ChangePassword(Command):
    password: Password = Field(repr=False)
    new_password: Password = Field(repr=False)


class DeleteAccount(Command):
    password: Password = Field(repr=False)


class Member(Reply):
    user_id: str
    user: str
    role: Role
    joined_at_us: int
    invited_by: str | None = None
    active_keys: int
    """API keys that this person has created and that are valid."""


class SetRole(Command):
    role: Role


class CreateInvitation(Command):
    role: Role = Role.OPERATOR
    note: Note = ""
    """Whom it is for; shown in the list."""
    expires_in_s: Annotated[int, Field(ge=60, le=30 * DAY_S)] = INVITATION_S
    server_owner: bool = False
    """Whoever accepts owns the server itself, too."""


class NewInvitation(Reply):
    """An invitation with its secret, shown this once."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"invitation_token"})

    id: str
    invitation_token: str = Field(repr=False)
    role: Role
    tenant: str
    expires_at_us: int


class Invitation(Reply):
    id: str
    role: Role
    status: str
    """open, used, revoked or expired."""
    note: str
    server_owner: bool
    created_at_us: int
    created_by: str
    expires_at_us: int
    used_at_us: int | None = None
    used_by: str | None = None


class AcceptInvitation(Command):
    invitation: OneTimeSecret = Field(repr=False)


class OwnTenant(Reply):
    id: str
    name: str
    role: Role | None = None
    """None where an API key asks."""
    created_at_us: int
    current: bool


class CreateTenant(Command):
    name: Name


class RenameTenant(Command):
    name: Name


class DeleteTenant(Command):
    name: Name
    """The tenant's name, typed again: what is deleted is gone."""


class DeletedTenant(Reply):
    id: str
    name: str
    keys: int
    """API keys that are refused from now on."""
    sessions: int
    """Sessions that have ended."""


class UserSummary(Reply):
    """A user, as whoever holds the data folder sees him."""

    user_id: str
    user: str
    status: str
    server_owner: bool
    tenants: list[str]
    created_at_us: int
