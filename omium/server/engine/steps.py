"""Steps: what a driver reports of them, recorded once per identity and attempt (semantics 2.1 to 2.4).

The hot path is a plain step that ends well: the fence, one upsert, one event, and nothing else; a test
counts the statements. Everything rarer (a repeat, a conflict, a replaced input, a further attempt) may cost
a look.

Every report has a natural key. Sent twice, the second finds what the first recorded and gets the same
answer; sent with another content, it's refused as `StepConflict`. If the process dies before the commit
nothing is recorded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from omium.errors import StepConflict
from omium.jsonvalue import JsonValue
from omium.models.driver import EffectEnded, StepAbandoned, StepAttemptFailed, StepCompleted
from omium.server.db.tx import Tx
from omium.server.engine.fence import enter
from omium.server.engine.logs import END_CHUNK, write_logs
from omium.server.engine.packing import Outcome, Packed
from omium.server.engine.transitions import find_event, number_event
from omium.server.engine.usage import insert_usage
from omium.server.engine.values import drop_value, put_value
from omium.server.store import attempts, steps
from omium.server.store.attempts import AttemptRow
from omium.server.store.executions import ExecutionRow, give_back
from omium.server.store.steps import StepRow
from omium.states import EventType, StepStatus

StepWrite = StepCompleted | StepAttemptFailed | EffectEnded


def complete_step(tx: Tx, packed: Packed[StepCompleted]) -> Outcome:
    """Record the result of a plain step; the same result of the same attempt again gets the same answer."""
    write = packed.write
    row = enter(
        tx,
        packed.lease,
        events=2 if write.supersedes else 1,
        steps=1,
        payload_bytes=packed.payload_bytes,
    )
    if write.supersedes:
        row = _replace(tx, row, packed)
    if write.attempt > 1:
        release_former(tx, row, write.path, write.attempt)
    step = make_step(row, packed, StepStatus.COMPLETED)
    if not steps.put_step(tx, step):
        return _repeat(tx, row, packed)
    keep_values(tx, row, packed)
    number_event(tx, row, EventType.STEP_COMPLETED, describe(write))
    record_extras(tx, row, packed)
    return Outcome(row, row.last_seq)


def fail_attempt(tx: Tx, packed: Packed[StepAttemptFailed]) -> Outcome:
    """Record a failed try: `retrying` if another follows (`delay_us`), else `failed`.

    What was recorded inside the step during this try is superseded, but never an effect (semantics 2.4).
    """
    write = packed.write
    row = enter(tx, packed.lease, events=1, payload_bytes=packed.payload_bytes)
    repeated = record_attempt(tx, row, packed)
    if repeated:
        give_back(tx, row, events=1, steps=0, payload_bytes=packed.payload_bytes)
        return Outcome(row, _seq_of(tx, row, write.path, write.attempt))
    final = write.delay_us is None
    if write.attempt > 1:
        release_former(tx, row, write.path, write.attempt)
    put_failed(tx, row, make_step(row, packed, StepStatus.FAILED if final else StepStatus.RETRYING))
    keep_values(tx, row, packed)
    steps.supersede_inside(tx, row.id, write.path, row.last_seq)
    event = EventType.STEP_FAILED if final else EventType.STEP_ATTEMPT_FAILED
    number_event(tx, row, event, {**describe(write), "delay_us": write.delay_us, **_sentence(packed)})
    record_extras(tx, row, packed)
    return Outcome(row, row.last_seq)


def abandon_step(tx: Tx, packed: Packed[StepAbandoned]) -> Outcome:
    """Note that a timed-out function still runs in its thread; a second report changes nothing."""
    write = packed.write
    row = enter(tx, packed.lease, events=1)
    facts: dict[str, JsonValue] = {"path": write.path, "attempt": write.attempt}
    known = find_event(tx, row, EventType.STEP_ABANDONED, facts)
    if known is not None:
        give_back(tx, row, events=1, steps=0)
        return Outcome(row, known)
    number_event(tx, row, EventType.STEP_ABANDONED, facts)
    return Outcome(row, row.last_seq)


# ---- parts that effects.py uses, too


def make_step(row: ExecutionRow, packed: Packed[Any], status: StepStatus, **further: Any) -> StepRow:
    """Return the row that a report makes of its step; `further` are columns that only some steps have."""
    write = packed.write
    done = status is StepStatus.COMPLETED
    step = StepRow(
        execution_id=row.id,
        path=write.path,
        name=write.name,
        occurrence=write.occurrence,
        explicit_key=int(write.explicit_key),
        kind=write.kind,
        generation=row.generation,
        epoch=row.epoch,
        status=status.value,
        attempt=write.attempt,
        interruptions=0,
        input=packed.input.column if packed.input else None,
        input_digest=write.input_digest,
        comparable=write.comparable,
        output=packed.output.column if packed.output and done else None,
        output_digest=packed.output.digest if packed.output and done else None,
        error=packed.error.body if packed.error and not done else None,
        effect_key=None,
        reused_from=None,
        edited_by=None,
        started_us=write.started_at_us,
        ended_us=write.ended_at_us,
        completed_seq=row.last_seq if done else None,
        superseded_seq=None,
    )
    return replace(step, **further) if further else step


def put_failed(tx: Tx, row: ExecutionRow, step: StepRow) -> None:
    """Record a try that failed. A result that this later try was meant to replace is superseded."""
    if steps.put_step(tx, step):
        return
    known = steps.find_live_step(tx, row.id, step.path)
    if known is None or known.attempt >= step.attempt:
        raise conflict(row, step.path, step.attempt)
    steps.supersede_step(tx, row.id, step.path, row.last_seq)
    assert steps.put_step(tx, step), "the path has no live row now"


def keep_values(tx: Tx, row: ExecutionRow, packed: Packed[Any]) -> None:
    """Store payloads that the step's row points at; small values stand in the row and cost nothing here."""
    large = [
        value for value in (packed.input, packed.output) if value is not None and value.payload is not None
    ]
    for value in sorted(large, key=lambda value: value.column):  # locked in the order of their addresses
        put_value(tx, row.tenant_id, value)


