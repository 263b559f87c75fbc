"""Members of the tenant, and invitations into it.

Whose role changes, and who is removed, notices at once: his sessions in this tenant end or are read anew, and
their streams close. The rules are omium/server/accounts/members.py.
"""

from __future__ import annotations

from omium.errors import InvitationInvalid, LastOwner, NotFound, PersonNeeded, WorkflowNotAllowed
from omium.models.people import (
    AcceptInvitation,
    CreateInvitation,
    Invitation,
    Member,
    NewInvitation,
    NewSession,
    SetRole,
)
from omium.models.wire import Page
from omium.server.accounts import invitations, members
from omium.server.accounts.roles import require_person
from omium.server.accounts.sessions import make_session, move_session
from omium.server.db.tx import Tx
from omium.server.routes.accounts import end_all
from omium.server.store import invitations as invitation_store
from omium.server.store import memberships
from omium.server.store.memberships import MemberRow
from omium.server.web.endpoint import Answer, Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, make_page, read_id_cursor, read_time_cursor
from omium.states import Role, Scope

TAGS = ("members",)


@endpoint(
    "GET",
    "/v1/members",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Member],
    summary="List the members of the tenant with their roles",
    tags=TAGS,
)
async def list_members(call: Call[None, PageQuery]) -> Page[Member]:
    after_id, limit = read_id_cursor(call.query), call.query.limit
    rows = await call.read(
        lambda tx: memberships.list_members(tx, call.principal.tenant_id, after_id, limit + 1)
    )
    return make_page(rows, limit, key=lambda row: (row.user_id,), item=_show)


@endpoint(
    "POST",
    "/v1/members/{user_id}/role",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    body=SetRole,
    reply=Member,
    problems=(NotFound, LastOwner, WorkflowNotAllowed),
    audit="role.changed",
    summary="Give a member another role, at most one's own; the last owner stays one",
    tags=TAGS,
)
async def set_member_role(call: Call[SetRole]) -> Member:
    def work(tx: Tx) -> Member:
        row, session_ids = members.set_role(tx, call.principal, call.path["user_id"], call.body.role)
        call.tell(role=row.role)
        end_all(call, tx, session_ids)  # they go on, as what the member is now
        return _show(row)

    return await call.write(work)


@endpoint(
    "POST",
    "/v1/members/{user_id}/remove",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    reply=Member,
    problems=(NotFound, LastOwner, WorkflowNotAllowed),
    audit="member.removed",
    summary="Remove a member; his sessions end at once, keys that he has created stay valid",
    tags=TAGS,
)
async def remove_member(call: Call[None]) -> Member:
    def work(tx: Tx) -> Member:
        row, session_ids = members.remove_member(tx, call.principal, call.path["user_id"])
        end_all(call, tx, session_ids)
        return _show(row)

    return await call.write(work)


@endpoint(
    "POST",
    "/v1/tenant/leave",
    scope=None,
    any_key=True,
    idempotent=Idempotency.NATURAL,
    reply=Member,
    problems=(PersonNeeded, NotFound, LastOwner),
    audit="member.left",
    summary="Leave the tenant; the last owner cannot",
    tags=TAGS,
)
async def leave_tenant(call: Call[None]) -> Member:
    require_person(call.principal)

    def work(tx: Tx) -> Member:
        row, session_ids = members.leave_tenant(tx, call.principal)
        end_all(call, tx, session_ids)
        call.tell(target=call.principal.id)
        return _show(row)

    return await call.write(work)


@endpoint(
    "POST",
    "/v1/invitations",
    scope=Scope.MANAGE,
    idempotent=Idempotency.KEYED,
    body=CreateInvitation,
    reply=NewInvitation,
    status=201,
    problems=(NotFound, WorkflowNotAllowed),
    audit="invitation.created",
    audit_target="id",
    summary="Invite a person into the tenant; the secret is shown this once",
    tags=TAGS,
)
async def create_invitation(call: Call[CreateInvitation]) -> Answer:
    server = call.server
    credential, digest = invitations.make_invitation(server.key_file, server.clock.now_us())
    call.tell(role=call.body.role.value, server_owner=call.body.server_owner)
    return await call.mutate(
        lambda tx: invitations.create_invitation(tx, call.principal, call.body, credential, digest)
    )


@endpoint(
    "GET",
    "/v1/invitations",
    scope=Scope.MANAGE,
    query=PageQuery,
    reply=Page[Invitation],
    summary="List the tenant's invitations, newest first; secrets are never shown again",
    tags=TAGS,
)
async def list_invitations(call: Call[None, PageQuery]) -> Page[Invitation]:
    before_us, before_id = read_time_cursor(call.query)
    limit, now_us = call.query.limit, call.server.clock.now_us()
    tenant_id = call.principal.tenant_id
    rows = await call.read(
        lambda tx: invitation_store.list_invitations(tx, tenant_id, before_us, before_id, limit + 1)
    )
    return make_page(
        rows,
        limit,
        key=lambda row: (row.created_us, row.id),
        item=lambda row: invitations.view_invitation(row, now_us),
    )


@endpoint(
    "POST",
    "/v1/invitations/{invitation_id}/revoke",
    scope=Scope.MANAGE,
    idempotent=Idempotency.NATURAL,
    reply=Invitation,
    problems=(NotFound,),
    audit="invitation.revoked",
    summary="Revoke an invitation that was not used yet",
    tags=TAGS,
)
async def revoke_invitation(call: Call[None]) -> Invitation:
    tenant_id, invitation_id = call.principal.tenant_id, call.path["invitation_id"]

    def work(tx: Tx) -> Invitation:
        invitation_store.revoke_invitation(tx, tenant_id, invitation_id)
        row = invitation_store.find_of_tenant(tx, tenant_id, invitation_id)
        if row is None:
            raise NotFound
        return invitations.view_invitation(row, tx.now_us)

    return await call.write(work)


@endpoint(
    "POST",
    "/v1/invitations/accept",
    scope=None,
    any_key=True,
    idempotent=Idempotency.NATURAL,
    body=AcceptInvitation,
    reply=NewSession,
    status=201,
    problems=(PersonNeeded, InvitationInvalid),
    audit="invitation.accepted",
    summary="Join a further tenant: a new session there, and this one ends",
    tags=TAGS,
)
async def accept_invitation(call: Call[AcceptInvitation]) -> NewSession:
    """Dies before the commit: nothing has happened. After it, the answer lost: log in with the tenant."""
    require_person(call.principal)
    server, principal = call.server, call.principal
    shown = invitations.read_secret(server.key_file, call.body.invitation)
    made = make_session(
        server.key_file, server.clock.now_us(), call.headers.get("user-agent", ""), call.address
    )

    def work(tx: Tx) -> NewSession:
        tenant = invitations.use_invitation(tx, shown, principal.id)
        end_all(call, tx, [principal.credential_id])
        call.tell(target=shown.id, tenant_id=tenant.id)
        return move_session(tx, made, principal, tenant, principal.environment)

    return await call.write(work)


def _show(row: MemberRow) -> Member:
    return Member(
        user_id=row.user_id,
        user=row.name,
        role=Role(row.role),
        joined_at_us=row.created_us,
        invited_by=row.created_by,
        active_keys=row.keys,
    )


ENDPOINTS = [
    list_members,
    set_member_role,
    remove_member,
    leave_tenant,
    create_invitation,
    list_invitations,
    revoke_invitation,
    accept_invitation,
]
