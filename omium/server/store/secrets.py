"""Named secrets: sealed rows; who may open one is omium/server/secrets' business."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class SecretRow:
    """A named secret; `sealed` opens only in its place and version."""

    tenant_id: str
    environment: str
    name: str
    version: int
    sealed: bytes
    created_us: int
    updated_us: int
    updated_by: str
    last_used_us: int | None


_COLUMNS = ", ".join(SecretRow.__slots__)

LOCK = Sql(f"""
    SELECT {_COLUMNS} FROM secrets
     WHERE tenant_id = :tenant_id AND environment = :environment AND name = :name {{for_update}}
""")  # the columns are a constant of this module, here and below
FIND = Sql(f"""
    SELECT {_COLUMNS} FROM secrets
     WHERE tenant_id = :tenant_id AND environment = :environment AND name = :name
""")
WRITE = Sql(f"""
    INSERT INTO secrets ({_COLUMNS}) VALUES ({", ".join(f":{name}" for name in SecretRow.__slots__)})
        ON CONFLICT (tenant_id, environment, name) DO UPDATE
       SET version = excluded.version, sealed = excluded.sealed, updated_us = excluded.updated_us,
           updated_by = excluded.updated_by
     WHERE secrets.version < excluded.version
""")
DELETE = Sql("""
    DELETE FROM secrets WHERE tenant_id = :tenant_id AND environment = :environment AND name = :name
""")
LIST = Sql(f"""
    SELECT {_COLUMNS} FROM secrets
     WHERE tenant_id = :tenant_id AND (environment, name) > (:after_environment, :after_name)
     ORDER BY environment, name LIMIT :limit
""")
COUNT = Sql("SELECT COUNT(*) FROM secrets WHERE tenant_id = :tenant_id")
TOUCH = Sql("""
    UPDATE secrets SET last_used_us = :now_us
     WHERE tenant_id = :tenant_id AND environment = :environment AND name = :name
       AND (last_used_us IS NULL OR last_used_us < :before_us)
""")


def lock_secret(tx: Tx, tenant_id: str, environment: str, name: str) -> SecretRow | None:
    return tx.one_or_none(LOCK, SecretRow, tenant_id=tenant_id, environment=environment, name=name)


def find_secret(tx: Tx, tenant_id: str, environment: str, name: str) -> SecretRow | None:
    return tx.one_or_none(FIND, SecretRow, tenant_id=tenant_id, environment=environment, name=name)


def write_secret(tx: Tx, row: SecretRow) -> bool:
    """Store the row, or put it in the place of a lower version; False if a neighbour was faster."""
    return tx.execute(WRITE, **{name: getattr(row, name) for name in SecretRow.__slots__}) == 1


def delete_secret(tx: Tx, tenant_id: str, environment: str, name: str) -> bool:
    return tx.execute(DELETE, tenant_id=tenant_id, environment=environment, name=name) == 1


def list_secrets(tx: Tx, tenant_id: str, after: tuple[str, str], limit: int) -> list[SecretRow]:
    """List the tenant's secrets by environment and name."""
    return tx.all(
        LIST, SecretRow, tenant_id=tenant_id, after_environment=after[0], after_name=after[1], limit=limit
    )


def count_secrets(tx: Tx, tenant_id: str) -> int:
    return tx.one(COUNT, int, tenant_id=tenant_id)


def touch_secret(tx: Tx, row: SecretRow, throttle_us: int) -> None:
    """Note that the secret is in use, unless that was noted within `throttle_us`."""
    tx.execute(
        TOUCH,
        tenant_id=row.tenant_id,
        environment=row.environment,
        name=row.name,
        now_us=tx.now_us,
        before_us=tx.now_us - throttle_us,
    )
