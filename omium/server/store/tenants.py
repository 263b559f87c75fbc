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
