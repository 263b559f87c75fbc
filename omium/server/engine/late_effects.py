"""Late effects: a result is heard whoever drives now, because it is a fact about the world (semantics 2.7).

It changes the effect and nothing else of the execution: no step is recorded, no status moves. The next
driver's intent is answered with it. If a person chose *redo* in the meantime and that is under way or done,
the world has seen the effect twice, and the inbox says so; if the redo has not begun, this result takes its
place.
"""

from __future__ import annotations

from dataclasses import replace

from omium.errors import StepConflict
from omium.jsonvalue import JsonValue
from omium.models.driver import EffectEnded
from omium.server.db.tx import Tx
from omium.server.engine.effect_losses import Coming, close_question, open_question
from omium.server.engine.failures import lock_groups, record_occurrence
from omium.server.engine.fence import refusal
from omium.server.engine.mishaps import PackedError, make_error
from omium.server.engine.packing import EffectOutcome, Outcome, Packed
from omium.server.engine.transitions import append_event, find_event
from omium.server.engine.values import put_value
from omium.server.store import effects
from omium.server.store.effects import EffectRow
from omium.server.store.executions import ExecutionRow, lock_execution
from omium.states import EffectState, EventType, FailureKind

_REDONE = "it was redone, and then the first driver reported that it was done"


def report_late(tx: Tx, packed: Packed[EffectEnded]) -> Outcome:
    """Record a result under the right key, whatever the epoch and the status; else raise `LeaseLostProblem`.

    The same report again changes nothing. A result that contradicts the recorded one is `StepConflict`.
    """
    write = packed.write
    row = lock_execution(tx, packed.lease.tenant_id, packed.lease.execution_id)
    known = effects.lock_effect(tx, row.tenant_id, write.effect_key)
    if known is None or (known.lineage_root, known.path) != (row.lineage_root, write.path):
        raise refusal(row)
    state = EffectState(write.state)
    if known.state in {EffectState.INTENDED, EffectState.UNKNOWN} and known.state != state:
        return _apply(tx, row, packed, known, state)
    if known.state == EffectState.SKIPPED and state is EffectState.DONE:
        return _contradict_skip(tx, row, packed, known)
    same = known.state == state and (packed.output is None or packed.output.digest == known.output_digest)
    if not same:
        raise StepConflict(
            f"The effect {write.path} in {row.id} is recorded as {known.state}; this report says otherwise.",
            path=write.path,
        )
    return _answer(row, known.done_seq or known.intended_seq, known)


def list_coming(path: str, error: PackedError) -> list[Coming]:
    """Return what a report about the effect at `path` may put into the inbox."""
    duplicated = _duplicated(path, _REDONE)
    return [
        (FailureKind.EFFECT_UNKNOWN, path, error.info),
        (FailureKind.EFFECT_DUPLICATED, path, duplicated.info),
    ]


def _apply(
    tx: Tx, row: ExecutionRow, packed: Packed[EffectEnded], known: EffectRow, state: EffectState
) -> Outcome:
    newest = (
        effects.lock_latest(tx, row.tenant_id, row.lineage_root, known.path)
        if state is EffectState.DONE
        else None
    )
    redone = newest if newest is not None and newest.redo > known.redo else None
    twice = redone is not None and redone.state != EffectState.NOT_APPLIED
    row = append_event(tx, row, EventType.EFFECT_REPORTED_LATE, _describe(packed, known))
    seq = row.last_seq
    coming = [(FailureKind.EFFECT_DUPLICATED, known.path, _duplicated(known.path, _REDONE).info)]
    lock_groups(tx, row, coming if twice else [], open_of=[row.id])
    if state is EffectState.UNKNOWN:
        error = packed.error or make_error(
            "EffectUnknown", "The driver does not know.", code="effect-unknown"
        )
        open_question(tx, row, known.path, error)
    else:
        close_question(tx, row, known.path, by=packed.lease.principal.id, reason="the driver reported late")
    changed = replace(
        known,
        state=state,
        output=put_value(tx, row.tenant_id, packed.output) if packed.output else None,
        output_digest=packed.output.digest if packed.output else None,
        error=packed.error.body if packed.error else known.error,
        done_seq=seq if state is EffectState.DONE else None,
        ended_us=tx.now_us,
    )
    updated = effects.update_effect(tx, known, changed)
    assert updated, "the effect's row is locked"
    if redone is not None:
        row = _meet_redo(tx, row, packed, changed, redone)
    return _answer(row, seq, changed)


def _meet_redo(
    tx: Tx, row: ExecutionRow, packed: Packed[EffectEnded], done: EffectRow, redone: EffectRow
) -> ExecutionRow:
    """A person had chosen to redo what is now known to be done; `redone` is the newest of that."""
    if redone.state == EffectState.NOT_APPLIED:  # chosen, not begun: it must not happen a second time
        assert packed.output is not None
        taken = replace(
            redone,
            state=EffectState.DONE,
            output=put_value(tx, row.tenant_id, packed.output),
            output_digest=packed.output.digest,
            done_seq=row.last_seq,
            ended_us=tx.now_us,
        )
        updated = effects.update_effect(tx, redone, taken)
        assert updated, "the effect's row is locked"
        return row
    row = append_event(
        tx,
        row,
        EventType.EFFECT_DUPLICATED,
        {"path": done.path, "effect_keys": [done.effect_key, redone.effect_key]},
    )
    return _open_duplicate(tx, row, done.path, _REDONE)


def _contradict_skip(tx: Tx, row: ExecutionRow, packed: Packed[EffectEnded], known: EffectRow) -> Outcome:
    """A person had skipped what turns out to be done: the decision stands, the inbox tells the truth."""
    facts: dict[str, JsonValue] = {"path": known.path, "effect_key": known.effect_key, "was": "skipped"}
    reported = find_event(tx, row, EventType.EFFECT_REPORTED_LATE, facts)
    if reported is not None:
        return _answer(row, reported, known)
    row = append_event(tx, row, EventType.EFFECT_REPORTED_LATE, {**_describe(packed, known), **facts})
    seq = row.last_seq
    row = _open_duplicate(
        tx, row, known.path, "it was skipped, and then its driver reported that it was done"
    )
    return _answer(row, seq, known)


def _open_duplicate(tx: Tx, row: ExecutionRow, path: str, how: str) -> ExecutionRow:
    error = _duplicated(path, how)
    record_occurrence(
        tx, row, kind=FailureKind.EFFECT_DUPLICATED, path=path, seq=row.last_seq, error=error.info
    )
    return row


def _duplicated(path: str, how: str) -> PackedError:
    return make_error(
        "EffectDuplicated", f"The effect {path} was decided too early: {how}.", code="effect-duplicated"
    )


def _describe(packed: Packed[EffectEnded], known: EffectRow) -> dict[str, JsonValue]:
    return {
        "path": known.path,
        "effect_key": known.effect_key,
        "state": packed.write.state,
        "was": known.state,
        "reported_by_epoch": packed.lease.epoch,
    }


def _answer(row: ExecutionRow, seq: int | None, effect: EffectRow) -> Outcome:
    return Outcome(row, seq, EffectOutcome(effect.effect_key, EffectState(effect.state), may_call=False))
