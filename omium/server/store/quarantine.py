"""Versions of specs whose conditions were ended while they ran, counted for good."""

from __future__ import annotations

from omium.server.db.tx import Sql, Tx

NOTE = Sql("""
    INSERT INTO quarantined_versions (tenant_id, spec_digest, kills, last_killed_us)
    VALUES (:tenant_id, :spec_digest, 1, :now_us)
    ON CONFLICT (tenant_id, spec_digest) DO UPDATE
       SET kills = quarantined_versions.kills + 1, last_killed_us = :now_us
""")
COUNT = Sql("""
    SELECT kills FROM quarantined_versions WHERE tenant_id = :tenant_id AND spec_digest = :spec_digest
""")


def note_kill(tx: Tx, tenant_id: str, spec_digest: str) -> None:
    """Count one more; told twice of the same one, it counts twice, which is no worse."""
    tx.execute(NOTE, tenant_id=tenant_id, spec_digest=spec_digest, now_us=tx.now_us)


def count_kills(tx: Tx, tenant_id: str, spec_digest: str) -> int:
    """Return how often a condition of the version was ended."""
    return tx.one_or_none(COUNT, int, tenant_id=tenant_id, spec_digest=spec_digest) or 0
