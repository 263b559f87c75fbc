"""`instrument(agent)`: an agent whose runs are Omium executions, and go on where they were cut off.

Owns the agent that users hold instead of their own. Its `run` and `run_sync` begin an execution; inside a
workflow of the user's own, its turns and tools are steps of that. Which part is a step is wrapping.py.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from agents import Agent, ModelProvider, RunConfig, Runner, RunResult

from omium.adapters.circling import CIRCLING, check_circling
from omium.adapters.openai_agents.applied import AppliedAgent, find_applied
from omium.adapters.openai_agents.models import RecordedModel
from omium.adapters.openai_agents.naming import name_nodes
from omium.adapters.openai_agents.wrapping import Wrapping
from omium.adapters.recorded import StepPolicy
from omium.adapters.workflows import AsyncWorkflow, find_calling_module
from omium.errors import ConfigError
from omium.retry import RetryPolicy


def instrument(
    agent: Agent[Any] | InstrumentedAgent | AppliedAgent,
    *,
    name: str | None = None,
    nodes: Mapping[str, StepPolicy] | None = None,
    retry: RetryPolicy | int | None = None,
    timeout_s: float | None = None,
    breaker: str | None = None,
    circling: int | None = CIRCLING,
    model_provider: ModelProvider | None = None,
    durability: Literal["strict", "relaxed"] | None = None,
    takeover: Literal["never", "auto"] = "never",
    queue: str = "default",
    **run_options: Any,
) -> InstrumentedAgent:
    """Return `agent` as a durable workflow; the given agent is not changed.

    `name` is the workflow's name, by default the agent's. `nodes` gives single agents (`triage`) and tools
    (`triage.search`) their policy; `retry`, `timeout_s` and `breaker` hold for the models of all others.
    `circling` equal tool calls (2 to 100) among the last `circling` + 2 end a run; None: never.
    `model_provider` finds models that agents only name. `durability`, `takeover` and `queue` are those of
    `@omium.workflow`. `run_options` are what `Runner.run` takes (`max_turns`, `context`, ...), for every
    run. The agent may be one that `apply_spec` returned: then what it holds wins over what is given here.
    Raises `ConfigError` for a node that there is not, and another number than those of `circling`.
    """
    if isinstance(agent, InstrumentedAgent):  # once more, under another name
        return agent.renamed(name, module=find_calling_module())
    check_circling(circling)
    before = find_applied(agent)
    default = StepPolicy(retry=retry, timeout_s=timeout_s, breaker=breaker)
    applied = replace(
        before.give(nodes, default, durability=durability, takeover=takeover, queue=queue),
        circling=circling if before.circling == CIRCLING else before.circling,
        model_provider=before.model_provider or model_provider,
        run_options={**run_options, **before.run_options},
    )
    known = name_nodes(applied.source)
    if unknown := sorted(key for key in applied.policies if key.partition(".")[0] not in known):
        raise ConfigError(f"There is no agent {unknown[0]!r}; there are {', '.join(known)}.")
    return InstrumentedAgent(applied, name or applied.source.name, module=find_calling_module())


class InstrumentedAgent:
    """An agent under Omium. What is not named here is the agent's own."""

    takes_by_name = True
    """Of a stored spec's inputs: `input` is what the run begins with."""

    def __init__(self, applied: AppliedAgent, name: str, *, module: str) -> None:
        self.source = applied.source
        """The user's own."""
        self.applied = applied
        self.agent: Agent[Any] = Wrapping(
            applied.source, applied.policies, applied.default, applied.model_provider, applied.circling
        ).agent
        """The copy whose turns and tools are steps: for `Runner.run(...)` in workflows of your own."""
        self.name = name
        terms: dict[str, Any] = dict(applied.terms)
        self._workflow = AsyncWorkflow(name, self._work, module=module, **terms)
        self.__omium_workflow__ = self._workflow.workflow

    def __getattr__(self, name: str) -> Any:
        if name == "agent":  # not set yet: a half-made copy must not recurse
            raise AttributeError(name)
        return getattr(self.agent, name)

    def renamed(self, name: str | None, *, module: str) -> InstrumentedAgent:
        """Return the same under another name, with the policies that it has."""
        return InstrumentedAgent(self.applied, name or self.name, module=module)

    async def run(self, input: Any, **options: Any) -> RunResult:  # noqa: A002  # the SDK's own name
        """Run the agent as `Runner.run(agent, input, **options)` does, as an execution."""
        return await self._workflow(input, options)

    def run_sync(self, input: Any, **options: Any) -> RunResult:  # noqa: A002  # the SDK's own name
        """As `run`, from code without an event loop."""
        return asyncio.run(self.run(input, **options))

    async def _work(self, given: Any, options: dict[str, Any]) -> tuple[RunResult, Any]:
        merged = {**self.applied.run_options, **options}
        config = merged.get("run_config")
        if isinstance(config, dict):
            config = RunConfig(**config)
        if isinstance(config, RunConfig) and config.model is not None:
            merged["run_config"] = self._with_recorded_model(config)
        result = await Runner.run(self.agent, given, **merged)
        if result.interruptions:
            asked = ", ".join(each.name or "a tool" for each in result.interruptions)
            raise ConfigError(
                f"The run stopped for a person's approval of {asked}. Run the agent in a workflow of your "
                "own, where you decide and go on: docs/openai-agents.md."
            )
        return result, result.final_output

    def _with_recorded_model(self, config: RunConfig) -> RunConfig:
        """Return the configuration with its model recorded: it stands for that of every agent."""
        made = copy.copy(config)
        options = self.applied.default.options("model")
        made.model = RecordedModel(config.model, options, config.model_provider, self.applied.circling)
        return made
