"""Members: roles that change, members who are removed or leave, users who delete themselves.

The tenant's row is locked first, so two who demote each other at the same moment come one after the other,
and an owner is left. Whoever changes a member holds all that the member has and gets. Sessions of a removed
member end in the same transaction; keys that he has created stay valid, because services use them.
"""

from __future__ import annotations

from omium.errors import LastOwner, NotFound
from omium.server.accounts.roles import require_assignable
from omium.server.db.tx import Tx
from omium.server.principal import Principal
from omium.server.store import invitations, memberships, sessions, tenants, users
from omium.server.store.memberships import MemberRow
from omium.states import Role


def set_role(tx: Tx, principal: Principal, user_id: str, role: Role) -> tuple[MemberRow, list[str]]:
    """Give a member another role; returns him and the ids of his sessions in the tenant.

    A second time: nothing changes. Raises `NotFound`, `LastOwner`, as `require_assignable`.
    """
    member = _lock_member(tx, principal.tenant_id, user_id)
    require_assignable(principal, Role(member.role))
    require_assignable(principal, role)
    if role is not Role(member.role):
        if role is not Role.OWNER:
            _keep_an_owner(tx, principal.tenant_id, member)
        memberships.set_role(tx, principal.tenant_id, user_id, role.value)
        invitations.revoke_of_creator(tx, principal.tenant_id, user_id)
    return _get_member(tx, principal.tenant_id, user_id), sessions.list_ids_of_member(
        tx, principal.tenant_id, user_id
    )


def remove_member(tx: Tx, principal: Principal, user_id: str) -> tuple[MemberRow, list[str]]:
    """Remove a member; returns what he was, and the ids of the sessions that have ended.

    Raises `NotFound` (also the second time), `LastOwner`, as `require_assignable`.
    """
    member = _lock_member(tx, principal.tenant_id, user_id)
    require_assignable(principal, Role(member.role))
    return member, _take_out(tx, principal.tenant_id, member)


def leave_tenant(tx: Tx, principal: Principal) -> tuple[MemberRow, list[str]]:
    """Take the person who asks out of the tenant; `LastOwner` where nobody would own it."""
    member = _lock_member(tx, principal.tenant_id, principal.id)
    return member, _take_out(tx, principal.tenant_id, member)


def delete_user(tx: Tx, user_id: str) -> list[str]:
    """Remove the user with all memberships and sessions; returns the ids of the sessions.

    Tenants are locked by id, one order for all. Raises `LastOwner` that names every tenant without another
    owner, or where nobody else owns the server.
    """
    owners = users.lock_server_owners(tx)
    if owners == [user_id]:
        raise LastOwner(
            "You are the only owner of this server. Let somebody else own it first:"
            " omium members invite --role owner --server-owner",
            tenants=[],
        )
    own, after = [], ""
    while page := memberships.list_tenants_of(tx, user_id, after, 200):
        own += page
        after = page[-1].id
    alone = []
    for tenant in own:
        tenants.lock_tenant(tx, tenant.id)
        if tenant.role == Role.OWNER.value and memberships.count_owners(tx, tenant.id) == 1:
            alone.append(tenant.name)
        invitations.revoke_of_creator(tx, tenant.id, user_id)
    if alone:
        raise LastOwner(
            f"You are the only owner of {', '.join(alone)}. Make somebody else an owner (omium members role"
            " USER owner), or delete the tenant (omium tenants delete), then try again.",
            tenants=list[object](alone),
        )
    ended = sessions.end_of_user(tx, user_id)
    users.delete_user(tx, user_id)
    return ended


def _take_out(tx: Tx, tenant_id: str, member: MemberRow) -> list[str]:
    _keep_an_owner(tx, tenant_id, member)
    memberships.delete_member(tx, tenant_id, member.user_id)
    invitations.revoke_of_creator(tx, tenant_id, member.user_id)
    return sessions.end_of_member(tx, tenant_id, member.user_id)


def _keep_an_owner(tx: Tx, tenant_id: str, member: MemberRow) -> None:
    if member.role == Role.OWNER.value and memberships.count_owners(tx, tenant_id) == 1:
        raise LastOwner(
            f"{member.name} is the only owner. Make somebody else an owner first (omium members role USER"
            " owner), or delete the tenant (omium tenants delete).",
            tenants=[tenant_id],
        )


def _lock_member(tx: Tx, tenant_id: str, user_id: str) -> MemberRow:
    if tenants.lock_tenant(tx, tenant_id) is None:
        raise NotFound
    return _get_member(tx, tenant_id, user_id)


def _get_member(tx: Tx, tenant_id: str, user_id: str) -> MemberRow:
    member = memberships.find_member(tx, tenant_id, user_id)
    if member is None:
        raise NotFound
    return member
