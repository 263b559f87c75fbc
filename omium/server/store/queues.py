"""Queues: executions that wait for a worker, and those whose rollback waits for one to run its compensations.

Owns the order: first come, first served within a workflow; between workflows the worker takes turns
(engine/claims.py). Locked rows are skipped, so servers that share a PostgreSQL never wait for each other
here.
"""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx
from omium.server.store.executions import COLUMNS, ExecutionRow

LOCK_QUEUED = Sql(f"""
    SELECT {COLUMNS} FROM executions
     WHERE tenant_id = :tenant_id AND environment = :environment AND queue = :queue AND workflow = :workflow
       AND status = 'queued'
     ORDER BY queued_us, id
     LIMIT 1
     {{skip_locked}}
""")


def lock_queued(tx: Tx, tenant_id: str, environment: str, queue: str, workflow: str) -> ExecutionRow | None:
    """Return the execution of `workflow` that waits longest, locked, or None."""
    return tx.one_or_none(
        LOCK_QUEUED,
        ExecutionRow,
        tenant_id=tenant_id,
        environment=environment,
        queue=queue,
        workflow=workflow,
    )


LOCK_ROLLED_BACK = Sql(f"""
    SELECT {COLUMNS} FROM executions
     WHERE tenant_id = :tenant_id AND environment = :environment AND queue = :queue AND workflow = :workflow
       AND status = 'paused' AND reason = 'rollback' AND driver <> 'engine'
       AND EXISTS (SELECT 1 FROM compensations c
                    WHERE c.execution_id = executions.id AND c.generation = executions.generation
                      AND c.status = 'pending')
     ORDER BY updated_us, id
     LIMIT 1
     {{skip_locked}}
""")


def lock_rolled_back(
    tx: Tx, tenant_id: str, environment: str, queue: str, workflow: str
) -> ExecutionRow | None:
    """Return an execution of `workflow` with compensations to run, whoever drove it, locked, or None."""
    return tx.one_or_none(
        LOCK_ROLLED_BACK,
        ExecutionRow,
        tenant_id=tenant_id,
        environment=environment,
        queue=queue,
        workflow=workflow,
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many executions of a workflow wait."""

    workflow: str
    count: int


COUNT = Sql("""
    SELECT workflow, COUNT(*) AS count
      FROM (SELECT workflow FROM executions
             WHERE tenant_id = :tenant_id AND environment = :environment AND queue = :queue
               AND status = 'queued'
             LIMIT :limit) AS waiting
     GROUP BY workflow
""")  # bounded: a queue of a million is not counted to the end


def count_queued(tx: Tx, tenant_id: str, environment: str, queue: str, limit: int = 1000) -> list[Waiting]:
    """Return how many executions wait in a queue by workflow, of the first `limit` that are found."""
    return tx.all(COUNT, Waiting, tenant_id=tenant_id, environment=environment, queue=queue, limit=limit)


HELD = Sql(f"""
    SELECT {COLUMNS} FROM executions
     WHERE worker_id = :worker_id AND ended_us IS NULL AND status = 'running'
       AND tenant_id = :tenant_id AND environment = :environment
     ORDER BY id
     LIMIT :limit
     {{for_update}}
""")


def lock_held(tx: Tx, tenant_id: str, environment: str, worker_id: str, limit: int) -> list[ExecutionRow]:
    """Return up to `limit` running executions that a worker holds, locked."""
    return tx.all(
        HELD, ExecutionRow, tenant_id=tenant_id, environment=environment, worker_id=worker_id, limit=limit
    )


COUNT_HELD = Sql("""
    SELECT COUNT(*) FROM executions WHERE worker_id = :worker_id AND ended_us IS NULL AND status = 'running'
""")


def count_held(tx: Tx, worker_id: str) -> int:
    """Return how many executions a worker drives now."""
    return tx.one(COUNT_HELD, int, worker_id=worker_id)
