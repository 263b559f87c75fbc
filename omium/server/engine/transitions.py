"""Transitions: the one place where a status changes and where an event gets its number.

Every change of an execution goes through `append_event`, `move` or (a driver's writes) `number_event`: the
row is updated and the event appended in the same transaction, so the row always equals the fold of its log
(`fold.py` proves it in tests). Which transition is legal stands in omium/states.py, nowhere else.

If the process dies anywhere here, neither row nor event is there. Called twice, the second call either finds
another row (`StorageBusy`, try again) or an illegal transition.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from omium.errors import IllegalTransition, StorageBusy
from omium.jsonvalue import JsonValue, json_bytes
from omium.server.analytics import counting
from omium.server.db.tx import Tx
from omium.server.engine import metering
from omium.server.engine.live import Announcement, TasksReady
from omium.server.store import events
from omium.server.store.activations import call_parent
from omium.server.store.executions import ExecutionRow, update_execution
from omium.states import ENDED_STATUSES, EXECUTION_TRANSITIONS, EventType, ExecutionStatus, may_become

# Columns whose change is part of the event, so that folding the log gives the row.
FOLDED = (
    "status",
    "reason",
    "generation",
    "epoch",
    "interruptions",
    "silent",
    "worker_id",
    "wake_us",
    "suspend",
    "cancel_outcome",
    "max_steps",
    "max_duration_us",
    "max_payload_bytes",
)
_FOLDED_NAMES = frozenset(FOLDED)


def append_event(
    tx: Tx, row: ExecutionRow, event: EventType, data: Mapping[str, object] | None = None, **columns: Any
) -> ExecutionRow:
    """Append an event, set further `columns` of the row beside it (never a status), and return it.

    `data` must be JSON and redacted. Raises `StorageBusy` when the stored row is not `row` any more, which
    can only happen if it was read without a lock.
    """
    assert "status" not in columns, "a status is changed by move()"
    return _write(tx, row, replace(row, **columns), event, data or {})


def move(
    tx: Tx,
    row: ExecutionRow,
    to: ExecutionStatus,
    event: EventType,
    *,
    reason: str | None = None,
    data: Mapping[str, object] | None = None,
    cover_otherwise: int | None = None,
    **columns: Any,
) -> ExecutionRow:
    """Change the status to `to`, append `event`, set further `columns`, and return the new row.

    Who comes to run is given a hold where it is metered, and who stops running gives it back (metering.py):
    raises `CreditsExhausted` and the like before anything is written, unless `cover_otherwise` lets it in
    without one.

    What follows from the status is set here: `queued_us`, `ended_us`, `started_us`; a timer (`wake_us`), a
    requested pause (`suspend`) and the time for which a driver holds it end with the status that they belong
    to. Raises `IllegalTransition`.
    """
    if not may_become(ExecutionStatus(row.status), to):
        raise illegal_transition(row, to)
    changed: dict[str, Any] = {
        "status": to.value,
        "reason": reason,
        "queued_us": tx.now_us if to is ExecutionStatus.QUEUED else None,
        "ended_us": tx.now_us if to in ENDED_STATUSES else None,
        "wake_us": None,
        "suspend": None,
        "silent": 0,
    }
    if to is ExecutionStatus.FAILED:  # not by the cancel: a resume must not meet that again
        changed["cancel_requested_us"] = None
    if to is ExecutionStatus.RUNNING and row.started_us is None:
        changed["started_us"] = tx.now_us
    if row.run_since_us is not None:
        changed["ran_us"] = row.ran_us + max(tx.now_us - row.run_since_us, 0)
    changed["run_since_us"] = tx.now_us if to is ExecutionStatus.RUNNING else None
    if row.covered_steps is not None and ExecutionStatus.RUNNING in {row.status, to}:
        if to is ExecutionStatus.RUNNING:
            columns["covered_steps"] = metering.come_in(tx, row, otherwise=cover_otherwise)
        else:
            metering.go_out(tx, row)
    calls = row.parent_id is not None and row.parent_path is not None and to in ENDED_STATUSES
    # Not under the parent's lock, which comes before a child's: the parent is only told to look.
    if calls and call_parent(tx, row.parent_id or "", row.parent_path or ""):
        tx.after_commit(TasksReady(row.tenant_id, row.environment, row.queue, "timer", ""))
    return _write(tx, row, replace(row, **(changed | columns)), event, data or {})


def record_first_event(
    tx: Tx, row: ExecutionRow, event: EventType, data: Mapping[str, object] | None = None
) -> None:
    """Append event 1 of an execution that was just inserted with `last_seq` 1."""
    assert row.last_seq == 1, "an execution begins with its first event"
    begun = {name: getattr(row, name) for name in FOLDED}
    facts = cast("dict[str, JsonValue]", {**(data or {}), **begun})
    events.insert_event(tx, row.id, 1, event.value, json_bytes(facts))
    announce(tx, row)


def announce(tx: Tx, row: ExecutionRow) -> None:
    """Wake, after the commit, who watches the execution, or waits for work in its queue."""
    queue = (row.environment, row.queue) if row.status == ExecutionStatus.QUEUED else None
    tx.after_commit(Announcement(row.tenant_id, row.id, row.last_seq, queue))


def illegal_transition(row: ExecutionRow, to: ExecutionStatus) -> IllegalTransition:
    """Return the problem that names where the execution stands and what is possible from there."""
    allowed: list[object] = []
    allowed.extend(sorted(EXECUTION_TRANSITIONS[ExecutionStatus(row.status)]))
    return IllegalTransition(
        f"{row.id} is {row.status}, so it cannot become {to.value}.", status_now=row.status, allowed=allowed
    )


def number_event(
    tx: Tx, row: ExecutionRow, event: EventType, data: Mapping[str, JsonValue], *, seq: int | None = None
) -> None:
    """Append an event under a number that `pass_fence` has taken already; by default the row's last one."""
    number = row.last_seq if seq is None else seq
    events.insert_event(tx, row.id, number, event.value, json_bytes(dict(data)))
    tx.after_commit(Announcement(row.tenant_id, row.id, number))


def find_event(tx: Tx, row: ExecutionRow, event: EventType, facts: Mapping[str, JsonValue]) -> int | None:
    """Return the number of the newest event of that type that says `facts`: a rare report came twice."""
    for known in events.list_of_type(tx, row.id, event.value):
        data = json.loads(known.data)
        if all(data.get(name) == value for name, value in facts.items()):
            return known.seq
    return None


def _write(
    tx: Tx, was: ExecutionRow, row: ExecutionRow, event: EventType, data: Mapping[str, object]
) -> ExecutionRow:
    row = replace(row, last_seq=was.last_seq + 1, updated_us=tx.now_us)
    if not update_execution(tx, was, row):
        raise StorageBusy(f"{was.id} changed while this was decided; try again.")
    if was.ended_us is not None and _counts_otherwise(was, row):
        counting.take_out(tx, was)
    assert not data.keys() & _FOLDED_NAMES, f"{event} says {data}: those names are the row's own columns"
    changed = {name: getattr(row, name) for name in FOLDED if getattr(row, name) != getattr(was, name)}
    facts = cast("dict[str, JsonValue]", {**data, **changed})
    events.insert_event(tx, row.id, row.last_seq, event.value, json_bytes(facts))
    announce(tx, row)
    return row


def _counts_otherwise(was: ExecutionRow, row: ExecutionRow) -> bool:
    """Tell whether an ended execution would be counted in another way now: it goes on, as a rule."""
    return (was.status, was.ended_us, was.steps_completed) != (row.status, row.ended_us, row.steps_completed)
