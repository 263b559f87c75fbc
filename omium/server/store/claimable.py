"""Claimable: nodes that are ready, in the order in which they are taken, and whose turn it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from omium.server.db.tx import Sql, SqlValue, Tx
from omium.server.store.activations import COLUMNS, ActivationRow
from omium.server.store.executions import COLUMNS as EXECUTION_COLUMNS
from omium.server.store.executions import ExecutionRow

CANDIDATES = 8
"""Nodes that are looked at where others hold what came first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that is ready."""

    tenant_id: str
    execution_id: str
    ready_us: int


FOR_WORKER = Sql("""
    SELECT tenant_id, execution_id, ready_us FROM activations
     WHERE tenant_id = :tenant_id AND environment = :environment AND queue = :queue
       AND executor = :executor AND handler = :handler AND state = 'ready'
     ORDER BY ready_us LIMIT :limit
""")
FOR_WORKER_OF = Sql("""
    SELECT tenant_id, execution_id, ready_us FROM activations
     WHERE tenant_id = :tenant_id AND environment = :environment AND queue = :queue
       AND executor = :executor AND handler = :handler AND workflow = :workflow AND state = 'ready'
     ORDER BY ready_us LIMIT :limit
""")
OF_TENANT = Sql("""
    SELECT tenant_id, execution_id, ready_us FROM activations
     WHERE executor = :executor AND tenant_id = :tenant_id AND state = 'ready'
     ORDER BY ready_us LIMIT :limit
""")
NEXT_TENANT = Sql("""
    SELECT tenant_id FROM activations
     WHERE executor = :executor AND tenant_id > :after_tenant AND state = 'ready'
     ORDER BY tenant_id LIMIT 1
""")
READY = Sql(f"""
    SELECT {COLUMNS} FROM activations
     WHERE execution_id = :execution_id AND state = 'ready' AND executor = :executor
     ORDER BY ready_us, path LIMIT :limit
""")
READY_OF = Sql(f"""
    SELECT {COLUMNS} FROM activations
     WHERE execution_id = :execution_id AND state = 'ready' AND executor = :executor AND handler = :handler
     ORDER BY ready_us, path LIMIT :limit
""")
LOCK_FREE = Sql(f"""
    SELECT {EXECUTION_COLUMNS} FROM executions WHERE id = :id AND tenant_id = :tenant_id {{skip_locked}}
""")


def list_for_worker(
    tx: Tx,
    tenant_id: str,
    environment: str,
    queue: str,
    executor: str,
    handler: str,
    workflows: frozenset[str] | None = None,
) -> list[Candidate]:
    """Return what has been ready longest for a handler; of `workflows` only, if they are given."""
    if workflows is not None:
        return [
            each
            for workflow in sorted(workflows)
            for each in tx.all(
                FOR_WORKER_OF,
                Candidate,
                tenant_id=tenant_id,
                environment=environment,
                queue=queue,
                executor=executor,
                handler=handler,
                workflow=workflow,
                limit=CANDIDATES,
            )
        ]
    return tx.all(
        FOR_WORKER,
        Candidate,
        tenant_id=tenant_id,
        environment=environment,
        queue=queue,
        executor=executor,
        handler=handler,
        limit=CANDIDATES,
    )


def list_of_tenant(tx: Tx, executor: str, tenant_id: str) -> list[Candidate]:
    return tx.all(OF_TENANT, Candidate, executor=executor, tenant_id=tenant_id, limit=CANDIDATES)


def find_next_tenant(tx: Tx, executor: str, after_tenant: str) -> str | None:
    """Return the first tenant after `after_tenant` that has a node ready for `executor`."""
    return tx.one_or_none(NEXT_TENANT, str, executor=executor, after_tenant=after_tenant)


def list_ready(
    tx: Tx, execution_id: str, executor: str, limit: int, handlers: Sequence[str] | None = None
) -> list[ActivationRow]:
    """Return the nodes of an execution that are ready, those that have been so longest first.

    With `handlers` only theirs; there may be more than `limit` then.
    """
    about: dict[str, SqlValue] = {"execution_id": execution_id, "executor": executor, "limit": limit}
    found = tx.all(READY, ActivationRow, **about)
    if handlers is None:
        return found
    if len(found) == limit:  # theirs may stand behind what nobody does
        found = [each for name in handlers for each in tx.all(READY_OF, ActivationRow, handler=name, **about)]
        found.sort(key=lambda each: (each.ready_us, each.path))
    known = set(handlers)
    return [each for each in found if each.handler in known]


def lock_free(tx: Tx, tenant_id: str, execution_id: str) -> ExecutionRow | None:
    """Return an execution locked, or None where somebody else is at work on it."""
    return tx.one_or_none(LOCK_FREE, ExecutionRow, id=execution_id, tenant_id=tenant_id)


ENDING = Sql(f"""
    SELECT {COLUMNS} FROM activations
     WHERE state = 'ending' AND (due_us IS NULL OR due_us <= :now_us)
     ORDER BY tenant_id, ready_us LIMIT :limit
""")


def list_ending(tx: Tx, limit: int) -> list[ActivationRow]:
    """Return nodes that have ended but for the conditions of their edges, and that were not put off."""
    return tx.all(ENDING, ActivationRow, limit=limit, now_us=tx.now_us)
