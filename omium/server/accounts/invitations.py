"""Invitations: a one-time secret that makes a person a member, in one role, for some days.

Nobody invites into a role that he does not hold himself. Used twice, also at the same moment: the second
finds it used. Unknown, used, revoked and too old get the same answer.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

from omium.clock import US_PER_S
from omium.errors import InvitationInvalid, NotFound
from omium.ids import new_id
from omium.models.people import CreateInvitation, Invitation, NewInvitation
from omium.server.accounts.credentials import (
    Credential,
    Form,
    digest_credential,
    id_prefix,
    make_credential,
    split_credential,
)
from omium.server.accounts.roles import require_assignable
from omium.server.db.tx import Tx
from omium.server.principal import Principal
from omium.server.seal import KeyFile
from omium.server.store import invitations as store
from omium.server.store import memberships, tenants, users
from omium.server.store.invitations import InvitationRow
from omium.server.store.memberships import OwnTenant
from omium.states import Role, Scope

_INVALID: Final = "This invitation is unknown, used, revoked or too old; ask for another one."


@dataclass(frozen=True, slots=True)
class Shown:
    """An invitation's secret as somebody shows it: where its row is, and what its digest must be."""

    id: str
    digest: bytes


def make_invitation(key_file: KeyFile, now_us: int) -> tuple[Credential, bytes]:
    """Return a new secret and its digest; outside of any transaction, because a work may run twice."""
    credential = make_credential(Form.INVITATION, new_id(id_prefix(Form.INVITATION), now_us))
    return credential, digest_credential(key_file, credential)


def create_invitation(
    tx: Tx, principal: Principal, wanted: CreateInvitation, credential: Credential, digest: bytes
) -> NewInvitation:
    """Store the invitation and return what is shown this once. Raises as `require_assignable`."""
    require_assignable(principal, wanted.role)
    if wanted.server_owner:
        principal.require(Scope.SERVER)
    tenant = tenants.lock_tenant(tx, principal.tenant_id)
    if tenant is None:
        raise NotFound
    row = InvitationRow(
        id=credential.row_id,
        tenant_id=tenant.id,
        role=wanted.role.value,
        server_owner=int(wanted.server_owner),
        note=wanted.note,
        digest=digest,
        created_us=tx.now_us,
        created_by=principal.id,
        expires_us=tx.now_us + wanted.expires_in_s * US_PER_S,
        used_us=None,
        used_by=None,
        revoked_us=None,
    )
    store.insert_invitation(tx, row)
    return NewInvitation(
        id=row.id,
        invitation_token=credential.text,
        role=wanted.role,
        tenant=tenant.name,
        expires_at_us=row.expires_us,
    )


def read_secret(key_file: KeyFile, text: str) -> Shown:
    """Return what `text` shows; `InvitationInvalid` if it is mistyped."""
    credential = split_credential(text.strip(), Form.INVITATION)
    if credential is None:
        raise InvitationInvalid("This is no invitation, or a character of it is wrong; copy it once more.")
    return Shown(credential.row_id, digest_credential(key_file, credential))


def check_invitation(tx: Tx, shown: Shown) -> InvitationRow:
    """Return the invitation if it may be used now, else raise `InvitationInvalid`; nothing is spent."""
    return _judge(store.find_invitation(tx, shown.id), shown, tx.now_us)


def use_invitation(tx: Tx, shown: Shown, user_id: str) -> OwnTenant:
    """Make the user a member and spend the invitation; raises `InvitationInvalid`.

    One transaction, so a process that dies leaves both undone. A member already: it stays unused.
    """
    row = _judge(store.lock_invitation(tx, shown.id), shown, tx.now_us)
    tenant = tenants.lock_tenant(tx, row.tenant_id)
    if tenant is None:
        raise InvitationInvalid(_INVALID)
    if not memberships.insert_member(tx, tenant.id, user_id, row.role, row.created_by):
        raise InvitationInvalid("You are a member of this tenant already; the invitation stays unused.")
    store.use_invitation(tx, row.id, user_id)
    if row.server_owner:
        users.own_server(tx, user_id)
    return OwnTenant(tenant.id, tenant.name, row.role, tenant.created_us)


def view_invitation(row: InvitationRow, now_us: int) -> Invitation:
    """Return what may be seen of an invitation."""
    return Invitation(
        id=row.id,
        role=Role(row.role),
        status=_status(row, now_us),
        note=row.note,
        server_owner=bool(row.server_owner),
        created_at_us=row.created_us,
        created_by=row.created_by,
        expires_at_us=row.expires_us,
        used_at_us=row.used_us,
        used_by=row.used_by,
    )


def _judge(row: InvitationRow | None, shown: Shown, now_us: int) -> InvitationRow:
    fits = hmac.compare_digest(row.digest if row else bytes(len(shown.digest)), shown.digest)
    if row is None or not fits or _status(row, now_us) != "open":
        raise InvitationInvalid(_INVALID)
    return row


def _status(row: InvitationRow, now_us: int) -> str:
    if row.used_us is not None:
        return "used"
    if row.revoked_us is not None:
        return "revoked"
    return "expired" if row.expires_us <= now_us else "open"
