"""Tasks: what a worker says of the nodes that it does. They are granted with the claim (workers.py).

Every endpoint is fenced by the task's own epoch and token, which its grant handed out; the key only says
whose worker speaks. A repeat changes nothing and is answered as the first time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from omium.errors import IllegalTransition, LeaseLostProblem, NotFound, PayloadTooLarge, StepConflict
from omium.jsonvalue import JsonValue
from omium.models.tasks import BeatTasks, CompleteTask, FailTask, TaskEnded, TaskGrant, TaskNews, TasksNews
from omium.models.webhook import CallBack
from omium.server.db.tx import Tx
from omium.server.engine.logs import pack_lines
from omium.server.engine.mishaps import pack_error
from omium.server.engine.nodes import tasks
from omium.server.engine.nodes.tasks import TaskLease
from omium.server.engine.task_grants import make_lease
from omium.server.principal import Principal
from omium.server.web.endpoint import Call, Idempotency, endpoint
from omium.server.webhooks.callbacks import take_callback
from omium.server.webhooks.messages import CALLBACK_PATH, SAID_BYTES_MAX
from omium.states import Scope

S = TypeVar("S")
TAGS = ("tasks",)


@endpoint(
    "POST",
    "/v1/tasks/heartbeat",
    scope=Scope.WORKER,
    idempotent=Idempotency.NATURAL,
    body=BeatTasks,
    reply=TasksNews,
    problems=(),
    summary="Keep the leases of tasks, and learn which of them are cancelled or lost",
    tags=TAGS,
)
async def beat_tasks(call: Call[BeatTasks]) -> TasksNews:
    leases = [_lease(call.principal, grant) for grant in call.body.tasks]
    return TasksNews(tasks=await call.write(lambda tx: [_touch(tx, lease) for lease in leases]))


@endpoint(
    "POST",
    "/v1/tasks/complete",
    scope=Scope.WORKER,
    idempotent=Idempotency.NATURAL,
    body=CompleteTask,
    reply=TaskEnded,
    problems=(IllegalTransition, LeaseLostProblem, NotFound, PayloadTooLarge, StepConflict),
    summary="Record the output of a task, fenced by its grant",
    tags=TAGS,
)
async def complete_task(call: Call[CompleteTask]) -> TaskEnded:
    parts, said = call.server.engine, await _mask(call)
    lease = _lease(call.principal, said)
    output = tasks.pack_output(parts, lease, cast("JsonValue", said.output))
    logs = pack_lines(said.logs) if said.logs else None
    return await _end(call, lease, lambda tx: tasks.complete_task(tx, parts, lease, output, said.usage, logs))


@endpoint(
    "POST",
    "/v1/tasks/fail",
    scope=Scope.WORKER,
    idempotent=Idempotency.NATURAL,
    body=FailTask,
    reply=TaskEnded,
    problems=(IllegalTransition, LeaseLostProblem, NotFound),
    summary="Record that a try of a task failed, fenced by its grant",
    tags=TAGS,
)
async def fail_task(call: Call[FailTask]) -> TaskEnded:
    parts, said = call.server.engine, await _mask(call)
    lease, error = _lease(call.principal, said), pack_error(parts.vault, said.error)
    logs = pack_lines(said.logs) if said.logs else None
    return await _end(
        call,
        lease,
        lambda tx: tasks.fail_task(
            tx,
            parts,
            lease,
            error,
            said.retryable,
            said.retry_after_s,
            said.usage,
            logs,
            not_applied=said.not_applied,
        ),
    )


async def _end(
    call: Call[CompleteTask] | Call[FailTask], lease: tasks.TaskLease, work: Callable[[Tx], tasks.Ended]
) -> TaskEnded:
    """Record an end; where the grant is over, or another end stands, only what was spent: it stays spent."""
    try:
        ended = await call.write(work)
    except (LeaseLostProblem, StepConflict):
        parts, usage = call.server.engine, call.body.usage
        if usage:
            await call.write(lambda tx: tasks.record_late_usage(tx, parts, lease, usage))
        raise
    return TaskEnded(state=ended.state)


@endpoint(
    "POST",
    CALLBACK_PATH,
    scope=None,
    idempotent=Idempotency.NATURAL,
    body=CallBack,
    body_bytes_max=SAID_BYTES_MAX,
    reply=TaskEnded,
    problems=(IllegalTransition, LeaseLostProblem, NotFound, StepConflict),
    summary="Record what became of a pushed task, with the task's own token and without a key",
    tags=TAGS,
)
async def call_back(call: Call[CallBack]) -> TaskEnded:
    return await take_callback(call.server.engine, call.server.known_secrets, call.body)


async def _mask(call: Call[S]) -> S:
    return await call.server.known_secrets.mask_one(call.principal.tenant_id, call.body)


def _touch(tx: Tx, lease: TaskLease) -> TaskNews:
    try:
        news = tasks.touch_task(tx, lease)
    except LeaseLostProblem:
        return TaskNews(lost=True)
    return TaskNews(cancel_requested=news.cancel_requested)


def _lease(principal: Principal, said: TaskGrant) -> TaskLease:
    return make_lease(principal.tenant_id, said.execution_id, said.path, said.epoch, said.token)


ENDPOINTS = [beat_tasks, complete_task, fail_task, call_back]
