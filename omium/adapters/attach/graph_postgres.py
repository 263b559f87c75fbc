"""LangGraph's PostgresSaver, and its shallow one: three tables, read in transactions that can only read.

A checkpoint is JSON there, but for values that are none: those stand in `checkpoint_blobs`, by their version.
Each question is a transaction of its own, so that nobody's vacuum waits for an import.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from omium.adapters.attach.graph_rows import (
    IDS_MAX,
    WRITES_MAX,
    CheckpointRow,
    ThreadRow,
    WriteRow,
)
from omium.adapters.attach.packed import NotPacked, Packed, read_packed
from omium.adapters.attach.runs import BLOB_BYTES_MAX
from omium.errors import ConfigError

if TYPE_CHECKING:
    import psycopg

SCHEMES: Final = ("postgresql://", "postgres://")
COLUMNS: Final = {
    "checkpoints": {"thread_id", "checkpoint_ns", "checkpoint"},
    "checkpoint_blobs": {"thread_id", "checkpoint_ns", "channel", "type", "blob"},
    "checkpoint_writes": {
        "thread_id",
        "checkpoint_ns",
        "checkpoint_id",
        "task_id",
        "channel",
        "type",
        "blob",
    },
}
KEPT: Final = {"checkpoints": "checkpoint_id", "checkpoint_blobs": "version"}
"""What the shallow saver does not have: it keeps the newest checkpoint, with the newest values."""
_WAIT_S: Final = 10
_LIMIT: Final = b"SET LOCAL statement_timeout = 60000"
_STARTING: Final = ("__", "branch:to:", "join:")
"""Channels by which LangGraph starts nodes."""

_COLUMNS: Final = """
    SELECT table_name, column_name FROM information_schema.columns
     WHERE table_schema = ANY (current_schemas(false)) AND table_name = ANY (%s)
"""
_THREADS: Final = """
    SELECT thread_id, COUNT(*), MAX({id} COLLATE "C") FILTER (WHERE checkpoint_ns = '') AS newest
      FROM checkpoints {where} GROUP BY thread_id ORDER BY newest DESC NULLS LAST, thread_id LIMIT %s
"""
_CHECKPOINT: Final = """
    SELECT {id}, LENGTH(checkpoint::text),
           CASE WHEN LENGTH(checkpoint::text) <= %s THEN checkpoint END
      FROM checkpoints WHERE thread_id = %s AND checkpoint_ns = '' AND {id} = %s
"""
_CHECKPOINTS: Final = """
    SELECT {id} FROM checkpoints WHERE thread_id = %s AND checkpoint_ns = ''
     ORDER BY {id} COLLATE "C" DESC LIMIT %s
"""
_BLOBS: Final = """
    SELECT b.channel, b.type, CASE WHEN LENGTH(b.blob) <= %s THEN b.blob END
      FROM UNNEST(%s::text[], %s::text[]) AS wanted (channel, version)
      JOIN checkpoint_blobs AS b ON b.channel = wanted.channel AND {version} = wanted.version
     WHERE b.thread_id = %s AND b.checkpoint_ns = ''
"""
_WRITES: Final = """
    SELECT checkpoint_id, task_id, {path}, channel, type, CASE WHEN LENGTH(blob) <= %s THEN blob END,
           LENGTH(blob)
      FROM checkpoint_writes WHERE thread_id = %s AND checkpoint_ns = '' AND checkpoint_id = %s
"""
_LAST_WORD: Final = (
    _WRITES
    + """   AND channel IN ('__error__', '__interrupt__')
     ORDER BY age(xmin), ctid DESC LIMIT 1
