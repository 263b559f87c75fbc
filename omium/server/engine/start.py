"""Starts: an execution begins, granted at once (`local`) or queued (`worker`). The same start twice is one.

What makes a start the same is its id and what it asks for (`request_digest`). The id is the client's own, or
follows from the parent and the step that starts a child, or from the Idempotency-Key; so a start needs no
record beside itself, and keeps its key as long as it lives
(docs/decisions/018-starts-carry-their-own-identity.md).

If the process dies before the commit there is no execution; after it, the client asks again and gets the
same answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from omium.errors import (
    ExecutionExists,
    IdempotencyMismatch,
    IllegalTransition,
    ParentFinal,
    SecretNotRepeatable,
    WorkflowArchived,
)
from omium.ids import child_execution_id
from omium.jsonvalue import JsonValue
from omium.models.driver import Grant
from omium.models.execution import Execution, StartExecution
from omium.server.db.tx import Tx
from omium.server.engine import metering, native
from omium.server.engine.grants import build_first_grant, build_grant, pack_model
from omium.server.engine.nodes import starting
from omium.server.engine.nodes.driving import drive
from omium.server.engine.nodes.settling import settle
from omium.server.engine.parts import EngineParts
from omium.server.engine.start_packing import PackedStart, pack_start
from omium.server.engine.transitions import append_event, record_first_event
from omium.server.engine.values import put_value
from omium.server.engine.views import view_execution
from omium.server.principal import Principal
from omium.server.store import details, epochs, labels
from omium.server.store.details import DetailsRow
from omium.server.store.executions import ExecutionRow, find_execution, insert_execution, lock_execution
from omium.server.store.workflows import find_workflow
from omium.states import FINAL_STATUSES, Driver, Durability, EventType, ExecutionStatus


@dataclass(frozen=True, slots=True)
class Started:
    """The execution of a start; `fresh` if this call began it."""

    row: ExecutionRow
    fresh: bool


async def start(
    parts: EngineParts, principal: Principal, command: StartExecution, idempotency_key: str | None = None
) -> Grant | Execution:
    """Begin an execution, and return a grant for the driver `local`, the queued execution for `worker`.

    Raises `ExecutionExists` (the id is in use for something else), `IdempotencyMismatch`, `ParentFinal`,
    `InvalidRequest`, `PayloadTooLarge`, `NotFound` (the parent), `CreditsExhausted`, `LimitReached`,
    `WorkflowArchived`.
    """
    packed = pack_start(parts.vault, principal, command, idempotency_key, metered=parts.metering)
    started = await parts.db.write(lambda tx: start_execution(tx, packed, parts))
    if started.row.driver == Driver.LOCAL:
        if started.fresh:
            return build_first_grant(parts, started.row, packed.input, packed.lease_token)
        return await build_grant(parts, started.row, packed.lease_token)
    return view_execution(started.row)


def start_execution(tx: Tx, packed: PackedStart, parts: EngineParts | None = None) -> Started:
    """Begin the execution, or return the one that the same start began before.

    With `parts`, one that is meant for workers is the engine's where its workflow is a stored spec, and
    pinned to the spec's version where that is for workers (`native`).
    """
    packed.principal.require_workflow(packed.command.workflow)
    parent = _lock_parent(tx, packed)
    row = _make_row(tx, packed, parent)
    version = pinned = None
    if parts is not None and packed.command.driver is Driver.WORKER:
        version, pinned = starting.find_pinned(tx, row.tenant_id, row.workflow)
    said = native.read_start(pinned) if pinned is not None else None
    if said is not None and row.queue == "default":
        row = replace(row, queue=said.queue)
    if parts is not None and version is not None:
        row = starting.as_engine_row(tx, row, starting.get_definition(parts, version))
    meter = None
    if packed.metered:
        meter = metering.make_meter(
            tx, packed.principal, row.id, packed.command.limits.max_microcredits, parent
        )
        row = replace(row, covered_steps=metering.first_cover(meter) if row.epoch else 0)
    if not insert_execution(tx, row):
        return Started(_find_same(tx, packed, row.id), fresh=False)
    _refuse_ended_parent(parent)
    command = packed.command
    if version is None and command.driver is Driver.WORKER:
        _refuse_archived(tx, row)
    code = packed.taker.code
    if parts is not None and version is not None:
        schema = starting.get_definition(parts, version).spec.inputs
        starting.refuse_input(row.workflow, schema, cast("JsonValue", command.input))
        code = starting.describe_code(version, row.workflow)
    if said is not None:
        starting.refuse_input(row.workflow, said.inputs, cast("JsonValue", command.input))
    details.insert_details(
        tx,
        DetailsRow(
            execution_id=row.id,
            request_digest=packed.request_digest,
            input=put_value(tx, row.tenant_id, packed.input),
            input_digest=command.input_digest,
            comparable=command.comparable,
            output=None,
            error=None,
            process=packed.taker.process,
            code=code,
            limits=pack_model(command.limits) or b"{}",
            edits=None,
            running=None,
        ),
    )
    labels.insert_labels(
        tx, row.tenant_id, row.id, row.created_us, business_key=command.business_key, tags=command.tags
    )
    if pinned is not None:
        native.pin(tx, row, pinned)
    if row.epoch:
        epochs.insert_epoch(
            tx,
            row.id,
            row.epoch,
            granted_to=packed.principal.id,
            cause=EventType.EXECUTION_STARTED.value,
            process=packed.taker.process,
            code=code,
        )
    record_first_event(tx, row, EventType.EXECUTION_STARTED, {"workflow": row.workflow, "by": row.started_by})
    if parent is not None:
        append_event(tx, parent, EventType.CHILD_STARTED, {"path": row.parent_path, "child_id": row.id})
    if meter is not None:
        # What began while the server was away is not refused any more; its driver is told to stop.
        away = command.durability is Durability.RELAXED and command.started_at_us is not None
        metering.start_meter(tx, row, meter, runs=row.epoch > 0, happened=away)
    if parts is not None and version is not None:
        work = starting.begin_run(tx, parts, row, version)
        drive(work)
        row = settle(work)
    return Started(row, fresh=True)


def _refuse_archived(tx: Tx, row: ExecutionRow) -> None:
    """Refuse a new execution of a workflow that was taken out of use; raising takes its row with it."""
    stored = find_workflow(tx, row.tenant_id, row.workflow)
    if stored is not None and stored.archived_us is not None:
        raise WorkflowArchived(
            f"{stored.name} is archived; take it back first: omium workflows unarchive {stored.name}"
        )


def _make_row(tx: Tx, packed: PackedStart, parent: ExecutionRow | None) -> ExecutionRow:
    command, principal = packed.command, packed.principal
    execution_id = packed.id or _child_id(parent, command)
    local = command.driver is Driver.LOCAL
    started_us = min(command.started_at_us or tx.now_us, tx.now_us)
    return ExecutionRow(
        id=execution_id,
        tenant_id=principal.tenant_id,
        environment=principal.environment.value,
        workflow=command.workflow,
        queue=command.queue,
        driver=command.driver.value,
        durability=command.durability.value,
        takeover=command.takeover.value,
        status=ExecutionStatus.RUNNING.value if local else ExecutionStatus.QUEUED.value,
        reason=None,
        generation=1,
        epoch=1 if local else 0,
        last_seq=1,
        interruptions=0,
        steps_completed=0,
        lease_digest=packed.taker.lease_digest if local else None,
        lease_touched_us=tx.lease_now_us if local else None,
        silent=0,
        worker_id=None,
        parent_id=command.parent_id,
        parent_path=command.parent_path,
        replay_of=None,
        replay_batch=None,
        lineage_root=_lineage_root(parent, command, execution_id),
        started_by=principal.id,
        queued_us=None if local else tx.now_us,
        wake_us=None,
        suspend=None,
        cancel_requested_us=None,
        cancel_outcome=None,
        max_steps=command.limits.max_steps,
        max_interruptions=command.limits.max_interruptions,
        interruption_streak=0,
        interruption_steps=0,
        created_us=tx.now_us,
        started_us=started_us if local else None,
        ended_us=None,
        updated_us=tx.now_us,
        max_duration_us=command.limits.max_duration_us,
        max_payload_bytes=command.limits.max_payload_bytes,
        ran_us=0,
        run_since_us=started_us if local else None,
        payload_bytes=0,
        covered_steps=None,
    )


def _find_same(tx: Tx, packed: PackedStart, execution_id: str) -> ExecutionRow:
    """Return the execution that the same start began, or say what is different."""
    row = find_execution(tx, packed.principal.tenant_id, execution_id)
    if row is None:  # another tenant's: ids are random, so nobody meets one by chance
        raise ExecutionExists("This execution id cannot be used; make a new one.")
    same = details.get_details(tx, row.id).request_digest == packed.request_digest
    if not same and packed.keyed:
        raise IdempotencyMismatch(
            "This Idempotency-Key was used for another start; take a new key for this one."
        )
    if not same:
        raise ExecutionExists(
            f"{row.id} exists, and was started with something else.",
            execution_id=row.id,
            status_now=row.status,
            same_start=False,
        )
    if row.driver == Driver.LOCAL and (row.epoch != 1 or row.lease_digest != packed.taker.lease_digest):
        if packed.command.lease_token is None:
            raise SecretNotRepeatable(
                f"{row.id} was started by this request, and its token was shown then; resume it instead."
                " Send a lease_token of your own to make a start that can be repeated.",
                execution_id=row.id,
            )
        raise ExecutionExists(
            f"{row.id} was started before, under another lease; resume it to go on.",
            execution_id=row.id,
            status_now=row.status,
            same_start=True,
        )
    return row


# ---- children


def _lock_parent(tx: Tx, packed: PackedStart) -> ExecutionRow | None:
    if packed.command.parent_id is None:
        return None
    return lock_execution(tx, packed.principal.tenant_id, packed.command.parent_id)


def _refuse_ended_parent(parent: ExecutionRow | None) -> None:
    """Refuse a new child of a parent that goes nowhere; raising takes the child's row with it."""
    if parent is None:
        return
    if parent.status in FINAL_STATUSES:
        raise ParentFinal(f"{parent.id} is {parent.status}; it starts no more children.", parent_id=parent.id)
    if parent.cancel_requested_us is not None:
        raise IllegalTransition(
            f"{parent.id} is being cancelled; it starts no more children.",
            status_now=parent.status,
            allowed=[],
        )


def _child_id(parent: ExecutionRow | None, command: StartExecution) -> str:
    assert parent is not None
    assert command.parent_path is not None
    return child_execution_id(parent.id, command.parent_path, parent.generation)


def _lineage_root(parent: ExecutionRow | None, command: StartExecution, execution_id: str) -> str:
    """Return whose effect keys the execution shares: a replayed parent's child does nothing a second time."""
    if parent is None or (parent.lineage_root == parent.id and parent.generation == 1):
        return execution_id
    assert command.parent_path is not None
    return child_execution_id(parent.lineage_root, command.parent_path)
