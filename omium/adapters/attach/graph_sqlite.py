"""LangGraph's SqliteSaver: its two tables, whose values are MessagePack."""

from __future__ import annotations

import sqlite3
from typing import Final

from omium.adapters.attach.graph_rows import (
    IDS_MAX,
    WRITES_MAX,
    CheckpointRow,
    ThreadRow,
    WriteRow,
    unpack_checkpoint,
)
from omium.adapters.attach.runs import BLOB_BYTES_MAX

COLUMNS: Final = {
    "checkpoints": {"thread_id", "checkpoint_ns", "checkpoint_id", "type", "checkpoint"},
    "writes": {"thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "channel", "type", "value"},
}

_THREADS: Final = """
    SELECT thread_id, COUNT(*), MAX(CASE WHEN checkpoint_ns = '' THEN checkpoint_id END) AS newest
      FROM checkpoints {where} GROUP BY thread_id ORDER BY newest DESC, thread_id LIMIT ?
"""
_CHECKPOINT: Final = """
    SELECT checkpoint_id, type, LENGTH(checkpoint), CASE WHEN LENGTH(checkpoint) <= ? THEN checkpoint END
      FROM checkpoints WHERE thread_id IS ? AND checkpoint_ns = '' AND checkpoint_id IS ?
"""
_CHECKPOINTS: Final = """
    SELECT checkpoint_id FROM checkpoints WHERE thread_id IS ? AND checkpoint_ns = ''
     ORDER BY checkpoint_id DESC LIMIT ?
"""
_WRITES: Final = """
    SELECT checkpoint_id, task_id, {path}, channel, type, CASE WHEN LENGTH(value) <= ? THEN value END,
           LENGTH(value)
      FROM writes WHERE thread_id IS ? AND checkpoint_ns = '' AND checkpoint_id IS ?
"""
_LAST_WORD: Final = (
    _WRITES
    + """   AND channel IN ('__error__', '__interrupt__')
     ORDER BY rowid DESC LIMIT 1
"""
)  # a task that is tried again writes its rows anew, so the last row is the last attempt's


class SqliteRows:
    """Rows through a connection that can only read; `tables` was checked by whoever opened it."""

    is_shallow = False

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        columns = {row[1] for row in connection.execute("PRAGMA table_info(writes)")}
        self._path = "task_path" if "task_path" in columns else "''"

    def list_threads(self, limit: int) -> list[ThreadRow]:
        """Return at most `limit` threads, the newest first."""
        found = self._connection.execute(_THREADS.format(where=""), (limit,))
        return [_read_thread(*row) for row in found]

    def find_thread(self, thread_id: str) -> ThreadRow | None:
        """Return a thread by its id."""
        query = _THREADS.format(where="WHERE thread_id IS ?")
        row = self._connection.execute(query, (thread_id, 1)).fetchone()
        return _read_thread(*row) if row is not None else None

    def find_checkpoint(
        self, thread_id: str, checkpoint_id: str | None, *, whole: bool = False
    ) -> CheckpointRow | None:
        """Return one checkpoint of the graph itself, which is always whole here."""
        del whole
        query = (BLOB_BYTES_MAX, thread_id, checkpoint_id)
        row = self._connection.execute(_CHECKPOINT, query).fetchone()
        return _read_checkpoint(*row) if row is not None else None

    def find_last_word(self, thread_id: str, checkpoint_id: str | None) -> WriteRow | None:
        """Return the error or the question that was written last after a checkpoint."""
        query = _LAST_WORD.format(path=self._path)
        row = self._connection.execute(query, (BLOB_BYTES_MAX, thread_id, checkpoint_id)).fetchone()
        return _read_write(*row) if row is not None else None

    def list_checkpoints(self, thread_id: str) -> list[str]:
        """Return the ids of those of the graph itself, the oldest first."""
        found = self._connection.execute(_CHECKPOINTS, (thread_id, IDS_MAX))
        return [str(checkpoint_id) for (checkpoint_id,) in found][::-1]

    def list_writes(self, thread_id: str, checkpoint_id: str) -> list[WriteRow]:
        """Return what tasks wrote after a checkpoint, in no order."""
        query = _WRITES.format(path=self._path) + " LIMIT ?"
        found = self._connection.execute(query, (BLOB_BYTES_MAX, thread_id, checkpoint_id, WRITES_MAX))
        return [_read_write(*row) for row in found]


def _read_thread(thread_id: object, count: int, newest: object) -> ThreadRow:
    return ThreadRow(str(thread_id), count, None if newest is None else str(newest))


def _read_checkpoint(checkpoint_id: object, kind: object, size_bytes: object, blob: object) -> CheckpointRow:
    return CheckpointRow(str(checkpoint_id), *unpack_checkpoint(kind, size_bytes, blob))


def _read_write(
    checkpoint_id: object,
    task_id: object,
    path: object,
    channel: object,
    kind: object,
    value: object,
    size_bytes: object,
) -> WriteRow:
    return WriteRow(
        str(checkpoint_id),
        str(task_id),
        str(path),
        str(channel),
        str(kind),
        value if isinstance(value, bytes) else None,
        size_bytes if isinstance(size_bytes, int) else 0,
    )
