"""Census: how many executions are alive, over all tenants, for /metrics. Counts only what an index holds."""

from __future__ import annotations

from omium.server.db.tx import Sql, Tx

COUNT_RUNNING = Sql("SELECT COUNT(*) FROM executions WHERE status = 'running'")
COUNT_QUEUED = Sql("SELECT COUNT(*) FROM executions WHERE status = 'queued'")
COUNT_WAKING = Sql("SELECT COUNT(*) FROM executions WHERE status = 'waiting' AND wake_us IS NOT NULL")


def count_alive(tx: Tx) -> dict[str, int]:
    """Return the number of running and queued executions, and of those that wait for a time."""
    return {
        "running": tx.one(COUNT_RUNNING, int),
        "queued": tx.one(COUNT_QUEUED, int),
        "waiting for a time": tx.one(COUNT_WAKING, int),
    }
