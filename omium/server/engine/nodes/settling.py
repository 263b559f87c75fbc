"""Settling: the status that follows from where the nodes stand (semantics 1.7, 1.10, 1.11).

    running    something is ready, runs, or is about to end
    waiting    else, as long as a timer, a signal, a person or a slot brings it on
    paused     else, where somebody has asked for it, credits or a limit are reached, or an effect is unknown
    failed     nothing runs, and a failure stands that nothing takes up
    completed  the outputs were evaluated

Called once at the end of every work. Groups of failures are locked here, after everything else that the work
has locked (docs/decisions/082-one-order-of-locks.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from omium.errors import PayloadTooLarge
from omium.models.usage import RecordUsage
from omium.server.engine import metering
from omium.server.engine.breaker_spending import lock_limited
from omium.server.engine.effect_losses import cut_off
from omium.server.engine.failures import lock_groups, record_occurrence
from omium.server.engine.limits import find_reached
from omium.server.engine.mishaps import PackedError, make_error
from omium.server.engine.nodes.inputs import Place, Unavailable, resolve_at
from omium.server.engine.nodes.maps import find_error
from omium.server.engine.nodes.slots import park
from omium.server.engine.nodes.stopping import drop_nodes
from omium.server.engine.nodes.work import NodeWork, Unhandled
from omium.server.engine.transitions import append_event, move
from omium.server.engine.usage import insert_usage
from omium.server.engine.values import copy_value, drop_value, put_value
from omium.server.principal import Principal, PrincipalKind
from omium.server.store import activations, details, engine_runs
from omium.server.store.executions import ExecutionRow
from omium.states import (
    ENDED_STATUSES,
    CancelOutcome,
    Environment,
    EventType,
    ExecutionStatus,
    FailureKind,
    PausedReason,
    WaitingReason,
)


def settle(work: NodeWork) -> ExecutionRow:
    """Save the work, and bring the execution to the status that follows from it."""
    if work.finished and work.may_begin:
        _evaluate_outputs(work)
    progressed = work.steps > 0
    work.save()
    _record_unhandled(work)
    _count_values(work)
    charge_usage(work)
    row = work.row
    if row.status in ENDED_STATUSES:
        return row
    if work.finished and work.run.failing is None and row.cancel_requested_us is None:
        work.change(_complete(work))
        return work.row
    if progressed and row.status == ExecutionStatus.WAITING and work.may_begin:
        work.change(_go_on(work))  # what was done while it waited is charged, and its next timer told
    _stop_at_limits(work)
    active = work.is_active or activations.is_active(work.tx, row.id)
    work.change(_follow(work, active=active))
    return work.row


def _follow(work: NodeWork, *, active: bool) -> ExecutionRow:
    row = work.row
    if row.cancel_requested_us is not None:
        return row if active else end_cancel(work, CancelOutcome.STOPPED)
    if work.run.failing is not None:
        return row if active else _fail(work)
    if row.suspend is not None:
        return row if active else _pause(work, row.suspend)
    if active:
        return row if row.status == ExecutionStatus.RUNNING else _go_on(work)
    if row.status == ExecutionStatus.PAUSED:
        return row
    reason = activations.find_waiting_reason(work.tx, row.id)
    if reason is None:
        return _pause(work, PausedReason.EFFECT.value)
    return _wait(work, reason)


def _go_on(work: NodeWork) -> ExecutionRow:
    """Let the execution run; where there are no credits for it, it is paused, and nothing begins."""
    row = work.row
    try:
        with work.tx.savepoint():
            return move(
                work.tx, row, ExecutionStatus.RUNNING, EventType.EXECUTION_RESUMED, data={"after": row.reason}
            )
    except metering.REFUSALS as problem:
        park(work.tx, row.id)
        return move(
            work.tx,
            row,
            ExecutionStatus.PAUSED,
            EventType.EXECUTION_PAUSED,
            reason=metering.reason_of(problem).value,
            data={"detail": problem.detail},
        )


def _wait(work: NodeWork, reason: str) -> ExecutionRow:
    row = work.row
    shown = WaitingReason(reason) if reason in set(WaitingReason) else WaitingReason.SIGNAL
    due_us = activations.find_next_due(work.tx, row.id)
    if row.status == ExecutionStatus.WAITING:
        return row
    if shown in {WaitingReason.TIMER, WaitingReason.RETRY} and due_us is None:
        shown = WaitingReason.SIGNAL
    return move(
        work.tx,
        row,
        ExecutionStatus.WAITING,
        EventType.EXECUTION_WAITED,
        reason=shown.value,
        wake_us=due_us,
        data={"detail": reason} if reason != shown.value else None,
    )


def _pause(work: NodeWork, reason: str) -> ExecutionRow:
    park(work.tx, work.row.id)
    return move(
        work.tx, work.row, ExecutionStatus.PAUSED, EventType.EXECUTION_PAUSED, reason=reason, worker_id=None
    )


def _fail(work: NodeWork) -> ExecutionRow:
    assert work.run.failing is not None
    failing = json.loads(work.run.failing)
    error = failing["error"]
    details.set_error(work.tx, work.row.id, json.dumps(error).encode())
    facts = {
        "path": failing["path"],
        "code": str(error.get("code") or "error"),
        "error": str(error.get("message") or "")[:500],
    }
    return move(
        work.tx, work.row, ExecutionStatus.FAILED, EventType.EXECUTION_FAILED, reason="error", data={**facts}
    )


def _complete(work: NodeWork) -> ExecutionRow:
    engine_runs.drop_instances(work.tx, work.row.id)
    if work.row.status == ExecutionStatus.WAITING:  # its last node was a timer, a child: it runs to its end
        after = {"after": work.row.reason}
        event = EventType.EXECUTION_RESUMED
        work.change(move(work.tx, work.row, ExecutionStatus.RUNNING, event, data=after, cover_otherwise=0))
    return move(work.tx, work.row, ExecutionStatus.COMPLETED, EventType.EXECUTION_COMPLETED)


def end_cancel(work: NodeWork, outcome: CancelOutcome) -> ExecutionRow:
    """End an execution that was asked to stop: nothing of it is left to be done."""
    drop_nodes(work.tx, work.row, running=True)
    row = cut_off(work.tx, work.row)
    return move(
        work.tx, row, ExecutionStatus.CANCELLED, EventType.EXECUTION_CANCELLED, cancel_outcome=outcome.value
    )


# ---- the outputs


def _evaluate_outputs(work: NodeWork) -> None:
    """Keep what the execution gives; what is not there fails it, as a node would."""
    row = work.row
    try:
        output = resolve_at(work, dict(work.definition.spec.outputs), Place(""))
        packed = work.parts.vault.pack(row.tenant_id, output, what="The output of the execution")
    except (Unavailable, PayloadTooLarge) as refused:
        gone = isinstance(refused, Unavailable)
        text = refused.text if isinstance(refused, Unavailable) else refused.detail
        error = make_error("NodeFailed", text, code="reference-unavailable" if gone else "payload-too-large")
        seq = work.record(
            EventType.STEP_FAILED, {"path": "", "error": f"{error.info['type']}: {error.info['message']}"}
        )
        work.unhandled.append(Unhandled("", seq, error, FailureKind.ERROR))
        work.set_failing({"path": "", "seq": seq, "error": dict(error.info)})
        return
    details.set_output(work.tx, row.id, put_value(work.tx, row.tenant_id, packed))


# ---- failures


def _record_unhandled(work: NodeWork) -> None:
    """Put what nothing takes up into the inbox: the deepest causes as roots, maps as their cascades."""
    if not work.unhandled:
        return
    if work.row.cancel_requested_us is not None:  # it was asked to stop: nobody is to act on that
        work.unhandled.clear()
        return
    planned: list[tuple[Unhandled, list[tuple[str, PackedError]]]] = []
    for each in work.unhandled:
        roots: list[tuple[str, PackedError]] = []
        if each.inside is not None:
            roots = [
                (inner.path, find_error(work, inner))
                for inner in activations.list_in_state(work.tx, work.row.id, "failed")
                if inner.path.startswith(f"{each.inside}[") and inner.type != "map"
            ][:20]
        planned.append((each, roots))
    coming = [
        (kind, path, error.info)
        for each, roots in planned
        for kind, path, error in [
            *((FailureKind.ERROR, path, error) for path, error in roots),
            (each.kind, each.path, each.error),
        ]
    ]
    lock_groups(work.tx, work.row, coming)
    for each, roots in planned:
        cause_id = None
        for path, error in roots:
            row = append_event(
                work.tx, work.row, EventType.FAILURE_CAPTURED, {"path": path, "inside": each.path}
            )
            work.change(row)
            found = record_occurrence(
                work.tx, row, kind=FailureKind.ERROR, path=path, seq=row.last_seq, error=error.info
            )
            cause_id = cause_id or found
        record_occurrence(
            work.tx,
            work.row,
            kind=each.kind,
            path=each.path,
            seq=each.seq,
            error=each.error.info,
            cause_id=cause_id,
        )
    work.unhandled.clear()


def _count_values(work: NodeWork) -> None:
    """Count the references of failed tries, now that groups of failures are locked."""
    for column, change in work.counts:
        if change > 0:
            copy_value(work.tx, work.row.tenant_id, column)
        else:
            drop_value(work.tx, work.row.tenant_id, column)
    work.counts.clear()


# ---- credits and limits


def note_usage(work: NodeWork, usage: Sequence[RecordUsage], breaker: str | None = None) -> None:
    """Take up what a task has spent, to be charged at the end; the `breaker` of its node counts it."""
    named = [each.model_copy(update={"breaker": each.breaker or breaker}) for each in usage]
    lock_limited(work.tx, work.row.tenant_id, work.row.environment, named)
    work.usage.extend(named)


def charge_usage(work: NodeWork) -> None:
    """Record and charge what was spent, for whoever started the execution; each report once."""
    payer = Principal(
        work.row.tenant_id,
        work.row.started_by,
        PrincipalKind.KEY,
        Environment(work.row.environment),
        frozenset(),
    )
    for each in work.usage:
        insert_usage(work.tx, work.row, payer, each)
    if work.usage and work.row.covered_steps is not None:
        work.reread()
    work.usage.clear()


def _stop_at_limits(work: NodeWork) -> None:
    """Ask the execution to pause where its credits or its limits are used up: nothing further begins."""
    row = work.row
    if (
        row.status != ExecutionStatus.RUNNING
        or row.suspend is not None
        or row.cancel_requested_us is not None
    ):
        return
    reached = find_reached(row, work.now_us)
    if reached is not None:
        row = append_event(
            work.tx,
            row,
            EventType.PAUSE_REQUESTED,
            {"by": "omium", "comment": f"its limit {reached.name} is reached"},
            suspend=PausedReason.LIMIT.value,
        )
    elif metering.at_end_of_cover(row):
        row, refused = metering.refill(work.tx, row)
        if refused is not None:
            reason = PausedReason.LIMIT if refused["because"] == "limit" else PausedReason.CREDITS
            row = append_event(work.tx, row, EventType.CREDITS_EXHAUSTED, refused, suspend=reason.value)
    work.change(row)
    if row.suspend is not None:
        park(work.tx, row.id)
        work.is_active = False
