"""Endings: a driver says that an execution completed, failed, waits, or that it gives it back.

After each of them nothing drives the execution: what was announced and not reported becomes unknown, and the
steps that ran are forgotten. Sent twice, the second finds the execution where the first left it, under the
same lease, and gets the same answer; another ending than the recorded one is `StepConflict`. If the process
dies before the commit, the execution is still running under its lease.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, assert_never

from omium.errors import IllegalTransition, LeaseLostProblem, StepConflict
from omium.models.driver import ExecutionCompleted, ExecutionFailed, ExecutionSuspends, ExecutionWaits, Write
from omium.server.db.tx import Tx
from omium.server.engine.compensations import is_compensating
from omium.server.engine.driver_signals import go_on_at_once
from omium.server.engine.effect_losses import Coming, cut_off
from omium.server.engine.failures import SERVER, close_occurrence, lock_groups, record_occurrence
from omium.server.engine.fence import enter, find_under
from omium.server.engine.packing import Outcome, Packed
from omium.server.engine.transitions import move
from omium.server.engine.values import put_value
from omium.server.store import details, effects
from omium.server.store.executions import ExecutionRow
from omium.states import (
    CancelOutcome,
    Driver,
    EventType,
    ExecutionStatus,
    FailureKind,
    FailureStatus,
    PausedReason,
)

W = TypeVar("W", bound=Write)


def complete_execution(tx: Tx, packed: Packed[ExecutionCompleted]) -> Outcome:
    """Record the result. An effect that is still between intent and result is unknown, also after success."""
    output = packed.output
    assert output is not None

    def is_same(row: ExecutionRow) -> bool:
        return details.get_details(tx, row.id).output == output.column

    row = _enter_or_repeat(tx, packed, ExecutionStatus.COMPLETED, is_same)
    if row.status != ExecutionStatus.RUNNING:
        return Outcome(row, row.last_seq)
    row = cut_off(tx, row)
    details.set_output(tx, row.id, put_value(tx, row.tenant_id, output))
    row = move(tx, row, ExecutionStatus.COMPLETED, EventType.EXECUTION_COMPLETED)
    return Outcome(row, row.last_seq)


def fail_execution(tx: Tx, packed: Packed[ExecutionFailed]) -> Outcome:
    """Record that the workflow raised, and open an inbox item.

    If a cancel was asked for, nothing runs now, so that is what it ends with; the failure is recorded with
    it, and closed (docs/decisions/080-failing-while-cancelled.md).
    """
    write, error = packed.write, packed.error
    assert error is not None

    def is_same(row: ExecutionRow) -> bool:
        return details.get_details(tx, row.id).error == error.body

    code = str(error.info.get("code") or "error")
    kind = FailureKind.TIMEOUT if code == "timeout" else FailureKind.ERROR
    coming: list[Coming] = [(kind, write.path, error.info)]
    row = _enter_or_repeat(
        tx,
        packed,
        ExecutionStatus.FAILED,
        is_same,
        or_else=ExecutionStatus.CANCELLED,
        lock_first=lambda row: lock_groups(tx, row, coming, open_of=[row.id]),
    )
    if row.status != ExecutionStatus.RUNNING:
        return Outcome(row, row.last_seq)
    cancelled = row.cancel_requested_us is not None
    row = cut_off(tx, row, coming)
    details.set_error(tx, row.id, error.body)
    facts = {"path": write.path, "code": code, "error": str(error.info.get("message") or "")[:500]}
    if cancelled:
        row = _cancelled(tx, row, CancelOutcome.STOPPED, facts).row
    else:
        row = move(
            tx, row, ExecutionStatus.FAILED, EventType.EXECUTION_FAILED, reason="error", data={**facts}
        )
    occurrence_id = record_occurrence(tx, row, kind=kind, path=write.path, seq=row.last_seq, error=error.info)
    if cancelled:
        close_occurrence(
            tx, row, occurrence_id, status=FailureStatus.RESOLVED, by=SERVER, reason="it was being cancelled"
        )
    return Outcome(row, row.last_seq)


def wait_execution(tx: Tx, packed: Packed[ExecutionWaits]) -> Outcome:
    """Hand the execution back until its timer, or until what `reason` names comes."""
    write = packed.write
    row = _enter_or_repeat(tx, packed, ExecutionStatus.WAITING, lambda row: row.reason == write.reason)
    if row.status != ExecutionStatus.RUNNING:
        return Outcome(row, row.last_seq)
    row = _leave(tx, row)
    if row.cancel_requested_us is not None:
        return _cancelled(tx, row, CancelOutcome.STOPPED)
    if row.suspend is not None:
        return _paused(tx, row, row.suspend)
    row = move(
        tx,
        row,
        ExecutionStatus.WAITING,
        EventType.EXECUTION_WAITED,
        reason=write.reason.value,
        wake_us=write.wake_at_us,
        worker_id=None,
        data=_tell_wait(write),
    )
    seq = row.last_seq
    return Outcome(go_on_at_once(tx, row, write.signals), seq)


def _tell_wait(write: ExecutionWaits) -> dict[str, object]:
    told: dict[str, object] = {"detail": write.detail} if write.detail is not None else {}
    return told | ({"signals": [each.model_dump() for each in write.signals]} if write.signals else {})


def suspend_execution(tx: Tx, packed: Packed[ExecutionSuspends]) -> Outcome:
    """Take the execution back from a driver that stops: pause it, queue it again, or end a cancel.

    Raises `IllegalTransition` for a cancel that nobody has asked for: it is final, and not a driver's to say.
    """
    write = packed.write
    try:
        row = enter(tx, packed.lease)
    except LeaseLostProblem:
        for status in (ExecutionStatus.PAUSED, ExecutionStatus.CANCELLED):
            if (known := find_under(tx, packed.lease, status)) is not None:
                return Outcome(known, known.last_seq)
        raise
    if write.reason == "cancel" and row.cancel_requested_us is None:
        raise IllegalTransition(
            f"Nobody has asked to cancel {row.id}; ask for that, or give it back for another reason.",
            status_now=row.status,
            allowed=[],
        )
    row = _leave(tx, row)
    if row.cancel_requested_us is not None:
        return _cancelled(tx, row, CancelOutcome(write.outcome))
    if is_compensating(tx, row):  # it's still to be rolled back, whoever goes on with that
        return _paused(tx, row, PausedReason.ROLLBACK.value)
    if row.suspend is not None:  # what was asked for, whatever the driver called it
        return _paused(tx, row, row.suspend)
    match write.reason:
        case "operator" | "effect" | "credits" | "limit":
            return _paused(tx, row, write.reason)
        case "drain" | "interrupted" if row.driver == Driver.LOCAL:
            return _paused(tx, row, PausedReason.OPERATOR.value, interrupted=True)
        case "drain" | "interrupted" if effects.list_unresolved(tx, row.id):
            return _paused(tx, row, PausedReason.EFFECT.value)
        case "drain" | "interrupted":
            row = move(
                tx,
                row,
                ExecutionStatus.QUEUED,
                EventType.EXECUTION_QUEUED,
                data={"after": write.reason},
                lease_digest=None,
                worker_id=None,
            )
            return Outcome(row, row.last_seq)
        case "cancel":
            raise AssertionError("answered or refused above")
        case _:
            assert_never(write.reason)


def _enter_or_repeat(
    tx: Tx,
    packed: Packed[W],
    status: ExecutionStatus,
    is_same: Callable[[ExecutionRow], bool],
    *,
    or_else: ExecutionStatus | None = None,
    lock_first: Callable[[ExecutionRow], object] | None = None,
) -> ExecutionRow:
    """Pass the fence; or return the row that this lease has brought to `status`, by the same report.

    `or_else` is the status to which the report brings an execution that was asked to stop.
    """
    try:
        return enter(tx, packed.lease, lock_first=lock_first)
    except LeaseLostProblem:
        known = find_under(tx, packed.lease, status)
        if known is None and or_else is not None:
            known = find_under(tx, packed.lease, or_else)
            if known is not None and not is_same(known):  # ended by its grace, or by another word
                raise
        if known is None:
            raise
        if not is_same(known):
            raise StepConflict(f"{known.id} is {known.status} already, with another content.") from None
        return known


def _leave(tx: Tx, row: ExecutionRow) -> ExecutionRow:
    details.set_running(tx, row.id, None)
    return cut_off(tx, row)


def _paused(tx: Tx, row: ExecutionRow, reason: str, *, interrupted: bool = False) -> Outcome:
    row = move(
        tx,
        row,
        ExecutionStatus.PAUSED,
        EventType.EXECUTION_PAUSED,
        reason=reason,
        worker_id=None,
        data={"interrupted": True} if interrupted else None,
    )
    return Outcome(row, row.last_seq)


def _cancelled(
    tx: Tx, row: ExecutionRow, outcome: CancelOutcome, facts: Mapping[str, object] | None = None
) -> Outcome:
    row = move(
        tx,
        row,
        ExecutionStatus.CANCELLED,
        EventType.EXECUTION_CANCELLED,
        cancel_outcome=outcome.value,
        worker_id=None,
        data=facts,
    )
    return Outcome(row, row.last_seq)
