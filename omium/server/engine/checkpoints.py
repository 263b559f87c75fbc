"""Checkpoints, captured failures, heartbeats, lines and usage: what a driver says beside its steps.

Each is one fence and one or two statements. If the process dies before the commit nothing is recorded and
the driver says it again; said twice, the second changes nothing.
"""

from __future__ import annotations

from omium.errors import LeaseLostProblem, StepConflict
from omium.jsonvalue import JsonValue, json_bytes
from omium.models.driver import (
    CheckpointSaved,
    CompensationEnded,
    FailureCaptured,
    Heartbeat,
    LogWritten,
    RecordingGapped,
    UsageRecorded,
)
from omium.server.db.tx import Tx
from omium.server.engine import compensations
from omium.server.engine.failures import lock_groups, record_occurrence
from omium.server.engine.fence import enter, find_under
from omium.server.engine.logs import write_logs
from omium.server.engine.packing import Outcome, Packed
from omium.server.engine.transitions import find_event, number_event
from omium.server.engine.usage import insert_usage
from omium.server.engine.values import put_value
from omium.server.store import checkpoints, details
from omium.server.store.checkpoints import CheckpointRow
from omium.server.store.executions import give_back, lock_execution
from omium.states import EventType, ExecutionStatus, FailureKind


def save_checkpoint(tx: Tx, packed: Packed[CheckpointSaved]) -> Outcome:
    """Save a state under a name; its id is made by the driver, so the same id is the same state."""
    write, state = packed.write, packed.output
    assert state is not None
    row = enter(tx, packed.lease, events=1, payload_bytes=packed.payload_bytes)
    saved = CheckpointRow(
        id=write.id,
        execution_id=row.id,
        generation=row.generation,
        path=write.path,
        name=write.name,
        seq=row.last_seq,
        state=state.column,
        state_digest=state.digest,
        created_us=write.at_us,
        superseded_seq=None,
    )
    if not checkpoints.insert_checkpoint(tx, saved):
        known = checkpoints.find_checkpoint(tx, row.id, write.id)
        if known is None or (known.state_digest, known.name) != (state.digest, write.name):
            raise StepConflict(f"The checkpoint id {write.id} is taken; make a new one for each state.")
        give_back(tx, row, events=1, steps=0, payload_bytes=packed.payload_bytes)
        return Outcome(row, known.seq)
    put_value(tx, row.tenant_id, state)
    number_event(
        tx, row, EventType.CHECKPOINT_SAVED, {"id": write.id, "name": write.name, "path": write.path}
    )
    return Outcome(row, row.last_seq)


def capture_failure(tx: Tx, packed: Packed[FailureCaptured]) -> Outcome:
    """Put a failure into the inbox while the execution goes on."""
    return _capture(tx, packed, EventType.FAILURE_CAPTURED, packed.write.path)


def record_gap(tx: Tx, packed: Packed[RecordingGapped]) -> Outcome:
    """Note that the driver goes on without recording, and put that into the inbox (semantics 3.7)."""
    return _capture(tx, packed, EventType.RECORDING_GAPPED, "")


def _capture(
    tx: Tx, packed: Packed[FailureCaptured] | Packed[RecordingGapped], event: EventType, path: str
) -> Outcome:
    error, identity = packed.error, packed.write.id
    assert error is not None
    coming = [(FailureKind.CAPTURED, path, error.info)]
    row = enter(
        tx,
        packed.lease,
        events=1,
        lock_first=lambda row: lock_groups(tx, row, coming, open_of=[row.id], perhaps=True),
    )
    known = find_event(tx, row, event, {"id": identity})
    if known is not None:
        give_back(tx, row, events=1, steps=0)
        return Outcome(row, known)
    number_event(tx, row, event, {"id": identity, "path": path})
    record_occurrence(tx, row, kind=FailureKind.CAPTURED, path=path, seq=row.last_seq, error=error.info)
    return Outcome(row, row.last_seq)


def record_heartbeat(tx: Tx, packed: Packed[Heartbeat]) -> Outcome:
    """Extend the lease and note what runs: after a crash that is all one knows of plain steps in flight."""
    row = enter(tx, packed.lease)
    running: list[JsonValue] = list(packed.write.running)
    details.set_running(tx, row.id, json_bytes(running) if running else None)
    return Outcome(row)


def record_lines(tx: Tx, packed: Packed[LogWritten]) -> Outcome:
    """Keep lines of a step that is still running."""
    write = packed.write
    assert packed.logs is not None
    row = enter(tx, packed.lease)
    write_logs(tx, row, write.path, write.attempt, write.chunk, packed.logs)
    return Outcome(row)


def record_usage(tx: Tx, packed: Packed[UsageRecorded]) -> Outcome:
    """Record usage whoever reports it: what was spent was spent (semantics 3.8 d)."""
    lease = packed.lease
    try:
        row = enter(tx, lease)
    except LeaseLostProblem:
        row = lock_execution(tx, lease.tenant_id, lease.execution_id)  # what it is charged changes its cover
    insert_usage(tx, row, lease.principal, packed.write.usage)
    return Outcome(row)


def end_compensation(tx: Tx, packed: Packed[CompensationEnded]) -> Outcome:
    """Record how a compensation ended (compensations.py); with the last one the grant is over."""
    write = packed.write
    if packed.error is not None:
        write = write.model_copy(update={"error": dict(packed.error.info)})
    try:
        row = enter(tx, packed.lease)
    except LeaseLostProblem:
        known = find_under(tx, packed.lease, ExecutionStatus.PAUSED)
        if known is None or not compensations.is_ended(tx, known, write):
            raise
        return Outcome(known, known.last_seq)
    row = compensations.end_compensation(tx, row, write, packed.output)
    return Outcome(row, row.last_seq)
