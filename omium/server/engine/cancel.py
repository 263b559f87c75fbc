"""Cancel and pause: requests. What runs is told, and stops by itself; what doesn't run ends or pauses now.

A running execution keeps running until its driver says that every call has stopped, or until the grace is
over; then it is cancelled with the honest outcome: stopped, still running, or unknown (semantics 3.9).
Children are included: page by page, each a transaction of its own, however large the tree is. Asked twice,
the second changes nothing.
"""

from __future__ import annotations

from omium.models.execution import CancelExecution, Execution, PauseExecution
from omium.server.db.tx import Database, Tx
from omium.server.engine.effect_losses import cut_off
from omium.server.engine.nodes.stopping import drop_nodes, park_nodes
from omium.server.engine.observed import refuse_observed
from omium.server.engine.policy import Policy
from omium.server.engine.transitions import append_event, illegal_transition, move
from omium.server.engine.views import view_execution
from omium.server.principal import Principal
from omium.server.store import activations, requests, trees
from omium.server.store.executions import ExecutionRow, lock_execution
from omium.states import ENDED_STATUSES, CancelOutcome, Driver, EventType, ExecutionStatus, PausedReason

SWEEP_ROWS = 1  # each may lock groups of failures, and those come after every execution
TREE_ROWS = 50  # children that one page of a tree's cancel asks
PAGES_AT_ONCE = 20  # before the request is answered
PORTION = 100  # executions that one call of `pause_key_executions` takes


def request_cancel(tx: Tx, principal: Principal, execution_id: str, command: CancelExecution) -> Execution:
    """Ask that the execution stop, and note that its children shall; `IllegalTransition` where it has ended.

    `sweep_trees` goes on with the children.
    """
    row = lock_execution(tx, principal.tenant_id, execution_id)
    principal.require_workflow(row.workflow)
    if row.status != ExecutionStatus.PAUSED:  # nobody runs what was imported unfinished: it may be put away
        refuse_observed(tx, row, "cancelled")
    if row.status != ExecutionStatus.CANCELLED:
        if row.status in ENDED_STATUSES:
            raise illegal_transition(row, ExecutionStatus.CANCELLED)
        row = _ask(tx, row, principal.id, command.comment)
    return view_execution(row)


async def reach_children(db: Database, pages: int = PAGES_AT_ONCE) -> None:
    """Go on with cancels that were asked for, up to `pages`; the sweep does the rest."""
    for _ in range(pages):
        if not await db.write(sweep_trees):
            return


def sweep_trees(tx: Tx, limit: int = TREE_ROWS) -> int:
    """Ask up to `limit` children of one cancelled execution to stop; 0 if no cancel has any left.

    A page is one transaction. If the process dies between two, the row in `tree_cancels` still says where to
    go on; a child that was asked is not asked again.
    """
    cancel = trees.lock_next_cancel(tx)
    if cancel is None:
        return 0
    children = trees.lock_open_children(tx, cancel, limit)
    for child in children:
        _ask(tx, child, cancel.requested_by, cancel.comment)
    if len(children) < limit:
        trees.delete_cancel(tx, cancel)
    else:
        trees.proceed_cancel(tx, cancel, children[-1])
    return 1


def cancel_open(tx: Tx, tenant_id: str, *, by: str, comment: str, limit: int = TREE_ROWS) -> int:
    """Ask up to `limit` of a tenant's executions that were not asked yet to stop; 0 when all were.

    A page is one transaction, the next call goes on with the rest.
    """
    rows = requests.lock_open_of_tenant(tx, tenant_id, limit)
    for row in rows:
        _ask(tx, row, by, comment)
    return len(rows)


def _ask(tx: Tx, row: ExecutionRow, by: str, comment: str) -> ExecutionRow:
    """Ask the locked `row`, which has not ended, to stop, and note that what is below it shall stop, too."""
    if row.cancel_requested_us is None:
        row = append_event(
            tx,
            row,
            EventType.CANCEL_REQUESTED,
            {"by": by, "comment": comment},
            cancel_requested_us=tx.now_us,
        )
        trees.insert_tree_cancel(tx, row, by=by, comment=comment)  # from now on it starts no more
    if row.driver == Driver.ENGINE:
        if drop_nodes(tx, row, running=False):
            return row
    elif row.status == ExecutionStatus.RUNNING:
        return row
    return _end(tx, row, CancelOutcome.STOPPED)  # nothing runs


def _end(tx: Tx, row: ExecutionRow, outcome: CancelOutcome) -> ExecutionRow:
    if row.driver == Driver.ENGINE:
        drop_nodes(tx, row, running=True)  # whoever still does one of them has no grant any more
    row = cut_off(tx, row)
    return move(
        tx,
        row,
        ExecutionStatus.CANCELLED,
        EventType.EXECUTION_CANCELLED,
        cancel_outcome=outcome.value,
        worker_id=None,
    )


def sweep_cancels(tx: Tx, policy: Policy, limit: int = SWEEP_ROWS) -> int:
    """End cancels whose grace is over: `still_running` if the driver is heard, else `unknown`."""
    late = requests.lock_late_cancels(tx, tx.now_us - policy.cancel_grace_us, limit)
    for row in late:
        heard_us = row.lease_touched_us if row.status == ExecutionStatus.RUNNING else None
        if row.driver == Driver.ENGINE:
            heard_us = activations.find_newest_touch(tx, row.id)
        alive = heard_us is not None and heard_us >= tx.lease_now_us - policy.expiry_us
        _end(tx, row, CancelOutcome.STILL_RUNNING if alive else CancelOutcome.UNKNOWN)
    return len(late)


def request_pause(tx: Tx, principal: Principal, execution_id: str, command: PauseExecution) -> Execution:
    """Ask that the execution pause after the steps that run now; `IllegalTransition` where it has ended."""
    row = lock_execution(tx, principal.tenant_id, execution_id)
    principal.require_workflow(row.workflow)
    refuse_observed(tx, row, "paused")
    if row.status != ExecutionStatus.PAUSED:
        row = ask_to_pause(tx, row, PausedReason.OPERATOR, by=principal.id, comment=command.comment)
    return view_execution(row)


def ask_to_pause(
    tx: Tx, row: ExecutionRow, reason: PausedReason, *, by: str, comment: str = ""
) -> ExecutionRow:
    """Pause `row`, or ask its driver to; the first reason that was asked for stays."""
    active = park_nodes(tx, row) if row.driver == Driver.ENGINE else True
    if row.status == ExecutionStatus.RUNNING and active:
        if row.suspend is not None:
            return row
        return append_event(
            tx,
            row,
            EventType.PAUSE_REQUESTED,
            {"by": by, "comment": comment},
            suspend=reason.value,
        )
    if row.status in ENDED_STATUSES:  # the table lets failed become paused, but only by a rollback
        raise illegal_transition(row, ExecutionStatus.PAUSED)
    return move(
        tx,
        row,
        ExecutionStatus.PAUSED,
        EventType.EXECUTION_PAUSED,
        reason=reason.value,
        data={"by": by, "comment": comment},
        worker_id=None,
        lease_digest=None,
    )


def pause_key_executions(tx: Tx, key_id: str) -> int:
    """Pause what a revoked key started, up to `PORTION`; call again until it returns 0.

    Runs in the transaction that revokes the key, and then in further ones: whoever stops in between leaves
    the rest to the next call, which finds exactly those that are neither paused nor asked to.
    """
    rows = requests.lock_started_by(tx, key_id, PORTION)
    for row in rows:
        ask_to_pause(tx, row, PausedReason.KEY_REVOKED, by=key_id)
    return len(rows)
