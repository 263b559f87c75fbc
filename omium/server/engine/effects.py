"""Effects: side effects are announced before they happen, and what became of each is never guessed (2.7).

    (none) -> intended -> done | not_applied | unknown        unknown -> done, by a late report or a person
    not_applied -> intended, the next attempt with the same key    unknown -> skipped, by a person

A key belongs to (lineage, path, redo): the same on every attempt, resume and replay, so a receiver that
honours keys sees one effect. A person's *redo* makes a new row with the next `redo`, in state `not_applied`.
An effect that a rollback compensated gets the next `redo` when it runs again. Owns what may be called and
what a report changes; decisions of people are decisions.py. Results are effect_results.py, lost drivers
effect_losses.py.

If the process dies before an intent's commit, the driver has no answer and does not call. After it, the
driver is told or finds out by asking again; if it is lost in between, `cut_off` makes the effect unknown.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from omium.errors import EffectBlocked, StepConflict
from omium.models.driver import EffectIntended
from omium.server.db.tx import Tx
from omium.server.engine.effect_losses import lost_between, open_question
from omium.server.engine.fence import enter
from omium.server.engine.limits import find_reached
from omium.server.engine.packing import EffectOutcome, Outcome, Packed
from omium.server.engine.steps import keep_values, make_step, record_extras, release_former
from omium.server.engine.transitions import number_event
from omium.server.engine.values import copy_value, drop_value, fetch_value, put_value
from omium.server.store import effects, steps
from omium.server.store.effects import EffectRow
from omium.server.store.executions import ExecutionRow, give_back
from omium.states import EffectState, EventType, StepStatus

_ANSWERED = frozenset({EffectState.DONE, EffectState.SKIPPED})


def effect_key(lineage_root: str, path: str, redo: int) -> str:
    """Return the key that the receiver of an effect is given."""
    parts = (lineage_root, path, str(redo))
    return hashlib.sha256("\x00".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()


def intend_effect(tx: Tx, packed: Packed[EffectIntended]) -> Outcome:
    """Announce an effect and say whether it may be called.

    Not if it was done or skipped: then the answer holds what is recorded. Not if nobody knows: then a person
    decides. `EffectBlocked` if it was done with another input, `LimitReached` at the limit of steps.
    """
    write = packed.write

    def lock(row: ExecutionRow) -> EffectRow | None:
        return effects.lock_latest(tx, row.tenant_id, row.lineage_root, write.path)

    row = enter(tx, packed.lease, events=1, payload_bytes=packed.payload_bytes, lock_first=lock)
    known = lock(row)
    if known is not None and known.state == EffectState.INTENDED:
        if _is_repeat(row, known, write):
            give_back(tx, row, events=1, steps=0, payload_bytes=packed.payload_bytes)
            return Outcome(row, known.intended_seq, _permission(known))
        if known.mode == "once":
            return _question(tx, row, known)
    if known is None or known.compensated or _may_call_again(known):
        _refuse_beyond_limit(row, packed.payload_bytes)
        return _announce(tx, row, packed, known)
    if known.state == EffectState.UNKNOWN:
        give_back(tx, row, events=1, steps=0, payload_bytes=packed.payload_bytes)
        return Outcome(row, None, EffectOutcome(known.effect_key, EffectState.UNKNOWN, may_call=False))
    assert known.state in _ANSWERED
    return _answer_recorded(tx, row, packed, known)


def _may_call_again(known: EffectRow) -> bool:
    """Say whether another call of the same key cannot do a second thing."""
    if known.state == EffectState.NOT_APPLIED:
        return True
    return known.mode == "idempotent" and known.state in {EffectState.INTENDED, EffectState.UNKNOWN}


def _is_repeat(row: ExecutionRow, known: EffectRow, write: EffectIntended) -> bool:
    """Say whether this intent was acknowledged before; the driver has not called yet, or it would not ask."""
    return (known.execution_id, known.epoch, known.attempt) == (row.id, row.epoch, write.attempt)


def _question(tx: Tx, row: ExecutionRow, known: EffectRow) -> Outcome:
    """Answer the intent of an effect that was announced before, by a try that never said how it ended."""
    if known.execution_id != row.id:
        raise EffectBlocked(
            f"{known.execution_id}, of the same lineage, is just doing the effect {known.path}.",
            path=known.path,
            effect_key=known.effect_key,
        )
    unknown = replace(known, state=EffectState.UNKNOWN, ended_us=tx.now_us)
    if not effects.update_effect(tx, known, unknown):
        raise _in_use(row, known.path)
    number_event(tx, row, EventType.EFFECT_UNKNOWN, {"path": known.path, "effect_key": known.effect_key})
    open_question(tx, row, known.path, lost_between(known.path))
    return Outcome(row, row.last_seq, EffectOutcome(known.effect_key, EffectState.UNKNOWN, may_call=False))


def _announce(tx: Tx, row: ExecutionRow, packed: Packed[EffectIntended], known: EffectRow | None) -> Outcome:
    write = packed.write
    fresh = known is None or bool(known.compensated)
    redo = 0 if known is None else known.redo + (1 if known.compensated else 0)
    intended = EffectRow(
        tenant_id=row.tenant_id,
        effect_key=effect_key(row.lineage_root, write.path, redo),
        lineage_root=row.lineage_root,
        execution_id=row.id,
        path=write.path,
        redo=redo,
        mode=write.mode,
        state=EffectState.INTENDED,
        generation=row.generation,
        epoch=row.epoch,
        attempt=write.attempt,
        name=write.name,
        compensate=write.compensate,
        input=packed.input.column if packed.input else None,
        input_digest=write.input_digest,
        output=None,
        output_digest=None,
        error=None,
        intended_seq=row.last_seq,
        done_seq=None,
        intended_us=tx.now_us,
        ended_us=None,
        decided_by=None,  # a redo that is called is a question of its own again
        compensated=0,
    )
    if fresh:
        if not effects.insert_effect(tx, intended):
            raise _in_use(row, write.path)
    else:
        assert known is not None
        if not effects.update_effect(tx, known, intended):
            raise _in_use(row, write.path)
        drop_value(tx, row.tenant_id, known.input)
    if packed.input is not None:
        put_value(tx, row.tenant_id, packed.input)  # payloads are locked last
    number_event(
        tx,
        row,
        EventType.EFFECT_INTENDED,
        {"path": write.path, "effect_key": intended.effect_key, "redo": redo},
    )
    record_extras(tx, row, packed)
    return Outcome(row, row.last_seq, _permission(intended))


def _permission(effect: EffectRow) -> EffectOutcome:
    return EffectOutcome(effect.effect_key, EffectState.INTENDED, may_call=True)


def _answer_recorded(tx: Tx, row: ExecutionRow, packed: Packed[EffectIntended], known: EffectRow) -> Outcome:
    """Answer with what is recorded of an effect that ended, and make it a record of this execution, too."""
    write = packed.write
    same_input = write.comparable != "full" or known.input_digest == write.input_digest
    if known.state == EffectState.DONE and not same_input:
        raise EffectBlocked(
            f"The effect {write.path} was done with another input; a person decides whether that stands.",
            path=write.path,
            effect_key=known.effect_key,
        )
    output = fetch_value(tx, row.tenant_id, known.output) if known.output is not None else None
    outcome = EffectOutcome(known.effect_key, EffectState(known.state), may_call=False, output=output)
    live = steps.find_live_step(tx, row.id, write.path)
    if live is not None and live.status == StepStatus.COMPLETED:
        give_back(tx, row, events=1, steps=0, payload_bytes=packed.payload_bytes)
        return Outcome(row, live.completed_seq, outcome)
    attempt = max(write.attempt, live.attempt + 1 if live is not None else 1)
    if live is not None:
        release_former(tx, row, write.path, attempt)
    step = make_step(
        row,
        packed,
        StepStatus.COMPLETED,
        attempt=attempt,
        output=copy_value(tx, row.tenant_id, known.output) if known.output is not None else None,
        output_digest=known.output_digest,
        effect_key=known.effect_key,
        reused_from=known.execution_id if known.execution_id != row.id else None,
    )
    assert steps.put_step(tx, step), "what is live at the path is an earlier try"
    keep_values(tx, row, packed)
    number_event(tx, row, EventType.STEP_REUSED, {"path": write.path, "kind": "effect"})
    return Outcome(row, row.last_seq, outcome)


def _refuse_beyond_limit(row: ExecutionRow, payload_bytes: int) -> None:
    uncounted = replace(row, payload_bytes=row.payload_bytes - payload_bytes)  # this very intent is within
    reached = find_reached(uncounted, row.updated_us)
    if reached is not None:
        raise reached.problem(row.id)


def _in_use(row: ExecutionRow, path: str) -> StepConflict:
    return StepConflict(
        f"The effect {path} of {row.lineage_root}'s lineage was just announced by another execution.",
        path=path,
    )
