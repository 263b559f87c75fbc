"""Records: what has come of a node's tries, as rows of `steps` and `step_attempts` with their events.

The same rows that a driver's reports make (engine/steps.py), so that everything which reads executions reads
these, too. A result is recorded once: its path has one live row, under the lock of the execution.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from omium.jsonvalue import JsonValue
from omium.server.engine.mishaps import PackedError
from omium.server.engine.nodes.work import NodeWork
from omium.server.engine.values import PackedValue, put_value
from omium.server.store import attempts, steps
from omium.server.store.activations import ActivationRow
from omium.server.store.attempts import AttemptRow
from omium.server.store.steps import StepRow
from omium.states import EventType, StepStatus


@dataclass(frozen=True, slots=True)
class Result:
    """The output of a node, packed; or that of a record or effect, which counts its reference already."""

    column: bytes
    digest: str
    size_bytes: int
    packed: PackedValue | None = None


def result_of(packed: PackedValue) -> Result:
    return Result(packed.column, packed.digest, packed.size_bytes, packed)


def kind_of(row: ActivationRow) -> str:
    """Return what kind of step the activation is recorded as."""
    if row.effect_key is not None:
        return "effect"
    return "child" if row.type == "subworkflow" else "step"


def record_completed(
    work: NodeWork, row: ActivationRow, result: Result, *, event: EventType = EventType.STEP_COMPLETED
) -> int:
    """Record the result of a node and return its number; the input goes over to the record."""
    facts = describe(row)
    seq = work.record(event, facts)
    if event in {EventType.STEP_COMPLETED, EventType.EFFECT_DONE}:
        work.steps += 1
    work.payload_bytes += result.size_bytes
    column = put_value(work.tx, row.tenant_id, result.packed) if result.packed is not None else result.column
    release_former(work, row)
    step = make_step(work, row, StepStatus.COMPLETED, seq, output=column, digest=result.digest)
    assert steps.put_step(work.tx, step), f"{row.path} is recorded once"
    work.results[row.path] = (StepStatus.COMPLETED, column)
    return seq


def record_failed(work: NodeWork, row: ActivationRow, error: PackedError, delay_us: int | None) -> int:
    """Record a failed try and return its number; without `delay_us` the node has failed for good."""
    event = EventType.STEP_FAILED if delay_us is None else EventType.STEP_ATTEMPT_FAILED
    sentence = f"{error.info.get('type') or 'Error'}: {str(error.info.get('message') or '')[:500]}"
    seq = work.record(event, {**describe(row), "delay_us": delay_us, "error": sentence})
    attempts.insert_attempt(
        work.tx,
        AttemptRow(
            execution_id=row.execution_id,
            path=row.path,
            generation=work.row.generation,
            attempt=row.attempt,
            epoch=work.row.epoch,
            error=error.body,
            started_us=row.started_us or work.now_us,
            ended_us=work.now_us,
            delay_us=delay_us,
        ),
    )
    release_former(work, row)
    if row.input is not None:
        work.counts.append((row.input, 1))
    status = StepStatus.FAILED if delay_us is None else StepStatus.RETRYING
    step = make_step(work, row, status, None, error=error.body)
    assert steps.put_step(work.tx, step), f"try {row.attempt} of {row.path} is recorded once"
    if delay_us is None or row.type != "agent_task":  # an agent's next try goes on behind its last turn
        steps.supersede_inside(work.tx, row.execution_id, row.path, seq)
    work.results[row.path] = (status, error.body)
    return seq


def make_step(
    work: NodeWork,
    row: ActivationRow,
    status: StepStatus,
    completed_seq: int | None,
    *,
    output: bytes | None = None,
    digest: str | None = None,
    error: bytes | None = None,
) -> StepRow:
    """Return the record of an activation. A result takes the input over, a failed try has its own copy."""
    return StepRow(
        execution_id=row.execution_id,
        path=row.path,
        name=row.node,
        occurrence=1,
        explicit_key=1,
        kind=kind_of(row),
        generation=work.row.generation,
        epoch=work.row.epoch,
        status=status.value,
        attempt=row.attempt,
        interruptions=row.interruptions,
        input=row.input,
        input_digest=row.input_digest,
        comparable="full",
        output=output,
        output_digest=digest,
        error=error,
        effect_key=row.effect_key,
        reused_from=None,
        edited_by=None,
        started_us=row.started_us or work.now_us,
        ended_us=work.now_us,
        completed_seq=completed_seq,
        superseded_seq=None,
    )


def release_former(work: NodeWork, row: ActivationRow) -> None:
    """Give up the values of an earlier try whose row is about to be replaced."""
    if row.attempt == 1:
        return
    former = steps.find_live_step(work.tx, row.execution_id, row.path)
    if former is not None and former.status != StepStatus.COMPLETED:
        work.counts += [(column, -1) for column in (former.input, former.output) if column is not None]


def describe(row: ActivationRow) -> dict[str, JsonValue]:
    """Return what an event says of an activation."""
    facts: dict[str, JsonValue] = {"path": row.path}
    if row.attempt > 1:
        facts["attempt"] = row.attempt
    if (kind := kind_of(row)) != "step":
        facts["kind"] = kind
    return facts


def read_progress(row: ActivationRow) -> dict[str, JsonValue]:
    """Return what an activation has noted of itself."""
    return json.loads(row.progress) if row.progress is not None else {}


def read_error(body: bytes) -> PackedError:
    """Return a recorded error."""
    return PackedError(json.loads(body), body)
