"""Step slots: steps of drivers that run at most so many at once under a concurrency key (docs/decisions/287).

A step asks for a slot before it begins (`slot.asked`) and gives it back when its try has ended
(`slot.returned`). Where none is free it waits behind whoever waits already, nodes of the engine among them,
and is handed one in its turn: its driver finds that when it asks again, a driver that has left is woken for
it. A slot belongs to the driver that has it: the sweep gives back what one that is gone has left, and what
was handed over and not taken within `CONFIRM_US`.

Whoever has a slot does not wait for another one: neither a step inside of one that has a slot nor a step of
its children. So nobody who waits is waited for, and no circle can stand still. The same key is shared.

The keys that a group of writes names are locked before its first (writes.py); a key is made by that.

If the process dies before the commit, the driver asks again, or says again that it gives back. Asked or given
back twice, the second finds it so. Late, by a driver whose grant is over: refused by the fence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from omium.clock import US_PER_S
from omium.models.driver import SlotAsked, SlotReturned, SlotState
from omium.server.db.tx import Tx
from omium.server.engine.fence import enter
from omium.server.engine.live import TasksReady
from omium.server.engine.packing import Outcome, Packed
from omium.server.engine.policy import Policy
from omium.server.engine.timers import end_waiting
from omium.server.store import claimable, slots, step_slots
from omium.server.store.executions import ExecutionRow, find_execution
from omium.server.store.step_slots import StepSlotRow
from omium.states import ExecutionStatus, WaitingReason

CONFIRM_US: Final = 60 * US_PER_S
"""For how long a slot is kept for whoever waited: a worker has to come and go on to the step."""
SWEEP_ROWS: Final = 1  # each locks a key
LOOKED_AT: Final = 16
"""Slots that are looked at where others hold what came first."""


def ask_slot(tx: Tx, packed: Packed[SlotAsked]) -> Outcome:
    """Give the step a slot, or a place in the row of those that wait; a step that has one keeps it."""
    write = packed.write
    row = enter(tx, packed.lease)
    known = step_slots.find_slot(tx, row.id, write.path)
    if known is not None and known.key != write.key:  # other code, or another version
        _remove(tx, row, known)
        known = None
    if known is not None and known.held:
        step_slots.put_slot(
            tx, replace(known, epoch=row.epoch, attempt=write.attempt, most=write.limit, confirm_us=None)
        )
        return Outcome(row, slot="held")
    around = set(list_around(tx, row, write.path))
    if write.key in around:
        return Outcome(row, slot="held")
    asks = known or _make(tx, row, write)
    if write.limit != asks.most:  # others may wait behind it alone
        slots.look_again(tx, row.tenant_id, row.environment, write.key)
    asks = replace(asks, epoch=row.epoch, attempt=write.attempt, most=write.limit)
    if (handed := _find_handed(tx, row, write.key)) is not None:
        step_slots.put_slot(tx, replace(handed, held=0, confirm_us=None))
        step_slots.put_slot(tx, replace(asks, held=1))
        slots.look_again(tx, row.tenant_id, row.environment, write.key)
        return Outcome(row, slot="held")
    state = _take(tx, asks, may_wait=not around)
    if state == "taken" and known is not None:
        _remove(tx, row, known)
    return Outcome(row, slot=state)


def return_slot(tx: Tx, packed: Packed[SlotReturned]) -> Outcome:
    """Take back the step's slot, or its place in the row; a step that shares one has neither."""
    row = enter(tx, packed.lease)
    known = step_slots.find_slot(tx, row.id, packed.write.path)
    if known is not None and known.attempt == packed.write.attempt:
        _remove(tx, row, known)
    return Outcome(row)


def _find_handed(tx: Tx, row: ExecutionRow, key: str) -> StepSlotRow | None:
    """Return what was handed to another step while nobody drove: the new driver may begin elsewhere."""
    held = step_slots.list_held(tx, row.id)
    return next(
        (each for each in held if each.key == key and each.confirm_us is not None and each.epoch < row.epoch),
        None,
    )


def _make(tx: Tx, row: ExecutionRow, write: SlotAsked) -> StepSlotRow:
    return StepSlotRow(
        execution_id=row.id,
        path=write.path,
        tenant_id=row.tenant_id,
        environment=row.environment,
        key=write.key,
        most=write.limit,
        held=0,
        attempt=write.attempt,
        epoch=row.epoch,
        asked_us=tx.now_us,
        confirm_us=None,
    )


