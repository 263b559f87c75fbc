"""Compensations: the list that a rollback planned, one row per effect to undo, position 0 first."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.sql import Sql
from omium.server.db.tx import SqlValue, Tx


@dataclass(frozen=True, slots=True)
class CompensationRow:
    """One compensation; `path` is its step (`~` and the effect's path)."""

    execution_id: str
    generation: int
    position: int
    effect_key: str
    path: str
    compensate: str
    status: str
    attempt: int
    error: bytes | None
    ended_us: int | None
    decided_by: str | None


@dataclass(frozen=True, slots=True)
class PendingCompensation:
    """What a driver needs to run one; the effect's values are as stored (`engine.values` opens them)."""

    position: int
    path: str
    effect_path: str
    effect_key: str
    compensate: str
    status: str
    attempt: int
    input: bytes | None
    output: bytes | None


_COLUMNS = """execution_id, generation, position, effect_key, path, compensate, status, attempt, error,
ended_us,
       decided_by"""

INSERT = Sql(f"""
    INSERT INTO compensations ({_COLUMNS})
    VALUES (:execution_id, :generation, :position, :effect_key, :path, :compensate, :status, :attempt, :error,
            :ended_us, :decided_by)
""")
LIST = Sql(f"""
    SELECT {_COLUMNS} FROM compensations WHERE execution_id = :execution_id ORDER BY generation, position
""")
PENDING = Sql("""
    SELECT c.position, c.path, e.path AS effect_path, c.effect_key, c.compensate, c.status, c.attempt,
    e.input,
           e.output
      FROM compensations AS c JOIN effects AS e ON e.tenant_id = :tenant_id AND e.effect_key = c.effect_key
     WHERE c.execution_id = :execution_id AND c.generation = :generation AND c.status IN ('pending', 'failed')
     ORDER BY c.position
""")
COUNT_UNENDED = Sql("""
    SELECT COUNT(*) FROM compensations
     WHERE execution_id = :execution_id AND generation = :generation AND status IN ('pending', 'failed')
""")
FIND = Sql(f"""
    SELECT {_COLUMNS} FROM compensations
     WHERE execution_id = :execution_id AND generation = :generation AND position = :position
""")
END = Sql("""
    UPDATE compensations
       SET status = :status, attempt = :attempt, error = :error, ended_us = :now_us, decided_by = :decided_by
     WHERE execution_id = :execution_id AND generation = :generation AND position = :position
       AND status IN ('pending', 'failed')
""")  # ends once: what is completed or skipped stays so
MARK_EFFECT = Sql("""
    UPDATE effects SET compensated = 1 WHERE tenant_id = :tenant_id AND effect_key = :effect_key
""")


def insert_compensations(tx: Tx, rows: list[CompensationRow]) -> None:
    tx.execute_many(INSERT, [_columns(row) for row in rows])


def list_compensations(tx: Tx, execution_id: str) -> list[CompensationRow]:
    """List what every rollback of an execution planned, in the order in which it runs."""
    return tx.all(LIST, CompensationRow, execution_id=execution_id)


def list_pending(tx: Tx, tenant_id: str, execution_id: str, generation: int) -> list[PendingCompensation]:
    """List what has neither been completed nor skipped, the next one first."""
    return tx.all(
        PENDING, PendingCompensation, tenant_id=tenant_id, execution_id=execution_id, generation=generation
    )


def count_unended(tx: Tx, execution_id: str, generation: int) -> int:
    return tx.one(COUNT_UNENDED, int, execution_id=execution_id, generation=generation)


def find_compensation(tx: Tx, execution_id: str, generation: int, position: int) -> CompensationRow | None:
    return tx.one_or_none(
        FIND, CompensationRow, execution_id=execution_id, generation=generation, position=position
    )


def end_compensation(
    tx: Tx,
    row: CompensationRow,
    *,
    status: str,
    attempt: int,
    error: bytes | None = None,
    decided_by: str | None = None,
) -> bool:
    """End a compensation that has not ended; False where it has."""
    ended = tx.execute(
        END,
        execution_id=row.execution_id,
        generation=row.generation,
        position=row.position,
        status=status,
        attempt=attempt,
        error=error,
        now_us=tx.now_us,
        decided_by=decided_by,
    )
    return ended == 1


def mark_compensated(tx: Tx, tenant_id: str, effect_key: str) -> None:
    tx.execute(MARK_EFFECT, tenant_id=tenant_id, effect_key=effect_key)


def _columns(row: CompensationRow) -> dict[str, SqlValue]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__}
