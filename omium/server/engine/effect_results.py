"""Effect results: what a driver says became of an effect that it had announced (semantics 2.7).

`done` also records the step. `not_applied` allows another try. `unknown` stops there, unless the receiver
honours the key. A driver whose grant is gone is heard, too: late_effects.py. Every report is recorded once;
again, it gets the same answer. If the process dies before the commit, nothing is known, and the driver
reports again.
"""

from __future__ import annotations

from dataclasses import replace

from omium.errors import LeaseLostProblem, StepConflict
from omium.jsonvalue import JsonValue
from omium.models.driver import EffectEnded
from omium.server.db.tx import Tx
from omium.server.engine.effect_losses import open_question
from omium.server.engine.failures import lock_groups
from omium.server.engine.fence import enter
from omium.server.engine.late_effects import list_coming, report_late
from omium.server.engine.mishaps import make_error
from omium.server.engine.packing import EffectOutcome, Outcome, Packed
from omium.server.engine.steps import (
    conflict,
    describe,
    keep_values,
    make_step,
    put_failed,
    record_attempt,
    record_extras,
    release_former,
)
from omium.server.engine.transitions import number_event
from omium.server.engine.values import put_value
from omium.server.store import effects, steps
from omium.server.store.effects import EffectRow
from omium.server.store.executions import ExecutionRow, give_back
from omium.server.store.steps import StepRow
from omium.states import EffectState, EventType, StepStatus


def end_effect(tx: Tx, packed: Packed[EffectEnded]) -> Outcome:
    """Record what became of an effect, whether or not the driver's grant is still the current one."""
    try:
        return _end_in_time(tx, packed)
    except LeaseLostProblem:  # nothing was written: the fence is the first statement
        return report_late(tx, packed)


def _end_in_time(tx: Tx, packed: Packed[EffectEnded]) -> Outcome:
    write = packed.write
    done = int(write.state == "done")

    def lock_first(row: ExecutionRow) -> None:  # what a driver that returns may record beside its return
        effects.lock_effect(tx, row.tenant_id, write.effect_key)
        effects.lock_latest(tx, row.tenant_id, row.lineage_root, write.path)
        error = packed.error or _with_error(packed).error
        assert error is not None
        lock_groups(tx, row, list_coming(write.path, error), open_of=[row.id], perhaps=True)

    counted = packed.payload_bytes
    row = enter(tx, packed.lease, events=1, steps=done, payload_bytes=counted, lock_first=lock_first)
    known = effects.lock_effect(tx, row.tenant_id, write.effect_key)
    if known is None or (known.lineage_root, known.path) != (row.lineage_root, write.path):
        raise StepConflict(f"{write.path} in {row.id} was not announced with this key.", path=write.path)
    if known.state != EffectState.INTENDED or known.execution_id != row.id:
        give_back(tx, row, events=1, steps=done, payload_bytes=counted)
        return report_late(tx, packed)
    if done:
        return _record_done(tx, row, packed, known)
    if write.state == "unknown" and (known.mode == "once" or write.delay_us is None):
        return _record_unknown(tx, row, packed, known)
    return _record_failed_try(tx, row, packed, known)


def _record_done(tx: Tx, row: ExecutionRow, packed: Packed[EffectEnded], known: EffectRow) -> Outcome:
    write = packed.write
    assert packed.output is not None
    ended = replace(
        known,
        state=EffectState.DONE,
        output=put_value(tx, row.tenant_id, packed.output),
        output_digest=packed.output.digest,
        error=None,
        done_seq=row.last_seq,
        ended_us=tx.now_us,
    )
    _update(tx, row, known, ended)
    if write.attempt > 1:
        release_former(tx, row, write.path, write.attempt)
    _put_result(tx, row, make_step(row, packed, StepStatus.COMPLETED, effect_key=known.effect_key))
    keep_values(tx, row, packed)
    number_event(tx, row, EventType.EFFECT_DONE, {**describe(write), "effect_key": known.effect_key})
    record_extras(tx, row, packed)
    return _answer(row, known, EffectState.DONE)


def _record_failed_try(tx: Tx, row: ExecutionRow, packed: Packed[EffectEnded], known: EffectRow) -> Outcome:
    """Record that it certainly did not happen, or (idempotent) that another try with the key follows."""
    write = packed.write
    packed = _with_error(packed)
    assert packed.error is not None
    state = EffectState.NOT_APPLIED if write.state == "not_applied" else EffectState.INTENDED
    if record_attempt(tx, row, packed):
        give_back(tx, row, events=1, steps=0)
        return _answer(replace(row, last_seq=row.last_seq - 1), known, state)
    if known.attempt != write.attempt:
        raise conflict(row, write.path, write.attempt)
    _update(tx, row, known, replace(known, state=state, error=packed.error.body, ended_us=tx.now_us))
    final = write.delay_us is None
    if write.attempt > 1:
        release_former(tx, row, write.path, write.attempt)
    status = StepStatus.FAILED if final else StepStatus.RETRYING
    put_failed(tx, row, make_step(row, packed, status, effect_key=known.effect_key))
    keep_values(tx, row, packed)
    event = (
        EventType.EFFECT_NOT_APPLIED if state is EffectState.NOT_APPLIED else EventType.STEP_ATTEMPT_FAILED
    )
    facts: dict[str, JsonValue] = {**describe(write), "delay_us": write.delay_us, "final": final}
    number_event(tx, row, event, facts)
    record_extras(tx, row, packed)
    return _answer(row, known, state)


def _record_unknown(tx: Tx, row: ExecutionRow, packed: Packed[EffectEnded], known: EffectRow) -> Outcome:
    packed = _with_error(packed)
    assert packed.error is not None
    changed = replace(known, state=EffectState.UNKNOWN, error=packed.error.body, ended_us=tx.now_us)
    _update(tx, row, known, changed)
    facts: dict[str, JsonValue] = {**describe(packed.write), "effect_key": known.effect_key}
    number_event(tx, row, EventType.EFFECT_UNKNOWN, facts)
    open_question(tx, row, known.path, packed.error)
    record_extras(tx, row, packed)
    return _answer(row, known, EffectState.UNKNOWN)


def _answer(row: ExecutionRow, known: EffectRow, state: EffectState) -> Outcome:
    return Outcome(row, row.last_seq, EffectOutcome(known.effect_key, state, may_call=False))


def _put_result(tx: Tx, row: ExecutionRow, step: StepRow) -> None:
    """Record a result that certainly is one; what another try left at the path gives way."""
    if steps.put_step(tx, step):
        return
    steps.supersede_step(tx, row.id, step.path, row.last_seq)
    assert steps.put_step(tx, step), "the path has no live row now"


def _update(tx: Tx, row: ExecutionRow, known: EffectRow, changed: EffectRow) -> None:
    updated = effects.update_effect(tx, known, changed)
    assert updated, f"{row.id}: the effect's row is locked, nobody else can have changed it"


def _with_error(packed: Packed[EffectEnded]) -> Packed[EffectEnded]:
    if packed.error is not None:
        return packed
    said = make_error("EffectFailed", "The driver gave no error.", code=packed.write.state)
    return replace(packed, error=said)
