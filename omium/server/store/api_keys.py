"""API keys: rows with the digest of a secret, never the secret. What a digest is, omium/apikeys.py says."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx

ACTIVE = "active"
REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A row of `api_keys`; `scopes` are separated by spaces, `workflows` is a JSON list or None for all."""

    id: str
    tenant_id: str
    name: str
    environment: str
    scopes: str
    workflows: bytes | None
    digest: bytes
    status: str
    created_us: int
    created_by: str | None
    expires_us: int | None
    revoked_us: int | None
    last_used_us: int | None


_COLUMNS = """id, tenant_id, name, environment, scopes, workflows, digest, status, created_us, created_by,
              expires_us, revoked_us, last_used_us"""

INSERT_KEY = Sql(f"""
    INSERT INTO api_keys ({_COLUMNS}) VALUES (:id, :tenant_id, :name, :environment, :scopes, :workflows,
    :digest, :status, :created_us, :created_by,
            :expires_us, :revoked_us, :last_used_us)
""")  # the columns are a constant of this module


def insert_key(tx: Tx, row: KeyRow) -> None:
    """Store a new key; its id must be new."""
    tx.execute(INSERT_KEY, **{name: getattr(row, name) for name in KeyRow.__slots__})


FIND_KEY = Sql(f"SELECT {_COLUMNS} FROM api_keys WHERE id = :id")  # as above


def find_key(tx: Tx, key_id: str) -> KeyRow | None:
    """Return the key of any tenant: for authentication only, before the tenant is known."""
    return tx.one_or_none(FIND_KEY, KeyRow, id=key_id)


FIND_TENANT_KEY = Sql(f"""
    SELECT {_COLUMNS} FROM api_keys WHERE id = :id AND tenant_id = :tenant_id {{for_update}}
""")  # as above


def find_tenant_key(tx: Tx, tenant_id: str, key_id: str) -> KeyRow | None:
    """Return the tenant's own key, locked until the transaction ends, or None."""
    return tx.one_or_none(FIND_TENANT_KEY, KeyRow, id=key_id, tenant_id=tenant_id)


LIST_KEYS = Sql(f"""
    SELECT {_COLUMNS}
      FROM api_keys
     WHERE tenant_id = :tenant_id AND (created_us, id) < (:before_us, :before_id)
     ORDER BY created_us DESC, id DESC
     LIMIT :limit
""")  # as above


def list_keys(tx: Tx, tenant_id: str, before_us: int, before_id: str, limit: int) -> list[KeyRow]:
    """Return up to `limit` of the tenant's keys, newest first, older than (`before_us`, `before_id`)."""
    return tx.all(
        LIST_KEYS, KeyRow, tenant_id=tenant_id, before_us=before_us, before_id=before_id, limit=limit
    )


REVOKE_KEY = Sql("""
    UPDATE api_keys
       SET status = 'revoked', revoked_us = :now_us
     WHERE id = :id AND tenant_id = :tenant_id AND status = 'active'
""")  # a second time changes nothing: the first moment stays


def revoke_key(tx: Tx, tenant_id: str, key_id: str) -> bool:
    """Revoke the key; False if it is not the tenant's, or was revoked before."""
    return tx.execute(REVOKE_KEY, id=key_id, tenant_id=tenant_id, now_us=tx.now_us) == 1


TOUCH_KEY = Sql("""
    UPDATE api_keys SET last_used_us = :now_us
     WHERE id = :id AND (last_used_us IS NULL OR last_used_us < :before_us)
""")


def touch_key(tx: Tx, key_id: str, throttle_us: int) -> None:
    """Note that the key is in use, unless that was noted within `throttle_us`."""
    tx.execute(TOUCH_KEY, id=key_id, now_us=tx.now_us, before_us=tx.now_us - throttle_us)
