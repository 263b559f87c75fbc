"""Writes of LangGraph's tasks: which node it was, what went wrong, what a channel was given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from omium.adapters.attach.graph_rows import WriteRow
from omium.adapters.attach.packed import Extension, NotPacked, Packed, read_packed
from omium.adapters.attach.runs import RecordedError, clean_message

_ERROR: Final = re.compile(r"([A-Za-z_][\w.]*)\((.*)\)", re.DOTALL)
TASKS: Final = "__pregel_tasks"
_PULL: Final = "__pregel_pull, "
_PUSH: Final = re.compile(r"~__pregel_push, (\d{1,10})(?:,|$)")


def node_of(path: str) -> str:
    """Return the node that a task's path names; empty where a `Send` started it, or the saver is older."""
    return path.rpartition(_PULL)[2] if _PULL in path else ""


def name_task(path: str, values: Mapping[str, Packed]) -> str:
    """Return a task's node: its path says it, or a `Send` among the checkpoint's `values`; else empty."""
    found = _PUSH.match(path)
    if found is None:
        return node_of(path)
    sent, place = list_sent(values), int(found[1])
    return sent[place] if place < len(sent) else ""


def list_sent(values: Mapping[str, Packed]) -> list[str]:
    """Return the nodes that a checkpoint's `Send`s start, one for each, empty where that cannot be read."""
    sent = values.get(TASKS)
    return [_read_send(each) for each in sent] if isinstance(sent, list) else []


def _read_send(value: Packed) -> str:
    try:
        parts = read_packed(value.data) if isinstance(value, Extension) else None
    except NotPacked:
        return ""
    made = parts[2] if isinstance(parts, list) and len(parts) >= 3 else None
    return str(made[0])[:200] if isinstance(made, list) and made else ""


def read_write(row: WriteRow) -> Packed:
    """Return what was written; a text in brackets where it cannot be read."""
    if row.type in ("null", "empty"):
        return None
    if row.type == "msgpack" and row.value is not None:
        try:
            return read_packed(row.value)
        except NotPacked:
            pass
    return f"({row.type[:40]}, {row.size_bytes} bytes)"


def read_error(row: WriteRow) -> RecordedError:
    """Return an error's class and message, secrets concealed; LangGraph stores what `repr` says of it."""
    text = read_write(row)
    if row.type != "msgpack" or not isinstance(text, str):
        return RecordedError("", f"({row.type[:40]}, {row.size_bytes} bytes)")
    found = _ERROR.fullmatch(text)
    error_type, message = (found[1], found[2]) if found else ("", text)
    return RecordedError(error_type[:120], clean_message(message).strip("'\""))
