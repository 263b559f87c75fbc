"""Epochs: every grant of an execution to a driver, with its process and its code (semantics 2.5, 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One grant; `process` and `code` are JSON."""

    epoch: int
    granted_us: int
    granted_to: str
    cause: str
    process: bytes | None
    code: bytes | None


INSERT = Sql("""
    INSERT INTO epochs (execution_id, epoch, granted_us, granted_to, cause, process, code)
    VALUES (:execution_id, :epoch, :now_us, :granted_to, :cause, :process, :code)
""")


def insert_epoch(
    tx: Tx,
    execution_id: str,
    epoch: int,
    *,
    granted_to: str,
    cause: str,
    process: bytes | None,
    code: bytes | None,
) -> None:
    tx.execute(
        INSERT,
        execution_id=execution_id,
        epoch=epoch,
        now_us=tx.now_us,
        granted_to=granted_to,
        cause=cause,
        process=process,
        code=code,
    )


FIND = Sql("""
    SELECT epoch, granted_us, granted_to, cause, process, code
      FROM epochs WHERE execution_id = :execution_id AND epoch = :epoch
""")


def find_epoch(tx: Tx, execution_id: str, epoch: int) -> EpochRow | None:
    return tx.one_or_none(FIND, EpochRow, execution_id=execution_id, epoch=epoch)


LIST = Sql("""
    SELECT epoch, granted_us, granted_to, cause, process, code
      FROM epochs WHERE execution_id = :execution_id ORDER BY epoch
""")


def list_epochs(tx: Tx, execution_id: str) -> list[EpochRow]:
    return tx.all(LIST, EpochRow, execution_id=execution_id)
