"""Fires: each time that a schedule or trigger came to start something, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx

STARTED = "started"
WAITING = "waiting"
SKIPPED = "skipped"
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FireRow:
    """One time; `live` is 1 while its execution may still run, so that the next one can look."""

    origin_id: str
    key: str
    tenant_id: str
    due_us: int
    at_us: int
    outcome: str
    live: int
    execution_id: str | None
    code: str | None
    detail: str | None


_NAMES = FireRow.__slots__
_COLUMNS = ", ".join(_NAMES)
INSERT = Sql(f"""
    INSERT INTO fires ({_COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
    ON CONFLICT (origin_id, key) DO NOTHING
""")  # each once, whichever server comes
UPDATE = Sql("""
    UPDATE fires SET at_us = :at_us, outcome = :outcome, live = :live, execution_id = :execution_id,
           code = :code, detail = :detail
     WHERE origin_id = :origin_id AND key = :key
""")
FIND = Sql(f"SELECT {_COLUMNS} FROM fires WHERE origin_id = :origin_id AND key = :key")
LIST = Sql(f"""
    SELECT {_COLUMNS} FROM fires WHERE origin_id = :origin_id AND (at_us, key) < (:before_us, :before_key)
     ORDER BY at_us DESC, key DESC LIMIT :limit
""")
SETTLE = Sql("""
    UPDATE fires SET live = 0
     WHERE origin_id = :origin_id AND live = 1
       AND NOT EXISTS (SELECT 1 FROM executions AS e WHERE e.id = fires.execution_id AND e.ended_us IS NULL)
""")
COUNT_LIVE = Sql("SELECT COUNT(*) FROM fires WHERE origin_id = :origin_id AND live = 1")
COUNT_WAITING = Sql("SELECT COUNT(*) FROM fires WHERE origin_id = :origin_id AND outcome = 'waiting'")
OLDEST_WAITING = Sql(f"""
    SELECT {_COLUMNS} FROM fires WHERE origin_id = :origin_id AND outcome = 'waiting'
     ORDER BY due_us LIMIT 1
""")
FREE = Sql("""
    SELECT w.origin_id FROM fires AS w JOIN schedules AS s ON s.id = w.origin_id AND s.status = 'active'
     WHERE w.outcome = 'waiting'
       AND NOT EXISTS (SELECT 1 FROM fires AS l JOIN executions AS e ON e.id = l.execution_id
                        WHERE l.origin_id = w.origin_id AND l.live = 1 AND e.ended_us IS NULL)
     LIMIT 1
""")
DELETE_OF = Sql("DELETE FROM fires WHERE origin_id = :origin_id")
DELETE_OLD = Sql("""
    DELETE FROM fires WHERE (origin_id, key) IN (
      SELECT origin_id, key FROM fires
       WHERE at_us < :before_us AND live = 0 AND outcome <> 'waiting' LIMIT :limit)
""")


def insert_fire(tx: Tx, row: FireRow) -> bool:
    """Note a time; False where it was noted before."""
    return tx.execute(INSERT, **{name: getattr(row, name) for name in _NAMES}) == 1


def update_fire(tx: Tx, row: FireRow) -> None:
    """Write what became of a time that was noted."""
    fixed = {"tenant_id", "due_us"}
    tx.execute(UPDATE, **{name: getattr(row, name) for name in _NAMES if name not in fixed})


def find_fire(tx: Tx, origin_id: str, key: str) -> FireRow | None:
    return tx.one_or_none(FIND, FireRow, origin_id=origin_id, key=key)


def list_fires(tx: Tx, origin_id: str, before: tuple[int, str], limit: int) -> list[FireRow]:
    """List the times of a schedule or trigger, the newest first."""
    return tx.all(LIST, FireRow, origin_id=origin_id, before_us=before[0], before_key=before[1], limit=limit)


def count_live(tx: Tx, origin_id: str) -> int:
    """Return how many executions of a locked schedule have not ended."""
    tx.execute(SETTLE, origin_id=origin_id)
    return tx.one(COUNT_LIVE, int, origin_id=origin_id)


def count_waiting(tx: Tx, origin_id: str) -> int:
    return tx.one(COUNT_WAITING, int, origin_id=origin_id)


def find_oldest_waiting(tx: Tx, origin_id: str) -> FireRow | None:
    return tx.one_or_none(OLDEST_WAITING, FireRow, origin_id=origin_id)


def find_free(tx: Tx) -> str | None:
    """Return a schedule that has a time waiting and nothing that runs, or None."""
    return tx.one_or_none(FREE, str)


def delete_fires_of(tx: Tx, origin_id: str) -> None:
    tx.execute(DELETE_OF, origin_id=origin_id)


def delete_old(tx: Tx, before_us: int, limit: int) -> int:
    """Remove times that are over and older than `before_us`."""
    return tx.execute(DELETE_OLD, before_us=before_us, limit=limit)
