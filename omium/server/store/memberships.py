"""Memberships: which person is what in which tenant."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member of one tenant, as the others see him; `keys` are active API keys that he has created."""

    user_id: str
    name: str
    role: str
    created_us: int
    created_by: str | None
    keys: int


@dataclass(frozen=True, slots=True)
class OwnTenant:
    """A tenant in which a user is a member."""

    id: str
    name: str
    role: str
    created_us: int


INSERT_MEMBER = Sql("""
    INSERT INTO memberships (tenant_id, user_id, role, created_us, created_by)
    VALUES (:tenant_id, :user_id, :role, :now_us, :created_by)
    ON CONFLICT (tenant_id, user_id) DO NOTHING
""")


def insert_member(tx: Tx, tenant_id: str, user_id: str, role: str, created_by: str | None) -> bool:
    """Make the user a member; False if he is one."""
    return (
        tx.execute(
            INSERT_MEMBER,
            tenant_id=tenant_id,
            user_id=user_id,
            role=role,
            created_by=created_by,
            now_us=tx.now_us,
        )
        == 1
    )


FIND_ROLE = Sql("SELECT role FROM memberships WHERE tenant_id = :tenant_id AND user_id = :user_id")


def find_role(tx: Tx, tenant_id: str, user_id: str) -> str | None:
    """Return the user's role in the tenant, or None if he is no member."""
    return tx.one_or_none(FIND_ROLE, str, tenant_id=tenant_id, user_id=user_id)


_MEMBERS = """
    SELECT u.id AS user_id, u.name AS name, m.role AS role, m.created_us AS created_us,
           m.created_by AS created_by,
           (SELECT COUNT(*) FROM api_keys k WHERE k.tenant_id = m.tenant_id AND k.created_by = m.user_id
               AND k.status = 'active') AS keys
      FROM memberships m JOIN users u ON u.id = m.user_id
"""

FIND_MEMBER = Sql(f"{_MEMBERS} WHERE m.tenant_id = :tenant_id AND m.user_id = :user_id")


def find_member(tx: Tx, tenant_id: str, user_id: str) -> MemberRow | None:
    return tx.one_or_none(FIND_MEMBER, MemberRow, tenant_id=tenant_id, user_id=user_id)


LIST_MEMBERS = Sql(f"""
    {_MEMBERS} WHERE m.tenant_id = :tenant_id AND m.user_id > :after_id ORDER BY m.user_id LIMIT :limit
""")


def list_members(tx: Tx, tenant_id: str, after_id: str, limit: int) -> list[MemberRow]:
    return tx.all(LIST_MEMBERS, MemberRow, tenant_id=tenant_id, after_id=after_id, limit=limit)


SET_ROLE = Sql("UPDATE memberships SET role = :role WHERE tenant_id = :tenant_id AND user_id = :user_id")


def set_role(tx: Tx, tenant_id: str, user_id: str, role: str) -> None:
    tx.execute(SET_ROLE, tenant_id=tenant_id, user_id=user_id, role=role)


DELETE_MEMBER = Sql("DELETE FROM memberships WHERE tenant_id = :tenant_id AND user_id = :user_id")


def delete_member(tx: Tx, tenant_id: str, user_id: str) -> None:
    tx.execute(DELETE_MEMBER, tenant_id=tenant_id, user_id=user_id)


COUNT_OWNERS = Sql("SELECT COUNT(*) FROM memberships WHERE tenant_id = :tenant_id AND role = 'owner'")


def count_owners(tx: Tx, tenant_id: str) -> int:
    return tx.one(COUNT_OWNERS, int, tenant_id=tenant_id)


OWN_TENANTS = Sql("""
    SELECT t.id AS id, t.name AS name, m.role AS role, t.created_us AS created_us
      FROM memberships m JOIN tenants t ON t.id = m.tenant_id
     WHERE m.user_id = :user_id AND t.deleted_us IS NULL AND t.id > :after_id
     ORDER BY t.id LIMIT :limit
""")


def list_tenants_of(tx: Tx, user_id: str, after_id: str, limit: int) -> list[OwnTenant]:
    """Return up to `limit` tenants in which the user is a member, by id."""
    return tx.all(OWN_TENANTS, OwnTenant, user_id=user_id, after_id=after_id, limit=limit)


LATEST_TENANT = Sql("""
    SELECT t.id AS id, t.name AS name, m.role AS role, t.created_us AS created_us
      FROM memberships m
      JOIN tenants t ON t.id = m.tenant_id
      LEFT JOIN sessions s ON s.user_id = m.user_id AND s.tenant_id = m.tenant_id
     WHERE m.user_id = :user_id AND t.deleted_us IS NULL
     ORDER BY COALESCE(s.created_us, 0) DESC, m.created_us, t.id LIMIT 1
""")


def find_latest_tenant(tx: Tx, user_id: str) -> OwnTenant | None:
    """Return the tenant in which the user was last, else the one that he joined first."""
    return tx.one_or_none(LATEST_TENANT, OwnTenant, user_id=user_id)


NAMED_TENANTS = Sql("""
    SELECT t.id AS id, t.name AS name, m.role AS role, t.created_us AS created_us
      FROM memberships m JOIN tenants t ON t.id = m.tenant_id
     WHERE m.user_id = :user_id AND t.deleted_us IS NULL AND (t.id = :wanted OR t.name = :wanted)
     ORDER BY t.id LIMIT 10
""")


def find_tenants_named(tx: Tx, user_id: str, wanted: str) -> list[OwnTenant]:
    """Return the user's tenants whose id or name is `wanted`."""
    return tx.all(NAMED_TENANTS, OwnTenant, user_id=user_id, wanted=wanted)
