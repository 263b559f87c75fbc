"""Leases: when the drivers of running executions were last heard, on the lease clock."""

from __future__ import annotations

from omium.server.db.tx import Sql, Tx
from omium.server.store.executions import COLUMNS, ExecutionRow

EXPIRED = Sql(f"""
    SELECT {COLUMNS} FROM executions
     WHERE status = 'running' AND driver <> 'engine' AND driver <> 'observed'
       AND silent = :silent AND lease_touched_us < :before_us
     ORDER BY lease_touched_us
     LIMIT :limit
     {{skip_locked}}
""")


def lock_expired(tx: Tx, before_us: int, silent_before_us: int, limit: int) -> list[ExecutionRow]:
    """Return running executions, of any tenant, that were last heard before `before_us`, locked.

    Those that are known to be silent are returned only before `silent_before_us`.
    """
    found = tx.all(EXPIRED, ExecutionRow, silent=0, before_us=before_us, limit=limit)
    if len(found) < limit:
        found += tx.all(EXPIRED, ExecutionRow, silent=1, before_us=silent_before_us, limit=limit - len(found))
    return found


RESTART = Sql("""
    UPDATE executions SET lease_touched_us = :lease_now_us
     WHERE status = 'running' AND driver <> 'engine' AND driver <> 'observed'
""")


def restart(tx: Tx) -> int:
    """Count every running driver as heard now."""
    return tx.execute(RESTART, lease_now_us=tx.lease_now_us)


FORGET = Sql(
    "UPDATE workers SET seen_lease_us = 0 WHERE stopped_us IS NULL AND seen_lease_us > :lease_now_us"
)


def forget_workers(tx: Tx) -> None:
    """Count workers of another boot, whose readings are not comparable, as not seen."""
    tx.execute(FORGET, lease_now_us=tx.lease_now_us)
