"""Tasks: nodes that are done outside of a transaction: by the server's runners, by workers, by webhooks.

    claim_tasks (claiming.py)   grant_task   touch_task   complete_task   fail_task   record_turn   list_turns

A grant is an epoch and the digest of a token; whoever says something about a task shows both, and where they
are not the current ones nothing is changed (`LeaseLostProblem`). Time is never compared. Said twice, the same
end is answered as the first time. If the process dies before a commit the task still runs under its lease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from omium.breaker import Verdict, classify
from omium.errors import StepConflict
from omium.jsonvalue import JsonValue
from omium.models.usage import RecordUsage
from omium.server.builtin.context import TaskGrant, Turn
from omium.server.db.tx import Tx
from omium.server.engine.logs import END_CHUNK, PackedLines, write_logs
from omium.server.engine.mishaps import PackedError, make_error
from omium.server.engine.nodes import node_effects, undoing
from omium.server.engine.nodes.claiming import TaskScope, claim_tasks, tell_breaker
from omium.server.engine.nodes.driving import drive
from omium.server.engine.nodes.ending import fail, succeed
from omium.server.engine.nodes.inputs import open_column
from omium.server.engine.nodes.places import is_effect
from omium.server.engine.nodes.records import record_failed, result_of
from omium.server.engine.nodes.results import find_fault, save_checkpoint
from omium.server.engine.nodes.retries import find_delay_us, is_not_applied
from omium.server.engine.nodes.settling import charge_usage, note_usage, settle
from omium.server.engine.nodes.slots import release_slot
from omium.server.engine.nodes.task_fence import TaskLease, find_granted, lease_lost
from omium.server.engine.nodes.turns import list_turns, record_turn
from omium.server.engine.nodes.waits import wait
from omium.server.engine.nodes.work import NodeWork, open_work, work_on
from omium.server.engine.parts import EngineParts
from omium.server.engine.values import PackedValue
from omium.server.store import activations, steps
from omium.server.store.activations import ActivationRow
from omium.server.store.executions import ExecutionRow, find_execution
from omium.states import EventType, StepStatus, WaitingReason

__all__ = [
    "Ended",
    "TaskLease",
    "TaskNews",
    "TaskOutput",
    "TaskScope",
    "claim_tasks",
    "complete_task",
    "fail_attempt",
    "fail_task",
    "give_back_task",
    "grant_task",
    "interrupt_task",
    "list_turns",
    "pack_output",
    "record_late_usage",
    "record_turn",
    "touch_task",
]

State = Literal["completed", "retrying", "failed", "effect-unknown"]
NO_USAGE: Final[tuple[RecordUsage, ...]] = ()


@dataclass(frozen=True, slots=True)
class TaskNews:
    """What there is to know about a task that runs."""

    cancel_requested: bool = False


@dataclass(frozen=True, slots=True)
class TaskOutput:
    """An output made ready before its transaction."""

    value: JsonValue
    packed: PackedValue


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a task, and the execution after it."""

    execution: ExecutionRow
    state: State


def pack_output(parts: EngineParts, lease: TaskLease, output: JsonValue) -> TaskOutput:
    """Make an output ready; raises `PayloadTooLarge`, which the caller reports as the task's failure."""
    packed = parts.vault.pack(lease.tenant_id, output, what=f"The output of {lease.path}")
    return TaskOutput(output, packed)


def grant_task(tx: Tx, parts: EngineParts, row: ActivationRow) -> TaskGrant:
    """Return what is needed to do a task that was claimed; reads only, so it may come after the commit."""
    execution = find_execution(tx, row.tenant_id, row.execution_id)
    assert execution is not None, f"{row.path} runs, so its execution is there"
    work = work_on(tx, parts, execution)
    if row.type == undoing.COMPENSATION:
        return undoing.grant(work, row)
    spec, node = work.definition.spec, work.definition.node(row.scope, row.node)
    given = open_column(work, row.input) if row.input is not None else {}
    agent = spec.agents.get(node.agent) if node.agent is not None else None
    names = [node.tool] if node.tool is not None else []
    names += [name for name in (agent.tools if agent is not None else ()) if name not in names]
    return TaskGrant(
        tenant_id=row.tenant_id,
        environment=row.environment,
        workflow=row.workflow,
        execution_id=row.execution_id,
        path=row.path,
        node=row.node,
        type=row.type,
        attempt=row.attempt,
        epoch=row.epoch,
        inputs=given if isinstance(given, dict) else {},
        parameters=dict(node.parameters),
        agent=agent.form() if agent is not None else None,
        tools={name: spec.tools[name].form() for name in names if name in spec.tools},
        output_schema=dict(node.outputs) or None,
        effect_key=row.effect_key,
        timeout_s=node.timeout_s,
        turns=tuple(
            Turn(name, open_column(work, column))
            for name, column in list_turns(tx, row.execution_id, row.path)
        ),
    )


