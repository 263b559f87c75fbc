"""What a collector is told: executions in the order in which they ended, and how far that has come."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx
from omium.server.store.executions import COLUMNS, ExecutionRow


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last execution that was taken by the collector."""

    ended_us: int
    execution_id: str


FIND = Sql("SELECT ended_us, execution_id FROM trace_exports WHERE target = :target")
BEGIN = Sql("""
    INSERT INTO trace_exports (target, ended_us, execution_id) VALUES (:target, :now_us, '')
    ON CONFLICT (target) DO NOTHING
""")
MOVE = Sql("""
    UPDATE trace_exports SET ended_us = :ended_us, execution_id = :execution_id
     WHERE target = :target AND (ended_us, execution_id) < (:ended_us, :execution_id)
""")  # of two servers the one that is behind moves nothing
LIST_ENDED = Sql(f"""
    SELECT {", ".join(f"e.{name.strip()}" for name in COLUMNS.split(","))}
      FROM tenants AS t JOIN executions AS e
        ON e.tenant_id = t.id AND e.status IN ('completed', 'failed', 'cancelled') AND e.ended_us IS NOT NULL
       AND e.ended_us >= :after_us AND e.ended_us <= :until_us
     WHERE (e.ended_us, e.id) > (:after_us, :after_id) AND e.driver <> 'observed'
       AND COALESCE(e.reason, '') <> 'retired'
     ORDER BY e.ended_us, e.id LIMIT :limit
""")


def open_cursor(tx: Tx, target: str) -> Cursor:
    """Return where the collector stands; a new one is told what ends from now on."""
    tx.execute(BEGIN, target=target, now_us=tx.now_us)
    return tx.one(FIND, Cursor, target=target)


def move_cursor(tx: Tx, target: str, row: ExecutionRow) -> None:
    """Note that the collector has taken `row` and what ended before."""
    tx.execute(MOVE, target=target, ended_us=row.ended_us, execution_id=row.id)


def list_ended(tx: Tx, after: Cursor, until_us: int, limit: int) -> list[ExecutionRow]:
    """List executions of all tenants that ended after the cursor, the first first; none that was observed."""
    return tx.all(
        LIST_ENDED,
        ExecutionRow,
        after_us=after.ended_us,
        after_id=after.execution_id,
        until_us=until_us,
        limit=limit,
    )
