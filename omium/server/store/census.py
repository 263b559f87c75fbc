"""Census: how many executions are alive, over all tenants, for /metrics. Counts only what an index holds."""

from __future__ import annotations

from omium.server.db.tx import Sql, Tx

# The second conditions are true of every row; they lead both databases to the partial index of each status.
COUNT_RUNNING = Sql("SELECT COUNT(*) FROM executions WHERE status = 'running' AND id > ''")
COUNT_QUEUED = Sql("SELECT COUNT(*) FROM executions WHERE status = 'queued' AND tenant_id > ''")
COUNT_WAKING = Sql("SELECT COUNT(*) FROM executions WHERE status = 'waiting' AND wake_us > 0")


def count_alive(tx: Tx) -> dict[str, int]:
    """Return the number of running and queued executions, and of those that wait for a time."""
    return {
        "running": tx.one(COUNT_RUNNING, int),
        "queued": tx.one(COUNT_QUEUED, int),
        "waiting for a time": tx.one(COUNT_WAKING, int),
    }
