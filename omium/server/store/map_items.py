"""Items: what those of a map that is under way have come to. They go when the map ends."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx

PUT = Sql("""
    INSERT INTO map_items (execution_id, path, position, output, error)
    VALUES (:execution_id, :path, :position, :output, :error)
    ON CONFLICT (execution_id, path, position) DO UPDATE SET output = excluded.output, error = excluded.error
""")
LIST = Sql("""
    SELECT position, output, error FROM map_items
     WHERE execution_id = :execution_id AND path = :path ORDER BY position
""")
DELETE_FAILED = Sql("""
    DELETE FROM map_items WHERE execution_id = :execution_id AND path = :path AND error IS NOT NULL
""")
DELETE = Sql("DELETE FROM map_items WHERE execution_id = :execution_id AND path = :path")


@dataclass(frozen=True, slots=True)
class ItemRow:
    """What an item has come to; one of the two is there."""

    position: int
    output: bytes | None
    error: bytes | None


def put_item(
    tx: Tx, execution_id: str, path: str, position: int, *, output: bytes | None, error: bytes | None
) -> None:
    tx.send(PUT, execution_id=execution_id, path=path, position=position, output=output, error=error)


def list_items(tx: Tx, execution_id: str, path: str) -> list[ItemRow]:
    """Return what has ended of a map, in order."""
    return tx.all(LIST, ItemRow, execution_id=execution_id, path=path)


def delete_failed(tx: Tx, execution_id: str, path: str) -> None:
    tx.send(DELETE_FAILED, execution_id=execution_id, path=path)


def delete_items(tx: Tx, execution_id: str, path: str) -> None:
    tx.send(DELETE, execution_id=execution_id, path=path)