def touch_task(tx: Tx, lease: TaskLease) -> TaskNews:
    """Let the task's lease run anew; raises `LeaseLostProblem` where it is not the current one."""
    known = activations.touch_activation(
        tx, lease.tenant_id, lease.execution_id, lease.path, lease.epoch, lease.lease_digest
    )
    row = find_execution(tx, lease.tenant_id, lease.execution_id)
    if not known or row is None:
        raise lease_lost(lease)
    return TaskNews(cancel_requested=row.cancel_requested_us is not None)


def complete_task(
    tx: Tx,
    parts: EngineParts,
    lease: TaskLease,
    output: TaskOutput,
    usage: Sequence[RecordUsage] = NO_USAGE,
    logs: PackedLines | None = None,
) -> Ended:
    """Record the result of a task, and let follow what follows.

    An output that is not as its schema asks fails the node, which is not tried again. Raises
    `LeaseLostProblem`, `StepConflict` (another result is recorded), `NotFound`.
    """
    work = open_work(tx, parts, lease.tenant_id, lease.execution_id)
    row = find_granted(work, lease)
    note_usage(work, usage, row.breaker if row is not None else None)
    if row is None:
        return _repeat(work, lease, output)
    _write_logs(work, row, logs)
    if row.type == undoing.COMPENSATION:
        undoing.complete(work, row, output.packed)
        return _settle(work, "completed")
    node = work.definition.node(row.scope, row.node)
    fault = find_fault(node, output.value)
    if fault is not None and row.effect_key is None:
        tell_breaker(work, row, failed=False)
        fail(work, row, fault, stored=True)
        return _settle(work, "failed")
    result = result_of(output.packed)
    tell_breaker(work, row, failed=False)
    if row.effect_key is not None:
        # What happened happened: the effect is done with what it gave, whatever its shape.
        node_effects.complete(work, row, result)
    event = EventType.EFFECT_DONE if row.effect_key is not None else EventType.STEP_COMPLETED
    save_checkpoint(work, row, node, output.packed)
    succeed(work, row, result, stored=True, event=event)
    return _settle(work, "completed")


def fail_task(
    tx: Tx,
    parts: EngineParts,
    lease: TaskLease,
    error: PackedError,
    retryable: bool | None = None,
    retry_after_s: float | None = None,
    usage: Sequence[RecordUsage] = NO_USAGE,
    logs: PackedLines | None = None,
    *,
    not_applied: bool = False,
) -> Ended:
    """Record a failed try: the node's policy says whether another follows, and when.

    Of an effect nobody knows whether it happened, unless `not_applied` says that it certainly did not, or its
    policy names the error in `retry_on`. Raises as `complete_task`.
    """
    work = open_work(tx, parts, lease.tenant_id, lease.execution_id)
    row = find_granted(work, lease)
    note_usage(work, usage, row.breaker if row is not None else None)
    if row is None:
        return _repeat_failure(work, lease)
    _write_logs(work, row, logs)
    return _settle(
        work,
        fail_attempt(
            work, row, error, retryable=retryable, retry_after_s=retry_after_s, not_applied=not_applied
        ),
    )


def fail_attempt(
    work: NodeWork,
    row: ActivationRow,
    error: PackedError,
    *,
    retryable: bool | None = None,
    retry_after_s: float | None = None,
    not_applied: bool = False,
) -> State:
    """End a try of the running `row` with `error`: one way for errors, timeouts and lost drivers."""
    if row.type == undoing.COMPENSATION:
        undoing.fail(work, row, error)
        return "failed"
    node = work.definition.node(row.scope, row.node)
    tell_breaker(work, row, failed=classify(error.info) is Verdict.FAILED)
    if row.effect_key is not None:
        sure = not_applied or is_not_applied(node, error)
        if not node_effects.end_try(work, row, error, not_applied=sure):
            return "effect-unknown"
    delay_us = None
    if retryable is not False:
        delay_us = find_delay_us(node, row, error, retry_after_s)
    if delay_us is None:
        fail(work, row, error, stored=True)
        return "failed"
    record_failed(work, row, error, delay_us)
    row = release_slot(work, row)
    following = replace(
        row, attempt=row.attempt + 1, ready_us=work.now_us + delay_us, effect_key=None, started_us=None
    )
    if not work.may_begin_in(row.scope):
        parked = replace(
            following,
            state="parked",
            waiting_reason=WaitingReason.RETRY.value,
            due_us=following.ready_us,
            lease_digest=None,
            deadline_us=None,
        )
        work.put(parked, stored=True)
        if row.scope:
            work.looks.append(row.scope)
    else:
        wait(work, following, WaitingReason.RETRY, following.ready_us, stored=True)
    return "retrying"


