"""Batch replays: a group's open occurrences, replayed one after another by a sweep."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A row of `replay_batches`; `command` is a value column, `skipped` a JSON object."""

    id: str
    tenant_id: str
    failure_id: str
    started_by: str
    status: str
    stopped_reason: str | None
    command: bytes
    remaining: int
    launched: int
    skipped: bytes
    after_us: int
    after_id: str
    next_us: int
    created_us: int
    updated_us: int


@dataclass(frozen=True, slots=True)
class BatchCount:
    """How many executions of a batch stand at a status."""

    status: str
    executions: int


_NAMES = tuple(BatchRow.__dataclass_fields__)
_COLUMNS = ", ".join(_NAMES)
_CHANGING = (
    "status",
    "stopped_reason",
    "remaining",
    "launched",
    "skipped",
    "after_us",
    "after_id",
    "next_us",
)

INSERT = Sql(f"""
    INSERT INTO replay_batches ({_COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
    ON CONFLICT (failure_id) WHERE status = 'running' DO NOTHING
""")
LOCK = Sql(f"SELECT {_COLUMNS} FROM replay_batches WHERE id = :id {{for_update}}")
UPDATE = Sql(f"""
    UPDATE replay_batches SET {", ".join(f"{name} = :{name}" for name in _CHANGING)}, updated_us = :updated_us
     WHERE id = :id
""")
NEWEST = Sql(f"""
    SELECT {_COLUMNS} FROM replay_batches WHERE failure_id = :failure_id ORDER BY created_us DESC, id DESC
    LIMIT 1
""")
LOCK_DUE = Sql(f"""
    SELECT {_COLUMNS} FROM replay_batches WHERE status = 'running' AND next_us <= :now_us
     ORDER BY next_us LIMIT 1 {{skip_locked}}
""")
COUNT = Sql("""
    SELECT status, COUNT(*) AS executions FROM executions WHERE replay_batch = :batch_id GROUP BY status
""")
FAILED_AGAIN = Sql("""
    SELECT e.id FROM executions AS e JOIN failure_occurrences AS o ON o.execution_id = e.id
     WHERE e.replay_batch = :batch_id AND o.failure_id = :failure_id LIMIT 1
""")
KEY_STATUS = Sql("SELECT status FROM api_keys WHERE id = :id AND tenant_id = :tenant_id")


def insert_batch(tx: Tx, row: BatchRow) -> bool:
    """Store a batch that begins; False while another one of its group runs."""
    return tx.execute(INSERT, **{name: getattr(row, name) for name in _NAMES}) == 1


def lock_batch(tx: Tx, batch_id: str) -> BatchRow | None:
    """Return the batch with that id, locked until the transaction ends, or None."""
    return tx.one_or_none(LOCK, BatchRow, id=batch_id)


def update_batch(tx: Tx, row: BatchRow) -> None:
    """Write what may change of a batch that the caller has locked."""
    values = {name: getattr(row, name) for name in _CHANGING}
    tx.execute(UPDATE, id=row.id, updated_us=tx.now_us, **values)


def find_newest(tx: Tx, failure_id: str) -> BatchRow | None:
    """Return the newest batch of a group; only that one can be running."""
    return tx.one_or_none(NEWEST, BatchRow, failure_id=failure_id)


def lock_due(tx: Tx, now_us: int) -> BatchRow | None:
    """Return a running batch whose next start is due, locked."""
    return tx.one_or_none(LOCK_DUE, BatchRow, now_us=now_us)


def count_executions(tx: Tx, batch_id: str) -> dict[str, int]:
    """Count what a batch has started, by status."""
    return {row.status: row.executions for row in tx.all(COUNT, BatchCount, batch_id=batch_id)}


def find_failed_again(tx: Tx, batch_id: str, failure_id: str) -> str | None:
    """Return an execution of the batch that failed in the very group that it replays."""
    return tx.one_or_none(FAILED_AGAIN, str, batch_id=batch_id, failure_id=failure_id)


def find_key_status(tx: Tx, tenant_id: str, key_id: str) -> str | None:
    return tx.one_or_none(KEY_STATUS, str, id=key_id, tenant_id=tenant_id)
