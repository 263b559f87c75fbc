"""Starting: an execution that the engine drives begins, pinned to a version of its workflow.

A start names a workflow; where the tenant's store has an active spec of that name (mode `engine`), the
execution is the engine's (`find_pinned`, `begin_run`, called by engine/start.py). A subworkflow begins its
child here, in the transaction of the node; the child's own nodes are left ready, so a workflow that runs
itself does not run on inside of one transaction.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from omium.errors import InvalidRequest
from omium.ids import child_execution_id
from omium.jsonvalue import JsonValue, canonical_bytes, digest, json_bytes, plain
from omium.models.execution import Limits
from omium.server.db.tx import Tx
from omium.server.engine import metering
from omium.server.engine.definitions import Definition
from omium.server.engine.grants import pack_model
from omium.server.engine.nodes.activating import activate
from omium.server.engine.nodes.ending import begin_scope
from omium.server.engine.nodes.settling import settle
from omium.server.engine.nodes.work import AT_ONCE, NodeWork
from omium.server.engine.parts import EngineParts
from omium.server.engine.transitions import record_first_event
from omium.server.engine.values import PackedValue, put_value
from omium.server.principal import Principal, PrincipalKind
from omium.server.store import details, engine_runs, epochs, workflows
from omium.server.store.details import DetailsRow
from omium.server.store.engine_runs import RunRow
from omium.server.store.executions import ExecutionRow, find_execution, insert_execution
from omium.server.store.workflows import WorkflowVersionRow
from omium.spec.schemas import check_value
from omium.states import Driver, Environment, EventType, ExecutionStatus

ENGINE: Final = "engine"
DEPTH_MAX: Final = 16
"""Executions that may stand inside each other."""


def find_pinned(
    tx: Tx, tenant_id: str, workflow: str
) -> tuple[WorkflowVersionRow | None, WorkflowVersionRow | None]:
    """Return the version that a start of `workflow` is pinned to: for the engine, or else for workers.

    Neither of them where only code is known under that name.
    """
    version = workflows.find_active_version(tx, tenant_id, workflow)
    if version is None:
        return None, None
    return (version, None) if version.mode == ENGINE else (None, version)


def get_definition(parts: EngineParts, version: WorkflowVersionRow) -> Definition:
    """Return a version compiled."""
    return parts.definitions.of_version(version)


def as_engine_row(tx: Tx, row: ExecutionRow, definition: Definition) -> ExecutionRow:
    """Return the row of a start as it is where the engine drives it: running, and nobody holds it."""
    queue = row.queue if row.queue != "default" else definition.spec.runtime.queue
    return replace(
        row,
        driver=Driver.ENGINE.value,
        status=ExecutionStatus.RUNNING.value,
        epoch=1,
        queue=queue,
        queued_us=None,
        started_us=tx.now_us,
        run_since_us=tx.now_us,
    )


def refuse_input(workflow: str, schema: JsonValue, given: JsonValue) -> None:
    """Raise `InvalidRequest` with every reason why `given` is not what the workflow takes.

    Values are judged without the tags of their classes, as conditions read them.
    """
    if schema == {}:
        return
    problems = check_value(schema, plain(given) if given is not None else {})
    if problems:
        raise InvalidRequest(
            f"The input of {workflow} is not as its spec asks: {problems[0].detail}",
            errors=[
                {"pointer": f"/input{problem.pointer}", "detail": problem.detail} for problem in problems
            ],
        )


def begin_run(
    tx: Tx, parts: EngineParts, row: ExecutionRow, version: WorkflowVersionRow, *, left: bool = False
) -> NodeWork:
    """Begin the inserted execution `row`: its run, and the nodes that come first; `left` leaves them ready.

    The caller drives and settles the work. `row` has its first event, details and meter.
    """
    run = RunRow(row.id, row.tenant_id, version.workflow_id, version.number, version.digest, None, 0)
    engine_runs.insert_run(tx, run)
    work = NodeWork(tx, parts, row, run, get_definition(parts, version))
    work.begun = AT_ONCE if left else 0
    begin_scope(work, "")
    return work


def describe_code(version: WorkflowVersionRow, name: str) -> bytes:
    """Return what an epoch says of the code that runs: the version of the spec."""
    return json_bytes({"digest": version.digest, "entrypoint": f"{name}@{version.number}"})


# ---- children


def start_child(
    work: NodeWork,
    execution_id: str,
    path: str,
    name: str,
    version: WorkflowVersionRow,
    given: JsonValue,
) -> str | None:
    """Begin a child of the work's execution at `path`; returns why that cannot be, or None.

    Raises one of `metering.REFUSALS` where there are no credits for it.
    """
    parent = work.row
    if _depth(work.tx, parent) >= DEPTH_MAX:
        return f"Executions stand more than {DEPTH_MAX} deep inside each other at {path}."
    if version.mode != ENGINE:
        return (
            f"{name} is run by workers (native mode), and a node runs workflows of engine mode only: start it"
            f" from a function on a worker, with omium.run_workflow({name!r})."
        )
    definition = get_definition(work.parts, version)
    problems = check_value(definition.spec.inputs, given)
    if problems:
        return f"The input of {name} is not as its spec asks: {problems[0].pointer} {problems[0].detail}"
    packed = work.parts.vault.pack(parent.tenant_id, given, what=f"The input of {name}")
    row = _child_row(work, execution_id, path, name, definition)
    meter = None
    if parent.covered_steps is not None:
        meter = metering.make_meter(work.tx, payer_of(parent), row.id, None, parent)
        row = replace(row, covered_steps=metering.first_cover(meter))
    inserted = insert_execution(work.tx, row)
    assert inserted, "its id follows from its parent, whose lock this transaction holds"
    _describe(work.tx, row, version, name, packed)
    record_first_event(work.tx, row, EventType.EXECUTION_STARTED, {"workflow": name, "by": row.started_by})
    if meter is not None:
        metering.start_meter(work.tx, row, meter, runs=True)
    work.record(EventType.CHILD_STARTED, {"path": path, "child_id": row.id})
    child = begin_run(work.tx, work.parts, row, version, left=True)
    while child.coming:
        activate(child, child.coming.popleft())
    settle(child)
    return None


def _depth(tx: Tx, row: ExecutionRow) -> int:
    depth, above = 1, row.parent_id
    while above is not None and depth < DEPTH_MAX:
        found = find_execution(tx, row.tenant_id, above)
        above = found.parent_id if found is not None else None
        depth += 1
    return depth


def payer_of(row: ExecutionRow) -> Principal:
    """Return who stands for an execution that nobody asks for now: whoever started it."""
    return Principal(
        row.tenant_id, row.started_by, PrincipalKind.KEY, Environment(row.environment), frozenset()
    )


def _child_row(
    work: NodeWork, execution_id: str, path: str, name: str, definition: Definition
) -> ExecutionRow:
    parent = work.row
    queue = definition.spec.runtime.queue
    alone = parent.lineage_root == parent.id and parent.generation == 1
    return replace(
        parent,
        id=execution_id,
        workflow=name,
        queue=parent.queue if queue == "default" else queue,
        status=ExecutionStatus.RUNNING.value,
        reason=None,
        generation=1,
        epoch=1,
        last_seq=1,
        interruptions=0,
        steps_completed=0,
        parent_id=parent.id,
        parent_path=path,
        replay_of=None,
        replay_batch=None,
        lineage_root=execution_id if alone else _lineage(parent.lineage_root, path),
        wake_us=None,
        suspend=None,
        cancel_requested_us=None,
        cancel_outcome=None,
        max_steps=None,
        interruption_streak=0,
        interruption_steps=0,
        created_us=work.now_us,
        started_us=work.now_us,
        ended_us=None,
        updated_us=work.now_us,
        max_duration_us=None,
        max_payload_bytes=None,
        ran_us=0,
        run_since_us=work.now_us,
        payload_bytes=0,
        covered_steps=None,
    )


def _lineage(root: str, path: str) -> str:
    return child_execution_id(root, path)


def _describe(tx: Tx, row: ExecutionRow, version: WorkflowVersionRow, name: str, packed: PackedValue) -> None:
    code = describe_code(version, name)
    asked: dict[str, JsonValue] = {"workflow": name, "version": version.number, "input": packed.digest}
    details.insert_details(
        tx,
        DetailsRow(
            execution_id=row.id,
            request_digest=digest(canonical_bytes(asked)),
            input=put_value(tx, row.tenant_id, packed),
            input_digest=packed.digest,
            comparable="full",
            output=None,
            error=None,
            process=None,
            code=code,
            limits=pack_model(Limits()) or b"{}",
            edits=None,
            running=None,
        ),
    )
    epochs.insert_epoch(
        tx,
        row.id,
        row.epoch,
        granted_to=row.started_by,
        cause=EventType.EXECUTION_STARTED.value,
        process=None,
        code=code,
    )
