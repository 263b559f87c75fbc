"""Losses: a driver is gone, and what becomes of its execution (the table of semantics 3.4).

    driver worker                  interruption + 1, queued; paused if a pause or an effect waits for it
    driver local, takeover auto    the same, if a worker serves it now
    driver local, strict           failed `driver-lost`, an inbox item; its driver may still return
    driver local, relaxed          stays running, `silent`; much later failed `driver-lost`
    too many interruptions in a row       failed `crash-loop`, an inbox item

One path for all of them, whoever noticed: the sweep of leases, or a process that proved that the former one
is gone. If the process dies before the commit the execution still runs under a lease that is over, and the
next sweep finds it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from omium.server.db.tx import Tx
from omium.server.engine.compensations import is_compensating
from omium.server.engine.effect_losses import cut_off
from omium.server.engine.failures import record_occurrence
from omium.server.engine.fence import DRIVER_LOST, INTERRUPTED
from omium.server.engine.mishaps import make_error
from omium.server.engine.policy import Policy
from omium.server.engine.runners import is_served
from omium.server.engine.savings import save_resume
from omium.server.engine.transitions import append_event, move
from omium.server.store import details, effects, steps
from omium.server.store.executions import ExecutionRow
from omium.states import (
    CancelOutcome,
    Driver,
    Durability,
    EventType,
    ExecutionStatus,
    FailureKind,
    PausedReason,
    Takeover,
)

CRASH_LOOP = "crash-loop"


@dataclass(frozen=True, slots=True)
class Loss:
    """Why an execution cannot go on by itself after its driver was lost."""

    kind: FailureKind
    code: str
    message: str


def lose_driver(tx: Tx, row: ExecutionRow, policy: Policy) -> ExecutionRow:
    """Take the running, locked `row` from a driver whose lease ran out."""
    assert row.status == ExecutionStatus.RUNNING
    relaxed = row.driver == Driver.LOCAL and row.durability == Durability.RELAXED
    if relaxed and not row.silent and row.cancel_requested_us is None:
        return append_event(tx, row, EventType.EXECUTION_SILENCED, silent=1)
    anybody = row.driver == Driver.WORKER or (row.takeover == Takeover.AUTO and is_served(tx, row, policy))
    # A rollback's compensations are run by whoever comes: paused for it, as before.
    return interrupt(tx, row) if anybody or is_compensating(tx, row) else _fail_lost(tx, row)


def interrupt(tx: Tx, row: ExecutionRow) -> ExecutionRow:
    """Count an interruption and leave the execution to whoever may go on: a worker, or a person."""
    running = _running_paths(tx, row)
    counted = _count(row)
    cancelled = row.cancel_requested_us is not None
    if not cancelled and counted["interruption_streak"] > row.max_interruptions:
        return _fail(tx, row, _crash_loop(counted), counted, running)
    row = cut_off(tx, row)
    steps.count_interruption(tx, row.id)
    if cancelled:
        return _end_cancel(tx, row, counted)
    paused = _reason_to_pause(tx, row)
    if not paused:
        save_resume(tx, row, "takeover")
    return move(
        tx,
        row,
        ExecutionStatus.PAUSED if paused else ExecutionStatus.QUEUED,
        EventType.EXECUTION_INTERRUPTED,
        reason=paused or INTERRUPTED,
        data={"running": running},
        **counted,
    )


def _reason_to_pause(tx: Tx, row: ExecutionRow) -> str | None:
    """Return why nobody may go on at once, if so; the order is from the strongest reason."""
    if is_compensating(tx, row):
        return PausedReason.ROLLBACK.value
    if row.suspend is not None:
        return row.suspend
    return PausedReason.EFFECT.value if effects.list_unresolved(tx, row.id) else None


def _count(row: ExecutionRow) -> dict[str, Any]:
    """Return the counters after one more interruption; the streak ends where a step was completed between."""
    progressed = row.steps_completed > row.interruption_steps
    return {
        "interruptions": row.interruptions + 1,
        "interruption_streak": 1 if progressed else row.interruption_streak + 1,
        "interruption_steps": row.steps_completed,
    }


def _fail_lost(tx: Tx, row: ExecutionRow) -> ExecutionRow:
    running = _running_paths(tx, row)
    counted = _count(row)
    if row.cancel_requested_us is not None:
        row = cut_off(tx, row)
        steps.count_interruption(tx, row.id)
        return _end_cancel(tx, row, counted)
    lost = Loss(
        FailureKind.DRIVER_LOST,
        DRIVER_LOST,
        "The process that ran this was killed, stopped or cut off. Resume it to go on with the next step.",
    )
    return _fail(tx, row, lost, counted, running)


def _crash_loop(counted: dict[str, Any]) -> Loss:
    return Loss(
        FailureKind.CRASH_LOOP,
        CRASH_LOOP,
        f"Its driver was lost {counted['interruption_streak']} times in a row without completing a step."
        " Look at what kills the process, such as memory, before you resume it.",
    )


def _fail(tx: Tx, row: ExecutionRow, loss: Loss, counted: dict[str, Any], running: list[str]) -> ExecutionRow:
    error = make_error("DriverLost", loss.message, code=loss.code)
    path = running[0] if running else ""
    row = cut_off(tx, row, [(loss.kind, path, error.info)])
    steps.count_interruption(tx, row.id)
    # A rollback that cannot go on stays one: only paused may its rest be skipped, or tried by whoever asks.
    compensating = is_compensating(tx, row)
    if not compensating:
        details.set_error(tx, row.id, error.body)
    row = move(
        tx,
        row,
        ExecutionStatus.PAUSED if compensating else ExecutionStatus.FAILED,
        EventType.EXECUTION_INTERRUPTED if compensating else EventType.EXECUTION_FAILED,
        reason=PausedReason.ROLLBACK_FAILED.value if compensating else loss.code,
        data={"running": running, "error": loss.message},
        **counted,
    )
    record_occurrence(tx, row, kind=loss.kind, path=path, seq=row.last_seq, error=error.info)
    return row


def _end_cancel(tx: Tx, row: ExecutionRow, counted: dict[str, Any]) -> ExecutionRow:
    return move(
        tx,
        row,
        ExecutionStatus.CANCELLED,
        EventType.EXECUTION_CANCELLED,
        cancel_outcome=CancelOutcome.UNKNOWN.value,
        **counted,
    )


def _running_paths(tx: Tx, row: ExecutionRow) -> list[str]:
    """Return what ran according to the latest heartbeat."""
    running = details.get_details(tx, row.id).running
    return list(json.loads(running)) if running else []
