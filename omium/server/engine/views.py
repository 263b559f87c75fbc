"""Views: wire types made from rows. Pure: what must be read or opened comes in as arguments."""

from __future__ import annotations

import json
from collections.abc import Mapping

from omium.jsonvalue import JsonValue, parse_json
from omium.models.driver import Worker
from omium.models.execution import (
    Checkpoint,
    CodeVersion,
    Event,
    Execution,
    ListedExecution,
    ProcessIdentity,
    Step,
    StepAttempt,
)
from omium.models.slot import Slot
from omium.server.engine.values import StoredValue, Vault
from omium.server.store.attempts import AttemptRow
from omium.server.store.checkpoints import CheckpointRow
from omium.server.store.events import EventRow
from omium.server.store.execution_lists import ListedRow
from omium.server.store.executions import ExecutionRow
from omium.server.store.slot_lists import ListedSlot
from omium.server.store.steps import StepRow
from omium.server.store.workers import WorkerRow
from omium.states import (
    ENDED_STATUSES,
    CancelOutcome,
    Driver,
    Durability,
    ExecutionStatus,
    StepStatus,
    Takeover,
)

Values = Mapping[bytes, StoredValue]
SHOWN_BYTES_MAX = 16 * 1024  # of one value in a list; a longer one has an address of its own


def view_execution(row: ExecutionRow) -> Execution:
    """Return the execution as lists show it."""
    return Execution(**_execution_fields(row))  # type: ignore[arg-type]  # names and types are checked at run time


def view_listed(row: ListedRow) -> ListedExecution:
    """Return the execution with what it is found by."""
    tags = [] if row.tags is None else json.loads(row.tags)
    return ListedExecution(**_execution_fields(row), tags=tags, business_key=row.business_key)  # type: ignore[arg-type]  # as above


def _execution_fields(row: ExecutionRow) -> dict[str, object]:
    ended = ExecutionStatus(row.status) in ENDED_STATUSES
    return {
        "id": row.id,
        "workflow": row.workflow,
        "environment": row.environment,
        "queue": row.queue,
        "driver": Driver(row.driver),
        "durability": Durability(row.durability),
        "takeover": Takeover(row.takeover),
        "status": ExecutionStatus(row.status),
        "reason": row.reason,
        "cancelling": row.cancel_requested_us is not None and not ended,
        "cancel_outcome": CancelOutcome(row.cancel_outcome) if row.cancel_outcome else None,
        "silent": bool(row.silent),
        "generation": row.generation,
        "attempt": row.epoch,
        "interruptions": row.interruptions,
        "last_seq": row.last_seq,
        "steps_completed": row.steps_completed,
        "worker_id": row.worker_id,
        "parent_id": row.parent_id,
        "parent_path": row.parent_path,
        "replay_of": row.replay_of,
        "lineage_root": row.lineage_root,
        "started_by": row.started_by,
        "created_at_us": row.created_us,
        "started_at_us": row.started_us,
        "ended_at_us": row.ended_us,
        "updated_at_us": row.updated_us,
        "wake_at_us": row.wake_us,
    }


def view_slot(row: ListedSlot) -> Slot:
    """Return who has a slot of a concurrency key, or waits for one."""
    return Slot(
        key=row.key,
        environment=row.environment,
        state="waiting" if row.waits else "held",
        execution_id=row.execution_id,
        path=row.path,
        limit=row.most,
        asked_at_us=row.asked_us,
    )


def view_value(vault: Vault, tenant_id: str, values: Values, column: bytes | None) -> JsonValue:
    """Return a value for people; None for one that is long (its size tells) or that retention removed."""
    stored = values.get(column) if column is not None else None
    if stored is None or stored.size_bytes > SHOWN_BYTES_MAX:
        return None
    return vault.display(tenant_id, stored)


def view_whole(vault: Vault, tenant_id: str, values: Values, column: bytes | None) -> JsonValue:
    """Return a value for people however long it is: where one execution is looked at, nothing is left out."""
    stored = values.get(column) if column is not None else None
    return None if stored is None else vault.display(tenant_id, stored)


def view_step(vault: Vault, tenant_id: str, row: StepRow, values: Values, effect_state: str | None) -> Step:
    output = values.get(row.output) if row.output is not None else None
    return Step(
        key=row.path,
        name=row.name,
        occurrence=row.occurrence,
        explicit_key=bool(row.explicit_key),
        kind=row.kind,
        generation=row.generation,
        epoch=row.epoch,
        status=StepStatus(row.status),
        attempt=row.attempt,
        interruptions=row.interruptions,
        input=view_value(vault, tenant_id, values, row.input),
        input_digest=row.input_digest,
        comparable=row.comparable,  # type: ignore[arg-type]  # the schema checks it
        output=view_value(vault, tenant_id, values, row.output),
        output_size_bytes=output.size_bytes if output else None,
        output_sealed=output.is_sealed if output else False,
        error=view_error(row.error),
        effect_key=row.effect_key,
        effect_state=effect_state,
        reused_from=row.reused_from,
        edited_by=row.edited_by,
        started_at_us=row.started_us,
        ended_at_us=row.ended_us,
        completed_seq=row.completed_seq,
        superseded_seq=row.superseded_seq,
    )


def view_attempt(row: AttemptRow) -> StepAttempt:
    return StepAttempt(
        key=row.path,
        generation=row.generation,
        attempt=row.attempt,
        epoch=row.epoch,
        error=view_error(row.error),
        started_at_us=row.started_us,
        ended_at_us=row.ended_us,
        delay_us=row.delay_us,
    )


def view_checkpoint(vault: Vault, tenant_id: str, row: CheckpointRow, values: Values) -> Checkpoint:
    state = values.get(row.state)
    return Checkpoint(
        id=row.id,
        name=row.name,
        key=row.path,
        seq=row.seq,
        generation=row.generation,
        state=view_value(vault, tenant_id, values, row.state),
        state_size_bytes=state.size_bytes if state else None,
        created_at_us=row.created_us,
        superseded_seq=row.superseded_seq,
    )


def view_event(row: EventRow) -> Event:
    return Event(seq=row.seq, type=row.type, at_us=row.at_us, data=parse_json(row.data))


def view_worker(row: WorkerRow, *, seen: bool) -> Worker:
    return Worker(
        id=row.id,
        environment=row.environment,
        queue=row.queue,
        workflows=json.loads(row.workflows),
        handlers=json.loads(row.handlers) if row.handlers is not None else [],
        process=ProcessIdentity.model_validate_json(row.process),
        concurrency=row.concurrency,
        seen=seen,
        started_at_us=row.started_us,
        seen_at_us=row.seen_us,
        stopped_at_us=row.stopped_us,
    )


def view_error(error: bytes | None) -> JsonValue:
    """Return an error, which was redacted before it was stored."""
    return parse_json(error) if error is not None else None


def view_code(code: bytes | None) -> CodeVersion | None:
    return CodeVersion.model_validate_json(code) if code is not None else None


def view_process(process: bytes | None) -> ProcessIdentity | None:
    return ProcessIdentity.model_validate_json(process) if process is not None else None
