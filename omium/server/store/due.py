"""Due: nodes whose time has come: timers, timeouts, lost tasks, and those left for another transaction."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx
from omium.server.store.activations import COLUMNS, ActivationRow
from omium.server.store.executions import COLUMNS as EXECUTION_COLUMNS
from omium.server.store.executions import ExecutionRow


@dataclass(frozen=True, slots=True)
class DueNode:
    """A node that is to be looked at, under the lock of its execution."""

    tenant_id: str
    execution_id: str
    path: str


DUE = Sql("""
    SELECT tenant_id, execution_id, path FROM activations
     WHERE state = 'waiting' AND due_us IS NOT NULL AND due_us <= :now_us
     ORDER BY due_us LIMIT :limit
""")
DUE_OF = Sql(f"""
    SELECT {COLUMNS} FROM activations
     WHERE execution_id = :execution_id AND state = 'waiting' AND due_us IS NOT NULL AND due_us <= :now_us
     ORDER BY due_us, path LIMIT :limit
""")
NEXT_DUE = Sql("SELECT MIN(due_us) FROM activations WHERE state = 'waiting' AND due_us IS NOT NULL")
NEXT_LATE = Sql(
    "SELECT MIN(deadline_us) FROM activations WHERE state = 'running' AND deadline_us IS NOT NULL"
)
LOOK_LATER = Sql("""
    UPDATE activations SET state = 'parked' WHERE execution_id = :execution_id AND path = :path
""")
LATE = Sql("""
    SELECT tenant_id, execution_id, path FROM activations
     WHERE state = 'running' AND deadline_us IS NOT NULL AND deadline_us <= :lease_now_us
     ORDER BY deadline_us LIMIT :limit
""")
FIND_LATE = Sql(f"""
    SELECT {COLUMNS} FROM activations
     WHERE execution_id = :execution_id AND path = :path AND state = 'running'
       AND deadline_us <= :lease_now_us
""")
LOST = Sql("""
    SELECT tenant_id, execution_id, path FROM activations
     WHERE state = 'running' AND lease_touched_us < :before_us
     ORDER BY lease_touched_us LIMIT :limit
""")
FIND_LOST = Sql(f"""
    SELECT {COLUMNS} FROM activations
     WHERE execution_id = :execution_id AND path = :path AND state = 'running'
       AND lease_touched_us < :before_us
""")
LEFT = Sql("""
    SELECT tenant_id, execution_id, path FROM activations
     WHERE executor = 'transaction' AND state = 'ready' LIMIT :limit
""")
RESTART = Sql("UPDATE activations SET lease_touched_us = :lease_now_us WHERE state = 'running'")


IS_READY = Sql("SELECT 1 FROM activations WHERE executor = 'server' AND state = 'ready' LIMIT 1")
IS_LEFT = Sql("SELECT 1 FROM activations WHERE executor = 'transaction' AND state = 'ready' LIMIT 1")
IS_ENDING = Sql("""
    SELECT 1 FROM activations
     WHERE state = 'ending' AND tenant_id > '' AND (due_us IS NULL OR due_us <= :now_us) LIMIT 1
""")
IS_FREED = Sql("SELECT 1 FROM concurrency_slots WHERE freed = 1 LIMIT 1")
OLDEST_TOUCH = Sql("""
    SELECT MIN(lease_touched_us) FROM activations WHERE state = 'running' AND lease_touched_us IS NOT NULL
""")


def is_anything_ready(tx: Tx) -> bool:
    """Say whether a node is ready that the server itself does."""
    return tx.value(IS_READY) is not None


def is_anything_ending(tx: Tx) -> bool:
    return tx.value(IS_ENDING, now_us=tx.now_us) is not None


def is_anything_due(tx: Tx, lost_before_us: int) -> bool:
    """Say whether a sweep would find anything: a few looks into small indexes, and no write."""
    pause_us, touched_us = find_pause_us(tx), tx.value(OLDEST_TOUCH)
    return (
        (pause_us is not None and pause_us <= 0)
        or (isinstance(touched_us, int) and touched_us < lost_before_us)
        or tx.value(IS_LEFT) is not None
        or tx.value(IS_FREED) is not None
    )


def list_due(tx: Tx, now_us: int, limit: int) -> list[DueNode]:
    return tx.all(DUE, DueNode, now_us=now_us, limit=limit)


def list_due_of(tx: Tx, execution_id: str, now_us: int, limit: int) -> list[ActivationRow]:
    return tx.all(DUE_OF, ActivationRow, execution_id=execution_id, now_us=now_us, limit=limit)


def find_pause_us(tx: Tx) -> int | None:
    """Return how long it is until the next timer or timeout of any tenant; None where there is none.

    Timers are wall time, timeouts are measured by the lease clock.
    """
    due_us, late_us = tx.value(NEXT_DUE), tx.value(NEXT_LATE)
    found = []
    if isinstance(due_us, int):
        found.append(due_us - tx.now_us)
    if isinstance(late_us, int):
        found.append(late_us - tx.lease_now_us)
    return min(found, default=None)


def look_later(tx: Tx, execution_id: str, path: str) -> None:
    """Let a node of a paused execution wait until that goes on."""
    tx.execute(LOOK_LATER, execution_id=execution_id, path=path)


PUT_OFF = Sql("""
    UPDATE activations
       SET state = CASE WHEN state = 'ready' THEN 'waiting' ELSE state END, due_us = :until_us,
           waiting_reason = CASE WHEN state = 'ready' OR waiting_reason = 'slot' THEN 'retry'
                                 ELSE waiting_reason END
     WHERE execution_id = :execution_id
       AND (state IN ('ready', 'ending')
            OR state = 'waiting' AND (waiting_reason = 'slot' OR due_us < :until_us))
