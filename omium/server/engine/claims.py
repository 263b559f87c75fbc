"""Claims: a worker takes queued executions, first come first served within a workflow, in turn between them.

A worker sees its key's environment, one queue, and of the workflows that it names those that its key allows.
The turn is the worker's own (`last_workflow`): a workflow with a thousand waiting executions does not keep
another one's first from being claimed next. Every claim is an event and an epoch with the key's id: who took
what is on record.

If the process dies before the commit nothing was claimed; after it, the worker never learns of its grant,
and the lease runs out. A claim that is sent again claims again: what the lost answer had granted comes back
after its lease, or at once when the same worker starts again (`gone_workers`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from omium.errors import NotFound, NothingToClaim
from omium.jsonvalue import json_bytes
from omium.models.driver import Claimed, ClaimWork, Neighbour
from omium.models.execution import ProcessIdentity
from omium.server.db.tx import Tx
from omium.server.engine import metering
from omium.server.engine.compensations import has_pending
from omium.server.engine.grants import build_grant, give_grant, make_taker, new_token
from omium.server.engine.losses import interrupt
from omium.server.engine.native import name_served
from omium.server.engine.parts import EngineParts
from omium.server.engine.transitions import move
from omium.server.principal import Principal
from omium.server.store import due, queues, workers
from omium.server.store.executions import ExecutionRow, lock_execution
from omium.server.store.workers import WorkerRow
from omium.states import EventType, ExecutionStatus, PausedReason

PAUSED_MAX = 20
"""How many executions one claim pauses for the lack of credits; the next claim goes on."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An execution that a worker was granted, and the token that it is sent."""

    row: ExecutionRow
    lease_token: str


@dataclass(frozen=True, slots=True)
class Catch:
    """What one look at the queue gave. `fresh` says that the worker was not known before."""

    taken: list[Taken]
    neighbours: list[Neighbour]
    fresh: bool


async def claim(parts: EngineParts, principal: Principal, command: ClaimWork) -> Claimed:
    """Take what there is now and return the grants; an empty list if there is nothing.

    Raises `NothingToClaim` where a certain execution was asked for and cannot be claimed, `NotFound`.
    """
    await _free_gone(parts, principal, command)
    command = await name_native(parts, principal, command)
    tokens = [new_token() for _ in range(max(command.max_executions, 1))]
    catch = await parts.db.write(lambda tx: claim_work(tx, principal, command, tokens))
    return await answer_claim(parts, principal, command, catch)


async def name_native(parts: EngineParts, principal: Principal, command: ClaimWork) -> ClaimWork:
    """Return the claim with the native workflows named that its entrypoints stand for now."""
    if not command.entrypoints:
        return command
    return await parts.db.read(lambda tx: name_served(tx, parts.runtimes, principal.tenant_id, command))


async def answer_claim(parts: EngineParts, principal: Principal, command: ClaimWork, catch: Catch) -> Claimed:
    """Return what the worker is sent."""
    grants = await asyncio.gather(*(build_grant(parts, each.row, each.lease_token) for each in catch.taken))
    return Claimed(
        grants=list(grants),
        pending=await parts.db.read(lambda tx: count_claimable(tx, principal, command)),
        neighbours=catch.neighbours,
    )


def claim_work(tx: Tx, principal: Principal, command: ClaimWork, tokens: Sequence[str]) -> Catch:
    """Note that the worker is there, and grant it what waits."""
    worker, fresh = _see(tx, principal, command)
    if command.execution_id is not None:
        row = _lock_claimable(tx, principal, command, command.execution_id)
        taken = [_take(tx, principal, command, row, tokens[0])]  # 402 where it may not begin
    else:
        taken = _take_turns(tx, principal, command, worker, tokens[: command.max_executions])
    neighbours = _find_neighbours(tx, principal, command) if fresh else []
    return Catch(taken, neighbours, fresh)


def count_claimable(tx: Tx, principal: Principal, command: ClaimWork) -> int:
    """Return how many executions wait for this worker, of the first thousand in its queue."""
    served = set(served_workflows(principal, command))
    waiting = queues.count_queued(tx, principal.tenant_id, principal.environment.value, command.queue)
    return sum(each.count for each in waiting if each.workflow in served)


def served_workflows(principal: Principal, command: ClaimWork) -> list[str]:
    """Return the workflows that the worker names and its key allows, in a fixed order."""
    allowed = principal.workflows
    return sorted({name for name in command.workflows if allowed is None or name in allowed})


def _see(tx: Tx, principal: Principal, command: ClaimWork) -> tuple[WorkerRow, bool]:
    served = served_workflows(principal, command)
    seen = workers.see_worker(
        tx,
        WorkerRow(
            id=command.worker_id,
            tenant_id=principal.tenant_id,
            environment=principal.environment.value,
            api_key_id=principal.id,
            queue=command.queue,
            workflows=json_bytes([*served]),
            process=json_bytes(command.process.model_dump(mode="json")),
            concurrency=command.concurrency,
            last_workflow="",
            started_us=tx.now_us,
            seen_us=tx.now_us,
            seen_lease_us=tx.lease_now_us,
            stopped_us=None,
            handlers=json_bytes([*command.handlers]) if command.handlers else None,
        ),
    )
    if seen is None:
        raise NotFound(f"The worker id {command.worker_id} cannot be used here; make a new one.")
    return seen, seen.started_us == tx.now_us


