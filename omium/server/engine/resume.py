"""Resume: the same execution goes on, with every recorded step, after a failure, pause, wait or lost driver.

With a process of its own the caller is granted at once; else the execution is queued for a worker. Not while
effects are unresolved, compensations are to run, a limit is reached, or the parent has ended. A repeat under
the same lease token is answered as the first time. If the process dies before the commit, nothing has
changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from omium.errors import (
    CompensationPending,
    EffectUnresolved,
    InvalidRequest,
    ParentFinal,
    Problem,
    ScopeMissing,
)
from omium.models.driver import Grant
from omium.models.execution import ProcessIdentity, ResumeAnswer, ResumeExecution
from omium.server.db.tx import Tx
from omium.server.engine import metering
from omium.server.engine.claims import is_comparable
from omium.server.engine.compensations import has_pending
from omium.server.engine.failures import close_occurrences, lock_groups
from omium.server.engine.fence import STAYS_OPEN
from omium.server.engine.grants import Taker, build_grant, give_grant, make_taker, new_token
from omium.server.engine.limits import find_reached, raised_columns
from omium.server.engine.losses import interrupt
from omium.server.engine.nodes import undoing
from omium.server.engine.nodes.children import list_failed_below, list_failed_children
from omium.server.engine.nodes.going_on import resume_run
from omium.server.engine.observed import refuse_observed
from omium.server.engine.parts import EngineParts
from omium.server.engine.policy import Policy
from omium.server.engine.runners import find_runner
from omium.server.engine.savings import save_resume
from omium.server.engine.start_packing import TOKEN_CHARACTERS_MIN
from omium.server.engine.transitions import append_event, illegal_transition, move
from omium.server.engine.views import view_execution
from omium.server.principal import Principal, PrincipalKind
from omium.server.store import details, effects, epochs
from omium.server.store.effects import EffectRow
from omium.server.store.executions import ExecutionRow, find_execution, lock_execution
from omium.server.store.retention import RETIRED
from omium.states import (
    FINAL_STATUSES,
    Driver,
    EventType,
    ExecutionStatus,
    FailureStatus,
    PausedReason,
)

_GRANTABLE = frozenset(
    {ExecutionStatus.QUEUED, ExecutionStatus.WAITING, ExecutionStatus.PAUSED, ExecutionStatus.FAILED}
)
_QUEUEABLE = _GRANTABLE - {ExecutionStatus.QUEUED}


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A former driver was found gone, but the execution may not simply go on: a person looks first."""

    row: ExecutionRow
    unresolved: list[EffectRow]

    def problem(self) -> Problem:
        """Return what the caller is told; what was found is committed all the same."""
        if self.unresolved:
            return _unresolved(self.row, self.unresolved)
        return illegal_transition(self.row, ExecutionStatus.RUNNING)


async def resume(
    parts: EngineParts, principal: Principal, execution_id: str, command: ResumeExecution
) -> Grant:
    """Go on with the execution in the caller's own process (`command.process`).

    Raises `IllegalTransition`, `EffectUnresolved`, `CompensationPending`, `ParentFinal`, `LimitReached`,
    `InvalidRequest`, `NotFound`, `CreditsExhausted`, `UnknownPrice`.
    """
    assert command.process is not None
    if command.lease_token is not None and len(command.lease_token) < TOKEN_CHARACTERS_MIN:
        raise InvalidRequest(f"A lease token has at least {TOKEN_CHARACTERS_MIN} random characters.")
    token = command.lease_token or new_token()
    taker = make_taker(principal.id, token, command.process, command.code)
    resumed = await parts.db.write(lambda tx: resume_here(tx, principal, execution_id, command, taker))
    if isinstance(resumed, TakenOver):
        raise resumed.problem()
    return await build_grant(parts, resumed, token)