""")
PUT_OFF_RUNNING = Sql("""
    UPDATE activations
       SET lease_touched_us = :lease_now_us,
           deadline_us = CASE WHEN deadline_us < :until_us THEN :until_us ELSE deadline_us END
     WHERE execution_id = :execution_id AND state = 'running'
""")


def put_off(tx: Tx, execution_id: str, for_us: int) -> None:
    """Let nothing of an execution be due, ready or to be judged for so long, and its leases run anew."""
    tx.execute(PUT_OFF, execution_id=execution_id, until_us=tx.now_us + for_us)
    tx.execute(
        PUT_OFF_RUNNING,
        execution_id=execution_id,
        lease_now_us=tx.lease_now_us,
        until_us=tx.lease_now_us + for_us,
    )


def list_late(tx: Tx, lease_now_us: int, limit: int) -> list[DueNode]:
    return tx.all(LATE, DueNode, lease_now_us=lease_now_us, limit=limit)


def find_late(tx: Tx, execution_id: str, path: str, lease_now_us: int) -> ActivationRow | None:
    return tx.one_or_none(
        FIND_LATE, ActivationRow, execution_id=execution_id, path=path, lease_now_us=lease_now_us
    )


def list_lost(tx: Tx, before_us: int, limit: int) -> list[DueNode]:
    return tx.all(LOST, DueNode, before_us=before_us, limit=limit)


def find_lost(tx: Tx, execution_id: str, path: str, before_us: int) -> ActivationRow | None:
    return tx.one_or_none(FIND_LOST, ActivationRow, execution_id=execution_id, path=path, before_us=before_us)


def list_left(tx: Tx, limit: int) -> list[DueNode]:
    """Return nodes that a transaction does itself and that none has begun yet."""
    return tx.all(LEFT, DueNode, limit=limit)


def restart(tx: Tx) -> int:
    """Let every lease of a task run anew, and return how many there are."""
    return tx.execute(RESTART, lease_now_us=tx.lease_now_us)


FORGET_TOUCH = Sql("""
    UPDATE activations SET lease_touched_us = :at_us WHERE state = 'running' AND executor = 'server'
""")


def forget_touch(tx: Tx, at_us: int) -> int:
    """Let the leases of tasks that servers do themselves be as old as `at_us`."""
    return tx.execute(FORGET_TOUCH, at_us=at_us)


OUT_OF_CREDITS = Sql(f"""
    SELECT {EXECUTION_COLUMNS} FROM executions
     WHERE status = 'paused' AND reason = 'credits' AND driver = 'engine' AND id > :after_id
     ORDER BY id LIMIT :limit
     {{skip_locked}}
""")


def lock_out_of_credits(tx: Tx, after_id: str, limit: int) -> list[ExecutionRow]:
    """Return executions of specs that are paused for credits, of any tenant, locked."""
    return tx.all(OUT_OF_CREDITS, ExecutionRow, after_id=after_id, limit=limit)


# ---- of a worker

HELD = Sql("SELECT 1 FROM activations WHERE worker_id = :worker_id AND state = 'running' LIMIT 1")
FORGET_WORKER = Sql("""
    UPDATE activations SET lease_touched_us = :long_ago_us
     WHERE worker_id = :worker_id AND tenant_id = :tenant_id AND environment = :environment
       AND state = 'running'
""")
LONG_AGO_US = -(2**62)


def is_held(tx: Tx, worker_id: str) -> bool:
    """Say whether a worker does a node now."""
    return tx.one_or_none(HELD, int, worker_id=worker_id) is not None


def forget_worker(tx: Tx, tenant_id: str, environment: str, worker_id: str) -> int:
    """Let the leases of what a worker does count as run out: it's gone, and the sweep need not wait."""
    return tx.execute(
        FORGET_WORKER,
        worker_id=worker_id,
        tenant_id=tenant_id,
        environment=environment,
        long_ago_us=LONG_AGO_US,
    )
