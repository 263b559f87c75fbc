"""Showing: a picture becomes the rows of an execution, in one transaction, replacing what it showed before.

Nothing of an observed execution is written by anybody else, so its steps, its events and its usage are
simply made anew; what people did with its failure stays, as long as it is the same failure. Packing is done
before the transaction. The process dies before the commit: the trace is due as before. Called twice, or by
two servers: the second finds that its revision is shown, or that another one came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from omium.ids import derived_id
from omium.jsonvalue import JsonValue, digest, json_bytes
from omium.server.analytics import counting
from omium.server.db.tx import Tx
from omium.server.engine.failure_groups import describe
from omium.server.engine.failures import close_in_group, record_occurrence
from omium.server.engine.transitions import FOLDED, announce
from omium.server.engine.values import PackedValue, Vault, drop_value, put_value
from omium.server.store import checkpoints, details, failures, imports, retention, steps
from omium.server.store import traces as store
from omium.server.store.checkpoints import CheckpointRow
from omium.server.store.details import DetailsRow
from omium.server.store.executions import ExecutionRow, insert_execution, lock_if_there
from omium.server.store.steps import StepRow
from omium.server.store.traces import EventDraft, TraceRow
from omium.server.store.usage import UsageRow, insert_all_usage
from omium.server.traces.elsewhere import lock_with_repeats, repeats_another
from omium.server.traces.picture import ObservedState, ObservedStep, ObservedUsage, Picture
from omium.states import (
    ENDED_STATUSES,
    Driver,
    Durability,
    EventType,
    ExecutionStatus,
    FailureKind,
    FailureStatus,
    Takeover,
)

LEASE: Final = "observed"
"""In place of a digest: no token has it, so nobody drives what was only seen."""
Shown = Literal["shown", "hidden", "changed"]
QUEUE: Final = "default"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose execution it is, and its id; `digest` is that of what it is made of."""

    execution_id: str
    tenant_id: str
    environment: str
    started_by: str
    digest: str


@dataclass(frozen=True, slots=True)
class PackedPicture:
    """A picture with its values packed; steps stand in the order of their events, which begin with 2."""

    picture: Picture
    input: PackedValue
    output: PackedValue | None
    steps: list[tuple[ObservedStep, PackedValue | None, PackedValue]]
    states: list[tuple[ObservedState, PackedValue]]


def pack_picture(vault: Vault, tenant_id: str, picture: Picture) -> PackedPicture:
    """Return `picture` ready to be written; it was redacted when it came in."""

    def pack(value: JsonValue) -> PackedValue:
        return vault.pack(tenant_id, value)

    return PackedPicture(
        picture=picture,
        input=pack(picture.input),
        output=pack(picture.output) if picture.status is ExecutionStatus.COMPLETED else None,
        steps=[
            (step, None if step.span.failed else pack(step.span.output), pack(step.span.input))
            for step in picture.steps
        ],
        states=[(state, pack(state.state)) for state in picture.states],
    )


def show(tx: Tx, trace: TraceRow, packed: PackedPicture) -> Shown:
    """Make the execution of `trace` what `packed` shows; nothing where the trace is another one by now."""
    now = lock_with_repeats(tx, trace, packed.picture)
    if now is None or (now.revision, now.closed, now.shown_us) != (
        trace.revision,
        trace.closed,
        trace.shown_us,
    ):
        return "changed"
    was = lock_if_there(tx, trace.tenant_id, trace.execution_id)
    if was is not None and was.reason == retention.RETIRED:
        return "shown"
    if was is not None and was.driver != Driver.OBSERVED:
        return "hidden"  # one that somebody started under this very id: what ran here is not replaced
    if repeats_another(tx, trace, packed.picture):
        if was is not None:
            _remove(tx, was, packed.picture)
        return "hidden"
    owner = Owner(
        trace.execution_id,
        trace.tenant_id,
        trace.environment,
        trace.started_by,
        digest(trace.execution_id.encode()),
    )
    return "shown" if place(tx, owner, was, packed) else "hidden"


