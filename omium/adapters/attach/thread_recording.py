"""A thread with its steps, as an import takes it.

A saver has no times of nodes, but those of the checkpoints around them: a task of a superstep began after one
and ended before the next. Where a superstep has no end, because a task of it failed, both are the one moment
that is known. Subgraphs' own checkpoints are no steps: their node is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from omium.adapters.attach.graph_rows import CHECKPOINTS_MAX, WRITES_MAX, CheckpointRow, GraphRows, WriteRow
from omium.adapters.attach.packed import Packed
from omium.adapters.attach.plain import make_plain
from omium.adapters.attach.runs import RecordedRun, RecordedState, RecordedStep, Run, RunState, read_moment
from omium.adapters.attach.writes import name_task, node_of, read_error, read_write
from omium.jsonvalue import JsonValue

STATES_MAX: Final = 100
STEPS_MAX: Final = 5_000
_UNNAMED: Final = "task"


def record_thread(run: Run, rows: GraphRows) -> RecordedRun | None:
    """Return `run` with what its checkpoints and writes tell; None where no checkpoint has a time.

    One checkpoint is held at a time: in SQLite each has the whole state of the graph.
    """
    ids = rows.list_checkpoints(run.run_id)
    omitted: dict[str, None] = {}
    if rows.is_shallow:
        omitted["its saver keeps only the newest checkpoint"] = None
    if len(ids) > CHECKPOINTS_MAX:
        omitted[f"only the newest {CHECKPOINTS_MAX:,} of {len(ids):,} checkpoints are read"] = None
    steps: deque[RecordedStep] = deque(maxlen=STEPS_MAX)
    states: deque[RecordedState] = deque(maxlen=STATES_MAX)
    pending: list[RecordedStep] = []  # of the checkpoint before: they end where the next one stands
    times: list[int] = []
    given: JsonValue = None
    for id_ in ids[-CHECKPOINTS_MAX:]:
        row = rows.find_checkpoint(run.run_id, id_, whole=True)
        at_us = read_moment(row.members.get("ts")) if row is not None else None
        if row is None or at_us is None:
            omitted["some checkpoints cannot be read"] = None
            continue
        steps.extend(replace(step, ended_us=max(step.started_us, at_us)) for step in pending)
        if not times:
            given = make_plain(_values(row).get("__start__"))
        times.append(at_us)
        states.append(RecordedState("state", at_us, _state(row)))
        writes = rows.list_writes(run.run_id, id_)
        if len(writes) == WRITES_MAX:
            omitted[f"only {WRITES_MAX:,} writes after a checkpoint are read"] = None
        pending = list(_list_steps(row, writes, at_us))
    steps.extend(pending)
    if not times:
        return None
    return RecordedRun(
        run=run,
        # Two stores may both have a thread "1"; of a shallow one nothing else stays the same.
        identity=f"{run.run_id}\n{'' if rows.is_shallow else ids[0]}",
        started_us=times[0],
        updated_us=max(times),
        input=given,
        output=states[-1].state if run.state is RunState.FINISHED else None,
        steps=tuple(steps),
        states=tuple(states),
        omitted=tuple(omitted),
    )


def _list_steps(row: CheckpointRow, writes: Sequence[WriteRow], at_us: int) -> Iterator[RecordedStep]:
    """Yield the tasks that wrote something after a checkpoint, in the order of their paths."""
    tasks: dict[tuple[str, str], list[WriteRow]] = {}
    for write in writes:
        tasks.setdefault((write.path, write.task_id), []).append(write)
    for (path, _), said in sorted(tasks.items()):
        step = _make_step(name_task(path, _values(row)) or _UNNAMED, path, said, at_us)
        if step is not None:
            yield step


def _make_step(name: str, path: str, said: Sequence[WriteRow], at_us: int) -> RecordedStep | None:
    """Return a task as a step; None for the one that takes the input in, and for one that asks and waits."""
    if node_of(path).startswith("__"):
        return None
    channels = {write.channel: write for write in said}
    wrong = channels.get("__error__")
    if wrong is not None:
        return RecordedStep(name, at_us, at_us, error=read_error(wrong))
    if "__interrupt__" in channels and all(each.startswith("__") for each in channels):
        return None
    given = {
        write.channel: read_write(write)
        for write in said
        if not write.channel.startswith(("__", "branch:to:", "join:"))
    }
    return RecordedStep(name, at_us, at_us, output=make_plain(given) if given else None)


def _values(row: CheckpointRow) -> Mapping[str, Packed]:
    values = row.members.get("channel_values")
    return values if isinstance(values, dict) else {}


def _state(row: CheckpointRow) -> JsonValue:
    """Return the graph's own state, without the channels by which LangGraph starts nodes."""
    return make_plain(
        {
            name: value
            for name, value in _values(row).items()
            if not name.startswith(("__", "branch:to:", "join:"))
        }
    )
