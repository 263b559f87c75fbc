"""Calls about executions: look at them, follow them, start, resume, pause and cancel them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from omium.models.driver import Grant, RecordValue
from omium.models.execution import (
    CancelExecution,
    Checkpoint,
    Event,
    Execution,
    ExecutionDetail,
    ListedExecution,
    PauseExecution,
    ResumeAnswer,
    ResumeExecution,
    StartExecution,
    Step,
    StepAttempt,
)
from omium.models.imports import ImportedRun, ImportRun
from omium.models.log import StepLogLine
from omium.models.wire import Page
from omium.sdk.async_client.core import AsyncCore, segment
from omium.states import Driver, Environment, ExecutionStatus


class AsyncExecutions(AsyncCore):
    """Executions."""

    async def start_execution(
        self, command: StartExecution, *, idempotency_key: str | None = None
    ) -> Grant | Execution:
        """Start an execution: a grant to drive it here, or, with driver `worker`, the queued execution.

        The same key and command give the same execution for as long as it exists.
        """
        path = "/v1/executions"
        if command.driver is Driver.LOCAL:
            return await self._send("POST", path, Grant, command, idempotency_key=idempotency_key)
        return await self._send("POST", path, Execution, command, idempotency_key=idempotency_key)

    async def import_run(self, command: ImportRun) -> ImportedRun:
        """Import a run that a framework stored itself, as an execution that nobody drives; it is not charged.

        The same run again is the same execution: made anew where the run has gone on since, else left alone.
        """
        return await self._send("POST", "/v1/executions/import", ImportedRun, command)

    async def list_executions(
        self,
        *,
        status: ExecutionStatus | None = None,
        workflow: str | None = None,
        environment: Environment | None = None,
        parent: str | None = None,
        replay_of: str | None = None,
        tag: str | None = None,
        business_key: str | None = None,
        from_us: int | None = None,
        until_us: int | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[ListedExecution]:
        """Return one page of executions, newest first; times are those of creation, the end excluded."""
        query = {
            "status": status,
            "workflow": workflow,
            "environment": environment,
            "parent": parent,
            "replay_of": replay_of,
            "tag": tag,
            "business_key": business_key,
            "from_us": from_us,
            "until_us": until_us,
            "limit": limit,
            "after": after,
        }
        return await self._get("/v1/executions", Page[ListedExecution], query)

    async def get_execution(self, execution_id: str) -> ExecutionDetail:
        """Return everything about one execution that fits on a page."""
        return await self._get(f"/v1/executions/{segment(execution_id)}", ExecutionDetail)

    async def list_steps(self, execution_id: str, *, limit: int = 50, after: str | None = None) -> Page[Step]:
        """Return one page of an execution's recorded steps."""
        path = f"/v1/executions/{segment(execution_id)}/steps"
        return await self._get(path, Page[Step], {"limit": limit, "after": after})

    async def get_step_value(self, execution_id: str, *, path: str) -> RecordValue:
        """Return the whole output of the step at `path`, however large."""
        address = f"/v1/executions/{segment(execution_id)}/steps/value"
        return await self._get(address, RecordValue, {"path": path})

    async def list_attempts(
        self, execution_id: str, *, path: str | None = None, limit: int = 50, after: str | None = None
    ) -> Page[StepAttempt]:
        """Return one page of the failed tries of the step at `path`, or of all."""
        address = f"/v1/executions/{segment(execution_id)}/attempts"
        return await self._get(address, Page[StepAttempt], {"path": path, "limit": limit, "after": after})

    async def list_events(
        self, execution_id: str, *, limit: int = 50, after: str | None = None
    ) -> Page[Event]:
        """Return one page of an execution's events, oldest first."""
        path = f"/v1/executions/{segment(execution_id)}/events"
        return await self._get(path, Page[Event], {"limit": limit, "after": after})

    async def list_checkpoints(
        self, execution_id: str, *, limit: int = 50, after: str | None = None
    ) -> Page[Checkpoint]:
        """Return one page of the states that an execution saved."""
        path = f"/v1/executions/{segment(execution_id)}/checkpoints"
        return await self._get(path, Page[Checkpoint], {"limit": limit, "after": after})

    async def get_checkpoint(self, execution_id: str, checkpoint_id: str) -> Checkpoint:
        """Return a saved state whole, however large."""
        path = f"/v1/executions/{segment(execution_id)}/checkpoints/{segment(checkpoint_id)}"
        return await self._get(path, Checkpoint)

    async def list_logs(
        self, execution_id: str, *, path: str | None = None, limit: int = 50, after: str | None = None
    ) -> Page[StepLogLine]:
        """Return one page of what the step at `path` wrote, or all steps."""
        address = f"/v1/executions/{segment(execution_id)}/logs"
        return await self._get(address, Page[StepLogLine], {"path": path, "limit": limit, "after": after})

    async def stream_execution_events(self, execution_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        """Yield an execution's events after number `after` as they happen, each once, until you stop.

        A lost connection is made again and goes on where it was. It also goes on when the execution has
        ended, because a resume may follow.
        """
        seen = after
        path = f"/v1/executions/{segment(execution_id)}/events/stream"
        async for live in self._follow(path, str(after)):
            event = Event.model_validate_json(live.data)
            if event.seq > seen:
                seen = event.seq
                yield event

    async def resume_execution(
        self, execution_id: str, command: ResumeExecution | None = None, *, idempotency_key: str | None = None
    ) -> Grant | ResumeAnswer:
        """Go on with an execution: a grant if `command` says which process drives it, else it is queued."""
        path = f"/v1/executions/{segment(execution_id)}/resume"
        if command is not None and command.process is not None:
            return await self._send("POST", path, Grant, command, idempotency_key=idempotency_key)
        command = command or ResumeExecution()
        return await self._send("POST", path, ResumeAnswer, command, idempotency_key=idempotency_key)

    async def cancel_execution(
        self, execution_id: str, command: CancelExecution | None = None, *, idempotency_key: str | None = None
    ) -> Execution:
        """Ask that an execution stop; it is shown as cancelling until every call of it has ended."""
        path = f"/v1/executions/{segment(execution_id)}/cancel"
        command = command or CancelExecution()
        return await self._send("POST", path, Execution, command, idempotency_key=idempotency_key)

    async def pause_execution(
        self, execution_id: str, command: PauseExecution | None = None, *, idempotency_key: str | None = None
    ) -> Execution:
        """Ask that an execution pause after the steps that run now."""
        path = f"/v1/executions/{segment(execution_id)}/pause"
        command = command or PauseExecution()
        return await self._send("POST", path, Execution, command, idempotency_key=idempotency_key)