def place(tx: Tx, owner: Owner, was: ExecutionRow | None, packed: PackedPicture) -> bool:
    """Make the execution what `packed` shows; `was` is its locked row, where it is there.

    Returns False where its id is another tenant's, by a chance of 1 in 2^128.
    """
    row = _make_row(tx, owner, packed)
    if was is None:
        if not insert_execution(tx, row):
            return False
        _insert_details(tx, row, owner, packed)
    else:
        if was.ended_us is not None:
            counting.take_out(tx, was)
        store.replace_execution(tx, row)
        _take_records(tx, row, states=bool(packed.picture.origin))
        store.replace_details(
            tx,
            row.id,
            given=put_value(tx, row.tenant_id, packed.input),
            given_digest=packed.input.digest,
            made=put_value(tx, row.tenant_id, packed.output) if packed.output else None,
            error=_error(packed.picture),
        )
    step_seqs, state_seqs = _number(packed.picture)
    records = [
        _make_step(tx, row, step, made, given, number)
        for number, (step, made, given) in zip(step_seqs, packed.steps, strict=True)
    ]
    tx.execute_many(steps.PUT, [steps.column_values(record) for record in records])
    store.insert_events(tx, row.id, _list_events(row, packed.picture))
    for number, (state, value) in zip(state_seqs, packed.states, strict=True):
        checkpoints.insert_checkpoint(tx, _make_state(tx, row, state, value, number))
    _replace_usage(tx, row, packed.picture.usage)
    _replace_failure(tx, row, packed.picture)
    announce(tx, row)
    return True


def _number(picture: Picture) -> tuple[list[int], list[int]]:
    """Return the numbers of the events of steps, and of states: a state is saved after what led to it."""
    moments = [(step.span.end_us, 0, place) for place, step in enumerate(picture.steps)]
    moments += [(state.at_us, 1, place) for place, state in enumerate(picture.states)]
    seqs: tuple[list[int], list[int]] = ([], [])
    for seq, (_, kind, _) in enumerate(sorted(moments), 2):
        seqs[kind].append(seq)
    return seqs


def _take_records(tx: Tx, row: ExecutionRow, *, states: bool = False) -> None:
    for values in store.take_records(tx, row.id) + (imports.take_states(tx, row.id) if states else []):
        drop_value(tx, row.tenant_id, values.first)
        drop_value(tx, row.tenant_id, values.second)


def _remove(tx: Tx, was: ExecutionRow, picture: Picture) -> None:
    """Remove the execution: another trace tells of the same call, and of what was around it."""
    if was.ended_us is not None:
        counting.take_out(tx, was)
    _take_records(tx, was)
    _replace_usage(tx, was, [])
    _replace_failure(tx, was, replace(picture, status=ExecutionStatus.COMPLETED))
    retention.delete_execution(tx, was.id)


def _make_row(tx: Tx, owner: Owner, packed: PackedPicture) -> ExecutionRow:
    picture = packed.picture
    stands = picture.status is not ExecutionStatus.RUNNING
    ended = picture.status in ENDED_STATUSES
    return ExecutionRow(
        id=owner.execution_id,
        tenant_id=owner.tenant_id,
        environment=owner.environment,
        workflow=picture.workflow,
        queue=QUEUE,
        driver=Driver.OBSERVED.value,
        durability=Durability.RELAXED.value,
        takeover=Takeover.NEVER.value,
        status=picture.status.value,
        reason="error" if picture.status is ExecutionStatus.FAILED else picture.reason,
        generation=1,
        epoch=1,
        last_seq=1 + len(picture.steps) + len(picture.states) + stands,
        interruptions=0,
        steps_completed=sum(not step.span.failed for step in picture.steps),
        lease_digest=LEASE,
        lease_touched_us=0,
        silent=0,
        worker_id=None,
        parent_id=None,
        parent_path=None,
        replay_of=None,
        replay_batch=None,
        lineage_root=owner.execution_id,
        started_by=owner.started_by,
        queued_us=None,
        wake_us=None,
        suspend=None,
        cancel_requested_us=None,
        cancel_outcome=None,
        max_steps=None,
        max_interruptions=0,
        interruption_streak=0,
        interruption_steps=0,
        created_us=picture.start_us,
        started_us=picture.start_us,
        ended_us=picture.end_us if ended else None,
        updated_us=tx.now_us,
        max_duration_us=None,
        max_payload_bytes=None,
        ran_us=max(picture.end_us - picture.start_us, 0) if stands else 0,
        run_since_us=None if stands else picture.start_us,
        payload_bytes=0,
        covered_steps=None,
    )


