"""CrewAI's SqliteProvider: one table, each checkpoint a row, as SQLite's JSONB or as text."""

from __future__ import annotations

import sqlite3
from typing import Final, cast

from omium.adapters.attach.crew_rows import Document, StoredCheckpoint, parse
from omium.adapters.attach.jsonb import NotJsonb, read_jsonb
from omium.adapters.attach.runs import BLOB_BYTES_MAX

COLUMNS: Final = {"checkpoints": {"id", "created_at", "parent_id", "branch", "data"}}
_ROWS_MAX: Final = 50_000
_LIST: Final = "SELECT id, parent_id FROM checkpoints ORDER BY id DESC LIMIT ?"
_LOAD: Final = "SELECT CASE WHEN LENGTH(data) <= ? THEN data END FROM checkpoints WHERE id IS ?"


class SqliteCheckpoints:
    """Rows through a connection that can only read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def list_checkpoints(self) -> list[StoredCheckpoint]:
        """Return all of them."""
        return [
            StoredCheckpoint(str(id_), None if parent_id is None else str(parent_id), str(id_))
            for id_, parent_id in self._connection.execute(_LIST, (_ROWS_MAX,))
        ]

    def load(self, stored: StoredCheckpoint) -> tuple[Document | None, int]:
        """Return one as the document that it is, None where it cannot be read; and how many bytes were."""
        row = self._connection.execute(_LOAD, (BLOB_BYTES_MAX, stored.place)).fetchone()
        data = row[0] if row is not None else None
        if not isinstance(data, str | bytes):
            return None, 0
        return _read(data), len(data)


def _read(data: str | bytes) -> Document | None:
    if isinstance(data, str):
        return parse(data)
    try:
        found = read_jsonb(data)
    except NotJsonb:
        return parse(data)  # JSON, kept as bytes
    return cast("Document", found) if isinstance(found, dict) else None
