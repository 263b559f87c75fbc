"""Tenants: who owns everything below."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class Tenant:
    """A row of `tenants`; `settings` is JSON."""

    id: str
    name: str
    created_us: int
    settings: bytes


INSERT_TENANT = Sql("""
    INSERT INTO tenants (id, name, created_us, settings)
    VALUES (:id, :name, :created_us, :settings)
""")


def insert_tenant(tx: Tx, name: str) -> Tenant:
    """Create a tenant and return it."""
    tenant = Tenant(tx.new_id("tn"), name, tx.now_us, b"{}")
    tx.execute(
        INSERT_TENANT, id=tenant.id, name=tenant.name, created_us=tenant.created_us, settings=tenant.settings
    )
    return tenant


FIND_TENANT = Sql("SELECT id, name, created_us, settings FROM tenants WHERE id = :id")


def find_tenant(tx: Tx, tenant_id: str) -> Tenant | None:
    """Return the tenant, or None."""
    return tx.one_or_none(FIND_TENANT, Tenant, id=tenant_id)


def get_tenant(tx: Tx, tenant_id: str) -> Tenant:
    """Return the tenant; `NoRow` if there is none, which no principal can cause."""
    return tx.one(FIND_TENANT, Tenant, id=tenant_id)


FIND_ANY_TENANT = Sql("SELECT id FROM tenants ORDER BY id LIMIT 1")


def find_any_tenant_id(tx: Tx) -> str | None:
    """Return the id of the first tenant, or None on a fresh server."""
    return tx.one_or_none(FIND_ANY_TENANT, str)


LOCK_TENANT = Sql("""
    SELECT id, name, created_us, settings FROM tenants WHERE id = :id AND deleted_us IS NULL {for_update}
""")


def lock_tenant(tx: Tx, tenant_id: str) -> Tenant | None:
    """Return the tenant, locked, unless it is being deleted: for changes of who owns it."""
    return tx.one_or_none(LOCK_TENANT, Tenant, id=tenant_id)


FIND_STANDING = Sql("""
    SELECT id, name, created_us, settings FROM tenants WHERE deleted_us IS NULL ORDER BY id LIMIT 1
""")


def find_first_standing(tx: Tx) -> Tenant | None:
    """Return the first tenant that is not being deleted, or None."""
    return tx.one_or_none(FIND_STANDING, Tenant)


RENAME_TENANT = Sql("UPDATE tenants SET name = :name WHERE id = :id AND deleted_us IS NULL")


def rename_tenant(tx: Tx, tenant_id: str, name: str) -> bool:
    """Give the tenant another name; False if it is being deleted."""
    return tx.execute(RENAME_TENANT, id=tenant_id, name=name) == 1


MARK_DELETED = Sql("UPDATE tenants SET deleted_us = :now_us WHERE id = :id AND deleted_us IS NULL")


def mark_deleted(tx: Tx, tenant_id: str) -> None:
    tx.execute(MARK_DELETED, id=tenant_id, now_us=tx.now_us)


REVOKE_KEYS = Sql("""
    UPDATE api_keys SET status = 'revoked', revoked_us = :now_us
     WHERE tenant_id = :tenant_id AND status = 'active' RETURNING id
""")


def revoke_keys(tx: Tx, tenant_id: str) -> list[str]:
    """Revoke every key of the tenant and return their ids."""
    return tx.all(REVOKE_KEYS, str, tenant_id=tenant_id, now_us=tx.now_us)


LOCK_BEING_DELETED = Sql("""
    SELECT id, name, created_us, settings FROM tenants
     WHERE deleted_us IS NOT NULL AND emptied_us IS NULL AND deleted_us < :before_us
     ORDER BY deleted_us LIMIT 1 {skip_locked}
""")


def lock_being_deleted(tx: Tx, before_us: int) -> Tenant | None:
    """Return the tenant that was deleted first, before `before_us`, and is not empty yet; locked."""
    return tx.one_or_none(LOCK_BEING_DELETED, Tenant, before_us=before_us)


MARK_EMPTIED = Sql("""
    UPDATE tenants SET emptied_us = :now_us, name = 'deleted', settings = :settings WHERE id = :id
""")


def mark_emptied(tx: Tx, tenant_id: str) -> None:
    """Nothing is left but the row, for the entries of the ledger and of the audit log."""
    tx.execute(MARK_EMPTIED, id=tenant_id, now_us=tx.now_us, settings=b"{}")
