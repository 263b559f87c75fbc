"""Task runs: one task that the server does itself, from its grant to its result.

The runner (omium/server/builtin) knows neither transactions nor leases: it is given a `TaskGrant` and a
context, and answers what came of it. Here the lease is kept alive beside it, the node's timeout is kept, and
what it says is recorded. A runner whose grant is over is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

from omium.errorinfo import describe_exception
from omium.errors import BreakerOpen, CreditsExhausted, LeaseLostProblem, PayloadTooLarge, Problem
from omium.jsonvalue import JsonValue
from omium.logs import get_logger
from omium.models.usage import RecordUsage
from omium.server.builtin.context import NO_USAGE, RunContext, TaskDone, TaskFailed, TaskGrant
from omium.server.db.tx import Tx
from omium.server.engine.breaker_spending import refuse_exhausted
from omium.server.engine.mishaps import PackedError, make_error, pack_error
from omium.server.engine.nodes.tasks import (
    TaskLease,
    complete_task,
    fail_task,
    give_back_task,
    grant_task,
    pack_output,
    record_late_usage,
    record_turn,
    touch_task,
)
from omium.server.engine.parts import EngineParts
from omium.server.store.activations import ActivationRow
from omium.server.store.executions import find_execution
from omium.states import PausedReason

RunTask: TypeAlias = Callable[[RunContext, TaskGrant], Awaitable[TaskDone | TaskFailed]]
Secret: TypeAlias = Callable[[str, str, str], Awaitable[str]]
"""The value of a secret, by tenant, environment and name."""

log = get_logger(__name__)


class TaskRun:
    """A task of this server, under its grant."""

    def __init__(self, parts: EngineParts, row: ActivationRow, run_task: RunTask, secret: Secret) -> None:
        assert row.lease_digest is not None
        self._parts = parts
        self._row = row
        self._run_task = run_task
        self._secret = secret
        self.lease = TaskLease(row.tenant_id, row.execution_id, row.path, row.epoch, row.lease_digest)
        self.breaker = row.breaker
        self.is_over = False
        """Its end is recorded, or somebody else has the grant."""
        self.is_cancelled = False

    async def run(self) -> None:
        """Do the task and record what came of it. Raises only what the database raises."""
        grant = await self._parts.db.read(lambda tx: grant_task(tx, self._parts, self._row))
        work = asyncio.create_task(self._ask_runner(grant))
        beat = asyncio.create_task(self._keep_lease(work))
        try:
            ended = await work
        except asyncio.CancelledError:
            if not self.is_over and not self.is_cancelled:
                raise  # the server stops: the loop gives the task back
            if self.is_over:
                return
            ended = make_error("Cancelled", "The execution was asked to stop.", code="cancelled")
        except LeaseLostProblem:
            self.is_over = True
            return
        except (CreditsExhausted, BreakerOpen):  # it goes on from its turns, once it may
            await self.give_back()
            return
        finally:
            beat.cancel()
            work.cancel()
            await asyncio.gather(beat, work, return_exceptions=True)
        try:
            await self._record(ended)
        except LeaseLostProblem:
            await self._record_late(ended)
        self.is_over = True

    async def _record_late(self, ended: TaskDone | TaskFailed | PackedError) -> None:
        usage = [] if isinstance(ended, PackedError) else list(ended.usage)
        if usage:
            await self._parts.db.write(
                partial(record_late_usage, parts=self._parts, lease=self.lease, usage=usage)
            )

    async def give_back(self) -> None:
        """Let the task be ready again, if nothing is recorded of its end."""
        if not self.is_over:
            self.is_over = True
            with contextlib.suppress(Problem):
                await self._parts.db.write(partial(give_back_task, parts=self._parts, lease=self.lease))

    async def _ask_runner(self, grant: TaskGrant) -> TaskDone | TaskFailed | PackedError:
        """Return what the runner answers; its mistakes are failures of the node."""
        try:
            async with asyncio.timeout(grant.timeout_s):
                return await self._run_task(Context(self._parts, self, grant, self._secret), grant)
        except TimeoutError:
            text = f"{grant.path} took longer than its timeout of {grant.timeout_s} s."
            return make_error("Timeout", text, code="timeout")
        except (LeaseLostProblem, CreditsExhausted, BreakerOpen):
            raise
        except Exception as error:  # the boundary: a runner's mistake is its node's failure
            log.exception("a runner failed", type=grant.type)
            return pack_error(self._parts.vault, describe_exception(error).to_json())

    async def _keep_lease(self, work: asyncio.Task[TaskDone | TaskFailed | PackedError]) -> None:
        while True:
            await asyncio.sleep(self._parts.policy.heartbeat_s)
            try:
                news = await self._parts.db.write(partial(touch_task, lease=self.lease))
            except LeaseLostProblem:
                self.is_over = True
                work.cancel()
                return
            except Problem:  # busy: the next beat is in time, too
                continue
            if news.cancel_requested:
                self.is_cancelled = True
                work.cancel()
                return

    async def _record(self, ended: TaskDone | TaskFailed | PackedError) -> None:
        db, parts, lease = self._parts.db, self._parts, self.lease
        if isinstance(ended, TaskDone):
            try:
                output = pack_output(parts, lease, ended.output)
            except PayloadTooLarge as large:
                error = make_error("PayloadTooLarge", large.detail, code="payload-too-large")
                await db.write(
                    partial(
                        fail_task, parts=parts, lease=lease, error=error, retryable=False, usage=ended.usage
                    )
                )
                return
            await db.write(partial(complete_task, parts=parts, lease=lease, output=output, usage=ended.usage))
        elif isinstance(ended, TaskFailed):
            await db.write(
                partial(
                    fail_task,
                    parts=parts,
                    lease=lease,
                    error=pack_error(parts.vault, ended.error.to_json()),
                    retryable=ended.retryable,
                    retry_after_s=ended.retry_after_s,
                    usage=ended.usage,
                    not_applied=ended.not_applied,
                )
            )
        else:
            retryable = None if ended.info.get("code") != "cancelled" else False
            await db.write(partial(fail_task, parts=parts, lease=lease, error=ended, retryable=retryable))


class Context:
    """What a runner may ask of the engine."""

    def __init__(self, parts: EngineParts, run: TaskRun, grant: TaskGrant, secret: Secret) -> None:
        self._parts = parts
        self._run = run
        self._grant = grant
        self._secret = secret

    @property
    def is_cancelled(self) -> bool:
        return self._run.is_cancelled

    def now_us(self) -> int:
        return time.time_ns() // 1000

    async def secret(self, name: str) -> str:
        return await self._secret(self._grant.tenant_id, self._grant.environment, name)

    async def record_turn(
        self, name: str, output: JsonValue, usage: Sequence[RecordUsage] = NO_USAGE
    ) -> None:
        packed = self._parts.vault.pack(self._grant.tenant_id, output, what=f"The turn {name}")
        await self._parts.db.write(
            partial(
                record_turn,
                parts=self._parts,
                lease=self._run.lease,
                name=name,
                output=packed,
                usage=usage,
            )
        )

    async def reserve(self) -> None:
        await self._parts.db.read(self._refuse_exhausted)

    def _refuse_exhausted(self, tx: Tx) -> None:
        row = find_execution(tx, self._grant.tenant_id, self._grant.execution_id)
        if row is not None and row.suspend in {PausedReason.CREDITS, PausedReason.LIMIT}:
            raise CreditsExhausted(
                f"{row.id} is at the end of its credits or of its limit; it goes on once it may."
            )
        breaker = self._run.breaker
        if breaker is not None:
            refuse_exhausted(tx, self._grant.tenant_id, self._grant.environment, breaker)
