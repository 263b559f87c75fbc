"""Rows of a LangGraph saver, the same from SQLite and from PostgreSQL.

Where they come from is graph_sqlite.py's and graph_postgres.py's, what they mean threads.py's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from omium.adapters.attach.packed import NotPacked, Packed, read_packed

CHECKPOINTS_MAX: Final = 5_000
"""Of one thread: what is read for an import, the newest of them."""
IDS_MAX: Final = 200_000
WRITES_MAX: Final = 10_000
"""Of one checkpoint: what its tasks wrote."""


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A thread: how many checkpoints it has, and the id of the newest that is not a subgraph's."""

    thread_id: str
    checkpoints: int
    newest_id: str | None


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A checkpoint; `members` is empty where it cannot be read, and `note` says why."""

    checkpoint_id: str
    members: dict[str, Packed]
    note: str = ""


@dataclass(frozen=True, slots=True)
class WriteRow:
    """What a task wrote after a checkpoint; `path` is empty where the saver does not tell it."""

    checkpoint_id: str
    task_id: str
    path: str
    channel: str
    type: str
    value: bytes | None
    size_bytes: int


class GraphRows(Protocol):
    """A saver's tables."""

    is_shallow: bool
    """Whether only the newest checkpoint of a thread is kept."""

    def list_threads(self, limit: int) -> list[ThreadRow]:
        """Return at most `limit` threads, the newest first."""
        ...

    def find_thread(self, thread_id: str) -> ThreadRow | None:
        """Return a thread by its id."""
        ...

    def find_checkpoint(
        self, thread_id: str, checkpoint_id: str | None, *, whole: bool = False
    ) -> CheckpointRow | None:
        """Return one checkpoint of the graph itself; without `whole` it may have only what starts nodes."""
        ...

    def find_last_word(self, thread_id: str, checkpoint_id: str | None) -> WriteRow | None:
        """Return the error or the question that was written last after a checkpoint."""
        ...

    def list_checkpoints(self, thread_id: str) -> list[str]:
        """Return the ids of those of the graph itself, the newest `IDS_MAX`, the oldest first."""
        ...

    def list_writes(self, thread_id: str, checkpoint_id: str) -> list[WriteRow]:
        """Return what tasks wrote after a checkpoint, in no order, at most `WRITES_MAX`."""
        ...


def unpack_checkpoint(kind: object, size_bytes: object, blob: object) -> tuple[dict[str, Packed], str]:
    """Return a packed checkpoint's members, or none and why."""
    shown = f"its checkpoint ({str(kind)[:40]}, {size_bytes} bytes)"
    if kind != "msgpack" or not isinstance(blob, bytes):
        return {}, f"{shown} is not of a form or size that is read"
    try:
        value = read_packed(blob)
    except NotPacked as error:
        return {}, f"{shown} is damaged: {error}"
    return (value, "") if isinstance(value, dict) and value else ({}, f"{shown} is no checkpoint")
