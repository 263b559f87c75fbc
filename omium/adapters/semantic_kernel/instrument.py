"""`instrument(agent)`: an agent whose runs are Omium executions, and go on where they were cut off.

Owns the agent that users hold instead of their own, and `instrument_kernel` for code that calls the functions
of a kernel in workflows of its own. Which part is a step is kernels.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from semantic_kernel import Kernel
from semantic_kernel.agents import ChatCompletionAgent

from omium.adapters.circling import CIRCLING, check_circling
from omium.adapters.node_ids import make_id
from omium.adapters.recorded import StepPolicy
from omium.adapters.semantic_kernel.applied import AppliedAgent, find_applied
from omium.adapters.semantic_kernel.kernels import record_kernel
from omium.adapters.semantic_kernel.naming import name_nodes
from omium.adapters.semantic_kernel.process_export import is_process
from omium.adapters.semantic_kernel.process_instrument import instrument_process
from omium.adapters.workflows import AsyncWorkflow, find_calling_module
from omium.errors import ConfigError
from omium.retry import RetryPolicy


def instrument_kernel(
    kernel: Kernel,
    *,
    name: str = "kernel",
    nodes: Mapping[str, StepPolicy] | None = None,
    retry: RetryPolicy | int | None = None,
    timeout_s: float | None = None,
    breaker: str | None = None,
    circling: int | None = CIRCLING,
) -> Kernel:
    """Return a copy of `kernel` for workflows of your own: functions and models are steps of them.

    `name` begins the steps' names, such as `kernel.mail-send`; `nodes` gives those their policy, and `retry`,
    `timeout_s` and `breaker` hold for the models. `circling` as for `instrument`.
    """
    check_circling(circling)
    default = StepPolicy(retry=retry, timeout_s=timeout_s, breaker=breaker)
    return record_kernel(kernel, make_id(name) or "kernel", default, dict(nodes or {}), circling)


def instrument(
    agent: Any,
    *,
    name: str | None = None,
    nodes: Mapping[str, StepPolicy] | None = None,
    retry: RetryPolicy | int | None = None,
    timeout_s: float | None = None,
    breaker: str | None = None,
    circling: int | None = CIRCLING,
    durability: Literal["strict", "relaxed"] | None = None,
    takeover: Literal["never", "auto"] = "never",
    queue: str = "default",
) -> Any:
    """Return `agent` as a durable workflow, an `InstrumentedAgent`; the agent and its kernel are not changed.

    `name` is the workflow's name, by default the agent's. `nodes` gives the agent's model (`writer`) and its
    functions (`writer.mail-send`) their policy; `retry`, `timeout_s` and `breaker` hold for the model where
    `nodes` says nothing. `circling` equal calls of functions (2 to 100) among the last `circling` + 2 end a
    run; None: never. `durability`, `takeover` and `queue` are those of `@omium.workflow`. The agent may be
    one that `apply_spec` returned: then what it holds wins over what is given here. Raises `ConfigError` for
    a node that there is not, another number than those of `circling`, and an agent that no chat model of the
    kernel serves. A process is handed on to `instrument_process`.
    """
    if is_process(agent):
        shared: dict[str, Any] = {"durability": durability, "takeover": takeover, "queue": queue}
        return instrument_process(
            agent, name=name, nodes=nodes, retry=retry, timeout_s=timeout_s, breaker=breaker, **shared
        )
    if isinstance(agent, InstrumentedAgent):  # once more, under another name
        return agent.renamed(name, module=find_calling_module())
    if not isinstance(agent, ChatCompletionAgent | AppliedAgent):
        raise ConfigError(
            f"A {type(agent).__name__} keeps its conversation at its provider, which Omium cannot record; "
            "instrument a ChatCompletionAgent, or call the agent in a step of a workflow of your own."
        )
    check_circling(circling)
    before = find_applied(agent)
    default = StepPolicy(retry=retry, timeout_s=timeout_s, breaker=breaker)
    applied = replace(
        before.give(nodes, default, durability=durability, takeover=takeover, queue=queue),
        circling=circling if before.circling == CIRCLING else before.circling,
    )
    (node,) = name_nodes(applied.source)
    if unknown := sorted(key for key in applied.policies if key.partition(".")[0] != node):
        raise ConfigError(f"There is no agent {unknown[0]!r}; there is {node}.")
    return InstrumentedAgent(applied, name or applied.source.name, module=find_calling_module())


class InstrumentedAgent:
    """An agent under Omium. What is not named here is the agent's own."""

    takes_by_name = True
    """Of a stored spec's inputs: `input` is what the agent is asked."""

    def __init__(self, applied: AppliedAgent, name: str, *, module: str) -> None:
        self.source = applied.source
        """The user's own."""
        self.applied = applied
        (node,) = name_nodes(applied.source)
        kernel = record_kernel(
            applied.source.kernel, node, applied.default, applied.policies, applied.circling
        )
        # Without its service: the agent's own would be put back into the kernel's copy.
        self.agent = applied.source.model_copy(update={"kernel": kernel, "service": None})
        """The copy whose answers and functions are steps: for workflows of your own."""
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

    async def get_response(self, messages: Any = None, **options: Any) -> Any:
        """Answer as the agent's own `get_response` does, as an execution."""
        return await self._workflow(messages, options)

    def get_response_sync(self, messages: Any = None, **options: Any) -> Any:
        """As `get_response`, from code without an event loop."""
        return asyncio.run(self.get_response(messages, **options))

    async def _work(self, given: Any, options: dict[str, Any]) -> tuple[Any, Any]:
        response = await self.agent.get_response(messages=given, **options)
        return response, str(response.message.content)
