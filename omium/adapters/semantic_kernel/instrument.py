"""`instrument(agent)`: an agent whose runs are Omium executions, and go on where they were cut off.

Owns the agent that users hold instead of their own, and `instrument_kernel` for code that calls the functions
of a kernel in workflows of its own. Which part is a step is kernels.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

from semantic_kernel import Kernel
from semantic_kernel.agents import ChatCompletionAgent

from omium.adapters.node_ids import make_id
from omium.adapters.recorded import StepPolicy
from omium.adapters.semantic_kernel.kernels import record_kernel
from omium.adapters.semantic_kernel.naming import name_nodes
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
) -> Kernel:
    """Return a copy of `kernel` for workflows of your own: functions and models are steps of them.

    `name` begins the steps' names, such as `kernel.mail-send`; `nodes` gives those their policy, and `retry`,
    `timeout_s` and `breaker` hold for the models.
    """
    default = StepPolicy(retry=retry, timeout_s=timeout_s, breaker=breaker)
    return record_kernel(kernel, make_id(name) or "kernel", default, dict(nodes or {}))


def instrument(
    agent: ChatCompletionAgent | InstrumentedAgent,
    *,
    name: str | None = None,
    nodes: Mapping[str, StepPolicy] | None = None,
    retry: RetryPolicy | int | None = None,
    timeout_s: float | None = None,
    breaker: str | None = None,
    durability: Literal["strict", "relaxed"] | None = None,
    takeover: Literal["never", "auto"] = "never",
    queue: str = "default",
) -> InstrumentedAgent:
    """Return `agent` as a durable workflow; the given agent and its kernel are not changed.

    `name` is the workflow's name, by default the agent's. `nodes` gives the agent's model (`writer`) and its
    functions (`writer.mail-send`) their policy; `retry`, `timeout_s` and `breaker` hold for the model where
    `nodes` says nothing. `durability`, `takeover` and `queue` are those of `@omium.workflow`. Raises
    `ConfigError` for a node that there is not, and for an agent that no chat model of the kernel serves.
    """
    if isinstance(agent, InstrumentedAgent):  # once more, under another name
        return agent.renamed(name, module=find_calling_module())
    if not isinstance(agent, ChatCompletionAgent):
        raise ConfigError(
            f"A {type(agent).__name__} keeps its conversation at its provider, which Omium cannot record; "
            "instrument a ChatCompletionAgent, or call the agent in a step of a workflow of your own."
        )
    (node,) = name_nodes(agent)
    chosen = dict(nodes or {})
    if unknown := sorted(key for key in chosen if key.partition(".")[0] != node):
        raise ConfigError(f"There is no agent {unknown[0]!r}; there is {node}.")
    default = StepPolicy(retry=retry, timeout_s=timeout_s, breaker=breaker)
    kernel = record_kernel(agent.kernel, node, default, chosen)
    # Without its service: the agent's own would be put back into the kernel's copy.
    wrapped = agent.model_copy(update={"kernel": kernel, "service": None})
    return InstrumentedAgent(
        agent,
        wrapped,
        name or agent.name,
        module=find_calling_module(),
        durability=durability,
        takeover=takeover,
        queue=queue,
    )


class InstrumentedAgent:
    """An agent under Omium. What is not named here is the agent's own."""

    takes_by_name = True
    """Of a stored spec's inputs: `input` is what the agent is asked."""

    def __init__(
        self,
        source: ChatCompletionAgent,
        agent: ChatCompletionAgent,
        name: str,
        *,
        module: str,
        durability: Literal["strict", "relaxed"] | None = None,
        takeover: Literal["never", "auto"] = "never",
        queue: str = "default",
    ) -> None:
        self.source = source
        """The user's own."""
        self.agent = agent
        """The copy whose answers and functions are steps: for workflows of your own."""
        self._terms: dict[str, Any] = {"durability": durability, "takeover": takeover, "queue": queue}
        self.name = name
        self._workflow = AsyncWorkflow(
            name, self._work, module=module, durability=durability, takeover=takeover, queue=queue
        )
        self.__omium_workflow__ = self._workflow.workflow

    def __getattr__(self, name: str) -> Any:
        if name == "agent":  # not set yet: a half-made copy must not recurse
            raise AttributeError(name)
        return getattr(self.agent, name)

    def renamed(self, name: str | None, *, module: str) -> InstrumentedAgent:
        """Return the same under another name, with the policies that it has."""
        return InstrumentedAgent(self.source, self.agent, name or self.name, module=module, **self._terms)

    async def get_response(self, messages: Any = None, **options: Any) -> Any:
        """Answer as the agent's own `get_response` does, as an execution."""
        return await self._workflow(messages, options)

    def get_response_sync(self, messages: Any = None, **options: Any) -> Any:
        """As `get_response`, from code without an event loop."""
        return asyncio.run(self.get_response(messages, **options))

    async def _work(self, given: Any, options: dict[str, Any]) -> tuple[Any, Any]:
        response = await self.agent.get_response(messages=given, **options)
        return response, str(response.message.content)
