"""API keys: rows with the digest of a secret, never the secret. What a digest is, omium/apikeys.py says."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx

ACTIVE = "active"
REVOKED = "revoked"
EXPIRED = "expired"
"""Shown, never stored: an active key whose time is over."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A row of `api_keys`; `scopes` are separated by spaces, `workflows` is a JSON list or None for all.

    `secret_number` counts the key's secrets; `previous_digest` is that of the one before, which is good until
    `previous_until_us`.
    """

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
    secret_number: int = 1
    previous_digest: bytes | None = None
    previous_until_us: int | None = None
    rotated_us: int | None = None

    def status_at(self, now_us: int) -> str:
        """Return the status as it is shown: an active key whose time is over is expired."""
        over = self.expires_us is not None and self.expires_us <= now_us
        return EXPIRED if over and self.status == ACTIVE else self.status


_COLUMNS = """id, tenant_id, name, environment, scopes, workflows, digest, status, created_us, created_by,
              expires_us, revoked_us, last_used_us, secret_number, previous_digest, previous_until_us,
              rotated_us"""

INSERT_KEY = Sql(f"""
    INSERT INTO api_keys ({_COLUMNS}) VALUES (:id, :tenant_id, :name, :environment, :scopes, :workflows,
    :digest, :status, :created_us, :created_by,
            :expires_us, :revoked_us, :last_used_us, :secret_number, :previous_digest, :previous_until_us,
            :rotated_us)
""")  # the columns are a constant of this module


def insert_key(tx: Tx, row: KeyRow) -> None:
    """Store a new key; its id must be new."""
    tx.execute(INSERT_KEY, **{name: getattr(row, name) for name in KeyRow.__slots__})


FIND_KEY = Sql(f"""
    SELECT {_COLUMNS} FROM api_keys WHERE id = :id
       AND NOT EXISTS (SELECT 1 FROM tenants t WHERE t.id = api_keys.tenant_id AND t.deleted_us IS NOT NULL)
""")  # as above


def find_key(tx: Tx, key_id: str) -> KeyRow | None:
    """Return the key of any tenant: for authentication only, before the tenant is known."""
    return tx.one_or_none(FIND_KEY, KeyRow, id=key_id)


FIND_TENANT_KEY = Sql(f"""
    SELECT {_COLUMNS} FROM api_keys WHERE id = :id AND tenant_id = :tenant_id
""")  # as above
LOCK_TENANT_KEY = Sql(f"""
    SELECT {_COLUMNS} FROM api_keys WHERE id = :id AND tenant_id = :tenant_id {{for_update}}
""")  # as above


def find_tenant_key(tx: Tx, tenant_id: str, key_id: str) -> KeyRow | None:
    """Return the tenant's own key, or None."""
    return tx.one_or_none(FIND_TENANT_KEY, KeyRow, id=key_id, tenant_id=tenant_id)


def lock_tenant_key(tx: Tx, tenant_id: str, key_id: str) -> KeyRow | None:
    """Return the tenant's own key, locked until the transaction ends, or None."""
    return tx.one_or_none(LOCK_TENANT_KEY, KeyRow, id=key_id, tenant_id=tenant_id)


LIST_KEYS = Sql(f"""
    SELECT {_COLUMNS}
      FROM api_keys
     WHERE tenant_id = :tenant_id AND (created_us, id) < (:before_us, :before_id)
       AND (:environment = '' OR environment = :environment)
       AND (:status = ''
            OR :status = CASE WHEN status = 'active' AND expires_us IS NOT NULL AND expires_us <= :now_us
                              THEN 'expired' ELSE status END)
     ORDER BY created_us DESC, id DESC
     LIMIT :limit
""")  # as above


def list_keys(
    tx: Tx,
    tenant_id: str,
    before_us: int,
    before_id: str,
    limit: int,
    *,
    now_us: int = 0,
    environment: str = "",
    status: str = "",
) -> list[KeyRow]:
    """Return up to `limit` of the tenant's keys, newest first, older than (`before_us`, `before_id`).

    `status` is one that is shown at `now_us`; empty texts leave nothing out.
    """
    return tx.all(
        LIST_KEYS,
        KeyRow,
        tenant_id=tenant_id,
        before_us=before_us,
        before_id=before_id,
        limit=limit,
        now_us=now_us,
        environment=environment,
        status=status,
    )


UPDATE_KEY = Sql("""
    UPDATE api_keys
       SET name = :name, scopes = :scopes, workflows = :workflows,
           expiry_told_us = CASE WHEN expires_us = :expires_us THEN expiry_told_us END,
           expires_us = :expires_us
     WHERE id = :id
""")  # an expiry that was put off will be told of again


def update_key(tx: Tx, row: KeyRow) -> None:
    """Write name, scopes, workflows and expiry of a key that is locked."""
    tx.execute(
        UPDATE_KEY,
        id=row.id,
        name=row.name,
        scopes=row.scopes,
        workflows=row.workflows,
        expires_us=row.expires_us,
    )


ROTATE_KEY = Sql("""
    UPDATE api_keys
       SET previous_digest = digest, previous_until_us = :previous_until_us, digest = :digest,
           secret_number = secret_number + 1, rotated_us = :now_us
     WHERE id = :id AND secret_number = :secret_number
""")  # the one before the previous one ends here, whatever grace it had


def rotate_key(tx: Tx, row: KeyRow, digest: bytes, previous_until_us: int) -> None:
    """Give a key that is locked a new secret; the old one is good until `previous_until_us`."""
    changed = tx.execute(
        ROTATE_KEY,
        id=row.id,
        secret_number=row.secret_number,
        digest=digest,
        previous_until_us=previous_until_us,
        now_us=tx.now_us,
    )
    assert changed == 1, "a locked key got another secret"


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


LOCK_EXPIRED = Sql(f"""
    SELECT {_COLUMNS} FROM api_keys
     WHERE status = 'active' AND expires_us IS NOT NULL AND expiry_told_us IS NULL AND expires_us <= :now_us
     ORDER BY expires_us LIMIT :limit {{skip_locked}}
""")  # as above
TELL_EXPIRY = Sql("UPDATE api_keys SET expiry_told_us = :now_us WHERE id = :id")


def lock_expired(tx: Tx, limit: int) -> list[KeyRow]:
    """Return keys whose time is over and of which nobody was told, locked."""
    return tx.all(LOCK_EXPIRED, KeyRow, now_us=tx.now_us, limit=limit)


def set_expiry_told(tx: Tx, key_id: str) -> None:
    """Note that somebody was told that the key has expired."""
    tx.execute(TELL_EXPIRY, id=key_id, now_us=tx.now_us)