def _take_turns(
    tx: Tx, principal: Principal, command: ClaimWork, worker: WorkerRow, tokens: Sequence[str]
) -> list[Taken]:
    """Go round the workflows, from behind the one that was served last, while work and tokens last."""
    turn = _rotate(served_workflows(principal, command), worker.last_workflow)
    left, taken, paused = list(tokens), list[Taken](), 0
    while turn and left and paused < PAUSED_MAX:
        workflow = turn.pop(0)
        row = _lock_next(tx, principal, command.queue, workflow)
        if row is None:
            continue
        grant = _take_or_pause(tx, principal, command, row, left[0])
        if grant is None:
            paused += 1
        else:
            taken.append(grant)
            left.pop(0)
        turn.append(workflow)
    if taken:
        workers.set_last_workflow(tx, worker.id, taken[-1].row.workflow)
    return taken


def _rotate(workflows: list[str], last: str) -> list[str]:
    return [name for name in workflows if name > last] + [name for name in workflows if name <= last]


def _lock_next(tx: Tx, principal: Principal, queue: str, workflow: str) -> ExecutionRow | None:
    place = (principal.tenant_id, principal.environment.value, queue, workflow)
    return queues.lock_queued(tx, *place) or queues.lock_rolled_back(tx, *place)


def _lock_claimable(tx: Tx, principal: Principal, command: ClaimWork, execution_id: str) -> ExecutionRow:
    """Return a certain execution, whoever drove it before: `omium worker --once --execution ID`."""
    row = lock_execution(tx, principal.tenant_id, execution_id)
    if row.environment != principal.environment or row.workflow not in served_workflows(principal, command):
        raise NothingToClaim(
            f"{row.id} runs {row.workflow} in {row.environment}; this worker serves"
            f" {', '.join(served_workflows(principal, command)) or 'nothing'} in {principal.environment}."
        )
    queued = row.status == ExecutionStatus.QUEUED
    rolled_back = row.status == ExecutionStatus.PAUSED and row.reason in {
        PausedReason.ROLLBACK,
        PausedReason.ROLLBACK_FAILED,
    }
    if not queued and not (rolled_back and has_pending(tx, row)):
        raise NothingToClaim(
            f"{row.id} is {row.status}; it can be claimed when it is queued, for which it must be resumed.",
            status_now=row.status,
        )
    return row


def _take_or_pause(
    tx: Tx, principal: Principal, command: ClaimWork, row: ExecutionRow, lease_token: str
) -> Taken | None:
    """Grant `row`, or pause it where there are no credits for it: the worker has nothing to do with that.

    It is queued again once there are (credit_pauses.py). The sentence says who has to do what.
    """
    if row.covered_steps is None:
        return _take(tx, principal, command, row, lease_token)
    try:
        with tx.savepoint():
            return _take(tx, principal, command, row, lease_token)
    except metering.REFUSALS as problem:
        move(
            tx,
            row,
            ExecutionStatus.PAUSED,
            EventType.EXECUTION_PAUSED,
            reason=metering.reason_of(problem).value,
            data={"detail": problem.detail},
            worker_id=None,
            lease_digest=None,
        )
        return None


def _take(tx: Tx, principal: Principal, command: ClaimWork, row: ExecutionRow, lease_token: str) -> Taken:
    taker = make_taker(principal.id, lease_token, command.process, command.code, command.worker_id)
    granted = give_grant(tx, row, taker, EventType.EXECUTION_CLAIMED)
    return Taken(granted, lease_token)


# ---- other workers of the same host


def _find_neighbours(tx: Tx, principal: Principal, command: ClaimWork) -> list[Neighbour]:
    """Return workers of the claimer's own host that hold something: it can see whether they still live."""
    found = []
    for row in workers.list_unstopped(tx, principal.tenant_id, principal.environment.value):
        process = ProcessIdentity.model_validate_json(row.process)
        if (
            row.id != command.worker_id
            and is_comparable(process, command.process)
            and (queues.count_held(tx, row.id) or due.is_held(tx, row.id))
        ):
            found.append(Neighbour(worker_id=row.id, process=process))
    return found


async def _free_gone(parts: EngineParts, principal: Principal, command: ClaimWork) -> None:
    """Free what the claimer says others have left, one execution in each transaction.

    If the process dies in between, the rest is freed by the next claim that says so, or by its leases.
    """
    for gone in command.gone_workers:
        while await parts.db.write(lambda tx, w=gone: free_one(tx, principal, command.process, w)):  # type: ignore[misc]
            pass


def free_one(tx: Tx, principal: Principal, process: ProcessIdentity, worker_id: str) -> bool:
    """Interrupt an execution held by a worker of the same host whose process the claimer has seen to be gone.

    Returns False when it holds none; then it counts as stopped, and the sweep takes its nodes' tasks. Ignored
    for workers that are unknown, stopped, or not comparable: their leases decide.
    """
    row = workers.find_worker(tx, principal.tenant_id, principal.environment.value, worker_id)
    if row is None or not is_comparable(ProcessIdentity.model_validate_json(row.process), process):
        return False
    held = queues.lock_held(tx, principal.tenant_id, principal.environment.value, worker_id, limit=1)
    for each in held:
        interrupt(tx, each)
    if not held:
        due.forget_worker(tx, principal.tenant_id, principal.environment.value, worker_id)
        workers.stop_worker(tx, principal.tenant_id, principal.environment.value, worker_id)
    return bool(held)


def is_comparable(one: ProcessIdentity, other: ProcessIdentity) -> bool:
    """Say whether each of two processes could see that the other one is gone."""
    place = (one.boot_id, one.pid_namespace)
    return (
        all(place)
        and place == (other.boot_id, other.pid_namespace)
        and (one.pid, one.started_ticks) != (other.pid, other.started_ticks)
    )
