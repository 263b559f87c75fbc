"""Due: nodes whose time has come: timers, timeouts, lost tasks, and those left for another transaction."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx
from omium.server.store.activations import COLUMNS, ActivationRow


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
     WHERE state = 'running' AND deadline_us IS NOT NULL AND deadline_us <= :now_us
     ORDER BY deadline_us LIMIT :limit
""")
FIND_LATE = Sql(f"""
    SELECT {COLUMNS} FROM activations
     WHERE execution_id = :execution_id AND path = :path AND state = 'running' AND deadline_us <= :now_us
""")
LOST = Sql("""
    SELECT tenant_id, execution_id, path FROM activations
     WHERE state = 'running' AND lease_touched_us < :before_us
     ORDER BY lease_touched_us LIMIT :limit
""")
FIND_LOST = Sql(f"""
    SELECT {COLUMNS} FROM activations
     WHERE execution_id = :execution_id AND path = :path AND state = 'running' AND lease_touched_us < :before_us
""")
LEFT = Sql("""
    SELECT tenant_id, execution_id, path FROM activations
     WHERE executor = 'transaction' AND state = 'ready' LIMIT :limit
""")
RESTART = Sql("UPDATE activations SET lease_touched_us = :lease_now_us WHERE state = 'running'")


def list_due(tx: Tx, now_us: int, limit: int) -> list[DueNode]:
    return tx.all(DUE, DueNode, now_us=now_us, limit=limit)


def list_due_of(tx: Tx, execution_id: str, now_us: int, limit: int) -> list[ActivationRow]:
    return tx.all(DUE_OF, ActivationRow, execution_id=execution_id, now_us=now_us, limit=limit)


def find_next_us(tx: Tx) -> int | None:
    """Return when the next timer or timeout is due, of all tenants."""
    found = [at for at in (tx.value(NEXT_DUE), tx.value(NEXT_LATE)) if isinstance(at, int)]
    return min(found, default=None)


def look_later(tx: Tx, execution_id: str, path: str) -> None:
    """Let a node of a paused execution wait until that goes on."""
    tx.execute(LOOK_LATER, execution_id=execution_id, path=path)


def list_late(tx: Tx, now_us: int, limit: int) -> list[DueNode]:
    return tx.all(LATE, DueNode, now_us=now_us, limit=limit)


def find_late(tx: Tx, execution_id: str, path: str, now_us: int) -> ActivationRow | None:
    return tx.one_or_none(FIND_LATE, ActivationRow, execution_id=execution_id, path=path, now_us=now_us)


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
