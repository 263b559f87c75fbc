"""One failure as a person needs it: what failed, whether a retry is safe, what changed, and what to do next.

Owns the words. Only reads: everything on one snapshot, values opened after it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from omium.jsonvalue import JsonValue
from omium.models.execution import RunnerAnswer, StepAttempt
from omium.models.failure import FailureDetail, ReplayBatch, WhatChanged
from omium.server.db.tx import Tx
from omium.server.engine.batches import view_batch
from omium.server.engine.inbox import failure_view, get_failure, occurrence_view
from omium.server.engine.observed import say_instead
from omium.server.engine.parts import EngineParts
from omium.server.engine.runners import find_runner
from omium.server.engine.values import StoredValue, fetch_values
from omium.server.engine.views import view_attempt, view_execution
from omium.server.store import attempts, batches, details, failures, lineage, replays, usage
from omium.server.store.details import DetailsRow
from omium.server.store.effects import EffectRow
from omium.server.store.executions import ExecutionRow, find_execution
from omium.server.store.failures import FailureRow, OccurrenceRow
from omium.states import EffectState, ExecutionStatus, FailureKind, FailureStatus, Runner

ATTEMPTS_SHOWN = 50
EFFECTS_SHOWN = 50
SENTENCE_CHARS_MAX = 300


@dataclass(frozen=True, slots=True)
class _Before:
    """The last completed execution, to compare with."""

    row: ExecutionRow
    details: DetailsRow
    models: list[str]


@dataclass(frozen=True, slots=True)
class _Facts:
    group: FailureRow
    occurrence: OccurrenceRow
    cause: OccurrenceRow | None
    row: ExecutionRow
    details: DetailsRow
    before: _Before | None
    models: list[str]
    inputs: dict[bytes, StoredValue]
    attempts: list[StepAttempt]
    effects: list[EffectRow]  # of the whole lineage, the newest redo of each
    runner: RunnerAnswer
    instead: str | None  # what goes on with it, where Omium cannot
    batch: ReplayBatch | None


async def read_failure(parts: EngineParts, tenant_id: str, failure_id: str) -> FailureDetail:
    """Return the group with its newest occurrence whose execution is still there; raises `NotFound`."""
    facts = await parts.db.read(lambda tx: _read(tx, parts, tenant_id, failure_id))
    safe, why = judge_retry(facts.effects)
    return FailureDetail(
        **failure_view(facts.group).model_dump(),
        sentence=say_what_failed(facts.group),
        root=facts.cause is None,
        cause=occurrence_view(facts.cause) if facts.cause else None,
        occurrence=occurrence_view(facts.occurrence),
        retry_safe=safe,
        retry_safe_reason=why,
        changed=_compare(parts, facts),
        attempts=facts.attempts,
        effects=[_effect_line(effect) for effect in facts.effects[:EFFECTS_SHOWN]],
        execution=view_execution(facts.row),
        runner=facts.runner,
        next_action=say_next(facts.group, facts.row, facts.runner, facts.effects, facts.instead),
        batch=facts.batch,
    )


def _read(tx: Tx, parts: EngineParts, tenant_id: str, failure_id: str) -> _Facts:
    group = get_failure(tx, tenant_id, failure_id)
    occurrence = failures.find_newest(tx, group.id)
    assert occurrence is not None, "a group goes with its last occurrence"
    row = find_execution(tx, tenant_id, occurrence.execution_id)
    assert row is not None, "an occurrence goes with its execution"
    detail = details.get_details(tx, row.id)
    before = _read_before(tx, row)
    batch = batches.find_newest(tx, group.id)
    inputs = [detail.input] + ([before.details.input] if before else [])
    return _Facts(
        group=group,
        occurrence=occurrence,
        cause=failures.find_occurrence(tx, tenant_id, occurrence.cause_id) if occurrence.cause_id else None,
        row=row,
        details=detail,
        before=before,
        models=_read_models(tx, row),
        inputs=fetch_values(tx, tenant_id, inputs),
        attempts=[
            view_attempt(each)
            for each in attempts.list_step_attempts(tx, row.id, occurrence.path, limit=ATTEMPTS_SHOWN)
        ],
        effects=list(replays.find_newest_effects(tx, tenant_id, row.lineage_root).values()),
        runner=find_runner(tx, row, parts.policy),
        instead=say_instead(tx, row),
        batch=view_batch(batch) if batch else None,
    )


def _read_before(tx: Tx, row: ExecutionRow) -> _Before | None:
    before = lineage.find_last_completed(tx, row.tenant_id, row.workflow, row.environment, row.created_us)
    if before is None:
        return None
    return _Before(before, details.get_details(tx, before.id), _read_models(tx, before))


def _read_models(tx: Tx, row: ExecutionRow) -> list[str]:
    return sorted({part.model for part in usage.sum_usage(tx, row.tenant_id, row.id) if part.model})


# ---- words


def say_what_failed(group: FailureRow) -> str:
    """Return one sentence: what failed, and how."""
    where = f"The step {group.step} of {group.workflow}" if group.step else group.workflow
    message = (group.message.strip().splitlines() or [""])[0]
    how = {
        FailureKind.TIMEOUT: "took too long",
        FailureKind.EFFECT_UNKNOWN: "may or may not have done its effect",
        FailureKind.EFFECT_DUPLICATED: "did its effect twice",
        FailureKind.DRIVER_LOST: "lost the process that ran it",
        FailureKind.CRASH_LOOP: "was interrupted again and again",
        FailureKind.COMPENSATION_FAILED: "could not be compensated",
        FailureKind.CAPTURED: f"reported {group.error_type}",
    }.get(FailureKind(group.kind), f"failed with {group.error_type}")
    sentence = f"{where} {how}: {message}" if message else f"{where} {how}."
    return sentence[:SENTENCE_CHARS_MAX]


def judge_retry(found: list[EffectRow]) -> tuple[bool, str]:
    """Say whether going on could do a side effect twice, and why."""
    undecided = [
        effect.path
        for effect in found
        if effect.state in {EffectState.UNKNOWN, EffectState.INTENDED} and effect.decided_by is None
        if effect.mode == "once"
    ]
    if undecided:
        return False, f"Nobody knows whether {', '.join(undecided)} happened; decide that first."
    done = [effect.path for effect in found if effect.state == EffectState.DONE and not effect.compensated]
    if done:
        return True, f"What was done ({', '.join(done)}) is recorded and is not called again."
    return True, "No step of this execution has done a recorded side effect."


def say_next(
    group: FailureRow,
    row: ExecutionRow,
    runner: RunnerAnswer,
    found: list[EffectRow],
    instead: str | None = None,
) -> str:
    """Return the next thing to do, as a sentence with its command; `instead` of going on under Omium."""
    if group.status != FailureStatus.OPEN:
        return f"Nothing: it is {group.status.replace('_', ' ')}."
    if not judge_retry(found)[0]:
        return f"Decide about the effect: confirm, redo or skip it (`omium executions show {row.id}`)."
    if group.kind == FailureKind.COMPENSATION_FAILED:
        again = (
            f"resume {row.id}" if runner.runner is Runner.ENGINE else f"worker --once --execution {row.id}"
        )
        return f"Try again (`omium {again}`), or skip what is left to compensate."
    if row.status == ExecutionStatus.COMPLETED:
        return f"It was completed all the same; resolve it (`omium failures resolve {group.id}`)."
    if row.status not in {ExecutionStatus.FAILED, ExecutionStatus.PAUSED}:
        return f"It goes on ({row.status}); wait for its end."
    if instead is not None:
        return f"Fix the cause. Omium did not run it, and cannot go on with it. {instead}"
    here = " here, since no worker serves it" if runner.runner is Runner.NONE else ""
    return f"Fix the cause and go on{here}: `omium resume {row.id}`, or look at a replay's plan first."


def _effect_line(effect: EffectRow) -> dict[str, JsonValue]:
    return {
        "effect_key": effect.effect_key,
        "key": effect.path,
        "state": effect.state,
        "decided_by": effect.decided_by,
        "compensated": bool(effect.compensated),
    }


# ---- what changed


def _compare(parts: EngineParts, facts: _Facts) -> WhatChanged:
    if facts.before is None:
        return WhatChanged()
    was, now = _code(facts.before.details), _code(facts.details)
    return WhatChanged(
        since_execution_id=facts.before.row.id,
        code_digest=_pair(was.get("digest"), now.get("digest")),
        git_revision=_pair(was.get("git_revision"), now.get("git_revision")),
        models=[facts.before.models, facts.models] if facts.before.models != facts.models else None,
        inputs=_changed_inputs(parts, facts),
    )


def _code(detail: DetailsRow) -> dict[str, str | None]:
    code: dict[str, str | None] = json.loads(detail.code) if detail.code else {}
    return code


def _pair(was: str | None, now: str | None) -> list[str | None] | None:
    return [was or None, now or None] if (was or None) != (now or None) else None


def _changed_inputs(parts: EngineParts, facts: _Facts) -> list[str]:
    """Return the names of the top-level inputs that differ, their values are not shown."""
    assert facts.before is not None
    stored = [facts.inputs.get(detail.input) for detail in (facts.before.details, facts.details)]
    if None in stored or facts.before.details.input_digest == facts.details.input_digest:
        return []
    was, now = (parts.vault.open_value(facts.row.tenant_id, each) for each in stored if each)
    if not isinstance(was, dict) or not isinstance(now, dict):
        return ["(the whole input)"] if was != now else []
    missing = object()
    return sorted(
        name for name in was.keys() | now.keys() if was.get(name, missing) != now.get(name, missing)
    )
