"""Undoing: the compensations of a rollback as tasks of their own, one at a time, newest effect first.

    offer       the next one is there to be claimed by a worker that serves its handler
    claim       the paused execution runs while somebody undoes, asked to pause again behind it
    complete, fail, interrupt   what came of it; the last one, or one that failed, leaves the execution paused

The list and its rules are engine/compensations.py. Nothing else of the execution begins meanwhile: where its
nodes stand was cleared by the rollback. If the process dies before a commit, the task still runs under its
lease, and is offered again when that has run out; the receiver honours its key.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from omium.jsonvalue import JsonValue
from omium.models.driver import CompensationEnded
from omium.server.builtin.context import TaskGrant
from omium.server.db.tx import Tx
from omium.server.engine import metering
from omium.server.engine.compensations import ROLLBACK_REASONS, end_compensation, list_pending
from omium.server.engine.live import TasksReady
from omium.server.engine.mishaps import PackedError
from omium.server.engine.nodes.inputs import open_column
from omium.server.engine.nodes.work import NodeWork
from omium.server.engine.transitions import move
from omium.server.engine.values import PackedValue
from omium.server.store import activations
from omium.server.store.activations import ActivationRow
from omium.server.store.compensations import PendingCompensation
from omium.server.store.executions import ExecutionRow
from omium.states import EventType, ExecutionStatus, PausedReason

COMPENSATION: Final = "compensation"
"""Type of the activation that stands for one."""


def offer(tx: Tx, row: ExecutionRow) -> bool:
    """Let the next compensation of the locked `row` be claimed; False if there is none, or it is offered."""
    pending = list_pending(tx, row)
    if not pending:
        return False
    task = _as_task(tx, row, pending[0])
    known = activations.find_activation(tx, row.id, task.path)
    if known is not None and known.state != "parked":
        return False
    if known is None:
        activations.insert_activation(tx, task)
    else:
        activations.update_activation(tx, replace(known, state="ready"))
    tx.after_commit(TasksReady(row.tenant_id, row.environment, row.queue, "worker", task.handler))
    return True


def _as_task(tx: Tx, row: ExecutionRow, pending: PendingCompensation) -> ActivationRow:
    return ActivationRow(
        execution_id=row.id,
        path=pending.path,
        tenant_id=row.tenant_id,
        environment=row.environment,
        workflow=row.workflow,
        queue=row.queue,
        scope="",
        node=pending.path,
        vector="",
        type=COMPENSATION,
        executor="worker",
        handler=pending.compensate,
        state="ready",
        waiting_reason=None,
        trigger_edge=None,
        attempt=pending.attempt + 1,
        attempts_before=0,
        interruptions=0,
        epoch=0,
        lease_digest=None,
        lease_touched_us=None,
        worker_id=None,
        due_us=None,
        deadline_us=None,
        input=None,
        input_digest="0" * 64,
        concurrency_key=None,
        concurrency_limit=None,
        has_slot=0,
        breaker=None,
        effect_key=None,
        progress=None,
        ready_us=tx.now_us,
        started_us=None,
    )


def may_undo(row: ExecutionRow) -> bool:
    """Say whether tasks of the paused `row` may be claimed: it was rolled back."""
    return row.status == ExecutionStatus.PAUSED and row.reason in ROLLBACK_REASONS


def claim(tx: Tx, row: ExecutionRow) -> ExecutionRow | None:
    """Let the rolled back `row` run for a compensation; None where there are no credits for that."""
    try:
        with tx.savepoint():
            return move(
                tx,
                row,
                ExecutionStatus.RUNNING,
                EventType.EXECUTION_CLAIMED,
                suspend=PausedReason.ROLLBACK.value,
            )
    except metering.REFUSALS:
        return None


def grant(work: NodeWork, row: ActivationRow) -> TaskGrant:
    """Return what is needed to undo: what the effect was given, what it gave, and its key."""
    pending = _get_pending(work, row)
    given: dict[str, JsonValue] = {
        "inputs": open_column(work, pending.input) if pending.input is not None else {},
        "output": open_column(work, pending.output) if pending.output is not None else None,
        "effect_key": pending.effect_key,
    }
    return TaskGrant(
        tenant_id=row.tenant_id,
        environment=row.environment,
        workflow=row.workflow,
        execution_id=row.execution_id,
        path=row.path,
        node=row.node,
        type=COMPENSATION,
        attempt=row.attempt,
        epoch=row.epoch,
        inputs=given,
        parameters={},
        agent=None,
        tools={},
        output_schema=None,
        effect_key=f"{pending.effect_key}:c",
        timeout_s=None,
        turns=(),
    )


def complete(work: NodeWork, row: ActivationRow, output: PackedValue) -> None:
    """Record that the effect is undone; the next one is offered."""
    _end(work, row, output, None)


def fail(work: NodeWork, row: ActivationRow, error: PackedError) -> None:
    """Record that the effect could not be undone; the list stops until a person resumes or skips it."""
    _end(work, row, None, error)


def _end(work: NodeWork, row: ActivationRow, output: PackedValue | None, error: PackedError | None) -> None:
    work.save()
    activations.delete_activation(work.tx, row.execution_id, row.path)
    ended = CompensationEnded(
        position=_get_pending(work, row).position,
        attempt=row.attempt,
        error=dict(error.info) if error is not None else None,
    )
    work.change(end_compensation(work.tx, work.row, ended, output))
    if work.row.status == ExecutionStatus.RUNNING and offer(work.tx, work.row):
        work.is_active = True


def interrupt(work: NodeWork, row: ActivationRow) -> None:
    """Take the task from whoever was lost with it, and offer it again."""
    work.record(EventType.STEP_INTERRUPTED, {"path": row.path, "count": row.interruptions})
    work.put(replace(row, state="ready", epoch=row.epoch + 1, lease_digest=None, worker_id=None), stored=True)


def _get_pending(work: NodeWork, row: ActivationRow) -> PendingCompensation:
    return next(each for each in list_pending(work.tx, work.row) if each.path == row.path)
