"""`instrument(workflow)`: a workflow whose runs are Omium executions, and go on where they were cut off.

Owns the workflow that users hold instead of their own. Inside a workflow of the user's own, its steps are
steps of that. What is recorded of a step is steps.py, in which order is turns.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

from workflows import Workflow
from workflows.events import StartEvent, StopEvent

from omium.adapters.llama_index.applied import AppliedWorkflow, find_applied
from omium.adapters.llama_index.naming import name_nodes, name_workflow
from omium.adapters.llama_index.run import ALONE
from omium.adapters.llama_index.runtime import record_workflow
from omium.adapters.recorded import StepPolicy
from omium.adapters.workflows import AsyncWorkflow, find_calling_module
from omium.errors import ConfigError
from omium.retry import RetryPolicy


def instrument(
    workflow: Workflow | type[Workflow] | InstrumentedWorkflow | AppliedWorkflow,
    *,
    name: str | None = None,
    nodes: Mapping[str, StepPolicy] | None = None,
    retry: RetryPolicy | int | None = None,
    timeout_s: float | None = None,
    breaker: str | None = None,
    durability: Literal["strict", "relaxed"] | None = None,
    takeover: Literal["never", "auto"] = "never",
    queue: str = "default",
) -> InstrumentedWorkflow:
    """Return `workflow` as a durable workflow; the given one is not changed.

    `name` is the workflow's name, by default its `workflow_name`, or that of its class. `nodes` gives single
    steps (`write`) their policy; `retry`, `timeout_s` and `breaker` hold for all other steps, inside of
    LlamaIndex's own retries. `durability`, `takeover` and `queue` are those of `@omium.workflow`. The
    workflow may be one that `apply_spec` returned: then what it holds wins over what is given here. Raises
    `ConfigError` for a step that there is not, and for a workflow on another runtime than LlamaIndex's own.
    """
    if isinstance(workflow, InstrumentedWorkflow):  # once more, under another name
        return workflow.renamed(name, module=find_calling_module())
    default = StepPolicy(retry=retry, timeout_s=timeout_s, breaker=breaker)
    applied = find_applied(workflow).give(
        nodes, default, durability=durability, takeover=takeover, queue=queue
    )
    known = name_nodes(applied.source)
    if unknown := sorted(key for key in applied.policies if key not in known):
        raise ConfigError(f"There is no step {unknown[0]!r}; there are {', '.join(known)}.")
    return InstrumentedWorkflow(
        applied,
        record_workflow(applied.source, applied.default, applied.policies),
        name or name_workflow(applied.source),
        module=find_calling_module(),
    )


class InstrumentedWorkflow:
    """A workflow under Omium. What is not named here is the workflow's own."""

    def __init__(self, applied: AppliedWorkflow, workflow: Workflow, name: str, *, module: str) -> None:
        self.source = applied.source
        """The user's own."""
        self.workflow = workflow
        """The copy whose steps are recorded: in workflows of your own, its `run` gives a handler."""
        self.applied = applied
        self._name = name
        terms: dict[str, Any] = dict(applied.terms)
        self._async = AsyncWorkflow(name, self._work, module=module, **terms)
        self.__omium_workflow__ = self._async.workflow

    def __getattr__(self, name: str) -> Any:
        if name == "workflow":  # not set yet: a half-made copy must not recurse
            raise AttributeError(name)
        return getattr(self.workflow, name)

    def renamed(self, name: str | None, *, module: str) -> InstrumentedWorkflow:
        """Return the same under another name, with the policies that it has."""
        return InstrumentedWorkflow(self.applied, self.workflow, name or self._name, module=module)

    async def run(self, *, start_event: StartEvent | None = None, **inputs: Any) -> Any:
        """Run the workflow to its end as an execution, and return what awaiting its handler returns."""
        return await self._async(inputs if start_event is None else self._take_fields(start_event), {})

    def run_sync(self, *, start_event: StartEvent | None = None, **inputs: Any) -> Any:
        """As `run`, from code without an event loop."""
        return asyncio.run(self.run(start_event=start_event, **inputs))

    def _take_fields(self, event: StartEvent) -> dict[str, Any]:
        wanted = self.workflow.start_event_class
        if type(event) is not wanted:
            raise ConfigError(
                f"The workflow begins with a {wanted.__name__}, not with a {type(event).__name__}."
            )
        return {name: getattr(event, name) for name in type(event).model_fields} | dict(event.to_dict())

    async def _work(self, given: Any, options: dict[str, Any]) -> tuple[Any, Any]:
        if not isinstance(given, Mapping):
            raise ConfigError("What a workflow begins with is given by name: `run(topic=...)`.")
        event = self.workflow.start_event_class(**given)
        token = ALONE.set(True)
        try:
            handler = self.workflow.run(start_event=event, **options)
        finally:
            ALONE.reset(token)
        try:
            result = await handler
        except BaseException:
            handler._external_adapter.abort()  # noqa: SLF001  # `cancel` warns that it will go
            await asyncio.gather(handler._result_task, return_exceptions=True)  # noqa: SLF001  # its own task
            raise
        return result, show_result(result)


def show_result(result: Any) -> Any:
    """Return what is recorded as the execution's output: of an event of the user's own, what it holds."""
    if not isinstance(result, StopEvent):
        return result
    fields = {name: getattr(result, name) for name in type(result).model_fields}
    return fields | dict(result.to_dict())