def _insert_details(tx: Tx, row: ExecutionRow, owner: Owner, packed: PackedPicture) -> None:
    details.insert_details(
        tx,
        DetailsRow(
            execution_id=row.id,
            request_digest=owner.digest,
            input=put_value(tx, row.tenant_id, packed.input),
            input_digest=packed.input.digest,
            comparable="none",
            output=put_value(tx, row.tenant_id, packed.output) if packed.output else None,
            error=_error(packed.picture),
            process=None,
            code=None,
            limits=b"{}",
            edits=None,
            running=None,
        ),
    )


def _error(picture: Picture) -> bytes | None:
    if picture.status is not ExecutionStatus.FAILED:
        return None
    return json_bytes(dict(_error_of(picture.error)))


def _error_of(error: Mapping[str, JsonValue] | None) -> Mapping[str, JsonValue]:
    return error or {"type": "Error", "message": "The span says that it failed, and not why."}


def _make_step(
    tx: Tx, row: ExecutionRow, step: ObservedStep, made: PackedValue | None, given: PackedValue, seq: int
) -> StepRow:
    span = step.span
    return StepRow(
        execution_id=row.id,
        path=step.path,
        name=step.name,
        occurrence=step.occurrence,
        explicit_key=0,
        kind="step",
        generation=1,
        epoch=1,
        status="completed" if made else "failed",
        attempt=1,
        interruptions=0,
        input=put_value(tx, row.tenant_id, given),
        input_digest=given.digest,
        comparable="none",
        output=put_value(tx, row.tenant_id, made) if made else None,
        output_digest=made.digest if made else None,
        error=None if made else json_bytes(dict(_error_of(span.error))),
        effect_key=None,
        reused_from=None,
        edited_by=None,
        started_us=span.start_us,
        ended_us=span.end_us,
        completed_seq=seq if made else None,
        superseded_seq=None,
    )


def _make_state(
    tx: Tx, row: ExecutionRow, state: ObservedState, value: PackedValue, seq: int
) -> CheckpointRow:
    return CheckpointRow(
        id=_id_of_state(row, seq),
        execution_id=row.id,
        generation=1,
        path="",
        name=state.name,
        seq=seq,
        state=put_value(tx, row.tenant_id, value),
        state_digest=value.digest,
        created_us=state.at_us,
        superseded_seq=None,
    )


def _id_of_state(row: ExecutionRow, seq: int) -> str:
    return derived_id("cp", row.id, str(seq))


