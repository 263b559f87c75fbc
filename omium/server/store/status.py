"""What a tenant's status shows: counts, each along an index."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx

COUNT_MAX = 100_000  # a status page need not count further

ALIVE = Sql("""
    SELECT status, COUNT(*) AS executions FROM executions
     WHERE tenant_id = :tenant_id AND status IN ('queued', 'running', 'waiting', 'paused')
     GROUP BY status
""")
SINCE = Sql("""
    SELECT COUNT(*) FROM (
      SELECT 1 AS found FROM executions WHERE tenant_id = :tenant_id AND created_us >= :since_us LIMIT :most
    ) AS found_rows
""")
ENDED_SINCE = Sql("""
    SELECT COUNT(*) FROM (
      SELECT 1 AS found FROM executions
       WHERE tenant_id = :tenant_id AND status = :status AND created_us >= :since_us LIMIT :most
    ) AS found_rows
""")
OPEN_FAILURES = Sql("""
    SELECT COUNT(*) FROM (
      SELECT 1 AS found FROM failures WHERE tenant_id = :tenant_id AND status = 'open' LIMIT :most
    ) AS found_rows
""")
QUEUED = Sql("""
    SELECT DISTINCT environment, queue, workflow FROM executions
     WHERE tenant_id = :tenant_id AND status = 'queued'
     ORDER BY environment, queue, workflow LIMIT 500
""")
ANY_KEY = Sql("""
    SELECT 1 FROM api_keys
     WHERE tenant_id = :tenant_id AND status = 'active' AND (expires_us IS NULL OR expires_us > :now_us)
     LIMIT 1
""")
ANY_EXECUTION = Sql("SELECT 1 FROM executions WHERE tenant_id = :tenant_id LIMIT 1")


@dataclass(frozen=True, slots=True)
class Alive:
    """How many executions stand at a status."""

    status: str
    executions: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """A workflow that waits in a queue."""

    environment: str
    queue: str
    workflow: str


def count_alive(tx: Tx, tenant_id: str) -> dict[str, int]:
    """Count the executions that have not ended, by status."""
    return {row.status: row.executions for row in tx.all(ALIVE, Alive, tenant_id=tenant_id)}


def count_since(tx: Tx, tenant_id: str, since_us: int, status: str | None = None) -> int:
    """Count executions that were created since, those at `status` or all."""
    if status is None:
        return tx.one(SINCE, int, tenant_id=tenant_id, since_us=since_us, most=COUNT_MAX)
    return tx.one(ENDED_SINCE, int, tenant_id=tenant_id, status=status, since_us=since_us, most=COUNT_MAX)


def count_open_failures(tx: Tx, tenant_id: str) -> int:
    return tx.one(OPEN_FAILURES, int, tenant_id=tenant_id, most=COUNT_MAX)


def list_queued(tx: Tx, tenant_id: str) -> list[Wanted]:
    """List the workflows that wait for a worker."""
    return tx.all(QUEUED, Wanted, tenant_id=tenant_id)


def has_executions(tx: Tx, tenant_id: str) -> bool:
    return tx.value(ANY_EXECUTION, tenant_id=tenant_id) is not None


def has_keys(tx: Tx, tenant_id: str) -> bool:
    """Say whether any API key would be let in now."""
    return tx.value(ANY_KEY, tenant_id=tenant_id, now_us=tx.now_us) is not None
