"""Threads of a LangGraph saver: when each was last written, where it stands, how it failed.

A store keeps checkpoints and what tasks wrote after them, but no state of a run; it follows from the newest
checkpoint: what failed or asked after it, and which nodes it would start next. Values of the graph's own
state are never returned. What cannot be read makes a thread's state unknown, never an exception.
"""

from __future__ import annotations

import enum
import re
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from omium.adapters.attach.opening import open_read_only
from omium.adapters.attach.packed import Extension, NotPacked, Packed, read_packed
from omium.errors import ConfigError
from omium.redact import redact_text

BLOB_BYTES_MAX: Final = 16 * 2**20
MESSAGE_MAX: Final = 500
_FORMAT: Final = 4  # of the checkpoints of LangGraph 1.x
_OWN: Final = frozenset({"__start__", "__input__", "__interrupt__"})
_ERROR: Final = re.compile(r"([A-Za-z_][\w.]*)\((.*)\)", re.DOTALL)
_COLUMNS: Final = {
    "checkpoints": {"thread_id", "checkpoint_ns", "checkpoint_id", "type", "checkpoint"},
    "writes": {"thread_id", "checkpoint_ns", "checkpoint_id", "channel", "type", "value"},
}

_NEWEST: Final = """
    SELECT thread_id, COUNT(*), MAX(CASE WHEN checkpoint_ns = '' THEN checkpoint_id END) AS newest
      FROM checkpoints GROUP BY thread_id ORDER BY newest DESC, thread_id LIMIT ?
"""
_CHECKPOINT: Final = """
    SELECT type, LENGTH(checkpoint), CASE WHEN LENGTH(checkpoint) <= ? THEN checkpoint END FROM checkpoints
     WHERE thread_id IS ? AND checkpoint_ns = '' AND checkpoint_id IS ?
"""
_LAST_WORD: Final = """
    SELECT channel, {path}, type, CASE WHEN LENGTH(value) <= ? THEN value END FROM writes
     WHERE thread_id IS ? AND checkpoint_ns = '' AND checkpoint_id IS ?
       AND channel IN ('__error__', '__interrupt__')
     ORDER BY rowid DESC LIMIT 1
"""  # a task that is tried again writes its rows anew, so the last row is the last attempt's


class ThreadState(enum.StrEnum):
    """Where a thread stands."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """Nodes would come next: it runs, waits before a node, or its process is gone."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread as its newest checkpoint tells it; lists and texts are empty where that says nothing."""

    thread_id: str
    state: ThreadState
    checkpoints: int
    updated_us: int | None
    last_nodes: tuple[str, ...] = ()
    next_nodes: tuple[str, ...] = ()
    failed_node: str = ""
    error_type: str = ""
    error_message: str = ""
    note: str = ""


def list_threads(path: Path, *, limit: int) -> list[Thread]:
    """Return at most `limit` threads of the SQLite saver at `path`, the newest first.

    Raises `ConfigError` where the file is no such store, or is damaged.
    """
    with open_read_only(path) as connection:
        has_path = _check_tables(connection, path)
        found = connection.execute(_NEWEST, (limit,)).fetchall()
        return [_read_thread(connection, *row, has_path=has_path) for row in found]


