"""`instrument(pipeline)`: a pipeline whose runs are Omium executions, and go on where they were cut off.

Owns the pipeline that users hold instead of their own. Inside a workflow of the user's own, its components
are steps of that. Which part is a step is wrapping.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from haystack import Pipeline

from omium.adapters.haystack.applied import AppliedPipeline, find_applied
from omium.adapters.haystack.naming import name_nodes
from omium.adapters.haystack.wrapping import wrap_pipeline
from omium.adapters.recorded import StepPolicy
from omium.adapters.workflows import AsyncWorkflow, SyncWorkflow, find_calling_module
from omium.errors import ConfigError
from omium.retry import RetryPolicy


def instrument(
    pipeline: Pipeline | InstrumentedPipeline | AppliedPipeline,
    *,
    name: str | None = None,
    nodes: Mapping[str, StepPolicy] | None = None,
    retry: RetryPolicy | int | None = None,
    timeout_s: float | None = None,
    breaker: str | None = None,
    durability: Literal["strict", "relaxed"] | None = None,
    takeover: Literal["never", "auto"] = "never",
    queue: str = "default",
) -> InstrumentedPipeline:
    """Return `pipeline` as a durable workflow; the given pipeline is not changed.

    `name` is the workflow's name, by default that in the pipeline's metadata, or `pipeline`. `nodes` gives
    single components (`writer`), and the tools and the model of an agent (`agent.search`, `agent.model`),
    their policy; `retry`, `timeout_s` and `breaker` hold for all other components. `durability`, `takeover`
    and `queue` are those of `@omium.workflow`. The pipeline may be one that `apply_spec` returned: then what
    it holds wins over what is given here. Raises `ConfigError` for a node that there is not.
    """
    if isinstance(pipeline, InstrumentedPipeline):  # once more, under another name
        return pipeline.renamed(name, module=find_calling_module())
    default = StepPolicy(retry=retry, timeout_s=timeout_s, breaker=breaker)
    applied = find_applied(pipeline).give(
        nodes, default, durability=durability, takeover=takeover, queue=queue
    )
    known = name_nodes(applied.source)
    if unknown := sorted(key for key in applied.policies if key.partition(".")[0] not in known):
        raise ConfigError(f"There is no component {unknown[0]!r}; there are {', '.join(known)}.")
    return InstrumentedPipeline(
        applied,
        wrap_pipeline(applied.source, applied.default, applied.policies),
        name or str(applied.source.metadata.get("name") or "pipeline"),
        module=find_calling_module(),
    )


class InstrumentedPipeline:
    """A pipeline under Omium. What is not named here is the pipeline's own."""

    def __init__(self, applied: AppliedPipeline, pipeline: Pipeline, name: str, *, module: str) -> None:
        self.source = applied.source
        """The user's own."""
        self.pipeline = pipeline
        self.applied = applied
        self._name = name
        terms: dict[str, Any] = dict(applied.terms)
        # What is registered last is what a worker finds under the name.
        self._async = AsyncWorkflow(name, self._arun, module=module, **terms)
        self._sync = SyncWorkflow(name, self._run, module=module, **terms)
        self.__omium_workflow__ = self._sync.workflow

    def __getattr__(self, name: str) -> Any:
        if name == "pipeline":  # not set yet: a half-made copy must not recurse
            raise AttributeError(name)
        return getattr(self.pipeline, name)

    def renamed(self, name: str | None, *, module: str) -> InstrumentedPipeline:
        """Return the same under another name, with the policies that it has."""
        return InstrumentedPipeline(self.applied, self.pipeline, name or self._name, module=module)

    def run(self, data: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Run the pipeline as its own `run` does, as an execution."""
        outputs: dict[str, Any] = self._sync(data, options)
        return outputs

    async def run_async(self, data: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Run the pipeline as its own `run_async` does, as an execution."""
        outputs: dict[str, Any] = await self._async(data, options)
        return outputs

    def _run(self, given: Any, options: dict[str, Any]) -> tuple[Any, Any]:
        outputs = self.pipeline.run(given, **options)
        return outputs, outputs

    async def _arun(self, given: Any, options: dict[str, Any]) -> tuple[Any, Any]:
        outputs = await self.pipeline.run_async(given, **options)
        return outputs, outputs
