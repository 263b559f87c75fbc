"""The records that a replay begins with: rows of its own that point at the source's payloads.

Each reference is counted, so retention may remove the source and the replay still has everything. Every
record is an event of the new execution, in the order of the source's log. Which records: plan.py.
"""

from __future__ import annotations

from dataclasses import replace

from omium.errors import StorageBusy
from omium.jsonvalue import JsonValue, json_bytes
from omium.server.db.tx import Tx
from omium.server.engine.plan import Plan, Verdict, newest_checkpoints
from omium.server.engine.replay_packing import PackedReplay
from omium.server.engine.values import copy_value, put_value
from omium.server.store import replays
from omium.server.store.checkpoints import CheckpointRow, insert_checkpoint
from omium.server.store.executions import ExecutionRow, update_execution
from omium.server.store.steps import StepRow
from omium.states import EventType, StepStatus


def copy_records(tx: Tx, packed: PackedReplay, plan: Plan, row: ExecutionRow) -> ExecutionRow:
    """Write the records that the new execution begins with, each with an event, in the source's order."""
    seq = row.last_seq
    facts: list[tuple[int, str, bytes]] = []
    steps: list[StepRow] = []
    for verdict in plan.reused:
        seq += 1
        steps.append(_copy_step(tx, packed, verdict, row, seq))
        event = EventType.STEP_PATCHED if verdict.edited else EventType.STEP_REUSED
        facts.append((seq, event.value, json_bytes(_describe(verdict, row))))
    replays.insert_records(tx, steps)
    for saved in newest_checkpoints(plan).values():
        seq += 1
        copied = _copy_checkpoint(tx, packed, saved, row, seq)
        about: JsonValue = {"id": copied.id, "name": copied.name, "path": copied.path, "from": saved.id}
        facts.append((seq, EventType.CHECKPOINT_SAVED.value, json_bytes(about)))
    replays.insert_events(tx, row.id, facts)
    now = replace(row, last_seq=seq)  # nothing is completed yet: reused records were completed elsewhere
    if not update_execution(tx, row, now):
        raise StorageBusy(f"{row.id} changed while it was made; try again.")
    return now


def _describe(verdict: Verdict, row: ExecutionRow) -> dict[str, JsonValue]:
    facts: dict[str, JsonValue] = {"path": verdict.path}
    if verdict.edited:
        facts["by"] = row.started_by
    return facts


def _copy_step(tx: Tx, packed: PackedReplay, verdict: Verdict, row: ExecutionRow, seq: int) -> StepRow:
    step = verdict.record
    assert step is not None
    edited = packed.outputs.get(verdict.path) if verdict.edited else None
    output = step.output if edited is None else edited.column
    if edited is not None:
        put_value(tx, row.tenant_id, edited)
    elif step.output is not None:
        copy_value(tx, row.tenant_id, step.output)
    if step.input is not None:
        copy_value(tx, row.tenant_id, step.input)
    return replace(
        step,
        execution_id=row.id,
        generation=1,
        epoch=0,
        status=StepStatus.COMPLETED.value,
        output=output,
        output_digest=edited.digest if edited else step.output_digest,
        error=None,
        reused_from=step.reused_from or step.execution_id,
        edited_by=packed.principal.id if edited else step.edited_by,
        completed_seq=seq,
        superseded_seq=None,
    )


def _copy_checkpoint(
    tx: Tx, packed: PackedReplay, saved: CheckpointRow, row: ExecutionRow, seq: int
) -> CheckpointRow:
    edited = packed.states.get(saved.name) or packed.states.get(saved.id)
    copied = replace(
        saved,
        id=tx.new_id("cp"),
        execution_id=row.id,
        generation=1,
        seq=seq,
        state=put_value(tx, row.tenant_id, edited) if edited else copy_value(tx, row.tenant_id, saved.state),
        state_digest=edited.digest if edited else saved.state_digest,
        created_us=tx.now_us,
        superseded_seq=None,
    )
    insert_checkpoint(tx, copied)
    return copied
