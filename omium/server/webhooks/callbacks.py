"""Callbacks: what a target says of its task, in its reply or later, recorded under the task's own token.

The token is 256 bits; its digest is all that is stored, and it is the fence of the grant: it speaks for one
task in one epoch. Once the task has ended, or was granted to somebody else, it changes nothing (409) but what
was spent, which is charged all the same; one that nobody was given is unknown (404). Said twice, the same
result is answered as the first time, and its usage counts once. If the process dies before the commit,
nothing was recorded, and the target may say it again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from omium.errors import LeaseLostProblem, NotFound, PayloadTooLarge, StepConflict
from omium.jsonvalue import JsonValue
from omium.models.tasks import TaskEnded
from omium.models.webhook import CallBack, TaskSaid
from omium.server.db.tx import Tx
from omium.server.engine.grants import digest_token
from omium.server.engine.logs import PackedLines, pack_lines
from omium.server.engine.mishaps import PackedError, pack_error
from omium.server.engine.nodes.tasks import (
    Ended,
    TaskLease,
    complete_task,
    fail_task,
    pack_output,
    record_late_usage,
)
from omium.server.engine.parts import EngineParts
from omium.server.secrets.known import KnownSecrets
from omium.server.store import webhooks as store
from omium.server.store.webhooks import PushRow
from omium.server.webhooks.messages import describe, failure


async def take_callback(parts: EngineParts, known: KnownSecrets, said: CallBack) -> TaskEnded:
    """Record what a target calls back with; raises `NotFound`, `LeaseLostProblem`, `StepConflict`."""
    digest = digest_token(said.token)
    push = await parts.db.read(lambda tx: store.find_push(tx, digest))
    if push is None:
        raise NotFound("There is no task with this token.")
    return await finish(parts, known, push, said)


async def finish(parts: EngineParts, known: KnownSecrets, push: PushRow, said: TaskSaid) -> TaskEnded:
    """Record the end of a pushed task, and close the push; raises as `take_callback`."""
    said = await known.mask_one(push.tenant_id, said)
    lease = lease_of(push)
    logs = pack_lines(said.logs) if said.logs else None
    if said.error is not None:
        return await _fail(parts, push, lease, said, pack_error(parts.vault, describe(said.error)), logs)
    try:
        output = pack_output(parts, lease, cast("JsonValue", said.output))
    except PayloadTooLarge as problem:
        told = said.model_copy(update={"retryable": False})
        error = failure("PayloadTooLarge", "payload-too-large", problem.detail)
        return await _fail(parts, push, lease, told, pack_error(parts.vault, error), logs)

    def work(tx: Tx) -> Ended:
        ended = complete_task(tx, parts, lease, output, said.usage, logs)
        store.end_push(tx, push.id)
        return ended

    return await _end(parts, push, said, work)


async def _fail(
    parts: EngineParts,
    push: PushRow,
    lease: TaskLease,
    said: TaskSaid,
    error: PackedError,
    logs: PackedLines | None,
) -> TaskEnded:
    def work(tx: Tx) -> Ended:
        ended = fail_task(
            tx,
            parts,
            lease,
            error,
            said.retryable,
            None,  # what was asked to wait is a part of the error
            said.usage,
            logs,
            not_applied=said.not_applied,
        )
        store.end_push(tx, push.id)
        return ended

    return await _end(parts, push, said, work)


async def _end(parts: EngineParts, push: PushRow, said: TaskSaid, work: Callable[[Tx], Ended]) -> TaskEnded:
    """Record an end; where the grant is over, close the push and record what was spent, which stays spent."""
    try:
        ended = await parts.db.write(work)
    except (LeaseLostProblem, StepConflict):
        await parts.db.write(lambda tx: _end_late(tx, parts, push, said))
        raise
    return TaskEnded(state=ended.state)


def _end_late(tx: Tx, parts: EngineParts, push: PushRow, said: TaskSaid) -> None:
    if said.usage:
        record_late_usage(tx, parts, lease_of(push), said.usage)
    store.end_push(tx, push.id)


def lease_of(push: PushRow) -> TaskLease:
    """Return the grant that a push stands for."""
    return TaskLease(push.tenant_id, push.execution_id, push.path, push.epoch, push.token_digest)
