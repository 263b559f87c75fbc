"""Children: subworkflows, each an execution of its own whose id follows from its parent and its path.

Locks go from parents to their children, so a child that ends does not touch its parent: it only marks the
node that waits for it (`call_parent`, in engine/transitions.py), and the sweep of due nodes looks at the
child under the parent's lock. A node that begins again finds the child that it had started.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from omium.ids import child_execution_id
from omium.jsonvalue import canonical_bytes, digest
from omium.server.db.tx import Tx
from omium.server.engine.mishaps import make_error
from omium.server.engine.nodes.ending import fail, succeed
from omium.server.engine.nodes.records import Result
from omium.server.engine.nodes.waits import end_wait
from omium.server.engine.nodes.work import NodeWork
from omium.server.engine.values import copy_value, fetch_value
from omium.server.store import activations, details, rollbacks
from omium.server.store.activations import ActivationRow
from omium.server.store.executions import ExecutionRow, find_execution
from omium.states import ENDED_STATUSES, EventType, ExecutionStatus

CHILD: Final = "child"
"""What a subworkflow waits for."""


def child_id(row: ActivationRow, execution: ExecutionRow) -> str:
    """Return the id of the execution that the subworkflow `row` starts."""
    return child_execution_id(execution.id, row.path, execution.generation)


def find_child(tx: Tx, parent: ExecutionRow, row: ActivationRow) -> ExecutionRow | None:
    """Return the child that the subworkflow `row` has, also one that began before a rollback and was kept."""
    for generation in range(parent.generation, 0, -1):
        known = child_execution_id(parent.id, row.path, generation)
        child = find_execution(tx, row.tenant_id, known)
        if child is not None:
            return child if generation == parent.generation or _was_kept(tx, parent, child.id) else None
    return None


def list_failed_children(tx: Tx, parent: ExecutionRow) -> list[ExecutionRow]:
    """Return the children that have failed, and their nodes with them, in the order of their creation."""
    nodes = activations.list_in_state(tx, parent.id, "failed")
    found = [find_child(tx, parent, each) for each in nodes if each.type == "subworkflow"]
    failed = [each for each in found if each is not None and each.status == ExecutionStatus.FAILED]
    return sorted(failed, key=_order)


def list_failed_below(tx: Tx, top: ExecutionRow) -> list[ExecutionRow]:
    """Return the children that have failed at any depth, in the order in which they are to be locked."""
    found: list[ExecutionRow] = []
    left = [top]
    while left:
        children = list_failed_children(tx, left.pop())
        found += children
        left += children
    return sorted(found, key=_order)


def _order(row: ExecutionRow) -> tuple[int, str]:
    return row.created_us, row.id


def _was_kept(tx: Tx, parent: ExecutionRow, child_execution: str) -> bool:
    """Say whether no rollback went back to before the child began."""
    kept, started = False, 0
    for event in rollbacks.list_starts_and_rollbacks(tx, parent.id):
        facts = json.loads(event.data)
        if event.type == EventType.CHILD_STARTED and facts.get("child_id") == child_execution:
            kept, started = True, event.seq
        elif event.type == EventType.EXECUTION_ROLLED_BACK and int(facts["to_seq"]) < started:
            kept = False
    return kept


def look_at_child(work: NodeWork, row: ActivationRow) -> None:
    """End the node if the child has ended; otherwise it waits on."""
    child = find_child(work.tx, work.row, row)
    if child is None or child.status not in ENDED_STATUSES:
        activations.update_activation(work.tx, replace(row, due_us=None))
        return
    match child.status:
        case ExecutionStatus.COMPLETED:
            column = details.get_details(work.tx, child.id).output
            if column is None:
                end_wait(work, row, None, stored=True)
                return
            stored = fetch_value(work.tx, row.tenant_id, column)
            value = work.parts.vault.open_value(row.tenant_id, stored)
            copy_value(work.tx, row.tenant_id, column)
            succeed(work, row, Result(column, digest(canonical_bytes(value)), stored.size_bytes), stored=True)
        case ExecutionStatus.CANCELLED:
            text = f"The child {child.id} was cancelled."
            fail(work, row, make_error("ChildCancelled", text, code="child-cancelled"), stored=True)
        case _:
            text = f"The child {child.id} failed: {child.reason or 'error'}."
            fail(
                work,
                row,
                make_error("ChildFailed", text, code="child-failed", child_id=child.id),
                stored=True,
            )
