"""Decisions: what a person says about an effect whose outcome nobody knows (semantics 2.7).

    confirm   it happened: done, with the output that the person gives
    redo      it did not: the effect may be called again, under a new key
    skip      it does not matter: skipped, with an output for the steps that read it

Owns the conditional change and its inbox item. The next intent finds what was decided (effects.py); an
execution that waits for the decision goes on with resume.

Two people decide at once: the first one's transaction wins, the other one is told by `AlreadyDecided`. If the
process dies in here, nothing was decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from omium.errors import AlreadyDecided, NotFound
from omium.models.replay import DecideEffect, EffectView
from omium.server.db.tx import Tx
from omium.server.engine.effects import effect_key as make_key
from omium.server.engine.failures import close_in_group
from omium.server.engine.live import TasksReady
from omium.server.engine.parts import EngineParts
from omium.server.engine.transitions import append_event
from omium.server.engine.values import PackedValue, StoredValue, fetch_values, put_value
from omium.server.engine.views import view_error, view_value
from omium.server.principal import Principal
from omium.server.store import effects as store
from omium.server.store import failures
from omium.server.store.activations import call_effect
from omium.server.store.effects import EffectRow
from omium.server.store.executions import ExecutionRow, get_execution, lock_execution
from omium.states import (
    Driver,
    EffectDecision,
    EffectState,
    EventType,
    ExecutionStatus,
    FailureKind,
    FailureStatus,
)


def decide_effect(
    tx: Tx,
    principal: Principal,
    execution_id: str,
    effect_key: str,
    command: DecideEffect,
    output: PackedValue | None,
) -> EffectRow:
    """Decide the effect and return it, for a redo the new one; `output` is `command.output`, packed.

    `NotFound` where the execution's lineage has no such effect, `AlreadyDecided` where its outcome is known,
    or a driver is calling it now.
    """
    row = lock_execution(tx, principal.tenant_id, execution_id)
    principal.require_workflow(row.workflow)
    effect = store.lock_effect(tx, principal.tenant_id, effect_key)
    if effect is None or effect.lineage_root != row.lineage_root:
        raise NotFound(f"{execution_id} has no effect {effect_key}; `omium executions show` lists them.")
    return decide(tx, principal, row, effect, command.decision, output, command.reason)[1]


def decide(
    tx: Tx,
    principal: Principal,
    row: ExecutionRow,
    effect: EffectRow,
    decision: EffectDecision,
    output: PackedValue | None,
    reason: str,
) -> tuple[ExecutionRow, EffectRow]:
    """Decide a locked effect of the locked `row`'s lineage; returns both as they are afterwards."""
    if not is_undecided(row, effect):
        raise AlreadyDecided(
            f"The effect {effect.path} is {effect.state}; there is nothing to decide.",
            state=effect.state,
            decided_by=effect.decided_by,
        )
    row = append_event(
        tx,
        row,
        EventType.EFFECT_DECIDED,
        {
            "path": effect.path,
            "effect_key": effect.effect_key,
            "decision": decision.value,
            "by": principal.id,
            "comment": reason,
        },
    )
    _close_item(tx, principal, effect, f"{decision.value}: {reason}" if reason else decision.value)
    decided = replace(effect, decided_by=principal.id, ended_us=tx.now_us)
    match decision:
        case EffectDecision.CONFIRM | EffectDecision.SKIP:
            confirmed = decision is EffectDecision.CONFIRM
            decided = replace(
                decided,
                state=EffectState.DONE if confirmed else EffectState.SKIPPED,
                output=put_value(tx, row.tenant_id, output) if output else None,
                output_digest=output.digest if output else None,
                done_seq=row.last_seq if confirmed and effect.execution_id == row.id else effect.done_seq,
            )
            _write(tx, effect, decided)
        case EffectDecision.REDO:
            # The old row stays as it is: a late report of it then shows that both calls happened.
            _write(tx, effect, replace(decided, state=EffectState.UNKNOWN))
            decided = _open_redo(tx, row, effect, principal.id)
        case _:
            assert_never(decision)
    if row.driver == Driver.ENGINE and call_effect(tx, row.id, effect.path):
        tx.after_commit(TasksReady(row.tenant_id, row.environment, row.queue, "timer", ""))
    return row, decided


