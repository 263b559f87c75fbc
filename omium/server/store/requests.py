"""Requests: executions that were asked to stop or to pause, and those that a request concerns."""

from __future__ import annotations

from omium.server.db.tx import Sql, Tx
from omium.server.store.executions import COLUMNS, ExecutionRow

LATE_CANCELS = Sql(f"""
    SELECT {COLUMNS} FROM executions
     WHERE cancel_requested_us IS NOT NULL AND ended_us IS NULL AND cancel_requested_us <= :before_us
     ORDER BY cancel_requested_us
     LIMIT :limit
     {{skip_locked}}
""")


def lock_late_cancels(tx: Tx, before_us: int, limit: int) -> list[ExecutionRow]:
    """Return executions of any tenant that were asked to stop before `before_us` and have not, locked."""
    return tx.all(LATE_CANCELS, ExecutionRow, before_us=before_us, limit=limit)


STARTED_BY = Sql(f"""
    SELECT {COLUMNS} FROM executions
     WHERE started_by = :key_id AND ended_us IS NULL AND status <> 'paused' AND suspend IS NULL
     ORDER BY created_us, id
     LIMIT :limit
     {{for_update}}
""")


def lock_started_by(tx: Tx, key_id: str, limit: int) -> list[ExecutionRow]:
    """Return what a key started and what is neither ended, paused, nor asked to pause, locked."""
    return tx.all(STARTED_BY, ExecutionRow, key_id=key_id, limit=limit)


DUE = Sql(f"""
    SELECT {COLUMNS} FROM executions
     WHERE status = 'waiting' AND wake_us IS NOT NULL AND wake_us <= :now_us AND driver <> 'engine'
     ORDER BY wake_us
     LIMIT :limit
     {{skip_locked}}
""")


def lock_due(tx: Tx, now_us: int, limit: int) -> list[ExecutionRow]:
    """Return waiting executions of any tenant whose timer is due, locked."""
    return tx.all(DUE, ExecutionRow, now_us=now_us, limit=limit)


OPEN_OF_TENANT = Sql(f"""
    SELECT {COLUMNS} FROM executions
     WHERE tenant_id = :tenant_id AND ended_us IS NULL AND cancel_requested_us IS NULL
     ORDER BY created_us, id
     LIMIT :limit
     {{for_update}}
""")


def lock_open_of_tenant(tx: Tx, tenant_id: str, limit: int) -> list[ExecutionRow]:
    """Return up to `limit` executions of a tenant that have not ended and were not asked to stop, locked."""
    return tx.all(OPEN_OF_TENANT, ExecutionRow, tenant_id=tenant_id, limit=limit)


ANY_OF_TENANT = Sql("SELECT id FROM executions WHERE tenant_id = :tenant_id LIMIT 1")


def has_executions(tx: Tx, tenant_id: str) -> bool:
    return tx.value(ANY_OF_TENANT, tenant_id=tenant_id) is not None