def _check_tables(connection: sqlite3.Connection, path: Path) -> bool:
    """Raise `ConfigError` where a table or a column is missing; say whether writes tell their node."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%'"
    tables = {name for (name,) in connection.execute(query)}
    for table, needed in _COLUMNS.items():
        have = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")} & needed
        if table not in tables or have != needed:
            raise ConfigError(
                f"{path} holds no runs of LangGraph's SqliteSaver: its table {table!r} is missing or another."
            )
    return any(row[1] == "task_path" for row in connection.execute("PRAGMA table_info(writes)"))


def _read_thread(
    connection: sqlite3.Connection, thread_id: object, count: int, newest: object, *, has_path: bool
) -> Thread:
    name = str(thread_id)
    row = connection.execute(_CHECKPOINT, (BLOB_BYTES_MAX, thread_id, newest)).fetchone()
    checkpoint, note = ({}, "its checkpoint is of a subgraph only") if row is None else _unpack(*row)
    last, following = _list_last(checkpoint), _list_next(checkpoint)
    if checkpoint and checkpoint.get("v") != _FORMAT:
        note = f"its checkpoint is of form {str(checkpoint.get('v'))[:20]}; {_FORMAT} is read"
    state = ThreadState.UNKNOWN if note else ThreadState.UNFINISHED if following else ThreadState.FINISHED
    query = _LAST_WORD.format(path="task_path" if has_path else "''")
    word = connection.execute(query, (BLOB_BYTES_MAX, thread_id, newest)).fetchone()
    node = error_type = message = ""
    if word is not None:
        channel, task_path, kind, value = word
        node = str(task_path).rpartition("__pregel_pull, ")[2] if "__pregel_pull, " in str(task_path) else ""
        state = ThreadState.INTERRUPTED
        if channel == "__error__":
            state = ThreadState.FAILED
            error_type, message = _read_error(kind, value)
    return Thread(
        name,
        state,
        count,
        _read_moment(checkpoint.get("ts")),
        last,
        following,
        node if state is ThreadState.FAILED else "",
        error_type,
        message,
        note,
    )


def _unpack(kind: object, size_bytes: object, blob: object) -> tuple[dict[str, Packed], str]:
    """Return a checkpoint's members, or none and why."""
    shown = f"its checkpoint ({str(kind)[:40]}, {size_bytes} bytes)"
    if kind != "msgpack" or not isinstance(blob, bytes):
        return {}, f"{shown} is not of a form or size that is read"
    try:
        value = read_packed(blob)
    except NotPacked as error:
        return {}, f"{shown} is damaged: {error}"
    return (value, "") if isinstance(value, dict) and value else ({}, f"{shown} is no checkpoint")


def _list_last(checkpoint: dict[str, Packed]) -> tuple[str, ...]:
    """Return the nodes that finished last: those that saw the newest version of a channel."""
    seen = checkpoint.get("versions_seen")
    newest: dict[str, int] = {}
    for node, versions in seen.items() if isinstance(seen, dict) else ():
        if node not in _OWN and isinstance(versions, dict):
            newest[node] = max((_number(version) for version in versions.values()), default=-1)
    top = max(newest.values(), default=-1)
    return tuple(sorted(node for node, version in newest.items() if version == top >= 0))


def _number(version: Packed) -> int:
    digits = str(version).partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 40 else -1


def _list_next(checkpoint: dict[str, Packed]) -> tuple[str, ...]:
    """Return the nodes that would start next, as the channels say that start them."""
    values = checkpoint.get("channel_values")
    found: set[str] = set()
    for name, value in values.items() if isinstance(values, dict) else ():
        if name.startswith("branch:to:"):
            found.add(name.removeprefix("branch:to:"))
        elif name == "__start__" or (name == "__pregel_tasks" and value):
            found.add("?" if name == "__pregel_tasks" else "__start__")
        elif name.startswith("join:") and name.count(":") >= 2:
            _, _, rest = name.partition(":")
            sources, _, node = rest.rpartition(":")
            if _read_set(value) == set(sources.split("+")):
                found.add(node)
    return tuple(sorted(found))


def _read_set(value: Packed) -> set[str]:
    """Return the texts of a packed set, which is its class's name and a list."""
    try:
        parts = read_packed(value.data) if isinstance(value, Extension) and value.code == 0 else None
    except NotPacked:
        return set()
    if isinstance(parts, list) and len(parts) == 3 and parts[:2] == ["builtins", "set"]:
        items = parts[2]
        return {item for item in items if isinstance(item, str)} if isinstance(items, list) else set()
    return set()


def _read_error(kind: object, value: object) -> tuple[str, str]:
    """Return an error's class and message, secrets concealed; LangGraph stores what `repr` says of it."""
    text: Packed = None
    if kind == "msgpack" and isinstance(value, bytes):
        try:
            text = read_packed(value)
        except NotPacked:
            text = None
    if not isinstance(text, str):
        size = len(value) if isinstance(value, bytes) else 0
        return "", f"({str(kind)[:40]}, {size} bytes)"
    found = _ERROR.fullmatch(text)
    error_type, message = (found[1], found[2]) if found else ("", text)
    return error_type[:120], redact_text(message[: 4 * MESSAGE_MAX])[0].strip("'\"")[:MESSAGE_MAX]


def _read_moment(text: Packed) -> int | None:
    try:
        return round(datetime.fromisoformat(str(text)).timestamp() * 1_000_000)
    except (ValueError, OverflowError, OSError):
        return None
