"""Rollback: the same execution goes back to an event; what came after is superseded, effects are compensated.

Owns what happens in that one transaction: generation + 1, records and checkpoints after the event
superseded, children started after it cancelled, the list of compensations made, paused(rollback). Running the
list is compensations.py. Rules: semantics 2.8; for users docs/replay-and-rollback.md.

If the process dies in here, nothing has happened. A second request finds the execution where the first one
left it: paused, one generation on, with nothing after the event. Where more executions stand below than one
transaction cancels, they are cancelled page by page before it (`leave_some`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from omium.models.replay import PlanRollback, RollbackExecution, RollbackPlan
from omium.server.db.tx import Tx
from omium.server.engine.failures import close_opened
from omium.server.engine.nodes.rebuild import clear
from omium.server.engine.nodes.undoing import offer
from omium.server.engine.transitions import append_event, move
from omium.server.engine.way_back import Way, find_way, is_open, refuse_running
from omium.server.principal import Principal
from omium.server.store import compensations as compensation_store
from omium.server.store import details, engine_runs, graph_threads, trees
from omium.server.store import rollbacks as store
from omium.server.store.compensations import CompensationRow
from omium.server.store.executions import ExecutionRow, get_execution, lock_execution
from omium.server.store.failures import OccurrenceRow, list_open_of_execution
from omium.server.store.steps import supersede_step
from omium.server.store.trees import Below
from omium.states import Driver, EventType, ExecutionStatus, FailureStatus, PausedReason

CHILDREN_AT_ONCE = 100  # executions below that one transaction cancels


def plan_rollback(tx: Tx, tenant_id: str, execution_id: str, command: PlanRollback) -> RollbackPlan:
    """Say what going back would do. Raises as `roll_back`; nothing is changed."""
    row = get_execution(tx, tenant_id, execution_id)
    return find_way(tx, row, command).as_plan(row.id)


class ChildrenFirst(Exception):
    """More executions below than one transaction cancels: `leave_some`, then try again."""


def roll_back(
    tx: Tx,
    principal: Principal,
    execution_id: str,
    command: RollbackExecution,
    *,
    left: Collection[str] = (),
    children_max: int = CHILDREN_AT_ONCE,
) -> tuple[ExecutionRow, RollbackPlan]:
    """Go back, and return the paused execution with what was done; `left` are children cancelled before.

    Raises `IllegalTransition` unless it is failed, paused or waiting and nothing that goes with it runs,
    `EffectUnresolved` while an effect after the event is unknown, `InvalidRequest` for a target that is not
    there, `ChildrenFirst`.
    """
    row = lock_execution(tx, principal.tenant_id, execution_id)
    principal.require_workflow(row.workflow)
    way = find_way(tx, row, command)
    below = _list_below(tx, row, way)
    if len(below) > children_max:
        raise ChildrenFirst
    children = _lock_below(tx, below, row.tenant_id)
    opened = list_open_of_execution(tx, row.id, way.to_seq)
    _leave(tx, principal, row, children, opened, command.reason or "rolled back")
    plan = way.as_plan(row.id)
    plan = plan.model_copy(update={"cancelled_children": [*left, *plan.cancelled_children]})
    row = _step_back(
        tx,
        row,
        {
            "to_seq": way.to_seq,
            "steps": len(plan.superseded_steps),
            "uncompensated": plan.uncompensated,
            "by": principal.id,
            "comment": command.reason,
        },
    )
    store.supersede_after(tx, row.id, way.to_seq, row.last_seq)
    for path in way.unfinished:
        supersede_step(tx, row.id, path, row.last_seq)
    graph_threads.supersede_after(tx, row.id, way.to_seq, row.last_seq)
    if row.driver == Driver.ENGINE:  # begun anew from the records that are left, when it is resumed
        engine_runs.delete_conditions(tx, row.id, way.to_seq)
        clear(tx, row)
    details.set_error(tx, row.id, None)
    row = _plan_compensations(tx, row, way)
    if row.driver == Driver.ENGINE:
        offer(tx, row)
    return row, plan


def leave_some(
    tx: Tx,
    principal: Principal,
    execution_id: str,
    command: RollbackExecution,
    *,
    children_max: int = CHILDREN_AT_ONCE,
) -> list[str]:
    """Cancel a page of what is below an execution that may be rolled back; return its own children of them.

    Refuses what `roll_back` refuses, of all that is below and before it cancels any: only what begins to run
    between two pages leaves the rollback undone with children cancelled. If the process dies after a page,
    the execution still stands where it stood, with fewer children that could go on; the same request goes on
    with the next page.
    """
    row = lock_execution(tx, principal.tenant_id, execution_id)
    principal.require_workflow(row.workflow)
    way = find_way(tx, row, command)
    below = _list_below(tx, row, way)
    refuse_running(below)
    page = below[:children_max]
    children = _lock_below(tx, page, row.tenant_id)
    _leave(tx, principal, row, children, [], command.reason or "rolled back")
    return [child.id for child in children if is_open(child) and child.parent_id == row.id]


def _list_below(tx: Tx, row: ExecutionRow, way: Way) -> list[Below]:
    """List what goes with the rollback and has not ended, or has open failures: parents before children."""
    tops = {child.id for child in way.children}
    return [each for each in trees.list_left_below(tx, row.tenant_id, row.id) if each.top in tops]


def _lock_below(tx: Tx, below: Sequence[Below], tenant_id: str) -> list[ExecutionRow]:
    """Lock them in the order of their creation; what runs refuses, also if it was granted just now."""
    children = [lock_execution(tx, tenant_id, each.id) for each in below]
    refuse_running(children)
    return children


def _leave(
    tx: Tx,
    principal: Principal,
    row: ExecutionRow,
    children: Sequence[ExecutionRow],
    opened: Sequence[OccurrenceRow],
    reason: str,
) -> None:
    """Close the failures `opened`, and cancel children: nobody will ask for what they give."""
    of_children = [each for child in children for each in list_open_of_execution(tx, child.id)]
    close_opened(
        tx,
        row,
        [*opened, *of_children],
        status=FailureStatus.ROLLED_BACK,
        by=principal.id,
        reason=reason,
    )
    for child in children:
        if is_open(child):
            move(
                tx,
                child,
                ExecutionStatus.CANCELLED,
                EventType.EXECUTION_CANCELLED,
                data={"by": principal.id, "comment": "its parent was rolled back"},
                cancel_outcome="stopped",
            )
            if child.driver == Driver.ENGINE:
                clear(tx, child)


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
