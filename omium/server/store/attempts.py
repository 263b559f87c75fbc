"""Attempts: failed tries of steps. The last word on a step is its row in `steps`; this is its history."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One failed try; `error` is JSON, redacted; `delay_us` until the next, None if none follows."""

    execution_id: str
    path: str
    generation: int
    attempt: int
    epoch: int
    error: bytes
    started_us: int
    ended_us: int
    delay_us: int | None


_COLUMNS = "execution_id, path, generation, attempt, epoch, error, started_us, ended_us, delay_us"

INSERT = Sql(f"""
    INSERT INTO step_attempts ({_COLUMNS})
    VALUES (:execution_id, :path, :generation, :attempt, :epoch, :error, :started_us, :ended_us, :delay_us)
    ON CONFLICT (execution_id, path, generation, attempt, epoch) DO NOTHING
""")  # a try fails once; a repeat of the report changes nothing


def insert_attempt(tx: Tx, row: AttemptRow) -> bool:
    """Store a failed try; False if it is stored already."""
    return tx.execute(INSERT, **{name: getattr(row, name) for name in AttemptRow.__slots__}) == 1


FIND = Sql(f"""
    SELECT {_COLUMNS} FROM step_attempts
     WHERE execution_id = :execution_id AND path = :path AND generation = :generation AND attempt = :attempt
       AND epoch = :epoch
""")


def find_attempt(
    tx: Tx, execution_id: str, path: str, generation: int, attempt: int, epoch: int
) -> AttemptRow | None:
    return tx.one_or_none(
        FIND,
        AttemptRow,
        execution_id=execution_id,
        path=path,
        generation=generation,
        attempt=attempt,
        epoch=epoch,
    )


LIST = Sql(f"""
    SELECT {_COLUMNS} FROM step_attempts
     WHERE execution_id = :execution_id
       AND (path, generation, attempt, epoch) > (:path, :generation, :attempt, :epoch)
     ORDER BY path, generation, attempt, epoch
     LIMIT :limit
""")


def list_attempts(
    tx: Tx, execution_id: str, *, after: tuple[str, int, int, int] = ("", 0, 0, 0), limit: int
) -> list[AttemptRow]:
    """Return up to `limit` failed tries after (path, generation, attempt, epoch)."""
    path, generation, attempt, epoch = after
    return tx.all(
        LIST,
        AttemptRow,
        execution_id=execution_id,
        path=path,
        generation=generation,
        attempt=attempt,
        epoch=epoch,
        limit=limit,
    )


LIST_OF_STEP = Sql(f"""
    SELECT {_COLUMNS} FROM step_attempts
     WHERE execution_id = :execution_id AND path = :path
       AND (generation, attempt, epoch) > (:generation, :attempt, :epoch)
     ORDER BY generation, attempt, epoch
     LIMIT :limit
""")


def list_step_attempts(
    tx: Tx, execution_id: str, path: str, *, after: tuple[int, int, int] = (0, 0, 0), limit: int = 100
) -> list[AttemptRow]:
    """Return up to `limit` failed tries of one step after (generation, attempt, epoch)."""
    generation, attempt, epoch = after
    return tx.all(
        LIST_OF_STEP,
        AttemptRow,
        execution_id=execution_id,
        path=path,
        generation=generation,
        attempt=attempt,
        epoch=epoch,
        limit=limit,
    )