def interrupt_task(work: NodeWork, row: ActivationRow) -> State:
    """Take a task from whoever was lost with it: an interruption, and no attempt (semantics 2.1)."""
    row = replace(row, interruptions=row.interruptions + 1)
    too_often = row.interruptions > work.row.max_interruptions
    if row.type == undoing.COMPENSATION:
        if too_often:
            undoing.fail(work, row, _crash_loop(row))
            return "failed"
        undoing.interrupt(work, row)
        return "retrying"
    mode = is_effect(work.definition.spec, work.definition.node(row.scope, row.node))
    if row.effect_key is not None and mode == "once":
        known = make_error(
            "EffectUnknown",
            f"Whoever did {row.path} was lost after it was announced, before it said what became of it.",
            code="effect-unknown",
        )
        node_effects.end_try(work, row, known, not_applied=False)
        return "effect-unknown"
    if too_often:
        fail(work, row, _crash_loop(row), stored=True)
        return "failed"
    work.record(EventType.STEP_INTERRUPTED, {"path": row.path, "count": row.interruptions})
    row = release_slot(work, row)
    begins = work.may_begin_in(row.scope)
    work.put(
        replace(
            row,
            state="ready" if begins else "parked",
            waiting_reason=None,
            epoch=row.epoch + 1,
            lease_digest=None,
            worker_id=None,
            deadline_us=None,
            effect_key=None,
        ),
        stored=True,
    )
    if not begins and row.scope:
        work.looks.append(row.scope)
    return "retrying"


def _crash_loop(row: ActivationRow) -> PackedError:
    return make_error(
        "DriverLost",
        f"Whoever did {row.path} was lost {row.interruptions} times. Look at what kills the process, such"
        " as memory, before you resume it.",
        code="crash-loop",
    )


def record_late_usage(tx: Tx, parts: EngineParts, lease: TaskLease, usage: Sequence[RecordUsage]) -> None:
    """Record what was spent on a task whose grant is over: what was spent was spent (semantics 3.8 d)."""
    work = open_work(tx, parts, lease.tenant_id, lease.execution_id)
    note_usage(work, usage)
    charge_usage(work)
    work.save()


def give_back_task(tx: Tx, parts: EngineParts, lease: TaskLease) -> None:
    """Let a task be ready again that whoever has it does not go on with; that is no interruption.

    An effect that was announced is asked about: nobody says whether it was called.
    """
    work = open_work(tx, parts, lease.tenant_id, lease.execution_id)
    row = find_granted(work, lease)
    if row is None:
        raise lease_lost(lease)
    interrupt_task(work, replace(row, interruptions=row.interruptions - 1))
    _settle(work, "retrying")


# ---- repeats


def _repeat(work: NodeWork, lease: TaskLease, output: TaskOutput) -> Ended:
    """Answer a result that changed nothing: as the first time, if it's the same."""
    charge_usage(work)
    row = work.save()
    known = steps.find_live_step(work.tx, lease.execution_id, lease.path)
    if known is None or known.status != StepStatus.COMPLETED:
        raise lease_lost(lease)
    if known.output_digest != output.packed.digest:
        raise StepConflict(f"Another result of {lease.path} is recorded already.", path=lease.path)
    return Ended(row, "completed")


def _repeat_failure(work: NodeWork, lease: TaskLease) -> Ended:
    charge_usage(work)
    live = activations.find_activation(work.tx, lease.execution_id, lease.path)
    if live is None or live.epoch != lease.epoch:
        raise lease_lost(lease)
    match (live.state, live.waiting_reason):
        case ("waiting" | "parked", "retry"):
            return Ended(work.save(), "retrying")
        case ("waiting" | "parked", "effect"):
            return Ended(work.save(), "effect-unknown")
        case ("failed", _):
            return Ended(work.save(), "failed")
        case _:
            raise lease_lost(lease)


def _settle(work: NodeWork, state: State) -> Ended:
    drive(work)
    return Ended(settle(work), state)


def _write_logs(work: NodeWork, row: ActivationRow, logs: PackedLines | None) -> None:
    if logs is not None:
        write_logs(work.tx, work.row, row.path, row.attempt, END_CHUNK, logs)
