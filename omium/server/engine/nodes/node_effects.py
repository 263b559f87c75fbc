"""Effects of nodes: announced with the claim, ended with the result, and never guessed (semantics 2.7).

    announce   a claim begins the call, under the key of the lineage, the path and the redo
    complete   a result: the effect is done
    question   nobody knows whether it happened: the node waits for a person (`effect`), with an inbox item
    look       a person has decided, or a late report has come: the node goes on with it

Effects are locked after the execution and before groups of failures. If the process dies before the commit of
a claim nobody has called; after it, the lease of the task runs out, and the effect is asked about.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from omium.server.engine.effect_losses import close_question, lost_between, open_question
from omium.server.engine.effects import effect_key
from omium.server.engine.mishaps import PackedError
from omium.server.engine.nodes.ending import succeed
from omium.server.engine.nodes.records import Result
from omium.server.engine.nodes.slots import release_slot
from omium.server.engine.nodes.waits import end_wait
from omium.server.engine.nodes.work import NodeWork
from omium.server.engine.values import copy_value, fetch_value, put_value
from omium.server.store import activations, effects
from omium.server.store.activations import ActivationRow
from omium.server.store.effects import EffectRow
from omium.states import EffectState, EventType

EFFECT: Final = "effect"
"""What a node waits for whose effect nobody knows of."""
_ANSWERED: Final = frozenset({EffectState.DONE, EffectState.SKIPPED})


def announce(work: NodeWork, row: ActivationRow, mode: str, compensate: str | None) -> ActivationRow | None:
    """Announce the effect of `row`, which is about to be called; None where it may not be called.

    Then the node has ended with what is recorded of the effect, or waits for a person's decision.
    """
    known = effects.lock_latest(work.tx, row.tenant_id, work.row.lineage_root, row.path)
    if known is None or known.compensated:
        return _insert(work, row, mode, compensate, known)
    if known.state in _ANSWERED:
        if known.state == EffectState.DONE and known.input_digest != row.input_digest:
            question(work, row, known, lost_between(row.path))
            return None
        _end_with(work, row, known)
        return None
    if known.state == EffectState.NOT_APPLIED or known.mode == "idempotent":
        return _call_again(work, row, known)
    question(work, row, known, lost_between(row.path))
    return None


def _insert(
    work: NodeWork, row: ActivationRow, mode: str, compensate: str | None, known: EffectRow | None
) -> ActivationRow:
    redo = 0 if known is None else known.redo + 1
    key = effect_key(work.row.lineage_root, row.path, redo)
    seq = work.record(EventType.EFFECT_INTENDED, {"path": row.path, "effect_key": key, "redo": redo})
    inserted = effects.insert_effect(
        work.tx,
        EffectRow(
            tenant_id=row.tenant_id,
            effect_key=key,
            lineage_root=work.row.lineage_root,
            execution_id=row.execution_id,
            path=row.path,
            redo=redo,
            mode=mode,
            state=EffectState.INTENDED,
            generation=work.row.generation,
            epoch=work.row.epoch,
            attempt=row.attempt,
            name=row.node,
            compensate=compensate,
            input=copy_value(work.tx, row.tenant_id, row.input) if row.input is not None else None,
            input_digest=row.input_digest,
            output=None,
            output_digest=None,
            error=None,
            intended_seq=seq,
            done_seq=None,
            intended_us=work.now_us,
            ended_us=None,
            decided_by=None,
            compensated=0,
        ),
    )
    assert inserted, "the lineage's effect was looked for under the lock of its execution"
    return replace(row, effect_key=key)


def _call_again(work: NodeWork, row: ActivationRow, known: EffectRow) -> ActivationRow:
    seq = work.record(
        EventType.EFFECT_INTENDED, {"path": row.path, "effect_key": known.effect_key, "redo": known.redo}
    )
    given = known.input
    if given is None and row.input is not None:
        given = copy_value(work.tx, row.tenant_id, row.input)
    _update(
        work,
        known,
        replace(
            known,
            execution_id=row.execution_id,
            state=EffectState.INTENDED,
            generation=work.row.generation,
            attempt=row.attempt,
            input=given,
            intended_seq=seq,
            intended_us=work.now_us,
            ended_us=None,
            decided_by=None,
        ),
    )
    return replace(row, effect_key=known.effect_key)


def complete(work: NodeWork, row: ActivationRow, result: Result) -> None:
    """Note that the effect of `row` is done. Its record, which comes next, has the number after this."""
    known = _lock(work, row)
    if result.packed is not None:
        output = put_value(work.tx, row.tenant_id, result.packed)  # its record counts one more
    else:
        output = copy_value(work.tx, row.tenant_id, result.column)
    _update(
        work,
        known,
        replace(
            known,
            state=EffectState.DONE,
            output=output,
            output_digest=result.digest,
            error=None,
            done_seq=work.seq + 1,
            ended_us=work.now_us,
        ),
    )


def end_try(work: NodeWork, row: ActivationRow, error: PackedError, *, not_applied: bool) -> bool:
    """Note that a try failed; False where nobody knows whether it happened, so that a person decides."""
    known = _lock(work, row)
    if not_applied:
        _update(
            work,
            known,
            replace(known, state=EffectState.NOT_APPLIED, error=error.body, ended_us=work.now_us),
        )
        work.record(EventType.EFFECT_NOT_APPLIED, {"path": row.path, "effect_key": known.effect_key})
        return True
    if known.mode == "idempotent":
        return True
    question(work, row, known, error)
    return False


def question(work: NodeWork, row: ActivationRow, known: EffectRow, error: PackedError) -> None:
    """Let the node wait for a person: nobody knows whether its effect happened."""
    if known.state == EffectState.INTENDED:
        _update(
            work,
            known,
            replace(known, state=EffectState.UNKNOWN, error=error.body, ended_us=work.now_us),
        )
        work.record(EventType.EFFECT_UNKNOWN, {"path": row.path, "effect_key": known.effect_key})
        work.save()
        open_question(work.tx, work.row, row.path, error)
    row = release_slot(work, row)
    work.put(
        replace(
            row,
            state="waiting",
            waiting_reason=EFFECT,
            effect_key=known.effect_key,
            lease_digest=None,
            worker_id=None,
            due_us=None,
            deadline_us=None,
        ),
        stored=True,
    )


def look(work: NodeWork, row: ActivationRow) -> None:
    """Go on with a node whose effect was decided about."""
    known = effects.lock_latest(work.tx, row.tenant_id, work.row.lineage_root, row.path)
    if known is not None and known.state in _ANSWERED:
        _end_with(work, row, known)
    elif known is not None and known.state == EffectState.NOT_APPLIED:
        work.put(replace(row, state="ready", waiting_reason=None, due_us=None, effect_key=None), stored=True)
    else:
        activations.update_activation(work.tx, replace(row, due_us=None))


def _end_with(work: NodeWork, row: ActivationRow, known: EffectRow) -> None:
    """End the node with what is recorded of its effect: it is a record of this execution, too."""
    close_question(work.tx, work.row, row.path, by="omium", reason="its outcome is known")
    row = replace(row, effect_key=known.effect_key)
    if known.output is None:
        end_wait(work, row, None, stored=True)
        return
    column = copy_value(work.tx, row.tenant_id, known.output)
    size_bytes = fetch_value(work.tx, row.tenant_id, column).size_bytes
    assert known.output_digest is not None
    result = Result(column, known.output_digest, size_bytes)
    succeed(work, row, result, stored=True, event=EventType.STEP_REUSED)


def _lock(work: NodeWork, row: ActivationRow) -> EffectRow:
    assert row.effect_key is not None
    known = effects.lock_effect(work.tx, row.tenant_id, row.effect_key)
    assert known is not None, f"{row.path} was announced with this key"
    return known


def _update(work: NodeWork, known: EffectRow, changed: EffectRow) -> None:
    assert effects.update_effect(work.tx, known, changed), f"{known.path}: its row is locked"
