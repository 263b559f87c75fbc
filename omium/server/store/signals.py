"""Signals: what was told to an execution by name, in order, until a node or a step takes it.

A node's record counts the payload of the signal that it took. A step has a record of its own, beside the
signal that it was given: of executions that workers drive, all signals count theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class SignalRow:
    """A signal; `payload` is a value column with its digest, `seq` the event that tells of it."""

    name: str
    signal_id: str
    seq: int
    payload: bytes
    digest: str
    received_us: int
    consumed_by: str | None


COLUMNS = ", ".join(field.name for field in fields(SignalRow))
INSERT = Sql(f"""
    INSERT INTO signals (execution_id, {COLUMNS})
    VALUES (:execution_id, :name, :signal_id, :seq, :payload, :digest, :received_us, :consumed_by)
    ON CONFLICT (execution_id, name, signal_id) DO NOTHING
""")
FIND = Sql(f"""
    SELECT {COLUMNS} FROM signals
     WHERE execution_id = :execution_id AND name = :name AND signal_id = :signal_id
""")
FIND_NEXT = Sql(f"""
    SELECT {COLUMNS} FROM signals
     WHERE execution_id = :execution_id AND name = :name AND consumed_by IS NULL
     ORDER BY seq LIMIT 1
""")
FIND_TAKEN = Sql(f"""
    SELECT {COLUMNS} FROM signals
     WHERE execution_id = :execution_id AND name = :name AND consumed_by = :path
     ORDER BY seq LIMIT 1
""")
COUNT_WAITING = Sql("""
    SELECT COUNT(*) FROM (
      SELECT 1 FROM signals WHERE execution_id = :execution_id AND consumed_by IS NULL LIMIT :limit) AS few
""")
CONSUME = Sql("""
    UPDATE signals SET consumed_by = :path
     WHERE execution_id = :execution_id AND name = :name AND signal_id = :signal_id AND consumed_by IS NULL
""")


def insert_signal(tx: Tx, execution_id: str, row: SignalRow) -> bool:
    """Keep a signal; False if one with its id has come before."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return tx.execute(INSERT, execution_id=execution_id, **values) == 1


def find_signal(tx: Tx, execution_id: str, name: str, signal_id: str) -> SignalRow | None:
    return tx.one_or_none(FIND, SignalRow, execution_id=execution_id, name=name, signal_id=signal_id)


def find_next(tx: Tx, execution_id: str, name: str) -> SignalRow | None:
    """Return the signal of that name that came first and that nobody has taken."""
    return tx.one_or_none(FIND_NEXT, SignalRow, execution_id=execution_id, name=name)


def find_taken(tx: Tx, execution_id: str, name: str, path: str) -> SignalRow | None:
    """Return the signal of that name that the step at `path` has taken."""
    return tx.one_or_none(FIND_TAKEN, SignalRow, execution_id=execution_id, name=name, path=path)


def count_waiting(tx: Tx, execution_id: str, limit: int) -> int:
    """Return how many signals nobody has taken, up to `limit`."""
    return tx.one(COUNT_WAITING, int, execution_id=execution_id, limit=limit)


def consume(tx: Tx, execution_id: str, row: SignalRow, path: str) -> None:
    """Give a signal to the node at `path`; the caller has locked the execution."""
    taken = tx.execute(CONSUME, execution_id=execution_id, name=row.name, signal_id=row.signal_id, path=path)
    assert taken == 1, f"signal {row.signal_id} was there in this transaction"
