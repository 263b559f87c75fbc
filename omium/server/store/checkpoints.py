"""Checkpoints: states that `checkpoint(name, state)` made durable; a resume sees the newest of each name."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """One saved state; `state` is a value column."""

    id: str
    execution_id: str
    generation: int
    path: str
    name: str
    seq: int
    state: bytes
    state_digest: str
    created_us: int
    superseded_seq: int | None


_COLUMNS = "id, execution_id, generation, path, name, seq, state, state_digest, created_us, superseded_seq"

INSERT = Sql(f"""
    INSERT INTO checkpoints ({_COLUMNS})
    VALUES (:id, :execution_id, :generation, :path, :name, :seq, :state, :state_digest, :created_us,
            :superseded_seq)
    ON CONFLICT (id) DO NOTHING
""")


def insert_checkpoint(tx: Tx, row: CheckpointRow) -> bool:
    """Store a state; False if its id is taken: the same report again, or somebody else's."""
    return tx.execute(INSERT, **{name: getattr(row, name) for name in CheckpointRow.__slots__}) == 1


FIND = Sql(f"SELECT {_COLUMNS} FROM checkpoints WHERE id = :id AND execution_id = :execution_id")


def find_checkpoint(tx: Tx, execution_id: str, checkpoint_id: str) -> CheckpointRow | None:
    return tx.one_or_none(FIND, CheckpointRow, id=checkpoint_id, execution_id=execution_id)


LIST = Sql(f"""
    SELECT {_COLUMNS} FROM checkpoints
     WHERE execution_id = :execution_id AND seq > :after_seq
     ORDER BY seq
     LIMIT :limit
""")


def list_checkpoints(tx: Tx, execution_id: str, *, after_seq: int = 0, limit: int) -> list[CheckpointRow]:
    """Return up to `limit` states after the event `after_seq`, superseded ones too."""
    return tx.all(LIST, CheckpointRow, execution_id=execution_id, after_seq=after_seq, limit=limit)


NEWEST = Sql(f"""
    SELECT {_COLUMNS} FROM checkpoints
     WHERE execution_id = :execution_id AND superseded_seq IS NULL
       AND seq IN (SELECT MAX(seq) FROM checkpoints
                    WHERE execution_id = :execution_id AND superseded_seq IS NULL GROUP BY name)
     ORDER BY seq
""")


def list_newest(tx: Tx, execution_id: str) -> list[CheckpointRow]:
    """Return the newest live state of each name."""
    return tx.all(NEWEST, CheckpointRow, execution_id=execution_id)
