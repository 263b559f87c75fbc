"""Turns: records that a task makes of itself while it runs, under its own path, each once per name.

A task that was interrupted finds them again, and so does the next try of an `agent_task`: what its model has
answered is paid. A node that has failed for good leaves them superseded (semantics 2.4).
"""

from __future__ import annotations

from collections.abc import Sequence

from omium.jsonvalue import canonical_bytes, digest
from omium.models.usage import RecordUsage
from omium.server.db.tx import Tx
from omium.server.engine.nodes.settling import charge_usage, note_usage, settle
from omium.server.engine.nodes.task_fence import TaskLease, find_granted, lease_lost
from omium.server.engine.nodes.work import open_work
from omium.server.engine.parts import EngineParts
from omium.server.engine.values import PackedValue, put_value
from omium.server.store import activations, steps
from omium.server.store.steps import StepRow
from omium.states import EventType, StepStatus

TURNS_MAX = 10_000


def record_turn(
    tx: Tx,
    parts: EngineParts,
    lease: TaskLease,
    name: str,
    output: PackedValue,
    usage: Sequence[RecordUsage] = (),
) -> bool:
    """Journal a turn of a running task under its path; False where one of that name is recorded already.

    Raises `LeaseLostProblem`; `name` has no `/`. Its usage is charged whatever becomes of the task.
    """
    work = open_work(tx, parts, lease.tenant_id, lease.execution_id)
    row = find_granted(work, lease)
    if row is None:
        raise lease_lost(lease)
    note_usage(work, usage, row.breaker)
    path = f"{lease.path}/{name}"
    if steps.find_result(tx, lease.execution_id, path) is not None:
        charge_usage(work)
        work.save()
        return False
    seq = work.record(EventType.STEP_COMPLETED, {"path": path})
    work.steps += 1
    work.payload_bytes += output.size_bytes
    step = StepRow(
        execution_id=lease.execution_id,
        path=path,
        name=name,
        occurrence=1,
        explicit_key=1,
        kind="step",
        generation=work.row.generation,
        epoch=work.row.epoch,
        status=StepStatus.COMPLETED.value,
        attempt=1,
        interruptions=0,
        input=None,
        input_digest=digest(canonical_bytes({"node": row.input_digest, "turn": name})),
        comparable="full",
        output=put_value(tx, lease.tenant_id, output),
        output_digest=output.digest,
        error=None,
        effect_key=None,
        reused_from=None,
        edited_by=None,
        started_us=work.now_us,
        ended_us=work.now_us,
        completed_seq=seq,
        superseded_seq=None,
    )
    assert steps.put_step(tx, step), f"{path} was looked for under the lock of its execution"
    activations.touch_activation(
        tx, lease.tenant_id, lease.execution_id, lease.path, lease.epoch, lease.lease_digest
    )
    settle(work)
    return True


def list_turns(tx: Tx, execution_id: str, path: str) -> list[tuple[str, bytes]]:
    """Return name and value column of what was journaled of a task, in the order in which it was."""
    found = [
        (each.completed_seq or 0, each.path.removeprefix(f"{path}/"), each.output)
        for each in steps.list_inside(tx, execution_id, path, limit=TURNS_MAX)
        if each.status == StepStatus.COMPLETED
    ]
    return [(name, column) for _, name, column in sorted(found) if column is not None]
