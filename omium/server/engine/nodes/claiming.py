"""Claiming: whose turn it is, and what stands in the way of a node that is ready.

First come, first served within a handler; tenants take turns (`TaskScope.after_tenant`). One transaction
takes tasks of one execution only, under its lock, so several servers and workers never wait for each other.
A task needs a slot of its concurrency key and the leave of its breaker; where it gets none it waits, and that
is no attempt. An effect is announced here: whoever is granted it may call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from omium.clock import US_PER_S
from omium.models.breaker import BreakerCall, BreakerPolicy
from omium.server.db.tx import Tx
from omium.server.engine.breakers import report_calls
from omium.server.engine.nodes import node_effects, undoing
from omium.server.engine.nodes.broken import work_of
from omium.server.engine.nodes.driving import drive
from omium.server.engine.nodes.places import is_effect
from omium.server.engine.nodes.settling import settle
from omium.server.engine.nodes.slots import release_slot, take_slot
from omium.server.engine.nodes.starting import payer_of
from omium.server.engine.nodes.waits import wait
from omium.server.engine.nodes.work import NodeWork, work_on
from omium.server.engine.parts import EngineParts
from omium.server.store import claimable
from omium.server.store.activations import ActivationRow
from omium.server.store.claimable import Candidate
from omium.server.store.executions import ExecutionRow
from omium.states import ExecutionStatus, WaitingReason

OF_ONE_MAX: Final = 16
"""Tasks of one execution that one transaction grants."""
FORCED_OPEN_US: Final = 30 * US_PER_S
"""After how long a node asks again for a breaker that was opened by hand."""


@dataclass(frozen=True, slots=True)
class TaskScope:
    """Which tasks somebody does. The server's own loop names no tenant, and takes them in turn."""

    executor: str
    tenant_id: str | None = None
    environment: str | None = None
    queue: str | None = None
    handlers: Sequence[str] | None = None
    after_tenant: str = ""
    workflows: frozenset[str] | None = None
    """Of which workflows only, for a key with such a list."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What was granted, in one execution; without one, others are at work on what was looked at."""

    execution: ExecutionRow | None
    tasks: list[ActivationRow]
    looked_at: str | None = None
    """The tenant whose turn it was."""


def claim_tasks(
    tx: Tx,
    parts: EngineParts,
    scope: TaskScope,
    limit: int,
    lease_digests: Sequence[str],
    worker_id: str | None = None,
) -> Claim:
    """Grant up to `limit` tasks of the execution whose turn it is, each under its own lease digest.

    An execution that nothing was granted of is no sign that there is nothing: ask again while `looked_at` is
    said. Called twice, other tasks are granted; a grant that nobody heard of runs out with its lease. Raises
    `BrokenExecution`.
    """
    assert len(lease_digests) >= limit
    candidates = _find_candidates(tx, scope)
    for candidate in candidates:
        with work_of(candidate.tenant_id, candidate.execution_id):
            row = claimable.lock_free(tx, candidate.tenant_id, candidate.execution_id)
            if row is not None and undoing.may_undo(row):
                row = undoing.claim(tx, row)
            if row is None or row.status != ExecutionStatus.RUNNING:
                continue
            work = work_on(tx, parts, row)
            taken = _take(work, scope, min(limit, OF_ONE_MAX), lease_digests, worker_id)
            drive(work)
            return Claim(settle(work), taken, candidate.tenant_id)
    return Claim(None, [], candidates[0].tenant_id if candidates else None)