def _list_events(row: ExecutionRow, picture: Picture) -> list[EventDraft]:
    """Return the log: the start, each span as it ended, the end."""
    began = replace(row, status=ExecutionStatus.RUNNING.value, reason=None)
    facts: dict[str, JsonValue] = {"workflow": row.workflow, "by": row.started_by}
    facts |= {name: getattr(began, name) for name in FOLDED}
    if picture.flags:
        facts["flags"] = list[JsonValue](picture.flags)
    if picture.origin:
        facts["imported_from"] = picture.origin
    step_seqs, state_seqs = _number(picture)
    drafts = [EventDraft(1, EventType.EXECUTION_STARTED, picture.start_us, json_bytes(facts))]
    for seq, state in zip(state_seqs, picture.states, strict=True):
        saved: dict[str, JsonValue] = {"id": _id_of_state(row, seq), "name": state.name, "path": ""}
        drafts.append(EventDraft(seq, EventType.CHECKPOINT_SAVED, state.at_us, json_bytes(saved)))
    for seq, step in zip(step_seqs, picture.steps, strict=True):
        told: dict[str, JsonValue] = {"path": step.path}
        if step.span.flags:
            told["flags"] = list[JsonValue](step.span.flags)
        if step.span.failed:
            error = _error_of(step.span.error)
            told["error"] = f"{error['type']}: {error['message']}"[:500]
        event = EventType.STEP_FAILED if step.span.failed else EventType.STEP_COMPLETED
        drafts.append(EventDraft(seq, event, step.span.end_us, json_bytes(told)))
    if picture.status is ExecutionStatus.RUNNING:
        return drafts
    ended: dict[str, JsonValue] = {"status": row.status}
    event = EventType.EXECUTION_COMPLETED
    if picture.status is ExecutionStatus.PAUSED:
        ended |= {"reason": row.reason}
        event = EventType.EXECUTION_PAUSED
    if picture.status is ExecutionStatus.FAILED:
        error = _error_of(picture.error)
        ended |= {"reason": row.reason, "path": picture.failed_path, "error": str(error["message"])[:500]}
        event = EventType.EXECUTION_FAILED
    return [*drafts, EventDraft(row.last_seq, event, picture.end_us, json_bytes(ended))]


def _replace_usage(tx: Tx, row: ExecutionRow, calls: list[ObservedUsage]) -> None:
    """Record what is not recorded yet, and take back what proved to be a repeat; nothing is charged."""
    wanted = {call.id: _make_usage(row, call) for call in calls}
    for known in store.list_usage(tx, row.id):
        if wanted.get(known.id) == known:
            del wanted[known.id]
        else:
            counting.take_out_usage(tx, store.take_usage(tx, row.tenant_id, known.id))
    insert_all_usage(tx, wanted.values())


def _make_usage(row: ExecutionRow, call: ObservedUsage) -> UsageRow:
    span = call.span
    return UsageRow(
        tenant_id=row.tenant_id,
        id=call.id,
        execution_id=row.id,
        path=call.path,
        attempt=1,
        environment=row.environment,
        workflow=row.workflow,
        api_key_id=row.started_by,
        provider=span.provider or None,
        model=span.model or None,
        input_tokens=span.input_tokens or 0,
        output_tokens=span.output_tokens or 0,
        cached_tokens=span.cached_tokens or 0,
        cache_write_tokens=span.cache_write_tokens or 0,
        reasoning_tokens=span.reasoning_tokens or 0,
        calls=1,
        reported_cost_microusd=span.cost_microusd,
        at_us=span.end_us,
    )


def _replace_failure(tx: Tx, row: ExecutionRow, picture: Picture) -> None:
    """Record the execution's failure; one that it had before is moved if it is the same, else removed."""
    error = _error_of(picture.error)
    failed = picture.status is ExecutionStatus.FAILED
    kept = False
    for known in failures.list_of_execution(tx, row.id):
        group = failures.lock_failure(tx, row.tenant_id, known.failure_id)
        wanted = describe(row, FailureKind.ERROR, picture.failed_path, error, tx.now_us, known.failure_id)
        same = group is not None and (group.fingerprint, group.workflow) == (
            wanted.fingerprint,
            wanted.workflow,
        )
        if failed and same and not kept:
            kept = True
            store.move_occurrence(
                tx, known.id, seq=row.last_seq, path=picture.failed_path, error=json_bytes(dict(error))
            )
            continue
        close_in_group(
            tx,
            row.tenant_id,
            known.failure_id,
            [known.id],
            status=FailureStatus.RESOLVED,
            by="omium",
            reason="further spans tell otherwise",
        )
        counting.keep_failures(tx, row.id)
        retention.delete_occurrences(tx, row.id)
        retention.delete_empty_group(tx, known.failure_id)
    if failed and not kept:
        record_occurrence(
            tx,
            row,
            kind=FailureKind.ERROR,
            path=picture.failed_path,
            seq=row.last_seq,
            error=error,
            at_us=picture.end_us if picture.origin else None,
        )