"""
)  # a task that is tried again writes its row anew, in a transaction that is younger


@contextmanager
def open_postgres(url: str) -> Iterator[PostgresRows]:
    """Yield the rows of the saver in the database at `url`.

    Raises `ConfigError` where it cannot be reached, or holds no such tables; no password is in its message.
    """
    try:
        import psycopg  # noqa: PLC0415  # an extra: who attaches files does not need it
    except ImportError:
        raise ConfigError("Reading PostgreSQL needs a driver: pip install 'omium-os[postgres]'.") from None
    try:
        parts = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        raise ConfigError(
            "This is no PostgreSQL URL; one looks like postgresql://user@host:5432/database."
        ) from None
    name = f"the database {parts.get('dbname') or '(default)'} at {parts.get('host') or 'this machine'}"
    try:
        with psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=_WAIT_S,
            application_name="omium attach",
        ) as connection:
            connection.read_only = True  # each transaction begins so: poolers in between know no options
            connection.prepare_threshold = None  # nor statements that were prepared
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            yield PostgresRows(connection, name)
    except psycopg.Error as error:
        said = " ".join(str(error).split())[:300]
        for secret in {str(parts.get("password") or ""), url}:
            said = said.replace(secret, "***") if secret else said
        raise ConfigError(f"{name[0].upper()}{name[1:]} cannot be read: {said.rstrip('.')}.") from None


class PostgresRows:
    """Rows through a connection whose transactions can only read; raises `ConfigError` for other tables."""

    def __init__(self, connection: psycopg.Connection, name: str) -> None:
        self._connection = connection
        columns: dict[str, set[str]] = {}
        for table, column in self._ask(_COLUMNS, list(COLUMNS)):
            columns.setdefault(table, set()).add(column)
        for table, needed in COLUMNS.items():
            if not needed <= columns.get(table, set()):
                raise ConfigError(
                    f"{name[0].upper()}{name[1:]} holds no runs of LangGraph's PostgresSaver: its table"
                    f" {table!r} is missing or another. Is its schema in the search path?"
                )
        self._path = "task_path" if "task_path" in columns["checkpoint_writes"] else "''"
        self.is_shallow = not any(column in columns[table] for table, column in KEPT.items())
        if not self.is_shallow and not all(column in columns[table] for table, column in KEPT.items()):
            raise ConfigError(
                f"{name[0].upper()}{name[1:]} holds tables of LangGraph's PostgresSaver and of its shallow"
                " one together; name the schema of either: ?options=-csearch_path%3Dname."
            )
        self._id = "(checkpoint ->> 'id')" if self.is_shallow else "checkpoint_id"
        self._version = "wanted.version" if self.is_shallow else "b.version"

    def _ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._connection.transaction():
            self._connection.execute(_LIMIT)
            return self._connection.execute(query.encode(), values).fetchall()

    def list_threads(self, limit: int) -> list[ThreadRow]:
        """Return at most `limit` threads, the newest first."""
        return [ThreadRow(*row) for row in self._ask(_THREADS.format(id=self._id, where=""), limit)]

    def find_thread(self, thread_id: str) -> ThreadRow | None:
        """Return a thread by its id."""
        if "\x00" in thread_id:  # no text there has one
            return None
        found = self._ask(_THREADS.format(id=self._id, where="WHERE thread_id = %s"), thread_id, 1)
        return ThreadRow(*found[0]) if found else None

    def find_checkpoint(
        self, thread_id: str, checkpoint_id: str | None, *, whole: bool = False
    ) -> CheckpointRow | None:
        """Return one checkpoint of the graph itself; without `whole` only with channels that start nodes."""
        found = self._ask(_CHECKPOINT.format(id=self._id), BLOB_BYTES_MAX, thread_id, checkpoint_id)
        if not found:
            return None
        checkpoint_id, size_bytes, members = found[0]
        if not isinstance(members, dict) or not members:
            note = f"its checkpoint ({size_bytes} bytes) is not of a form or size that is read"
            return CheckpointRow(str(checkpoint_id), {}, note)
        versions, values = members.get("channel_versions"), members.get("channel_values")
        wanted = {
            channel: str(version)
            for channel, version in (versions.items() if isinstance(versions, dict) else ())
            if whole or channel.startswith(_STARTING)
        }
        query = _BLOBS.format(version=self._version)
        blobs = self._ask(query, BLOB_BYTES_MAX, list(wanted), list(wanted.values()), thread_id)
        held = _read_blobs(blobs) | (values if isinstance(values, dict) else {})
        return CheckpointRow(
            str(checkpoint_id), cast("dict[str, Packed]", members | {"channel_values": held})
        )

    def find_last_word(self, thread_id: str, checkpoint_id: str | None) -> WriteRow | None:
        """Return the error or the question that was written last after a checkpoint."""
        query = _LAST_WORD.format(path=self._path)
        found = self._ask(query, BLOB_BYTES_MAX, thread_id, checkpoint_id)
        return WriteRow(*found[0]) if found else None

    def list_checkpoints(self, thread_id: str) -> list[str]:
        """Return the ids of those of the graph itself, the oldest first."""
        return [id_ for (id_,) in self._ask(_CHECKPOINTS.format(id=self._id), thread_id, IDS_MAX)][::-1]

    def list_writes(self, thread_id: str, checkpoint_id: str) -> list[WriteRow]:
        """Return what tasks wrote after a checkpoint, in no order."""
        query = _WRITES.format(path=self._path) + " LIMIT %s"
        found = self._ask(query, BLOB_BYTES_MAX, thread_id, checkpoint_id, WRITES_MAX)
        return [WriteRow(*row) for row in found]


def _read_blobs(rows: list[tuple[Any, ...]]) -> dict[str, Packed]:
    """Return the values that can be read, by channel; a channel that is empty has none."""
    found: dict[str, Packed] = {}
    for channel, kind, blob in rows:
        if kind == "null":
            found[channel] = None
        elif kind == "msgpack" and isinstance(blob, bytes):
            try:
                found[channel] = read_packed(blob)
            except NotPacked:
                continue
    return found
