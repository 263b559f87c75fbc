"""Invitations: one-time ways into a tenant, with the digest of a secret."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """A row of `invitations`."""

    id: str
    tenant_id: str
    role: str
    server_owner: int
    note: str
    digest: bytes
    created_us: int
    created_by: str
    expires_us: int
    used_us: int | None
    used_by: str | None
    revoked_us: int | None


_COLUMNS = """id, tenant_id, role, server_owner, note, digest, created_us, created_by, expires_us, used_us,
              used_by, revoked_us"""

INSERT_INVITATION = Sql(f"""
    INSERT INTO invitations ({_COLUMNS}) VALUES (:id, :tenant_id, :role, :server_owner, :note, :digest,
            :created_us, :created_by, :expires_us, :used_us, :used_by, :revoked_us)
""")


def insert_invitation(tx: Tx, row: InvitationRow) -> None:
    tx.execute(INSERT_INVITATION, **{name: getattr(row, name) for name in InvitationRow.__slots__})


LOCK_INVITATION = Sql(f"SELECT {_COLUMNS} FROM invitations WHERE id = :id {{for_update}}")


def lock_invitation(tx: Tx, invitation_id: str) -> InvitationRow | None:
    """Return the invitation of any tenant, locked: for whoever holds its secret."""
    return tx.one_or_none(LOCK_INVITATION, InvitationRow, id=invitation_id)


FIND_INVITATION = Sql(f"SELECT {_COLUMNS} FROM invitations WHERE id = :id")


def find_invitation(tx: Tx, invitation_id: str) -> InvitationRow | None:
    """The same without the lock, for a read."""
    return tx.one_or_none(FIND_INVITATION, InvitationRow, id=invitation_id)


FIND_OF_TENANT = Sql(f"SELECT {_COLUMNS} FROM invitations WHERE id = :id AND tenant_id = :tenant_id")


def find_of_tenant(tx: Tx, tenant_id: str, invitation_id: str) -> InvitationRow | None:
    return tx.one_or_none(FIND_OF_TENANT, InvitationRow, id=invitation_id, tenant_id=tenant_id)


LIST_INVITATIONS = Sql(f"""
    SELECT {_COLUMNS} FROM invitations
     WHERE tenant_id = :tenant_id AND (created_us, id) < (:before_us, :before_id)
     ORDER BY created_us DESC, id DESC LIMIT :limit
""")


def list_invitations(
    tx: Tx, tenant_id: str, before_us: int, before_id: str, limit: int
) -> list[InvitationRow]:
    """Return up to `limit` of the tenant's invitations, newest first."""
    return tx.all(
        LIST_INVITATIONS,
        InvitationRow,
        tenant_id=tenant_id,
        before_us=before_us,
        before_id=before_id,
        limit=limit,
    )


USE_INVITATION = Sql("""
    UPDATE invitations SET used_us = :now_us, used_by = :used_by
     WHERE id = :id AND used_us IS NULL AND revoked_us IS NULL
""")


def use_invitation(tx: Tx, invitation_id: str, used_by: str) -> bool:
    """Spend the invitation; False if it was spent or revoked."""
    return tx.execute(USE_INVITATION, id=invitation_id, used_by=used_by, now_us=tx.now_us) == 1


REVOKE_INVITATION = Sql("""
    UPDATE invitations SET revoked_us = :now_us
     WHERE id = :id AND tenant_id = :tenant_id AND used_us IS NULL AND revoked_us IS NULL
""")


def revoke_invitation(tx: Tx, tenant_id: str, invitation_id: str) -> None:
    """Revoke the tenant's own invitation; a second time, or once it was used, nothing changes."""
    tx.execute(REVOKE_INVITATION, id=invitation_id, tenant_id=tenant_id, now_us=tx.now_us)


REVOKE_OF_CREATOR = Sql("""
    UPDATE invitations SET revoked_us = :now_us
     WHERE tenant_id = :tenant_id AND created_by = :created_by AND used_us IS NULL AND revoked_us IS NULL
""")


def revoke_of_creator(tx: Tx, tenant_id: str, created_by: str) -> None:
    """Revoke what a member has sent out: he may not be what he was."""
    tx.execute(REVOKE_OF_CREATOR, tenant_id=tenant_id, created_by=created_by, now_us=tx.now_us)


DELETE_OLD = Sql("""
    DELETE FROM invitations WHERE id IN
      (SELECT id FROM invitations WHERE expires_us < :before_us ORDER BY expires_us LIMIT :limit)
""")


def delete_old(tx: Tx, before_us: int, limit: int) -> int:
    """Remove up to `limit` invitations that ran out before `before_us`."""
    return tx.execute(DELETE_OLD, before_us=before_us, limit=limit)
