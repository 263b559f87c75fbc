"""Writes: what drivers send while user code runs. One transaction per group; all groups of a request at once.

Values are packed before and opened after. A group of one write has nothing around it: a refusal undoes the
transaction. In a longer group each write has a savepoint, so one that is refused leaves the others. Usage
that a refused write carried is recorded all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from omium.errors import Problem
from omium.models import driver
from omium.models.approval import SignalAnswer
from omium.models.driver import (
    EffectAnswer,
    GroupResult,
    WriteAnswer,
    WriteBatch,
    WriteGroup,
    WriteResult,
)
from omium.models.usage import RecordUsage
from omium.server.db.light import light
from omium.server.db.tx import Tx
from omium.server.engine import (
    checkpoints,
    driver_signals,
    effect_results,
    effects,
    ending,
    metering,
    step_slots,
    steps,
)
from omium.server.engine.breaker_spending import lock_limited
from omium.server.engine.fence import Lease
from omium.server.engine.grants import digest_token
from omium.server.engine.limits import find_reached
from omium.server.engine.packing import EffectOutcome, Outcome, Packed, SignalOutcome, pack_write
from omium.server.engine.parts import EngineParts
from omium.server.engine.transitions import append_event
from omium.server.engine.usage import insert_usage
from omium.server.engine.values import Vault
from omium.server.principal import Principal
from omium.server.store import slots
from omium.server.store.executions import ExecutionRow, find_execution, lock_execution
from omium.server.store.meters import find_covered
from omium.states import EventType, ExecutionStatus, PausedReason

Handler = Callable[[Tx, Packed[Any]], Outcome]
Result = Outcome | Problem

HANDLERS: dict[type[Any], Handler] = {
    driver.StepCompleted: steps.complete_step,
    driver.StepAttemptFailed: steps.fail_attempt,
    driver.StepAbandoned: steps.abandon_step,
    driver.EffectIntended: effects.intend_effect,
    driver.EffectEnded: effect_results.end_effect,
    driver.CheckpointSaved: checkpoints.save_checkpoint,
    driver.FailureCaptured: checkpoints.capture_failure,
    driver.RecordingGapped: checkpoints.record_gap,
    driver.UsageRecorded: checkpoints.record_usage,
    driver.LogWritten: checkpoints.record_lines,
    driver.Heartbeat: checkpoints.record_heartbeat,
    driver.SlotAsked: step_slots.ask_slot,
    driver.SlotReturned: step_slots.return_slot,
    driver.SignalAsked: driver_signals.ask_signal,
    driver.CompensationEnded: checkpoints.end_compensation,
    driver.ExecutionCompleted: ending.complete_execution,
    driver.ExecutionFailed: ending.fail_execution,
    driver.ExecutionWaits: ending.wait_execution,
    driver.ExecutionSuspends: ending.suspend_execution,
}


@light(frozen=True, slots=True)
class PackedGroup:
    """Writes of one execution, each ready or refused already."""

    lease: Lease
    writes: Sequence[Packed[Any] | Problem]

    @property
    def single(self) -> bool:
        return len(self.writes) == 1


async def write_batch(parts: EngineParts, principal: Principal, batch: WriteBatch) -> WriteAnswer:
    """Apply every group, each in its own transaction, and answer every write in order."""
    if len(batch.groups) == 1:
        return WriteAnswer(groups=[await write_group(parts, principal, batch.groups[0])])
    written = await asyncio.gather(*(write_group(parts, principal, group) for group in batch.groups))
    return WriteAnswer(groups=list(written))


async def write_group(parts: EngineParts, principal: Principal, group: WriteGroup) -> GroupResult:
    """Apply one group. Never raises a `Problem`: each write is answered with its own."""
    packed = pack_group(parts.vault, principal, group)
    try:
        results = await parts.db.write(partial(apply_group, group=packed))
    except Problem as problem:  # a single write was refused, or the database is busy: nothing was changed
        results = [problem] * len(packed.writes)
    await _record_refused_usage(parts, packed, results)
    return _answer(parts.vault, principal.tenant_id, results)


def pack_group(vault: Vault, principal: Principal, group: WriteGroup) -> PackedGroup:
    """Make every write ready; one that is too large is refused here and leaves the others."""
    lease = Lease(principal, group.execution_id, group.epoch, digest_token(group.lease_token))
    writes: list[Packed[Any] | Problem] = []
    for write in group.writes:
        try:
            writes.append(pack_write(vault, lease, write))
        except Problem as problem:
            writes.append(problem)
    return PackedGroup(lease, writes)


def apply_group(tx: Tx, group: PackedGroup) -> list[Result]:
    """Apply writes in order. A single one raises its `Problem`, so that the transaction goes with it."""
    _lock_slots(tx, group)
    _lock_breakers(tx, group)
    if group.single:
        (write,) = group.writes
        if isinstance(write, Problem):
            return [write]
        return _settle(tx, group, [apply_write(tx, write)])
    results: list[Result] = []
    for write in group.writes:
        if isinstance(write, Problem):
            results.append(write)
            continue
        try:
            with tx.savepoint():
                results.append(apply_write(tx, write))
        except Problem as problem:
            results.append(problem)
    return _settle(tx, group, results)


def _lock_slots(tx: Tx, group: PackedGroup) -> None:
    """Lock the concurrency keys that the writes name, in order, before anything else that others lock."""
    keys = {
        each.write.key
        for each in group.writes
        if not isinstance(each, Problem) and isinstance(each.write, driver.SlotAsked | driver.SlotReturned)
    }
    row = find_execution(tx, group.lease.tenant_id, group.lease.execution_id) if keys else None
    if row is not None:
        lock_execution(tx, row.tenant_id, row.id)
        for key in sorted(keys):
            slots.lock_key(tx, row.tenant_id, row.environment, key)


def _lock_breakers(tx: Tx, group: PackedGroup) -> None:
    """Lock the breakers whose limits count what the writes have spent, before effects, groups and money."""
    spent = [
        usage
        for write in group.writes
        if not isinstance(write, Problem)
        for usage in write.usage
        if usage.breaker is not None
    ]
    row = find_execution(tx, group.lease.tenant_id, group.lease.execution_id) if spent else None
    if row is not None:
        lock_execution(tx, row.tenant_id, row.id)
        lock_limited(tx, row.tenant_id, row.environment, spent)


def apply_write(tx: Tx, packed: Packed[Any]) -> Outcome:
    """Apply one write through its handler."""
    return HANDLERS[type(packed.write)](tx, packed)


def _settle(tx: Tx, group: PackedGroup, results: list[Result]) -> list[Result]:
    """Set aside for the next steps where the execution is at the end of its cover, or say that it must stop.

    Costs a comparison as long as it's not. In the transaction of what was recorded: if the process dies
    before the commit, neither is there.
    """
    place = next((at for at in reversed(range(len(results))) if isinstance(results[at], Outcome)), None)
    outcome = results[place] if place is not None else None
    if place is None or not isinstance(outcome, Outcome) or outcome.row.covered_steps is None:
        return results
    row = outcome.row
    if any(getattr(each.write, "usage", None) for each in group.writes if not isinstance(each, Problem)):
        row = replace(row, covered_steps=find_covered(tx, row.id))
    if not metering.at_end_of_cover(row) or row.status != ExecutionStatus.RUNNING or row.suspend is not None:
        return results
    row, refused = metering.refill(tx, row)
    if refused is not None and row.cancel_requested_us is None:
        reason = PausedReason.LIMIT if refused["because"] == "limit" else PausedReason.CREDITS
        row = append_event(tx, row, EventType.CREDITS_EXHAUSTED, refused, suspend=reason.value)
    results[place] = replace(outcome, row=row)
    return results


async def _record_refused_usage(parts: EngineParts, group: PackedGroup, results: Sequence[Result]) -> None:
    """Record what refused writes say was spent; its ids make a repeat harmless."""
    spent: list[RecordUsage] = []
    for write, result in zip(group.writes, results, strict=True):
        if isinstance(result, Problem) and not result.retryable and not isinstance(write, Problem):
            spent.extend(write.usage)
    if spent:
        await parts.db.write(partial(_insert_spent, lease=group.lease, spent=spent))


def _insert_spent(tx: Tx, lease: Lease, spent: Sequence[RecordUsage]) -> None:
    row = find_execution(tx, lease.tenant_id, lease.execution_id)
    if row is not None:
        row = lock_execution(tx, lease.tenant_id, lease.execution_id)
        lock_limited(tx, row.tenant_id, row.environment, spent)
        for usage in spent:
            insert_usage(tx, row, lease.principal, usage)


def _answer(vault: Vault, tenant_id: str, results: Sequence[Result]) -> GroupResult:
    newest = next((result.row for result in reversed(results) if isinstance(result, Outcome)), None)
    stopped = any(
        isinstance(result, Problem) and result.members.get("status_now") == ExecutionStatus.CANCELLED
        for result in results
    )
    return GroupResult(
        results=[_answer_write(vault, tenant_id, result) for result in results],
        cancel_requested=stopped or (newest is not None and newest.cancel_requested_us is not None),
        suspend=_must_suspend(newest) if newest is not None else None,
    )


def _answer_write(vault: Vault, tenant_id: str, result: Result) -> WriteResult:
    if isinstance(result, Problem):
        return WriteResult(problem=result.to_problem())
    return WriteResult(
        seq=result.seq,
        effect=_answer_effect(vault, tenant_id, result.effect) if result.effect is not None else None,
        slot=result.slot,
        signal=_answer_signal(vault, tenant_id, result.signal) if result.signal is not None else None,
    )


def _answer_signal(vault: Vault, tenant_id: str, signal: SignalOutcome) -> SignalAnswer:
    return SignalAnswer(signal_id=signal.signal_id, payload=vault.open_value(tenant_id, signal.payload))


def _answer_effect(vault: Vault, tenant_id: str, effect: EffectOutcome) -> EffectAnswer:
    return EffectAnswer(
        effect_key=effect.effect_key,
        state=effect.state,
        may_call=effect.may_call,
        has_output=effect.output is not None,
        output=vault.open_value(tenant_id, effect.output) if effect.output is not None else None,
    )


def _must_suspend(row: ExecutionRow) -> str | None:
    """Return the paused reason for which the driver shall stop before its next step, if there is one."""
    if row.suspend is not None:
        return row.suspend
    return PausedReason.LIMIT.value if find_reached(row, row.updated_us) is not None else None
