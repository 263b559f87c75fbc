"""Threads of a LangGraph saver: when each was last written, where it stands, how it failed.

A store keeps checkpoints and what tasks wrote after them, but no state of a run; it follows from the newest
checkpoint: what failed or asked after it, and which nodes it would start next. What cannot be read makes a
thread's state unknown, never an exception. A thread with its steps is thread_recording.py's.
"""

from __future__ import annotations

from typing import Final

from omium.adapters.attach.graph_rows import CheckpointRow, GraphRows, ThreadRow, WriteRow
from omium.adapters.attach.packed import Extension, NotPacked, Packed, read_packed
from omium.adapters.attach.runs import RecordedError, RecordedRun, Run, RunState, read_moment
from omium.adapters.attach.thread_recording import record_thread
from omium.adapters.attach.writes import TASKS, list_sent, name_task, read_error

FRAMEWORK: Final = "langgraph"
_FORMAT: Final = 4  # of the checkpoints of LangGraph 1.x
_OWN: Final = frozenset({"__start__", "__input__", "__interrupt__"})


class Threads:
    """A saver's threads as runs."""

    def __init__(self, rows: GraphRows) -> None:
        self._rows = rows

    def list_runs(self, limit: int) -> list[Run]:
        """Return at most `limit` runs, the newest first."""
        return [self._read(row) for row in self._rows.list_threads(limit)]

    def find_run(self, run_id: str) -> Run | None:
        """Return the run with this id."""
        row = self._rows.find_thread(run_id)
        return self._read(row) if row is not None else None

    def record(self, run: Run) -> RecordedRun | None:
        """Return `run` with its steps; None where nothing of it can be read."""
        return record_thread(run, self._rows)

    def _read(self, row: ThreadRow) -> Run:
        found = self._rows.find_checkpoint(row.thread_id, row.newest_id)
        word = self._rows.find_last_word(row.thread_id, row.newest_id)
        return _read_thread(row, found or CheckpointRow("", {}, "its checkpoint is of a subgraph only"), word)


def _read_thread(row: ThreadRow, newest: CheckpointRow, word: WriteRow | None) -> Run:
    checkpoint, note = newest.members, newest.note
    last, following = _list_last(checkpoint), _list_next(checkpoint)
    if checkpoint and checkpoint.get("v") != _FORMAT:
        note = f"its checkpoint is of form {str(checkpoint.get('v'))[:20]}; {_FORMAT} is read"
    state = RunState.UNKNOWN if note else RunState.UNFINISHED if following else RunState.FINISHED
    node, error = "", RecordedError("", "")
    values = checkpoint.get("channel_values")
    if word is not None:
        state = RunState.INTERRUPTED
        if word.channel == "__error__":
            node = name_task(word.path, values if isinstance(values, dict) else {})
            state, error = RunState.FAILED, read_error(word)
    return Run(
        run_id=row.thread_id,
        framework=FRAMEWORK,
        workflow="",
        state=state,
        checkpoints=row.checkpoints,
        updated_us=read_moment(checkpoint.get("ts")),
        last=last,
        next=following,
        failed_at=node,
        error_type=error.type,
        error_message=error.message,
        note=note,
    )


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
        elif name == "__start__":
            found.add("__start__")
        elif name == TASKS:
            found.update(node or "?" for node in list_sent({name: value}))
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