def _take(tx: Tx, asks: StepSlotRow, *, may_wait: bool) -> SlotState:
    place = (asks.tenant_id, asks.environment, asks.key)
    if is_first(tx, asks) and slots.take(tx, *place, asks.most):
        step_slots.put_slot(tx, replace(asks, held=1))
        return "held"
    if not may_wait:
        return "taken"
    step_slots.put_slot(tx, asks)
    return "waiting"


def is_first(tx: Tx, asks: StepSlotRow) -> bool:
    """Say whether nobody, step or node, has waited longer for a slot of the key."""
    place = (asks.tenant_id, asks.environment, asks.key)
    node, step = slots.find_waiting(tx, *place), step_slots.find_waiting(tx, *place)
    if node is not None and node.ready_us <= asks.asked_us:
        return False
    own = (asks.asked_us, asks.execution_id, asks.path)
    return step is None or own <= (step.asked_us, step.execution_id, step.path)


def list_around(tx: Tx, row: ExecutionRow, path: str) -> Iterator[str]:
    """Yield the keys of the slots that steps around `path` have, in this execution and those above it."""
    inner: ExecutionRow | None = row
    while inner is not None:
        for held in step_slots.list_held(tx, inner.id):
            is_self = inner.id == row.id and held.path == path
            if not is_self and (held.path == path or path.startswith(f"{held.path}/")):
                yield held.key
        if inner.parent_id is None:
            return
        path = inner.parent_path or ""
        inner = find_execution(tx, inner.tenant_id, inner.parent_id)


def _remove(tx: Tx, row: ExecutionRow, known: StepSlotRow) -> None:
    """Take a slot, or a place in the row, from a step; whoever waits is looked for after the commit."""
    place = (known.tenant_id, known.environment, known.key)
    slots.lock_key(tx, *place)
    if known.held:
        slots.give_back(tx, *place)
    else:
        slots.look_again(tx, *place)  # others may have waited behind it alone
    step_slots.remove_slot(tx, known)
    tx.after_commit(TasksReady(row.tenant_id, row.environment, row.queue, "timer", ""))


def free_slots(tx: Tx, row: ExecutionRow) -> None:
    """Take back whatever steps of an execution have that is about to be removed."""
    for held in step_slots.list_held(tx, row.id):
        _remove(tx, row, held)


# ---- what happens to those that wait


def hand_over(tx: Tx, row: ExecutionRow, path: str, policy: Policy) -> None:
    """Give a slot to the step that has waited longest, and wake its locked execution if it has left."""
    known = step_slots.find_slot(tx, row.id, path)
    if known is None or known.held:
        return
    place = (known.tenant_id, known.environment, known.key)
    if not _may_wait(row):
        _remove(tx, row, known)
    elif slots.take(tx, *place, known.most):
        step_slots.put_slot(tx, replace(known, held=1, confirm_us=tx.lease_now_us + CONFIRM_US))
        if row.status == ExecutionStatus.WAITING:
            end_waiting(tx, row, policy)
    else:
        slots.settle(tx, *place)


def sweep_void(tx: Tx) -> int:
    """Take a slot, or a place, from one whose driver is gone; return how many."""
    for found in step_slots.list_void(tx, tx.lease_now_us, LOOKED_AT):
        row = claimable.lock_free(tx, found.tenant_id, found.execution_id)
        known = step_slots.find_slot(tx, found.execution_id, found.path) if row is not None else None
        if row is not None and known is not None and _is_void(tx, row, known):
            _remove(tx, row, known)
            return 1
    return 0


def restart_slots(tx: Tx) -> int:
    """Let what was handed over be taken anew: called once when a server starts, as for leases."""
    return step_slots.restart(tx, tx.lease_now_us + CONFIRM_US)


def _is_void(tx: Tx, row: ExecutionRow, known: StepSlotRow) -> bool:
    if not known.held:
        return not _may_wait(row)
    if known.confirm_us is not None:
        return known.confirm_us < tx.lease_now_us
    return row.status != ExecutionStatus.RUNNING or row.epoch != known.epoch


def _may_wait(row: ExecutionRow) -> bool:
    if row.status == ExecutionStatus.WAITING:
        return row.reason == WaitingReason.SLOT
    return row.status in {ExecutionStatus.RUNNING, ExecutionStatus.QUEUED}
