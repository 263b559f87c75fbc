"""Rollback: the same execution goes back to an event; what came after is superseded, effects are compensated.

Owns what happens in that one transaction: generation + 1, records and checkpoints after the event
superseded, children started after it cancelled, the list of compensations made, paused(rollback). Running the
list is compensations.py. Rules: semantics 2.8; for users docs/replay-and-rollback.md.

If the process dies in here, nothing has happened. A second request finds the execution where the first one
left it: paused, one generation on, with nothing after the event.
"""

from __future__ import annotations

from omium.models.replay import PlanRollback, RollbackExecution, RollbackPlan
from omium.server.db.tx import Tx
from omium.server.engine.failures import close_occurrences
from omium.server.engine.transitions import append_event, move
from omium.server.engine.way_back import Way, find_way, is_open, refuse_running
from omium.server.principal import Principal
from omium.server.store import compensations as compensation_store
from omium.server.store import details, graph_threads, lineage
from omium.server.store import rollbacks as store
from omium.server.store.compensations import CompensationRow
from omium.server.store.executions import ExecutionRow, get_execution, lock_execution
from omium.server.store.steps import supersede_step
from omium.states import EventType, ExecutionStatus, FailureStatus, PausedReason


def plan_rollback(tx: Tx, tenant_id: str, execution_id: str, command: PlanRollback) -> RollbackPlan:
    """Say what going back would do. Raises as `roll_back`; nothing is changed."""
    row = get_execution(tx, tenant_id, execution_id)
    return find_way(tx, row, command).as_plan(row.id)


def roll_back(
    tx: Tx, principal: Principal, execution_id: str, command: RollbackExecution
) -> tuple[ExecutionRow, RollbackPlan]:
    """Go back, and return the paused execution with what was done.

    Raises `IllegalTransition` unless it is failed, paused or waiting and no child that goes with it runs,
    `EffectUnresolved` while an effect after the event is unknown, `InvalidRequest` for a target that is not
    there.
    """
    row = lock_execution(tx, principal.tenant_id, execution_id)
    way = find_way(tx, row, command)
    close_occurrences(
        tx,
        row,
        status=FailureStatus.ROLLED_BACK,
        by=principal.id,
        reason=command.reason or "rolled back",
        after_seq=way.to_seq,
    )
    for child in way.children:
        _leave_child(tx, principal, child)
    left = way.as_plan(row.id)
    row = _step_back(
        tx,
        row,
        {
            "to_seq": way.to_seq,
            "steps": len(left.superseded_steps),
            "uncompensated": left.uncompensated,
            "by": principal.id,
            "comment": command.reason,
        },
    )
    store.supersede_after(tx, row.id, way.to_seq, row.last_seq)
    for path in way.unfinished:
        supersede_step(tx, row.id, path, row.last_seq)
    graph_threads.supersede_after(tx, row.id, way.to_seq, row.last_seq)
    details.set_error(tx, row.id, None)
    return _plan_compensations(tx, row, way), left


def _step_back(tx: Tx, row: ExecutionRow, data: dict[str, object]) -> ExecutionRow:
    """Begin a generation, paused(rollback); a paused execution stays paused, under its new reason."""
    generation = row.generation + 1
    event, reason = EventType.EXECUTION_ROLLED_BACK, PausedReason.ROLLBACK.value
    if row.status == ExecutionStatus.PAUSED:
        return append_event(
            tx, row, event, data, reason=reason, suspend=None, lease_digest=None, generation=generation
        )

    return move(
        tx,
        row,
        ExecutionStatus.PAUSED,
        event,
        reason=reason,
        data=data,
        lease_digest=None,
        worker_id=None,
        generation=generation,
    )


def _plan_compensations(tx: Tx, row: ExecutionRow, way: Way) -> ExecutionRow:
    store.carry_over(tx, row.id)
    if not way.compensable:
        return row
    planned = [
        CompensationRow(
            execution_id=row.id,
            generation=row.generation,
            position=position,
            effect_key=each.effect.effect_key,
            path=f"~{each.path}",
            compensate=each.effect.compensate or "",
            status="pending",
            attempt=0,
            error=None,
            ended_us=None,
            decided_by=None,
        )
        for position, each in enumerate(way.compensable)
    ]
    compensation_store.insert_compensations(tx, planned)
    return append_event(tx, row, EventType.COMPENSATION_PLANNED, {"paths": [each.path for each in planned]})


def _leave_child(tx: Tx, principal: Principal, child: ExecutionRow) -> None:
    """Cancel a child that has not ended: nobody will ask for what it gives. It was refused if it runs."""
    child = lock_execution(tx, child.tenant_id, child.id)
    reason = "its parent was rolled back"
    close_occurrences(tx, child, status=FailureStatus.ROLLED_BACK, by=principal.id, reason=reason)
    for grandchild in lineage.list_children(tx, child.tenant_id, child.id):
        _leave_child(tx, principal, grandchild)
    if not is_open(child):
        return
    if child.status == ExecutionStatus.RUNNING:  # a grandchild, or granted since it was looked at
        refuse_running([child])
    move(
        tx,
        child,
        ExecutionStatus.CANCELLED,
        EventType.EXECUTION_CANCELLED,
        data={"by": principal.id, "comment": reason},
        cancel_outcome="stopped",
    )