def _find_candidates(tx: Tx, scope: TaskScope) -> list[Candidate]:
    if scope.tenant_id is not None:
        assert scope.environment is not None
        assert scope.queue is not None
        found = [
            each
            for handler in scope.handlers or ()
            for each in claimable.list_for_worker(
                tx,
                scope.tenant_id,
                scope.environment,
                scope.queue,
                scope.executor,
                handler,
                scope.workflows,
            )
        ]
        return sorted(found, key=lambda each: (each.ready_us, each.execution_id))
    tenant_id = claimable.find_next_tenant(tx, scope.executor, scope.after_tenant)
    if tenant_id is None and scope.after_tenant:
        tenant_id = claimable.find_next_tenant(tx, scope.executor, "")
    return claimable.list_of_tenant(tx, scope.executor, tenant_id) if tenant_id is not None else []


def _take(
    work: NodeWork, scope: TaskScope, limit: int, digests: Sequence[str], worker_id: str | None
) -> list[ActivationRow]:
    taken: list[ActivationRow] = []
    for row in claimable.list_ready(work.tx, work.row.id, scope.executor, 4 * OF_ONE_MAX, scope.handlers):
        if scope.queue is not None and row.queue != scope.queue:
            continue
        granted = begin_task(work, row, digests[len(taken)], worker_id)
        if granted is not None:
            taken.append(granted)
            if len(taken) == limit or granted.effect_key is not None:
                break  # one effect in a transaction: effects are locked before payloads
    return taken


def begin_task(
    work: NodeWork, row: ActivationRow, lease_digest: str, worker_id: str | None
) -> ActivationRow | None:
    """Let a ready node run under a new epoch, or let it wait for what it lacks (then None)."""
    if row.type == undoing.COMPENSATION:
        return work.put(_granted(work, row, None, lease_digest, worker_id), stored=True)
    node = work.definition.node(row.scope, row.node)
    taken = take_slot(work, row)
    if taken is None:
        wait(work, row, WaitingReason.SLOT, None, stored=True)
        return None
    row = taken
    retry_us = _ask_breaker(work, row)
    if retry_us is not None:
        row = release_slot(work, row)
        wait(work, row, WaitingReason.BREAKER, work.now_us + retry_us, stored=True)
        return None
    mode = is_effect(work.definition.spec, node)
    if mode is not None:
        announced = node_effects.announce(work, row, mode, node.compensate)
        if announced is None:
            return None
        row = announced
    return work.put(_granted(work, row, node.timeout_s, lease_digest, worker_id), stored=True)


def _granted(
    work: NodeWork, row: ActivationRow, timeout_s: float | None, lease_digest: str, worker_id: str | None
) -> ActivationRow:
    return replace(
        row,
        state="running",
        waiting_reason=None,
        epoch=row.epoch + 1,
        lease_digest=lease_digest,
        lease_touched_us=work.tx.lease_now_us,
        worker_id=worker_id,
        due_us=None,
        deadline_us=work.tx.lease_now_us + round(timeout_s * US_PER_S) if timeout_s is not None else None,
        started_us=work.now_us,
    )


# ---- breakers


def _ask_breaker(work: NodeWork, row: ActivationRow) -> int | None:
    """Return after how many microseconds to ask again, or None if the call may pass."""
    if row.breaker is None:
        return None
    call = BreakerCall(name=row.breaker, policy=policy_of(work, row.breaker), want_permission=True)
    answer = report_calls(work.tx, payer_of(work.row), call)
    if answer.allowed:
        return None
    if answer.retry_after_s is None:
        return FORCED_OPEN_US
    return max(round(answer.retry_after_s * US_PER_S), US_PER_S // 10)


def tell_breaker(work: NodeWork, row: ActivationRow, *, failed: bool) -> None:
    """Count how the call of a task ended."""
    if row.breaker is None:
        return
    call = BreakerCall(
        name=row.breaker,
        policy=policy_of(work, row.breaker),
        succeeded=int(not failed),
        failed=int(failed),
    )
    report_calls(work.tx, payer_of(work.row), call)


def policy_of(work: NodeWork, name: str) -> BreakerPolicy:
    said = work.definition.spec.breakers.get(name)
    return BreakerPolicy() if said is None else BreakerPolicy.model_validate(said.form())