def resume_here(
    tx: Tx, principal: Principal, execution_id: str, command: ResumeExecution, taker: Taker
) -> ExecutionRow | TakenOver:
    """Grant the execution to `taker`, taking it over from a process that is proved to be gone."""
    row = lock_execution(tx, principal.tenant_id, execution_id)
    principal.require_workflow(row.workflow)
    refuse_observed(tx, row, "resumed")
    _refuse_other_environment(principal, row)
    if row.status == ExecutionStatus.RUNNING and row.lease_digest == taker.lease_digest:
        return row
    if row.status == ExecutionStatus.RUNNING and command.former_gone is not None:
        _refuse_unproved(tx, row, command.former_gone, command.process)
        row = interrupt(tx, row)
        if row.status != ExecutionStatus.QUEUED:  # an effect in flight, a pause or cancel, a crash loop
            return TakenOver(row, effects.list_unresolved(tx, row.id))
        return give_grant(tx, row, taker, EventType.EXECUTION_RESUMED, data={"took_over": True})
    if command.loop_limits:
        raise InvalidRequest("Loops have limits where the server drives: resume it without a process.")
    row = _prepare(tx, principal, row, command, _GRANTABLE)
    return give_grant(
        tx,
        row,
        taker,
        EventType.EXECUTION_RESUMED,
        data={"comment": command.comment},
        **_fresh_budget(command),
    )


def _refuse_other_environment(principal: Principal, row: ExecutionRow) -> None:
    """Let a process drive only what belongs to its key's environment, as a worker does."""
    if principal.kind is PrincipalKind.KEY and principal.environment.value != row.environment:
        raise ScopeMissing(
            f"{row.id} belongs to the environment {row.environment}, and this key to "
            f"{principal.environment.value}; use a key of {row.environment}.",
            scope=f"environment {row.environment}",
        )


def resume_queued(
    tx: Tx,
    principal: Principal,
    execution_id: str,
    command: ResumeExecution,
    policy: Policy,
    parts: EngineParts | None = None,
) -> ResumeAnswer:
    """Queue the execution for a worker, unless it is queued already, and say who would run it.

    One that the engine drives goes on at once; that takes the server's `parts`.
    """
    row = lock_execution(tx, principal.tenant_id, execution_id)
    principal.require_workflow(row.workflow)
    refuse_observed(tx, row, "resumed")
    if row.driver == Driver.ENGINE and parts is not None:
        _lock_failed_below(tx, row)
        row = _resume_nodes(tx, principal, row, command, parts)
    elif command.loop_limits:
        raise InvalidRequest(f"{row.id} is not run from a spec, so it has no loops; leave `loop_limits` out.")
    elif row.status != ExecutionStatus.QUEUED:
        row = _queue(tx, principal, row, command)
    runner = find_runner(tx, row, policy)
    return ResumeAnswer(
        runner=runner.runner, command=runner.command, cwd=runner.cwd, execution=view_execution(row)
    )


def _queue(tx: Tx, principal: Principal, row: ExecutionRow, command: ResumeExecution) -> ExecutionRow:
    row = _prepare(tx, principal, row, command, _QUEUEABLE)
    metering.refuse_exhausted(tx, row)
    return move(
        tx,
        row,
        ExecutionStatus.QUEUED,
        EventType.EXECUTION_RESUMED,
        data={"comment": command.comment, "by": principal.id},
        lease_digest=None,
        worker_id=None,
        **_fresh_budget(command),
    )


def _resume_nodes(
    tx: Tx, principal: Principal, row: ExecutionRow, command: ResumeExecution, parts: EngineParts
) -> ExecutionRow:
    """Let the engine go on with what has failed or was paused, or take back a pause that was asked for."""
    said: dict[str, object] = {"comment": command.comment, "by": principal.id}
    if command.loop_limits:
        said["loop_limits"] = command.loop_limits
    if undoing.may_undo(row) and undoing.offer(tx, row):  # one that has failed is tried again first
        return row
    if row.status == ExecutionStatus.RUNNING and row.suspend not in (None, PausedReason.ROLLBACK):
        row = append_event(
            tx, row, EventType.EXECUTION_RESUMED, said, suspend=None, **raised_columns(command)
        )
    else:
        allowed = frozenset({ExecutionStatus.PAUSED, ExecutionStatus.FAILED})
        row = _prepare(tx, principal, row, command, allowed, engine=True)
        row = move(
            tx,
            row,
            ExecutionStatus.RUNNING,
            EventType.EXECUTION_RESUMED,
            data=said,
            **_fresh_budget(command),
        )
        _resume_children(tx, principal, row, command, parts)
    return resume_run(tx, parts, row, command.loop_limits)