def release_former(tx: Tx, row: ExecutionRow, path: str, attempt: int) -> None:
    """Give up the values of an earlier try, whose row try `attempt` is about to replace.

    A result, or what a later try left (this one reports late), is not replaced but superseded: its row stays,
    and so do its values.
    """
    former = steps.find_live_step(tx, row.id, path)
    if former is not None and former.status != StepStatus.COMPLETED and former.attempt < attempt:
        drop_value(tx, row.tenant_id, former.input)
        drop_value(tx, row.tenant_id, former.output)


def record_attempt(tx: Tx, row: ExecutionRow, packed: Packed[Any]) -> bool:
    """Store a failed try; True if this very report was stored before, `StepConflict` if another one was."""
    write = packed.write
    assert packed.error is not None
    attempt = AttemptRow(
        execution_id=row.id,
        path=write.path,
        generation=row.generation,
        attempt=write.attempt,
        epoch=row.epoch,
        error=packed.error.body,
        started_us=write.started_at_us,
        ended_us=write.ended_at_us,
        delay_us=write.delay_us,
    )
    if attempts.insert_attempt(tx, attempt):
        return False
    known = attempts.find_attempt(tx, row.id, write.path, row.generation, write.attempt, row.epoch)
    if known != attempt:
        raise conflict(row, write.path, write.attempt)
    return True


def record_extras(tx: Tx, row: ExecutionRow, packed: Packed[Any]) -> None:
    """Record the usage and the lines that travel with a report."""
    for usage in packed.usage:
        insert_usage(tx, row, packed.lease.principal, usage)
    if packed.logs is not None:
        write_logs(tx, row, packed.write.path, packed.write.attempt, END_CHUNK, packed.logs)


def describe(write: StepWrite) -> dict[str, JsonValue]:
    """Return what an event says of a step: its path, and what is not as usual."""
    facts: dict[str, JsonValue] = {"path": write.path}
    if write.attempt > 1:
        facts["attempt"] = write.attempt
    if write.kind != "step":
        facts["kind"] = write.kind
    return facts


def conflict(row: ExecutionRow, path: str, attempt: int) -> StepConflict:
    return StepConflict(
        f"Attempt {attempt} of {path} in {row.id} is recorded already, with another content: two"
        " drivers, or two calls with the same key, ran the same step.",
        path=path,
        attempt=attempt,
    )


def _sentence(packed: Packed[StepAttemptFailed]) -> dict[str, JsonValue]:
    assert packed.error is not None
    info = packed.error.info
    return {"error": f"{info.get('type') or 'Error'}: {str(info.get('message') or '')[:500]}"}


def _replace(tx: Tx, row: ExecutionRow, packed: Packed[StepCompleted]) -> ExecutionRow:
    """Supersede the record whose input was another (2.4 rule 3); two numbers were taken, one may go back."""
    write = packed.write
    former = steps.find_live_step(tx, row.id, write.path)
    if former is None or _is_same(former, packed):
        give_back(tx, row, events=1, steps=0)
        return replace(row, last_seq=row.last_seq - 1)
    seq = row.last_seq - 1
    steps.supersede_step(tx, row.id, write.path, seq)
    number_event(
        tx, row, EventType.STEP_INPUT_CHANGED, {"path": write.path, "was_seq": former.completed_seq}, seq=seq
    )
    return row


def _repeat(tx: Tx, row: ExecutionRow, packed: Packed[StepCompleted]) -> Outcome:
    """Answer a report that changed nothing: as the first time, if it's the same."""
    known = steps.find_live_step(tx, row.id, packed.write.path)
    if known is None or not _is_same(known, packed):
        raise conflict(row, packed.write.path, packed.write.attempt)
    counted = packed.payload_bytes
    give_back(tx, row, events=1, steps=1, payload_bytes=counted)
    row = replace(
        row,
        last_seq=row.last_seq - 1,
        steps_completed=row.steps_completed - 1,
        payload_bytes=row.payload_bytes - counted,
    )
    return Outcome(row, known.completed_seq)


def _is_same(step: StepRow, packed: Packed[StepCompleted]) -> bool:
    digest = packed.output.digest if packed.output else None
    return (step.status, step.attempt, step.output_digest, step.kind) == (
        StepStatus.COMPLETED,
        packed.write.attempt,
        digest,
        packed.write.kind,
    )


def _seq_of(tx: Tx, row: ExecutionRow, path: str, attempt: int) -> int | None:
    facts: dict[str, JsonValue] = {"path": path}
    if attempt > 1:
        facts["attempt"] = attempt
    for event in (EventType.STEP_ATTEMPT_FAILED, EventType.STEP_FAILED):
        found = find_event(tx, row, event, facts)
        if found is not None:
            return found
    return None
