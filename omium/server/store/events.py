"""Events: the append-only log of an execution, numbered without gaps. Rows decide, this log explains.

Owns the statements. The numbers come from the execution's row (`last_seq`), which the same transaction has
changed, so two events can never take one number (invariant I8). Written by engine/transitions.py only.
"""

from __future__ import annotations

from omium.server.db.light import light
from omium.server.db.tx import Sql, Tx


@light(frozen=True, slots=True)
class EventRow:
    """One fact; `data` is a JSON object, already redacted."""

    seq: int
    type: str
    at_us: int
    data: bytes


INSERT = Sql("""
    INSERT INTO events (execution_id, seq, type, at_us, data)
    VALUES (:execution_id, :seq, :type, :at_us, :data)
""")


def insert_event(tx: Tx, execution_id: str, seq: int, type_: str, data: bytes) -> None:
    tx.send(INSERT, execution_id=execution_id, seq=seq, type=type_, at_us=tx.now_us, data=data)


LIST = Sql("""
    SELECT e.seq, e.type, e.at_us, e.data
      FROM executions x JOIN events e ON e.execution_id = x.id
     WHERE x.id = :execution_id AND x.tenant_id = :tenant_id AND e.seq > :after_seq
     ORDER BY e.seq
     LIMIT :limit
""")


def list_events(tx: Tx, tenant_id: str, execution_id: str, after_seq: int, limit: int) -> list[EventRow]:
    """Return up to `limit` events after `after_seq`, in order; none for another tenant's execution."""
    return tx.all(
        LIST, EventRow, tenant_id=tenant_id, execution_id=execution_id, after_seq=after_seq, limit=limit
    )


LIST_OF_TYPE = Sql("""
    SELECT seq, type, at_us, data FROM events
     WHERE execution_id = :execution_id AND type = :type
     ORDER BY seq DESC
     LIMIT :limit
""")  # walks one execution's log: for repeats of rare reports only


def list_of_type(tx: Tx, execution_id: str, type_: str, limit: int = 1000) -> list[EventRow]:
    """Return the newest events of one type, the newest first."""
    return tx.all(LIST_OF_TYPE, EventRow, execution_id=execution_id, type=type_, limit=limit)
