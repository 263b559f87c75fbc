"""`instrument_process(process, kernel)`: a process whose runs are executions, and go on where they were.

Owns the process that users hold instead of their own. What is recorded is processes.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import Any, Literal

from semantic_kernel import Kernel
from semantic_kernel.processes.kernel_process import KernelProcessEvent
from semantic_kernel.processes.local_runtime.local_kernel_process_context import LocalKernelProcessContext

from omium.adapters.recorded import StepPolicy
from omium.adapters.semantic_kernel.kernels import record_kernel
from omium.adapters.semantic_kernel.process_export import (
    AppliedProcess,
    find_applied_process,
    list_places,
    name_steps,
)
from omium.adapters.semantic_kernel.processes import ProcessRun, RecordedProcess, copy_process, list_states
from omium.adapters.workflows import AsyncWorkflow, find_calling_module
from omium.errors import ConfigError
from omium.retry import RetryPolicy


def instrument_process(
    process: Any,
    kernel: Kernel | None = None,
    *,
    name: str | None = None,
    nodes: Mapping[str, StepPolicy] | None = None,
    retry: RetryPolicy | int | None = None,
    timeout_s: float | None = None,
    breaker: str | None = None,
    durability: Literal["strict", "relaxed"] | None = None,
    takeover: Literal["never", "auto"] = "never",
    queue: str = "default",
) -> InstrumentedProcess:
    """Return a `KernelProcess`, or what a `ProcessBuilder` builds, as a durable workflow; it stays as it is.

    `kernel` is the one that steps ask for, by default an empty one; functions and models of a copy of it are
    steps, too. `name` is the workflow's name, by default the process's. `nodes` gives single steps (`draft`,
    or `deliver.pack` inside a process) their policy; `retry`, `timeout_s` and `breaker` hold for the others.
    `durability`, `takeover` and `queue` are those of `@omium.workflow`. Raises `ConfigError` for a step that
    there is not.
    """
    before = find_applied_process(process)
    default = StepPolicy(retry=retry, timeout_s=timeout_s, breaker=breaker)
    applied = replace(
        before.give(nodes, default, durability=durability, takeover=takeover, queue=queue),
        kernel=before.kernel if kernel is None else kernel,
    )
    known = list_places(name_steps(applied.source))
    if unknown := sorted(key for key in applied.policies if key not in known):
        raise ConfigError(f"There is no step {unknown[0]!r}; there are {', '.join(known)}.")
    return InstrumentedProcess(applied, name or applied.source.state.name, module=find_calling_module())


class InstrumentedProcess:
    """A process under Omium."""

    def __init__(self, applied: AppliedProcess, name: str, *, module: str) -> None:
        self.source = applied.source
        """The user's own."""
        self.applied = applied
        self.name = name
        self._ids = name_steps(applied.source)
        self._async = AsyncWorkflow(name, self._work, module=module, **applied.terms)
        self.__omium_workflow__ = self._async.workflow

    async def start(
        self,
        initial_event: KernelProcessEvent | str | Enum,
        data: Any = None,
        max_supersteps: int | None = None,
    ) -> Any:
        """Run the process from this event until no event is left, as an execution, and return its context.

        The context is Semantic Kernel's own: `await context.get_state()` gives the states of the steps.
        """
        if isinstance(initial_event, KernelProcessEvent):
            initial_event, data = initial_event.id, initial_event.data
        event = initial_event.value if isinstance(initial_event, Enum) else initial_event
        given = {"event": event, "data": data}
        if max_supersteps is not None:
            given["max_supersteps"] = max_supersteps
        return await self._async(given, {})

    def start_sync(
        self,
        initial_event: KernelProcessEvent | str | Enum,
        data: Any = None,
        max_supersteps: int | None = None,
    ) -> Any:
        """As `start`, from code without an event loop."""
        return asyncio.run(self.start(initial_event, data, max_supersteps))

    async def _work(self, given: Any, _options: dict[str, Any]) -> tuple[Any, Any]:
        if not isinstance(given, Mapping) or not isinstance(given.get("event"), str):
            raise ConfigError("A process begins with an event: `start('Begin', data=...)`.")
        run = ProcessRun(self.applied.find_policy)
        kernel = record_kernel(self.applied.kernel or Kernel(), "kernel", StepPolicy(), {})
        source = copy_process(self.source)
        local = RecordedProcess(
            process=source,
            kernel=kernel,
            factories=source.factories,
            max_supersteps=given.get("max_supersteps"),
        )
        local.run, local.ids = run, self._ids
        try:
            await local.run_once(KernelProcessEvent(id=given["event"], data=given.get("data")))
        except Exception:
            if run.failure is None:
                raise
        if run.failure is not None:
            raise run.failure
        context = LocalKernelProcessContext.model_construct(local_process=local)
        return context, {"states": list_states(local, self._ids)}
