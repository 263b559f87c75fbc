"""Principals: who asks. A key, a user's session, or the server itself, always inside one tenant.

Owns the value that travels from the request's check (web/auth.py) down to the engine and the ledger. Does not
decide anything: scopes are checked by the endpoint's declaration, caps by the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from omium.errors import ScopeMissing
from omium.states import Environment, Scope


class PrincipalKind(StrEnum):
    """What stands behind a request."""

    NOBODY = "nobody"
    KEY = "key"
    USER = "user"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: `id` is the API key's id (`key_…`) or the user's; both live in exactly one tenant.

    `workflows` is the key's allow-list of workflow names, None for all of them.
    """

    tenant_id: str
    id: str
    kind: PrincipalKind
    environment: Environment
    scopes: frozenset[Scope]
    workflows: frozenset[str] | None = None

    @property
    def api_key_id(self) -> str | None:
        """The key that pays and is named in entries; None where a person or the server acts."""
        return self.id if self.kind is PrincipalKind.KEY else None

    def require(self, scope: Scope) -> None:
        """Raise `ScopeMissing` unless `scope` was granted."""
        if scope not in self.scopes:
            raise ScopeMissing(
                f"This needs the scope {scope.value}; create a key that has it with `omium keys create`.",
                scope=scope.value,
            )


NOBODY = Principal("", "", PrincipalKind.NOBODY, Environment.DEV, frozenset())
"""Whoever calls an endpoint that asks for no key."""