def redo_done(tx: Tx, principal: Principal, row: ExecutionRow, effect: EffectRow) -> EffectRow:
    """Allow one more call of an effect that is done or skipped, under a new key, on behalf of a replay."""
    assert effect.state in {EffectState.DONE, EffectState.SKIPPED}
    return _open_redo(tx, row, effect, principal.id)


def is_undecided(row: ExecutionRow, effect: EffectRow) -> bool:
    """Say whether a person must say what became of the effect: nobody knows, and nobody is calling it."""
    if effect.decided_by is not None:
        return False
    left = row.status != ExecutionStatus.RUNNING and effect.execution_id == row.id
    return effect.state == EffectState.UNKNOWN or (effect.state == EffectState.INTENDED and left)


def _write(tx: Tx, was: EffectRow, row: EffectRow) -> None:
    if not store.update_effect(tx, was, row):
        raise AlreadyDecided(f"The effect {was.path} was decided at this moment by somebody else.")


def _open_redo(tx: Tx, row: ExecutionRow, effect: EffectRow, by: str) -> EffectRow:
    redo = effect.redo + 1
    fresh = replace(
        effect,
        effect_key=make_key(effect.lineage_root, effect.path, redo),
        execution_id=row.id,
        redo=redo,
        state=EffectState.NOT_APPLIED,
        generation=row.generation,
        epoch=row.epoch,
        attempt=0,
        input=None,
        output=None,
        output_digest=None,
        error=None,
        intended_seq=row.last_seq,
        done_seq=None,
        intended_us=tx.now_us,
        ended_us=tx.now_us,
        decided_by=by,
        compensated=0,
    )
    if not store.insert_effect(tx, fresh):
        raise AlreadyDecided(
            f"A redo of the effect {effect.path} was decided at this moment by somebody else."
        )
    return fresh


def _close_item(tx: Tx, principal: Principal, effect: EffectRow, reason: str) -> None:
    """Close the inbox items of the unknown outcome, wherever in the lineage they were opened."""
    for occurrence in failures.list_open_of_execution(tx, effect.execution_id):
        group = failures.find_failure(tx, effect.tenant_id, occurrence.failure_id)
        if occurrence.path == effect.path and group is not None and group.kind == FailureKind.EFFECT_UNKNOWN:
            close_in_group(
                tx,
                effect.tenant_id,
                group.id,
                [occurrence.id],
                status=FailureStatus.RESOLVED,
                by=principal.id,
                reason=reason,
            )


# ---- showing them


async def read_effects(
    parts: EngineParts, tenant_id: str, execution_id: str, *, after_seq: int, limit: int
) -> tuple[list[EffectView], int | None]:
    """Return a page of the effects that an execution announced, in that order, and where the next begins.

    Raises `NotFound` for a foreign execution.
    """

    def read(tx: Tx) -> tuple[list[EffectRow], Mapping[bytes, StoredValue]]:
        get_execution(tx, tenant_id, execution_id)
        rows = store.list_effects(tx, execution_id, after_seq=after_seq, limit=limit + 1)
        columns = [column for row in rows[:limit] for column in (row.input, row.output)]
        return rows, fetch_values(tx, tenant_id, columns)

    rows, values = await parts.db.read(read)
    shown = rows[:limit]
    following = shown[-1].intended_seq if len(rows) > limit else None
    return [view_effect(parts, row, values) for row in shown], following


def view_effect(parts: EngineParts, row: EffectRow, values: Mapping[bytes, StoredValue]) -> EffectView:
    """Return the effect as it travels; long values are left out."""
    return EffectView(
        effect_key=row.effect_key,
        execution_id=row.execution_id,
        key=row.path,
        name=row.name,
        mode=row.mode,
        state=row.state,
        redo=row.redo,
        attempt=row.attempt,
        compensate=row.compensate,
        compensated=bool(row.compensated),
        input=view_value(parts.vault, row.tenant_id, values, row.input),
        output=view_value(parts.vault, row.tenant_id, values, row.output),
        error=view_error(row.error),
        intended_at_us=row.intended_us,
        ended_at_us=row.ended_us,
        decided_by=row.decided_by,
    )
