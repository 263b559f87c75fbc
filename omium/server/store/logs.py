"""Captured lines of steps, in the chunks in which they came.

Attempts are counted anew after a rollback, so chunks are numbered on: `numbered`. A chunk's `lines` is a JSON
list. What was dropped of an attempt is counted in one further row, `MARKER_CHUNK`, whose `lines` is
`{"dropped": lines, "through": chunk}`.
"""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.sql import Sql
from omium.server.db.tx import SqlValue, Tx

END_CHUNK = 2**31  # lines that travel with the step's end; a client's own chunks are below
MARKER_CHUNK = END_CHUNK + 1
_OF_GENERATION = 2**40  # more than the chunks of one attempt


@dataclass(frozen=True, slots=True)
class LogChunk:
    """One chunk of a step's attempt."""

    path: str
    attempt: int
    chunk: int
    at_us: int
    lines: bytes


def numbered(chunk: int, generation: int) -> int:
    """Return the number under which a chunk of an attempt in `generation` (from 1) is stored."""
    return (generation - 1) * _OF_GENERATION + chunk


def is_marker(number: int) -> bool:
    """Say whether what is stored under `number` counts what was dropped."""
    return number % _OF_GENERATION == MARKER_CHUNK


HELD = Sql("""
    SELECT CAST(COALESCE(SUM(LENGTH(lines)), 0) AS {int64}) AS held_bytes
      FROM step_logs
     WHERE execution_id = :execution_id AND path = :path
""")  # at most a few hundred short rows: the bound on a step's bytes bounds them
INSERT = Sql("""
    INSERT INTO step_logs (execution_id, path, attempt, chunk, at_us, lines)
    VALUES (:execution_id, :path, :attempt, :chunk, :at_us, :lines)
    ON CONFLICT (execution_id, path, attempt, chunk) DO NOTHING
""")  # a chunk is numbered by its writer: a repeat changes nothing
_AFTER = "(path, attempt, chunk) > (:after_path, :after_attempt, :after_chunk)"
LIST = Sql(f"""
    SELECT path, attempt, chunk, at_us, lines FROM step_logs
     WHERE execution_id = :execution_id AND {_AFTER}
     ORDER BY path, attempt, chunk LIMIT :limit
""")
LIST_OF_STEP = Sql(f"""
    SELECT path, attempt, chunk, at_us, lines FROM step_logs
     WHERE execution_id = :execution_id AND path = :path AND {_AFTER}
     ORDER BY path, attempt, chunk LIMIT :limit
""")
FIND = Sql("""
    SELECT lines FROM step_logs
     WHERE execution_id = :execution_id AND path = :path AND attempt = :attempt AND chunk = :chunk
""")
PUT = Sql("""
    INSERT INTO step_logs (execution_id, path, attempt, chunk, at_us, lines)
    VALUES (:execution_id, :path, :attempt, :chunk, :at_us, :lines)
    ON CONFLICT (execution_id, path, attempt, chunk) DO UPDATE SET lines = excluded.lines
""")


def sum_bytes(tx: Tx, execution_id: str, path: str) -> int:
    """Return how many bytes a step's logs hold."""
    return tx.one(HELD, int, execution_id=execution_id, path=path)


def find_chunk(tx: Tx, execution_id: str, path: str, attempt: int, chunk: int) -> bytes | None:
    return tx.one_or_none(FIND, bytes, execution_id=execution_id, path=path, attempt=attempt, chunk=chunk)


def insert_chunk(tx: Tx, execution_id: str, chunk: LogChunk) -> bool:
    """Insert a chunk; False where it was written before."""
    return tx.execute(INSERT, execution_id=execution_id, **_columns(chunk)) == 1


def put_chunk(tx: Tx, execution_id: str, chunk: LogChunk) -> None:
    """Insert a chunk, or replace the lines of the one that is there."""
    tx.execute(PUT, execution_id=execution_id, **_columns(chunk))


def list_chunks(
    tx: Tx, execution_id: str, path: str | None, *, after: tuple[str, int, int], limit: int
) -> list[LogChunk]:
    """List the chunks of a step, or of all steps, in order, after (path, attempt, chunk)."""
    after_path, after_attempt, after_chunk = after
    window: dict[str, SqlValue] = {"execution_id": execution_id, "limit": limit}
    window |= {"after_path": after_path, "after_attempt": after_attempt, "after_chunk": after_chunk}
    if path is None:
        return tx.all(LIST, LogChunk, **window)
    return tx.all(LIST_OF_STEP, LogChunk, path=path, **window)


def _columns(chunk: LogChunk) -> dict[str, SqlValue]:
    return {name: getattr(chunk, name) for name in chunk.__dataclass_fields__}
