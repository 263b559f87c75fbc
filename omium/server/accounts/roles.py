"""Roles: nobody gives more than he has. What a role may do is the table `ROLE_SCOPES` in omium/states.py."""

from __future__ import annotations

from omium.errors import PersonNeeded, ScopeMissing
from omium.server.principal import Principal, PrincipalKind
from omium.states import ROLE_SCOPES, Role, Scope


def require_assignable(principal: Principal, role: Role) -> None:
    """Raise unless `principal` holds everything that `role` would give, or take away.

    `ScopeMissing`, or `WorkflowNotAllowed` for a key with a list of workflows: people may run all of them.
    """
    if missing := ROLE_SCOPES[role] - principal.scopes:
        first = min(missing)
        raise ScopeMissing(
            f"The role {role.value} has the scope {first.value}, which you do not have; an owner can.",
            scope=first.value,
        )
    if Scope.RUN in ROLE_SCOPES[role]:
        principal.require_workflow("all workflows")


def require_person(principal: Principal) -> None:
    """Raise `PersonNeeded` for an API key."""
    if principal.kind is not PrincipalKind.USER:
        raise PersonNeeded("Log in with `omium login`: this is about a person, and a key is none.")


def scopes_of(role: Role, *, server_owner: bool) -> frozenset[Scope]:
    """Return what a person of this role may do."""
    return ROLE_SCOPES[role] | ({Scope.SERVER} if server_owner else frozenset())
