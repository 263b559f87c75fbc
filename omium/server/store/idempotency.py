"""Idempotency records: what was asked under a key, and the reply."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class Record:
    """A stored reply."""

    body_digest: str
    status: int
    reply: bytes


FIND_RECORD = Sql("""
    SELECT body_digest, status, reply
      FROM idempotency_records
     WHERE tenant_id = :tenant_id AND principal_id = :principal_id AND endpoint = :endpoint AND key = :key
""")


def find_record(tx: Tx, tenant_id: str, principal_id: str, endpoint: str, key: str) -> Record | None:
    """Return the record of `key`, or None."""
    return tx.one_or_none(
        FIND_RECORD, Record, tenant_id=tenant_id, principal_id=principal_id, endpoint=endpoint, key=key
    )


INSERT_RECORD = Sql("""
    INSERT INTO idempotency_records
           (tenant_id, principal_id, endpoint, key, body_digest, status, reply, created_us)
    VALUES (:tenant_id, :principal_id, :endpoint, :key, :body_digest, :status, :reply, :created_us)
        ON CONFLICT (tenant_id, principal_id, endpoint, key) DO NOTHING
""")  # no row: another server was first (PostgreSQL waits for it to commit before it says so)


def insert_record(
    tx: Tx,
    *,
    tenant_id: str,
    principal_id: str,
    endpoint: str,
    key: str,
    body_digest: str,
    status: int,
    reply: bytes,
) -> bool:
    """Store a reply; False if the key has one already."""
    inserted = tx.execute(
        INSERT_RECORD,
        tenant_id=tenant_id,
        principal_id=principal_id,
        endpoint=endpoint,
        key=key,
        body_digest=body_digest,
        status=status,
        reply=reply,
        created_us=tx.now_us,
    )
    return inserted == 1


DELETE_RECORDS = Sql("""
    DELETE FROM idempotency_records
     WHERE (tenant_id, principal_id, endpoint, key) IN
           (SELECT tenant_id, principal_id, endpoint, key
              FROM idempotency_records
             WHERE created_us < :before_us
             ORDER BY created_us
             LIMIT :limit)
""")


def delete_records(tx: Tx, before_us: int, limit: int) -> int:
    """Remove up to `limit` records that were made before `before_us`, and return how many."""
    return tx.execute(DELETE_RECORDS, before_us=before_us, limit=limit)
