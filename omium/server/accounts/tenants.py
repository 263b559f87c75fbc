"""Tenants: made with an owner and what they begin with, renamed, and marked as deleted.

What belongs to a deleted tenant is removed by deletion.py, in portions.
"""

from __future__ import annotations

from dataclasses import dataclass

from omium.errors import InvalidRequest, NoTenant, NotFound
from omium.server.db.tx import Tx
from omium.server.ledger.funding import grant_starter
from omium.server.store import memberships, sessions
from omium.server.store import tenants as store
from omium.server.store.memberships import OwnTenant
from omium.server.store.tenants import Tenant
from omium.server.store.users import UserRow
from omium.states import Role


@dataclass(frozen=True, slots=True)
class Deletion:
    """A tenant that was marked, and the keys and sessions that are refused from now on."""

    tenant: Tenant
    key_ids: list[str]
    session_ids: list[str]


def create_tenant(tx: Tx, name: str, owner: UserRow, starter_microcredits: int) -> OwnTenant:
    """Create a tenant of `owner`, with the starter credits."""
    tenant = store.insert_tenant(tx, name)
    memberships.insert_member(tx, tenant.id, owner.id, Role.OWNER.value, created_by=None)
    grant_starter(tx, tenant.id, starter_microcredits)
    return OwnTenant(tenant.id, tenant.name, Role.OWNER.value, tenant.created_us)


def choose_tenant(tx: Tx, user_id: str, wanted: str | None) -> OwnTenant:
    """Return the user's tenant of that name or id, by default the one where he was last.

    A tenant in which he is no member answers as one that does not exist. Raises `NoTenant`,
    `InvalidRequest` where two have the name.
    """
    if wanted is None:
        found = memberships.find_latest_tenant(tx, user_id)
        if found is None:
            raise NoTenant("You are in no tenant; ask somebody for an invitation, and log in with it.")
        return found
    named = memberships.find_tenants_named(tx, user_id, wanted)
    exact = [each for each in named if each.id == wanted] or named
    if not exact:
        raise NoTenant("You are in no tenant of this name; `omium tenants list` shows yours.")
    if len(exact) > 1:
        raise InvalidRequest(
            f"Several of your tenants have this name; name one by its id: {', '.join(e.id for e in exact)}.",
            errors=[{"pointer": "/tenant", "detail": "is the name of several"}],
        )
    return exact[0]


def rename_tenant(tx: Tx, tenant_id: str, name: str) -> Tenant:
    """Give the tenant another name. A second time: the same answer."""
    if not store.rename_tenant(tx, tenant_id, name):
        raise NotFound
    return store.get_tenant(tx, tenant_id)


def mark_deleted(tx: Tx, tenant_id: str, name: str) -> Deletion:
    """Mark the tenant, whose name is `name`, as deleted; its keys and sessions end in the same transaction.

    Dies before the commit: nothing has happened. After it: nobody gets in, and the sweep removes the rest.
    A second time: who asks is refused at the door. Raises `InvalidRequest` where the name is another.
    """
    tenant = store.lock_tenant(tx, tenant_id)
    if tenant is None:
        raise NotFound
    if tenant.name != name:
        raise InvalidRequest(
            "This is not the tenant's name; type it exactly, because what is deleted is gone.",
            errors=[{"pointer": "/name", "detail": "is not the tenant's name"}],
        )
    store.mark_deleted(tx, tenant_id)
    return Deletion(tenant, store.revoke_keys(tx, tenant_id), sessions.end_of_tenant(tx, tenant_id))
