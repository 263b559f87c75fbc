"""Slots: how many nodes with a concurrency key run at once, over all executions of a tenant's environment.

A task takes its slot when it is claimed; where there is none it waits (`slot`), first come, first served per
key. Whoever ends gives its slot back and marks the key; `sweep_slots` gives it to the one that has waited
longest, in a transaction of that one's execution. Waiting for a slot is no attempt. Steps of drivers wait in
the same row (engine/step_slots.py).

The row of a key is locked after the execution's, or both by skipping what others hold: who begins to wait,
who gives back and who looks for whoever waits come one after the other, so nobody is missed. If the process
dies in between, the key stays marked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from omium.server.db.tx import Tx
from omium.server.engine.live import TasksReady
from omium.server.engine.nodes.work import NodeWork
from omium.server.engine.step_slots import list_around
from omium.server.store import activations, slots, step_slots
from omium.server.store.activations import ActivationRow


def take_slot(work: NodeWork, row: ActivationRow) -> ActivationRow | None:
    """Return `row`, which is about to run, with a slot where it needs one; None where it has to wait.

    It needs none of a key of which a step that has started its execution has one: it shares that.
    """
    if row.concurrency_key is None or row.has_slot:
        return row
    if work.row.parent_id is not None and row.concurrency_key in list_around(work.tx, work.row, row.path):
        return row
    assert row.concurrency_limit is not None
    place = (row.tenant_id, row.environment, row.concurrency_key)
    slots.lock_key(work.tx, *place)
    if slots.find_waiting(work.tx, *place) is not None:  # it stands behind whoever waits already
        return None
    if step_slots.find_waiting(work.tx, *place) is not None:
        return None
    return replace(row, has_slot=1) if slots.take(work.tx, *place, row.concurrency_limit) else None


def release_slot(work: NodeWork, row: ActivationRow) -> ActivationRow:
    """Give back the slot that `row` has; whoever waits for it is looked for after the commit."""
    return free_slot(work.tx, row)


def free_slot(tx: Tx, row: ActivationRow) -> ActivationRow:
    """Give back the slot that `row` has, if any."""
    if not row.has_slot or row.concurrency_key is None:
        return row
    slots.give_back(tx, row.tenant_id, row.environment, row.concurrency_key)
    tx.after_commit(TasksReady(row.tenant_id, row.environment, row.queue, "timer", ""))
    return replace(row, has_slot=0)


def park(tx: Tx, execution_id: str, scope: str = "") -> None:
    """Let nothing begin in an execution, or in a map's item; a slot that was handed over is given back."""
    activations.park_activations(tx, execution_id, scope)
    for each in slots.list_parked(tx, execution_id):
        activations.update_activation(tx, free_slot(tx, each))


@dataclass(frozen=True, slots=True)
class SlotOffer:
    """A slot that came free, and the node, or a driver's step, that has waited longest for one of its key."""

    tenant_id: str
    environment: str
    key: str
    execution_id: str
    path: str
    most: int
    is_step: bool = False

    def hand_over(self, work: NodeWork) -> None:
        """Give the slot to the node, under the lock of its execution, if both are still there."""
        row = activations.find_activation(work.tx, self.execution_id, self.path)
        if row is None or (row.state, row.waiting_reason) != ("waiting", "slot"):
            return
        if not slots.take(work.tx, self.tenant_id, self.environment, self.key, self.most):
            slots.settle(work.tx, self.tenant_id, self.environment, self.key)
            return
        work.put(replace(row, state="ready", waiting_reason=None, has_slot=1), stored=True)


def give_slot(tx: Tx, limit: int = 16) -> list[SlotOffer]:
    """Return who may have a slot that came free; keys that nobody waits for are settled."""
    offers = []
    for freed in slots.list_freed(tx, limit):
        place = (freed.tenant_id, freed.environment, freed.key)
        node, step = slots.find_waiting(tx, *place), step_slots.find_waiting(tx, *place)
        if step is not None and (node is None or step.asked_us < node.ready_us):
            offer = SlotOffer(*place, step.execution_id, step.path, step.most, is_step=True)
        elif node is not None:
            offer = SlotOffer(*place, node.execution_id, node.path, node.most)
        else:
            offer = None
        if offer is None or freed.used >= offer.most:
            slots.settle(tx, *place)
        else:
            offers.append(offer)
    return offers
