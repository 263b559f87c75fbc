"""Workers: claim executions, say that a worker ends, list them."""

from __future__ import annotations

import random

from omium.clock import US_PER_S
from omium.errors import (
    CreditsExhausted,
    InvalidRequest,
    LimitReached,
    NotFound,
    NothingToClaim,
    UnknownPrice,
)
from omium.models.driver import Claimed, ClaimWork, StopWorker, Worker
from omium.models.tasks import Task
from omium.models.wire import Page
from omium.server.db.tx import Tx
from omium.server.engine.claims import claim, count_claimable
from omium.server.engine.grants import new_token
from omium.server.engine.live import queue_topic
from omium.server.engine.native import name_served
from omium.server.engine.parts import EngineParts
from omium.server.engine.task_grants import Place, claim_for, count_ready
from omium.server.engine.views import view_worker
from omium.server.principal import Principal
from omium.server.store import workers
from omium.server.store.workers import WorkerRow
from omium.server.web.call import POLL_INTERVAL_S
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.server.web.pagination import PageQuery, make_page, read_id_cursor
from omium.states import Scope

TAGS = ("workers",)


@endpoint(
    "POST",
    "/v1/workers/claim",
    scope=Scope.WORKER,
    idempotent=Idempotency.NATURAL,
    body=ClaimWork,
    reply=Claimed,
    problems=(CreditsExhausted, LimitReached, NothingToClaim, NotFound, UnknownPrice),
    long_poll=True,
    summary="Claim queued executions and nodes' tasks, waiting for some if there are none",
    tags=TAGS,
)
async def claim_work(call: Call[ClaimWork]) -> Claimed:
    """Look, and while there is nothing wait for a commit that queues work here, or for the next look.

    Waiting holds no transaction, and writes nothing: only when a look has found something is it claimed. It
    ends when the worker says that it stops.
    """
    principal, command, server = call.principal, call.body, call.server
    topic = queue_topic(principal.tenant_id, principal.environment.value, command.queue)
    nodes_first = random.random() < 0.5  # noqa: S311  # neither executions nor nodes starve each other
    give_up_us = server.clock.boot_us() + round(command.wait_s * US_PER_S)
    with server.live.watch(*topic, principal_id=principal.credential_id) as watcher:  # before the first look
        call.watchers.append(watcher)
        while True:
            claimed = await _claim(server.engine, principal, command, nodes_first=nodes_first)
            full = claimed.grants or claimed.tasks or claimed.neighbours or not command.max_executions
            if full or command.execution_id is not None:
                return claimed
            while not (found := await call.read(lambda tx: _look(tx, server.engine, principal, command))):
                left_s = (give_up_us - server.clock.boot_us()) / US_PER_S
                if left_s <= 0 or watcher.closed or found is None:
                    return claimed
                await watcher.wait(min(left_s, POLL_INTERVAL_S))
            if watcher.closed or server.clock.boot_us() >= give_up_us:
                return claimed


@endpoint(
    "POST",
    "/v1/workers/stop",
    scope=Scope.WORKER,
    idempotent=Idempotency.NATURAL,
    body=StopWorker,
    problems=(),
    summary="Say that a worker ends",
    tags=TAGS,
)
async def stop_worker(call: Call[StopWorker]) -> None:
    """Note the end, and end its last poll; one that is unknown or has ended before is left as it is."""
    place = call.principal.tenant_id, call.principal.environment.value

    def work(tx: Tx) -> WorkerRow | None:
        known = workers.find_worker(tx, *place, call.body.worker_id)
        workers.stop_worker(tx, *place, call.body.worker_id)
        return known

    stopped = await call.write(work)
    if stopped is not None:
        call.server.live.wake(*queue_topic(*place, stopped.queue))


@endpoint(
    "GET",
    "/v1/workers",
    scope=Scope.READ,
    query=PageQuery,
    reply=Page[Worker],
    problems=(InvalidRequest,),
    summary="List workers, and whether they were seen lately",
    tags=TAGS,
)
async def list_workers(call: Call[None, PageQuery]) -> Page[Worker]:
    after = read_id_cursor(call.query)
    seen_us = call.server.engine.policy.worker_seen_us

    def read(tx: Tx) -> tuple[list[WorkerRow], int]:
        rows = workers.list_workers(tx, call.principal.tenant_id, after_id=after, limit=call.query.limit + 1)
        return rows, tx.lease_now_us - seen_us

    rows, since_us = await call.read(read)
    return make_page(
        rows,
        call.query.limit,
        key=lambda row: (row.id,),
        item=lambda row: view_worker(row, seen=row.stopped_us is None and row.seen_lease_us >= since_us),
    )


async def _claim(
    parts: EngineParts, principal: Principal, command: ClaimWork, *, nodes_first: bool
) -> Claimed:
    """Claim executions, then nodes' tasks with the slots that are left; `nodes_first` keeps half for those.

    A worker that serves both is known by its claim of executions, so that one comes in any case.
    """
    most, some = command.max_executions, bool(command.handlers) and command.execution_id is None
    if not some or not most:
        return await claim(parts, principal, command)
    serves = command.workflows or command.entrypoints
    reserved = (most + 1) // 2 if nodes_first and serves else 0
    first = await _claim_tasks(parts, principal, command, reserved) if reserved else []
    rest = command.model_copy(update={"max_executions": most - len(first)})
    claimed = await claim(parts, principal, rest)
    more = await _claim_tasks(parts, principal, command, most - len(first) - len(claimed.grants))
    return claimed.model_copy(update={"tasks": [*first, *more]})


async def _claim_tasks(parts: EngineParts, principal: Principal, command: ClaimWork, most: int) -> list[Task]:
    tokens = [new_token() for _ in range(most)]
    return await claim_for(parts, _place(principal, command), command.worker_id, tokens)


def _place(principal: Principal, command: ClaimWork) -> Place:
    return Place(
        principal.tenant_id,
        principal.environment.value,
        command.queue,
        tuple(sorted(set(command.handlers))),
        principal.workflows,
    )


def _look(tx: Tx, parts: EngineParts, principal: Principal, command: ClaimWork) -> int | None:
    """Return how much waits for the worker, None if it has stopped meanwhile."""
    command = name_served(tx, parts.runtimes, principal.tenant_id, command)
    place = principal.tenant_id, principal.environment.value
    if workers.find_worker(tx, *place, command.worker_id) is None:
        return None
    waiting = count_claimable(tx, principal, command) if command.workflows else 0
    return waiting or count_ready(tx, _place(principal, command))


ENDPOINTS = [claim_work, stop_worker, list_workers]
