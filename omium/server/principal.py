"""Principals: who asks. A key, a user's session, or the server itself, always inside one tenant.

Owns the value that travels from the request's check (web/auth.py) down to the engine and the ledger. Does not
decide anything: scopes are checked by the endpoint's declaration, caps by the ledger. What a role may do is a
table in omium/states.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from omium.errors import ScopeMissing, WorkflowNotAllowed
from omium.states import MACHINE_SCOPES, Environment, Role, Scope


class PrincipalKind(StrEnum):
    """What stands behind a request."""

    NOBODY = "nobody"
    KEY = "key"
    USER = "user"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: `id` is the API key's id (`ak_…`) or the user's (`us_…`); both act in exactly one tenant.

    `workflows` is the key's allow-list of workflow names, None for all of them. A person has come in with the
    session `session_id` and is `role` in the tenant; both are None for a key.

    `secret_number` says which of the key's secrets was shown. Whoever came with a short-lived token instead
    of the key is in until `token_until_us` (microseconds UTC), and never manages anything.
    """

    tenant_id: str
    id: str
    kind: PrincipalKind
    environment: Environment
    scopes: frozenset[Scope]
    workflows: frozenset[str] | None = None
    session_id: str | None = None
    role: Role | None = None
    secret_number: int = 0
    token_until_us: int | None = None

    @property
    def api_key_id(self) -> str | None:
        """The key that pays and is named in entries; None where a person or the server acts."""
        return self.id if self.kind is PrincipalKind.KEY else None

    @property
    def credential_id(self) -> str:
        """What was shown at the door, the key or the session: when it ends, what it has opened ends."""
        return self.session_id or self.id

    @property
    def grantable(self) -> frozenset[Scope]:
        """Scopes that a key may be given: nobody gives more than he has, but people make workers' keys."""
        if self.kind is PrincipalKind.USER and Scope.MANAGE in self.scopes:
            return self.scopes | MACHINE_SCOPES
        return self.scopes

    def require(self, scope: Scope) -> None:
        """Raise `ScopeMissing` unless `scope` was granted."""
        if scope not in self.scopes:
            raise self._missing(scope)

    def require_grantable(self, scope: Scope) -> None:
        """Raise `ScopeMissing` unless a key may be given `scope` by this one."""
        if scope not in self.grantable:
            raise self._missing(scope)

    def require_workflow(self, workflow: str) -> None:
        """Raise `WorkflowNotAllowed` unless the key may run `workflow`; who has no list may run all."""
        if self.workflows is not None and workflow not in self.workflows:
            raise WorkflowNotAllowed(
                f"This API key may run only {', '.join(sorted(self.workflows)) or 'nothing'}, not {workflow};"
                " use another key, or change its list: omium keys update --workflow.",
                workflow=workflow,
                allowed=list[object](sorted(self.workflows)),
            )

    def _missing(self, scope: Scope) -> ScopeMissing:
        if self.kind is PrincipalKind.USER:
            role = self.role.value if self.role else "nobody"
            return ScopeMissing(
                f"This needs the scope {scope.value}, which the role {role} does not have; ask an owner or an"
                " admin (`omium members list`).",
                scope=scope.value,
            )
        if self.token_until_us is not None:
            return ScopeMissing(
                f"This needs the scope {scope.value}, which the token was not given; use the API key itself.",
                scope=scope.value,
            )
        return ScopeMissing(
            f"This needs the scope {scope.value}; create a key that has it with `omium keys create`.",
            scope=scope.value,
        )


NOBODY = Principal("", "", PrincipalKind.NOBODY, Environment.DEV, frozenset())
"""Whoever calls an endpoint that asks for no key."""
