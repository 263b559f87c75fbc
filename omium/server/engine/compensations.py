"""Compensations: what a rollback planned is run one by one, newest effect first, before anything goes on.

    planned -> pending -> completed
                       -> failed: the list stops, inbox item, paused(rollback-failed); a driver may try again
                       -> skipped, by a person

Owns the end of each and of the list. The list is made in rollback.py. Whoever serves the workflow runs it: a
driver that is granted an execution in paused(rollback), also one that a script had driven, is given nothing
else to do, and the grant is over with the list. Each is recorded as a step `~path` of its own.
"""

from __future__ import annotations

from omium.errors import IllegalTransition, StepConflict
from omium.jsonvalue import json_bytes, parse_json
from omium.models.driver import CompensationEnded
from omium.models.replay import CompensationView
from omium.server.db.tx import Tx
from omium.server.engine.failures import as_error, close_in_group, close_occurrences, record_occurrence
from omium.server.engine.transitions import append_event, move
from omium.server.engine.values import PackedValue, put_value
from omium.server.principal import Principal
from omium.server.store import activations, steps
from omium.server.store import compensations as store
from omium.server.store.compensations import CompensationRow, PendingCompensation
from omium.server.store.effects import find_effect
from omium.server.store.executions import ExecutionRow, get_execution, lock_execution
from omium.server.store.failures import list_open_of_execution
from omium.server.store.steps import StepRow
from omium.states import EventType, ExecutionStatus, FailureKind, FailureStatus, PausedReason, StepStatus

ROLLBACK_REASONS = frozenset({PausedReason.ROLLBACK.value, PausedReason.ROLLBACK_FAILED.value})


def list_pending(tx: Tx, row: ExecutionRow) -> list[PendingCompensation]:
    """List the compensations that have not ended, the next one first; one that failed may be tried again."""
    return store.list_pending(tx, row.tenant_id, row.id, row.generation)


def has_pending(tx: Tx, row: ExecutionRow) -> bool:
    """Say whether a rollback of `row` still has compensations to run: it cannot be resumed until then."""
    return store.count_unended(tx, row.id, row.generation) > 0


def is_compensating(tx: Tx, row: ExecutionRow) -> bool:
    """Say whether a driver of `row` only runs compensations: a rollback has some that have not ended."""
    return row.generation > 1 and has_pending(tx, row)


def end_compensation(
    tx: Tx, row: ExecutionRow, write: CompensationEnded, output: PackedValue | None = None
) -> ExecutionRow:
    """Record how a compensation ended, as the step `~path`, too; return the row, paused after the last one.

    `row` is locked and running under the caller's grant. The same write again changes nothing; another end of
    one that has ended is `StepConflict`. `write.error` is stored as it is: redact it first. If the process
    dies in here, nothing is recorded, and the driver sends the write again or the next one runs the
    compensation again, with the same key (the receiver honours it: compensations are idempotent effects).
    """
    found = store.find_compensation(tx, row.id, row.generation, write.position)
    if found is None:
        raise StepConflict(f"{row.id} has no compensation {write.position} in generation {row.generation}.")
    failed = write.error is not None
    if found.status in ("completed", "skipped") or (failed and found.attempt == write.attempt):
        return _repeated(row, found, failed)
    _refuse_out_of_order(tx, row, write.position)
    error = as_error(write.error)
    store.end_compensation(
        tx,
        found,
        status="failed" if failed else "completed",
        attempt=write.attempt,
        error=json_bytes(error) if failed else None,
    )
    about = {"position": found.position, "path": found.path, "effect_key": found.effect_key}
    if failed:
        row = append_event(tx, row, EventType.COMPENSATION_FAILED, {**about, "attempt": write.attempt})
        _put_step(tx, row, found, write.attempt, StepStatus.FAILED, error=json_bytes(error))
        record_occurrence(
            tx, row, kind=FailureKind.COMPENSATION_FAILED, path=found.path, seq=row.last_seq, error=error
        )
        return _pause(tx, row, PausedReason.ROLLBACK_FAILED)
    store.mark_compensated(tx, row.tenant_id, found.effect_key)
    if found.status == "failed":
        _close_item(tx, row, found.path)
    row = append_event(tx, row, EventType.COMPENSATION_COMPLETED, {**about, "attempt": write.attempt})
    _put_step(tx, row, found, write.attempt, StepStatus.COMPLETED, output=output)
    return row if has_pending(tx, row) else _pause(tx, row, PausedReason.ROLLBACK)