def _lock_failed_below(tx: Tx, row: ExecutionRow) -> None:
    """Lock all that goes on with the locked `row`, then their groups of failures, before any is changed."""
    below = list_failed_below(tx, row)
    for each in below:
        lock_execution(tx, row.tenant_id, each.id)
    if below:
        lock_groups(tx, row, open_of=[row.id, *(each.id for each in below)])


def _resume_children(
    tx: Tx, principal: Principal, parent: ExecutionRow, command: ResumeExecution, parts: EngineParts
) -> None:
    """Let the children go on by which the parent has failed: its nodes find them running, and wait.

    All of them are locked. A limit that the command raises is the parent's own.
    """
    own = ResumeExecution(comment=command.comment)
    for each in list_failed_children(tx, parent):
        child = lock_execution(tx, principal.tenant_id, each.id)
        if child.driver == Driver.ENGINE:
            _resume_nodes(tx, principal, child, own, parts)
        else:
            _queue(tx, principal, child, own)


def _prepare(
    tx: Tx,
    principal: Principal,
    row: ExecutionRow,
    command: ResumeExecution,
    allowed: frozenset[ExecutionStatus],
    *,
    engine: bool = False,
) -> ExecutionRow:
    """Refuse what may not go on; else close what the failure had opened."""
    if row.status not in allowed or row.reason == RETIRED:  # retention is removing its records
        raise illegal_transition(row, ExecutionStatus.RUNNING)
    if row.driver == Driver.ENGINE and not engine:
        raise InvalidRequest(f"{row.id} is scheduled by the server; resume it without a process.")
    _refuse_ended_parent(tx, row)
    if has_pending(tx, row):
        raise CompensationPending(
            f"{row.id} was rolled back; its compensations come first. Run a worker, or skip them."
        )
    unresolved = effects.list_unresolved(tx, row.id)
    if unresolved:
        raise _unresolved(row, unresolved)
    reached = find_reached(row, tx.now_us, command)
    if reached is not None:
        raise reached.problem(row.id)
    metering.raise_limit(tx, row, command)
    if row.status == ExecutionStatus.FAILED:
        close_occurrences(
            tx,
            row,
            status=FailureStatus.RESOLVED,
            by=principal.id,
            reason="resumed",
            kept_open=STAYS_OPEN,
        )
        details.set_error(tx, row.id, None)
        save_resume(tx, row, "resume")
    return row


def _fresh_budget(command: ResumeExecution) -> dict[str, Any]:
    """Return the columns that a person's word resets: the interruption streak, a limit that was raised."""
    return {"interruption_streak": 0, **raised_columns(command)}


def _refuse_ended_parent(tx: Tx, row: ExecutionRow) -> None:
    parent = find_execution(tx, row.tenant_id, row.parent_id) if row.parent_id is not None else None
    if parent is not None and parent.status in FINAL_STATUSES:
        raise ParentFinal(
            f"{row.id} was started by {parent.id}, which is {parent.status}; replay the parent instead.",
            parent_id=parent.id,
        )


def _refuse_unproved(tx: Tx, row: ExecutionRow, epoch: int, process: ProcessIdentity | None) -> None:
    """Refuse a takeover unless the caller has looked at the newest driver's process, from the same place."""
    newest = epochs.find_epoch(tx, row.id, row.epoch)
    known = newest.process if newest is not None else None
    same_place = (
        known is not None
        and process is not None
        and is_comparable(ProcessIdentity.model_validate_json(known), process)
    )
    if epoch != row.epoch or not same_place:
        raise illegal_transition(row, ExecutionStatus.RUNNING)


def _unresolved(row: ExecutionRow, unresolved: Sequence[EffectRow]) -> EffectUnresolved:
    listed: list[object] = [{"path": each.path, "effect_key": each.effect_key} for each in unresolved]
    paths = ", ".join(each.path for each in unresolved[:5])
    return EffectUnresolved(
        f"Whether {paths} took effect in {row.id} is unknown: confirm, redo or skip it, then resume.",
        execution_id=row.id,
        effects=listed,
    )
