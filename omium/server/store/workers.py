"""Workers: processes that claim executions; seen means that one asked for work or said that it lives."""

from __future__ import annotations

from dataclasses import dataclass, fields

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A row of `workers`; `workflows` and `handlers` are JSON lists, `process` a ProcessIdentity as JSON."""

    id: str
    tenant_id: str
    environment: str
    api_key_id: str
    queue: str
    workflows: bytes
    process: bytes
    concurrency: int
    last_workflow: str  # the workflow that it was given last: the next claim begins behind it
    started_us: int
    seen_us: int
    seen_lease_us: int  # the lease clock
    stopped_us: int | None
    handlers: bytes | None  # None is none


_NAMES = tuple(field.name for field in fields(WorkerRow))
_COLUMNS = ", ".join(_NAMES)

SEE = Sql(f"""
    INSERT INTO workers ({_COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
    ON CONFLICT (id) DO UPDATE
       SET queue = excluded.queue, workflows = excluded.workflows, handlers = excluded.handlers,
           process = excluded.process, concurrency = excluded.concurrency, seen_us = excluded.seen_us,
           seen_lease_us = excluded.seen_lease_us, api_key_id = excluded.api_key_id, stopped_us = NULL
     WHERE workers.tenant_id = excluded.tenant_id AND workers.environment = excluded.environment
 RETURNING {_COLUMNS}
""")


def see_worker(tx: Tx, row: WorkerRow) -> WorkerRow | None:
    """Note that a worker is there, and return its row; None if another tenant or environment has its id."""
    return tx.one_or_none(SEE, WorkerRow, **{name: getattr(row, name) for name in _NAMES})


TURN = Sql("UPDATE workers SET last_workflow = :workflow WHERE id = :id")


def set_last_workflow(tx: Tx, worker_id: str, workflow: str) -> None:
    """Note where the worker's turn between workflows stands."""
    tx.execute(TURN, id=worker_id, workflow=workflow)


STOP = Sql("""
    UPDATE workers SET stopped_us = :now_us
     WHERE id = :id AND tenant_id = :tenant_id AND environment = :environment AND stopped_us IS NULL
""")


def stop_worker(tx: Tx, tenant_id: str, environment: str, worker_id: str) -> bool:
    """Note that a worker has ended; False if it is unknown here, or had ended before."""
    stopped = tx.execute(STOP, id=worker_id, tenant_id=tenant_id, environment=environment, now_us=tx.now_us)
    return stopped == 1


FIND = Sql(f"""
    SELECT {_COLUMNS} FROM workers
     WHERE id = :id AND tenant_id = :tenant_id AND environment = :environment AND stopped_us IS NULL
""")


def find_worker(tx: Tx, tenant_id: str, environment: str, worker_id: str) -> WorkerRow | None:
    """Return a worker that has not stopped, or None."""
    return tx.one_or_none(FIND, WorkerRow, id=worker_id, tenant_id=tenant_id, environment=environment)


UNSTOPPED = Sql(f"""
    SELECT {_COLUMNS} FROM workers
     WHERE tenant_id = :tenant_id AND environment = :environment AND stopped_us IS NULL
     ORDER BY seen_lease_us DESC
     LIMIT 200
""")


def list_unstopped(tx: Tx, tenant_id: str, environment: str) -> list[WorkerRow]:
    """Return the workers that did not say that they end, those seen last first."""
    return tx.all(UNSTOPPED, WorkerRow, tenant_id=tenant_id, environment=environment)


LIVE = Sql(f"""
    SELECT {_COLUMNS} FROM workers
     WHERE tenant_id = :tenant_id AND environment = :environment AND stopped_us IS NULL
       AND seen_lease_us >= :since_us
     ORDER BY id
     LIMIT 1000
""")


def list_live(tx: Tx, tenant_id: str, environment: str, since_us: int) -> list[WorkerRow]:
    """Return workers that have not stopped and were seen since `since_us` on the lease clock."""
    return tx.all(LIVE, WorkerRow, tenant_id=tenant_id, environment=environment, since_us=since_us)


LIST = Sql(f"""
    SELECT {_COLUMNS} FROM workers
     WHERE tenant_id = :tenant_id AND id > :after_id
     ORDER BY id
     LIMIT :limit
""")


def list_workers(tx: Tx, tenant_id: str, *, after_id: str, limit: int) -> list[WorkerRow]:
    """Return up to `limit` workers of all environments, in order of their ids."""
    return tx.all(LIST, WorkerRow, tenant_id=tenant_id, after_id=after_id, limit=limit)