def _put_step(
    tx: Tx,
    row: ExecutionRow,
    ended: CompensationRow,
    attempt: int,
    status: StepStatus,
    *,
    output: PackedValue | None = None,
    error: bytes | None = None,
) -> None:
    """Record the compensation as a step of its own; one of an earlier rollback at the path gives way.

    It's for people who look: no driver looks it up, because no name of a step begins with `~`.
    """
    effect = find_effect(tx, row.tenant_id, ended.effect_key)
    assert effect is not None, "an effect stays as long as its execution"
    step = StepRow(
        execution_id=row.id,
        path=ended.path,
        name=f"~{effect.name}",
        occurrence=1,
        explicit_key=0,
        kind="compensation",
        generation=row.generation,
        epoch=row.epoch,
        status=status.value,
        attempt=attempt,
        interruptions=0,
        input=None,  # it is called with what the effect recorded, which stands there
        input_digest=effect.input_digest,
        comparable="none",
        output=output.column if output is not None else None,
        output_digest=output.digest if output is not None else None,
        error=error,
        effect_key=None,
        reused_from=None,
        edited_by=None,
        started_us=tx.now_us,
        ended_us=tx.now_us,
        completed_seq=row.last_seq if status is StepStatus.COMPLETED else None,
        superseded_seq=None,
    )
    if not steps.put_step(tx, step):
        steps.supersede_step(tx, row.id, ended.path, row.last_seq)
        assert steps.put_step(tx, step), "the path has no live row now"
    if output is not None:
        put_value(tx, row.tenant_id, output)


def _close_item(tx: Tx, row: ExecutionRow, path: str) -> None:
    """Close what an earlier try had opened in the inbox."""
    for occurrence in list_open_of_execution(tx, row.id):
        if occurrence.path == path:
            close_in_group(
                tx,
                row.tenant_id,
                occurrence.failure_id,
                [occurrence.id],
                status=FailureStatus.RESOLVED,
                by=row.worker_id or row.started_by,
                reason="compensated by a later try",
            )


def is_ended(tx: Tx, row: ExecutionRow, write: CompensationEnded) -> bool:
    """Say whether this very end is recorded: the report of the last one came a second time."""
    found = store.find_compensation(tx, row.id, row.generation, write.position)
    status = "completed" if write.error is None else "failed"
    return found is not None and (found.status, found.attempt) == (status, write.attempt)


def _repeated(row: ExecutionRow, found: CompensationRow, failed: bool) -> ExecutionRow:
    if (found.status == "failed") != failed:
        raise StepConflict(f"Compensation {found.position} of {row.id} is {found.status} already.")
    return row


def _refuse_out_of_order(tx: Tx, row: ExecutionRow, position: int) -> None:
    following = store.list_pending(tx, row.tenant_id, row.id, row.generation)[0]
    if following.position != position:
        raise StepConflict(
            f"Compensation {position} of {row.id} cannot end before {following.position}: the newest is"
            " undone first."
        )


def _pause(tx: Tx, row: ExecutionRow, reason: PausedReason) -> ExecutionRow:
    return move(
        tx,
        row,
        ExecutionStatus.PAUSED,
        EventType.EXECUTION_PAUSED,
        reason=reason.value,
        worker_id=None,
    )


def skip_compensations(
    tx: Tx, principal: Principal, execution_id: str, reason: str
) -> list[CompensationView]:
    """Skip every compensation that has not ended, so that the execution can be resumed.

    What they would have undone stays done. A second call finds nothing to skip and says so by the same list.
    """
    row = lock_execution(tx, principal.tenant_id, execution_id)
    principal.require_workflow(row.workflow)
    unended = list_pending(tx, row)
    if unended:
        if row.status != ExecutionStatus.PAUSED or row.reason not in ROLLBACK_REASONS:
            raise IllegalTransition(
                f"{row.id} is {row.status}; compensations are skipped while it is paused for a rollback.",
                status_now=row.status,
                allowed=[ExecutionStatus.PAUSED.value],
            )
        for each in unended:
            found = store.find_compensation(tx, row.id, row.generation, each.position)
            assert found is not None
            store.end_compensation(
                tx, found, status="skipped", attempt=found.attempt, decided_by=principal.id
            )
        activations.delete_of_type(tx, row.id, "compensation")  # one that the engine has offered
        row = append_event(
            tx,
            row,
            EventType.COMPENSATION_SKIPPED,
            {"paths": [each.path for each in unended], "by": principal.id, "comment": reason},
            reason=PausedReason.ROLLBACK.value,
        )
        close_occurrences(tx, row, status=FailureStatus.RESOLVED, by=principal.id, reason=reason)
    return list_compensations(tx, principal.tenant_id, execution_id)


def list_compensations(tx: Tx, tenant_id: str, execution_id: str) -> list[CompensationView]:
    """List what every rollback of an execution planned; raises `NotFound` for a foreign execution."""
    get_execution(tx, tenant_id, execution_id)
    return [_view(row) for row in store.list_compensations(tx, execution_id)]


def _view(row: CompensationRow) -> CompensationView:
    return CompensationView(
        position=row.position,
        generation=row.generation,
        key=row.path,
        compensate=row.compensate,
        status=row.status,
        attempt=row.attempt,
        error=parse_json(row.error) if row.error else None,
    )
