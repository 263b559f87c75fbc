"""The records that a replay begins with: rows of its own that point at the source's payloads.

Each reference is counted, so retention may remove the source and the replay still has everything. Every
record is an event of the new execution, in the order of the source's log. Which records: plan.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from omium.errors import CheckpointGone, StorageBusy
from omium.ids import derived_id
from omium.jsonvalue import JsonValue, json_bytes
from omium.server.db.tx import Tx
from omium.server.engine.plan import newest_checkpoints
from omium.server.engine.replay_packing import PackedReplay
from omium.server.engine.values import PackedValue, address_of, put_value
from omium.server.engine.verdicts import Plan, Verdict
from omium.server.store import replays
from omium.server.store.checkpoints import CheckpointRow, insert_checkpoint
from omium.server.store.executions import ExecutionRow, update_execution
from omium.server.store.payloads import count_reference
from omium.server.store.replays import RESERVED
from omium.server.store.steps import StepRow
from omium.states import EffectState, EventType, StepStatus

LAID_BY = 2**40
"""Records of a spec's nodes are laid by until a node takes the same input, in the order of the source's log:
from this number on, which no event has."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Rows that are ready to be written, with numbers from 2 on; event 1 is the start."""

    steps: list[StepRow]
    checkpoints: list[CheckpointRow]
    events: list[tuple[int, str, bytes]]
    references: Counter[str]  # payload addresses that the rows point at, how often each
    edited: list[PackedValue]

    @property
    def last_seq(self) -> int:
        """The number of the last event."""
        return 1 + len(self.events)


def draft_records(packed: PackedReplay, plan: Plan) -> Draft:
    """Make the rows that the new execution begins with."""
    draft = Draft([], [], [], Counter(), [])
    for verdict in plan.reused:
        seq = draft.last_seq + 1
        effect = plan.source.effects.get(verdict.path)
        done = effect is not None and effect.state in {EffectState.DONE, EffectState.SKIPPED}
        if plan.source.pinned is not None:
            seq = LAID_BY + len(draft.steps)
            step = _draft_step(packed, verdict, draft, seq, done=done)
            draft.steps.append(replace(step, superseded_seq=RESERVED))
            continue
        draft.steps.append(_draft_step(packed, verdict, draft, seq, done=done))
        event = EventType.STEP_PATCHED if verdict.edited else EventType.STEP_REUSED
        about: dict[str, JsonValue] = {"path": verdict.path}
        if verdict.edited:
            about["by"] = packed.principal.id
        draft.events.append((seq, event.value, json_bytes(about)))
    for saved in newest_checkpoints(plan).values():
        seq = draft.last_seq + 1
        copied = _draft_checkpoint(packed, saved, draft, seq)
        draft.checkpoints.append(copied)
        facts: JsonValue = {"id": copied.id, "name": copied.name, "path": copied.path, "from": saved.id}
        draft.events.append((seq, EventType.CHECKPOINT_SAVED.value, json_bytes(facts)))
    return draft


def write_records(tx: Tx, row: ExecutionRow, draft: Draft) -> ExecutionRow:
    """Write the draft for the execution `row`, which has its first event only; returns the row after it.

    Raises `CheckpointGone` where retention has removed a value in the meantime.
    """
    for address, count in sorted(draft.references.items()):  # locked in that order
        if not count_reference(tx, row.tenant_id, address, count):
            raise CheckpointGone("Retention removed a recorded value that this needs; make a new plan.")
    for value in draft.edited:
        put_value(tx, row.tenant_id, value)
    replays.insert_records(tx, draft.steps)
    for saved in draft.checkpoints:
        insert_checkpoint(tx, replace(saved, created_us=tx.now_us))
    replays.insert_events(tx, row.id, draft.events)
    now = replace(row, last_seq=draft.last_seq)  # nothing is completed yet: that happened elsewhere
    if not update_execution(tx, row, now):
        raise StorageBusy(f"{row.id} changed while it was made; try again.")
    return now


def _refer(draft: Draft, column: bytes | None) -> None:
    address = address_of(column) if column is not None else None
    if address is not None:
        draft.references[address] += 1


def _draft_step(packed: PackedReplay, verdict: Verdict, draft: Draft, seq: int, *, done: bool) -> StepRow:
    """Return the record; of an effect that did not happen (not `done`) an edit stands without its key."""
    step = verdict.record
    assert step is not None
    edited = packed.outputs.get(verdict.path) if verdict.edited else None
    _refer(draft, step.input)
    if edited is None:
        _refer(draft, step.output)
    else:
        draft.edited.append(edited)
    return replace(
        step,
        execution_id=packed.id,
        generation=1,
        epoch=0,
        status=StepStatus.COMPLETED.value,
        output=edited.column if edited else step.output,
        output_digest=edited.digest if edited else step.output_digest,
        error=None,
        effect_key=step.effect_key if done else None,
        reused_from=step.reused_from or step.execution_id,
        edited_by=packed.principal.id if edited else step.edited_by,
        completed_seq=seq,
        superseded_seq=None,
    )


def _draft_checkpoint(packed: PackedReplay, saved: CheckpointRow, draft: Draft, seq: int) -> CheckpointRow:
    edited = packed.states.get(saved.name) or packed.states.get(saved.id)
    if edited is None:
        _refer(draft, saved.state)
    else:
        draft.edited.append(edited)
    return replace(
        saved,
        id=derived_id("cp", packed.id, saved.id),
        execution_id=packed.id,
        generation=1,
        seq=seq,
        state=edited.column if edited else saved.state,
        state_digest=edited.digest if edited else saved.state_digest,
        superseded_seq=None,
    )
