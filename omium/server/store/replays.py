"""Replays: what a lineage has done, and the records that a new execution of it begins with."""

from __future__ import annotations

from collections.abc import Iterable

from omium.server.db.tx import Sql, Tx
from omium.server.store import events, steps
from omium.server.store.effects import COLUMNS as EFFECT_COLUMNS
from omium.server.store.effects import EffectRow
from omium.server.store.steps import StepRow

EFFECTS = Sql(f"""
    SELECT {EFFECT_COLUMNS} FROM effects
     WHERE tenant_id = :tenant_id AND lineage_root = :lineage_root ORDER BY path, redo
""")
REPLAYS = Sql("""
    SELECT id FROM executions WHERE replay_of = :execution_id AND tenant_id = :tenant_id
     ORDER BY created_us, id LIMIT :limit
""")
RESERVED = 1
"""Stands as `superseded_seq` of a record that is laid by: the number of the event that began the replay."""
FIND_RESERVED = Sql(f"""
    SELECT {steps.COLUMNS} FROM steps
     WHERE execution_id = :execution_id AND path = :path AND superseded_seq = 1
""")
TAKE_RESERVED = Sql("""
    UPDATE steps SET superseded_seq = NULL, completed_seq = :seq
     WHERE execution_id = :execution_id AND path = :path AND superseded_seq = 1
""")
RECORDED_SEQ = Sql("""
    SELECT COALESCE(MIN(completed_seq), 0) FROM steps
     WHERE execution_id = :execution_id AND path = :path AND (superseded_seq IS NULL OR superseded_seq = 1)
""")
SET_BATCH = Sql("UPDATE executions SET replay_batch = :batch_id WHERE id = :execution_id")


def find_newest_effects(tx: Tx, tenant_id: str, lineage_root: str) -> dict[str, EffectRow]:
    """Return the newest redo of each effect of a lineage, by path."""
    rows = tx.all(EFFECTS, EffectRow, tenant_id=tenant_id, lineage_root=lineage_root)
    return {row.path: row for row in rows}


def list_replays(tx: Tx, tenant_id: str, execution_id: str, limit: int = 100) -> list[str]:
    """List the executions that were started as replays of this one."""
    return tx.all(REPLAYS, str, tenant_id=tenant_id, execution_id=execution_id, limit=limit)


def insert_records(tx: Tx, rows: Iterable[StepRow]) -> None:
    """Insert the records that a new execution begins with; its paths are free."""
    tx.execute_many(steps.PUT, [steps.column_values(row) for row in rows])


def find_reserved(tx: Tx, execution_id: str, path: str) -> StepRow | None:
    """Return the record that is laid by for a path; nobody sees it until it is taken."""
    return tx.one_or_none(FIND_RESERVED, StepRow, execution_id=execution_id, path=path)


def take_reserved(tx: Tx, execution_id: str, path: str, seq: int) -> None:
    """Make the record that was laid by the live one of its path; it's completed with the event `seq`."""
    tx.execute(TAKE_RESERVED, execution_id=execution_id, path=path, seq=seq)


def find_recorded_seq(tx: Tx, execution_id: str, path: str) -> int | None:
    """Return where the result of a path stands in the log, live or laid by; None without one."""
    return tx.one(RECORDED_SEQ, int, execution_id=execution_id, path=path) or None


def insert_events(tx: Tx, execution_id: str, facts: Iterable[tuple[int, str, bytes]]) -> None:
    """Append events (number, type, data) whose numbers the caller owns."""
    tx.execute_many(
        events.INSERT,
        [
            {"execution_id": execution_id, "seq": seq, "type": type_, "at_us": tx.now_us, "data": data}
            for seq, type_, data in facts
        ],
    )


def set_batch(tx: Tx, execution_id: str, batch_id: str) -> None:
    """Note that an execution was started by a batch."""
    tx.execute(SET_BATCH, execution_id=execution_id, batch_id=batch_id)
