"""Child starts: a `subworkflow` begins the execution that it waits for, or finds the one it had begun."""

from __future__ import annotations

from dataclasses import replace

from omium.jsonvalue import JsonValue
from omium.server.engine import metering
from omium.server.engine.mishaps import make_error
from omium.server.engine.nodes.children import CHILD, child_id, find_child, look_at_child
from omium.server.engine.nodes.ending import fail
from omium.server.engine.nodes.starting import start_child
from omium.server.engine.nodes.work import NodeWork
from omium.server.store import workflows
from omium.server.store.activations import ActivationRow
from omium.server.store.workflows import WorkflowVersionRow
from omium.spec.document import Node
from omium.states import ENDED_STATUSES


def begin_child(work: NodeWork, row: ActivationRow, node: Node, given: JsonValue, *, stored: bool) -> None:
    """Begin the child and wait for it; unknown workflows and refused inputs fail the node."""
    waiting = work.put(
        replace(
            row,
            state="waiting",
            waiting_reason=CHILD,
            due_us=None,
            started_us=row.started_us or work.now_us,
        ),
        stored=stored,
    )
    known = find_child(work.tx, work.row, row)
    if known is not None:
        if known.status in ENDED_STATUSES:
            look_at_child(work, waiting)
        return
    name, _, number = str(node.workflow).partition("@")
    version = find_version(work, name, number)
    if version is None:
        text = f"There is no workflow {node.workflow} for {row.path} to run."
        fail(work, waiting, make_error("NodeFailed", text, code="workflow-unknown"), stored=True)
        return
    try:
        with work.tx.savepoint():
            refused = start_child(work, child_id(row, work.row), row.path, name, version, given)
    except metering.REFUSALS as problem:
        refused = problem.detail
    if refused is not None:
        fail(work, waiting, make_error("ChildRefused", refused, code="child-refused"), stored=True)


def find_version(work: NodeWork, name: str, number: str) -> WorkflowVersionRow | None:
    """Return the version that `name` or `name@number` means for this tenant."""
    if not number:
        return workflows.find_active_version(work.tx, work.row.tenant_id, name)
    known = workflows.find_workflow(work.tx, work.row.tenant_id, name)
    if known is None or not number.isdecimal():
        return None
    if int(number) > known.version or not int(number):
        return None
    return workflows.get_version(work.tx, work.row.tenant_id, known.id, int(number))
