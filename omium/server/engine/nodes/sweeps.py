"""Sweeps: what brings nodes on without anybody asking: timers, timeouts, lost tasks, slots, what was left.

Each takes one execution, under its lock, and does a bounded portion; one that another server is at work on is
skipped, and one whose work raises is named (`BrokenExecution`), so that it can be put off. A sweep that comes
late, twice, or on several servers at once does the same. Timers are wall time, leases the lease clock
(`tx.lease_now_us`), which nobody can step.
"""

from __future__ import annotations

from typing import Final

from omium.server.db.tx import Tx
from omium.server.engine import step_slots
from omium.server.engine.mishaps import make_error
from omium.server.engine.nodes import node_effects
from omium.server.engine.nodes.broken import work_of
from omium.server.engine.nodes.children import CHILD, look_at_child
from omium.server.engine.nodes.driving import drive, proceed
from omium.server.engine.nodes.settling import settle
from omium.server.engine.nodes.slots import give_slot
from omium.server.engine.nodes.tasks import fail_attempt, interrupt_task
from omium.server.engine.nodes.waits import end_due, wake
from omium.server.engine.nodes.work import NodeWork, work_on
from omium.server.engine.parts import EngineParts
from omium.server.store import claimable, due
from omium.server.store.activations import ActivationRow
from omium.server.store.due import DueNode
from omium.states import ExecutionStatus, WaitingReason

PORTION: Final = 16
_DRIVEN: Final = frozenset({ExecutionStatus.RUNNING, ExecutionStatus.WAITING})


def sweep_nodes(tx: Tx, parts: EngineParts) -> int:
    """Do the next portion of whatever is due; 0 if nothing is."""
    for sweep in (sweep_due, sweep_late, sweep_lost, sweep_slots, sweep_left):
        if done := sweep(tx, parts):
            return done
    return 0


def sweep_due(tx: Tx, parts: EngineParts) -> int:
    """End what waits for a time that has come, and look at children that have ended."""
    for found in due.list_due(tx, tx.now_us, PORTION):
        with work_of(found.tenant_id, found.execution_id):
            work = _open(tx, parts, found)
            if work is None:
                continue
            if work.row.status == ExecutionStatus.PAUSED:
                due.look_later(tx, found.execution_id, found.path)
                return 1
            for row in due.list_due_of(tx, found.execution_id, tx.now_us, PORTION):
                _end_waiting(work, row)
            return _close(work)
    return 0


def _end_waiting(work: NodeWork, row: ActivationRow) -> None:
    match row.waiting_reason:
        case WaitingReason.RETRY | WaitingReason.BREAKER | WaitingReason.SLOT:
            wake(work, row)
        case node_effects.EFFECT:
            node_effects.look(work, row)
        case reason if reason == CHILD:
            look_at_child(work, row)
        case _:
            end_due(work, row, work.definition.node(row.scope, row.node))
    drive(work)


def sweep_late(tx: Tx, parts: EngineParts) -> int:
    """Fail tries that have taken longer than their node's `timeout_s`; whoever does them has no grant now."""
    for found in due.list_late(tx, tx.lease_now_us, PORTION):
        with work_of(found.tenant_id, found.execution_id):
            work = _open(tx, parts, found)
            if work is None:
                continue
            row = due.find_late(tx, found.execution_id, found.path, tx.lease_now_us)
            if row is None:
                continue
            error = make_error("Timeout", f"{row.path} took longer than its timeout allows.", code="timeout")
            fail_attempt(work, row, error)
            return _close(work)
    return 0


def sweep_lost(tx: Tx, parts: EngineParts) -> int:
    """Take tasks from those who said nothing for longer than a lease and its grace."""
    before_us = tx.lease_now_us - parts.policy.expiry_us
    for found in due.list_lost(tx, before_us, PORTION):
        with work_of(found.tenant_id, found.execution_id):
            work = _open(tx, parts, found)
            if work is None:
                continue
            row = due.find_lost(tx, found.execution_id, found.path, before_us)
            if row is None:
                continue
            interrupt_task(work, row)
            return _close(work)
    return 0


def sweep_slots(tx: Tx, parts: EngineParts) -> int:
    """Give slots that came free to those that have waited longest for them."""
    for waiting in give_slot(tx):
        found = DueNode(waiting.tenant_id, waiting.execution_id, waiting.path)
        with work_of(found.tenant_id, found.execution_id):
            if waiting.is_step:
                row = claimable.lock_free(tx, found.tenant_id, found.execution_id)
                if row is None:
                    continue
                step_slots.hand_over(tx, row, found.path, parts.policy)
                return 1
            work = _open(tx, parts, found)
            if work is None:
                continue
            waiting.hand_over(work)
            return _close(work)
    return 0


def sweep_left(tx: Tx, parts: EngineParts) -> int:
    """Go on with nodes that an earlier transaction has left for another one."""
    for found in due.list_left(tx, PORTION):
        with work_of(found.tenant_id, found.execution_id):
            work = _open(tx, parts, found)
            if work is not None and proceed(work):
                return _close(work)
    return 0


def restart_tasks(tx: Tx) -> int:
    """Let every task's lease run anew: called once when a server starts, as for executions."""
    return due.restart(tx)


def free_server_tasks(tx: Tx, parts: EngineParts) -> int:
    """Take the tasks that a server of this database did itself from it: the only one, and it is gone.

    Called once, when a server starts that is alone with its database (SQLite); the sweep interrupts them.
    """
    return due.forget_touch(tx, tx.lease_now_us - parts.policy.expiry_us - 1)


def _open(tx: Tx, parts: EngineParts, found: DueNode) -> NodeWork | None:
    row = claimable.lock_free(tx, found.tenant_id, found.execution_id)
    return work_on(tx, parts, row) if row is not None else None


def _close(work: NodeWork) -> int:
    drive(work)
    settle(work)
    return 1
