"""The runtime: LlamaIndex's own, in which steps are recorded and the order of things is kept.

Owns the copy of a workflow that runs so; what belongs to one run is run.py. Outside an execution it
is LlamaIndex's own runtime and nothing else.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from typing import Any

from workflows import Workflow
from workflows.events import Event, WorkflowCancelledEvent
from workflows.plugins.basic import (
    AsyncioAdapterQueues,
    BasicRuntime,
    InternalAsyncioAdapter,
    get_current_run_id,
)
from workflows.runtime.types.plugin import RegisteredWorkflow, WaitForNextTaskResult
from workflows.runtime.types.results import RetryAttempt, StepWorkerState
from workflows.runtime.types.step_function import StepWorkerFunction
from workflows.runtime.verbose import VerboseDecorator

from omium.adapters.llama_index.naming import find_ids
from omium.adapters.llama_index.run import Run
from omium.adapters.llama_index.steps import StepRun
from omium.adapters.recorded import StepPolicy
from omium.errors import ConfigError
from omium.sdk.calling import find_active_frame
from omium.sdk.options import StepOptions


class RecordedRuntime(BasicRuntime):  # type: ignore[misc]  # the framework is not installed where types are checked
    """The runtime of one workflow's copy."""

    def __init__(self, default: StepPolicy, policies: Mapping[str, StepPolicy]) -> None:
        super().__init__()
        self._default = default
        self._policies = policies

    def register(self, workflow: Workflow) -> RegisteredWorkflow:
        """As LlamaIndex's own, with steps that are recorded."""
        registered = super().register(workflow)
        ids = find_ids(workflow)
        for name, work in list(registered.steps.items()):
            node = ids[name]
            options = self._policies.get(node, self._default).options(node)
            registered.steps[name] = self._record(options, work)
        return registered

    def get_internal_adapter(self, workflow: Workflow) -> Any:
        """As LlamaIndex's own; in an execution, one that keeps to the recorded order."""
        adapter = super().get_internal_adapter(workflow)
        run = self._find_run(workflow)
        return adapter if run is None else RecordedAdapter(adapter._queues, run)  # noqa: SLF001  # of our own runtime

    def _find_run(self, workflow: Workflow) -> Run | None:
        queues = self._queues.get(get_current_run_id() or "")
        if queues is None:
            return None
        run: Run | None = vars(queues).get("omium_run")
        frame = find_active_frame()
        if run is None and frame is not None:
            run = queues.omium_run = Run(frame, workflow, queues)
        return run

    def _record(self, options: StepOptions, work: StepWorkerFunction) -> StepWorkerFunction:
        async def recorded(
            state: StepWorkerState,
            step_name: str,
            event: Event,
            workflow: Workflow,
            bound_events: dict[str, Event] | None = None,
            retry: RetryAttempt = RetryAttempt(),  # noqa: B008  # frozen, and LlamaIndex's own default
        ) -> list[Any]:
            run = self._find_run(workflow)
            run_step = work if run is None else StepRun(run, options, work)
            outputs: list[Any] = await run_step(
                state=state, step_name=step_name, event=event,
                workflow=workflow, bound_events=bound_events, retry=retry,
            )  # fmt: skip
            return outputs

        return recorded


class RecordedAdapter(InternalAsyncioAdapter):  # type: ignore[misc]  # as above
    """LlamaIndex's own, with the clock, the store and the order of one run."""

    def __init__(self, queues: AsyncioAdapterQueues, run: Run) -> None:
        super().__init__(queues)
        self._run = run

    async def get_now(self) -> float:
        """As the loop's own, by a clock that a resume reads the same."""
        return self._run.turns.clock.now_s

    def get_state_store(self, namespace: tuple[str, ...] = ()) -> Any:
        """As LlamaIndex's own, counting what is written."""
        return None if namespace else self._run.store

    async def write_to_event_stream(self, event: Event) -> None:
        """As LlamaIndex's own, noting what a step streams."""
        self._run.stream(event)
        await super().write_to_event_stream(event)

    async def wait_for_next_task(
        self, running: list[Any], pending: list[Any], timeout: float | None = None
    ) -> WaitForNextTaskResult:
        """As LlamaIndex's own, in the recorded order."""
        started = [each.start(asyncio.create_task(each.coro)) for each in pending]
        try:
            chosen = await self._run.turns.choose([*running, *started], timeout)
        except BaseException:
            for each in started:  # the loop does not know of them yet
                each.task.cancel()
            await super().write_to_event_stream(WorkflowCancelledEvent())  # who streams waits for an end
            raise
        return WaitForNextTaskResult(chosen, started)


def record_workflow(workflow: Workflow, default: StepPolicy, policies: Mapping[str, StepPolicy]) -> Workflow:
    """Return a copy of `workflow` whose steps are recorded.

    Raises `ConfigError` for a workflow on another runtime than LlamaIndex's own.
    """
    runtime = workflow.runtime
    is_verbose = isinstance(runtime, VerboseDecorator)
    if is_verbose:
        runtime = runtime._decorated  # noqa: SLF001  # what prints is put around ours again
    if type(runtime) not in (BasicRuntime, RecordedRuntime):
        raise ConfigError(
            f"The workflow runs on a {type(runtime).__name__}, which records it already; Omium records those"
            " on LlamaIndex's own runtime. Leave `runtime=` out, or do without Omium for this one."
        )
    made = copy.copy(workflow)
    made._runtime_locked = False  # noqa: SLF001  # of our own copy, which has not run
    recorded = RecordedRuntime(default, policies)
    made._switch_runtime(VerboseDecorator(recorded) if is_verbose else recorded)  # noqa: SLF001  # as above
    return made
