"""Wrapping: copies of agents in which every turn, tool, guardrail and handoff is a step.

Owns which part of an agent is a step, and that copies lead to copies: handoffs, and agents that are called
as tools. The user's agents are never changed. Tools that the provider itself runs are part of its answer.
"""

from __future__ import annotations

import copy
import inspect
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from agents import Agent, FunctionTool, GuardrailFunctionOutput, ModelProvider
from agents.handoffs import Handoff
from agents.tool import default_tool_error_function

from omium.adapters.circling import CIRCLING
from omium.adapters.openai_agents.copying import rebind
from omium.adapters.openai_agents.models import RecordedModel
from omium.adapters.openai_agents.naming import find_target, find_tool_agent, name_nodes
from omium.adapters.recorded import Form, StepPolicy, record_async
from omium.sdk.current import capture_failure

VALUE: Form[Any] = Form()
NOTHING: Form[Any] = Form(lambda _: None)
VERDICT: Form[Any] = Form(
    lambda said: {"output_info": said.output_info, "tripwire_triggered": said.tripwire_triggered},
    lambda recorded: GuardrailFunctionOutput(**recorded),
)
Policies = Callable[[str], StepPolicy]


class Wrapping:
    """The copies of one agent and of all that it can reach. `policies` by agent, and by `agent.tool`."""

    def __init__(
        self, agent: Agent[Any], policies: Mapping[str, StepPolicy], default: StepPolicy,
        provider: ModelProvider | None, circling: int | None = CIRCLING,
    ) -> None:  # fmt: skip
        self._ids = {id(each): (each, name) for name, each in name_nodes(agent).items()}
        self._policies = policies
        self._default = default
        self._provider = provider
        self._circling = circling
        self._copies: dict[int, Agent[Any]] = {}
        self.agent = self.copy(agent)

    def copy(self, agent: Agent[Any]) -> Agent[Any]:
        """Return the one copy of `agent`."""
        if (known := self._copies.get(id(agent))) is not None:
            return known
        if any(agent is each for each in self._copies.values()):
            return agent
        if id(agent) not in self._ids:  # one that a handoff has made up while it ran
            self._ids[id(agent)] = (agent, agent.name)
        _, node = self._ids[id(agent)]
        made = self._copies[id(agent)] = copy.copy(agent)
        made.model = RecordedModel(agent.model, self._of(node).options(node), self._provider, self._circling)
        made.tools = [self._tool(node, tool) for tool in agent.tools]
        made.handoffs = [self._handoff(node, each) for each in agent.handoffs]
        made.input_guardrails = [self._guardrail(node, each) for each in agent.input_guardrails]
        made.output_guardrails = [self._guardrail(node, each) for each in agent.output_guardrails]
        if agent.mcp_servers:

            async def get_mcp_tools(context: Any) -> list[Any]:
                tools = await type(made).get_mcp_tools(made, context)
                return [self._tool(node, tool) for tool in tools]

            made.get_mcp_tools = get_mcp_tools
        return made

    def _of(self, key: str) -> StepPolicy:
        return self._policies.get(key, self._default)

    def _tool(self, node: str, tool: Any) -> Any:
        if not isinstance(tool, FunctionTool):
            return tool
        made = copy.copy(tool)
        if (inner := find_tool_agent(tool)) is not None:
            rebind(made, inner, self.copy(inner))
        _notice_failures(made)
        key = f"{node}.{tool.name}"
        # A tool runs once more only where somebody says so: the default policy is that of models.
        options = self._policies.get(key, StepPolicy()).options(key)
        invoke = made.on_invoke_tool

        async def invoke_tool(context: Any, arguments: str) -> Any:
            shown = {"arguments": arguments, "call": getattr(context, "tool_call_id", None)}
            return await record_async(options, shown, lambda: invoke(context, arguments), VALUE)

        made.on_invoke_tool = invoke_tool
        return made

    def _handoff(self, node: str, given: Any) -> Any:
        if isinstance(given, Agent):
            return self.copy(given)
        if not isinstance(given, Handoff):
            return given
        made = copy.copy(given)
        target = find_target(given)
        key = f"{node}.{given.tool_name}"
        options = self._policies.get(key, StepPolicy()).options(key)
        invoke = given.on_invoke_handoff

        async def invoke_handoff(context: Any, arguments: str) -> Any:
            if target is None:  # its function chooses: what it chose cannot be recorded
                return self.copy(await invoke(context, arguments))
            await record_async(options, {"arguments": arguments}, lambda: invoke(context, arguments), NOTHING)
            return self.copy(target)

        made.on_invoke_handoff = invoke_handoff
        if target is not None:
            made._agent_ref = weakref.ref(self.copy(target))  # noqa: SLF001  # of our own copy
        return made

    def _guardrail(self, node: str, guardrail: Any) -> Any:
        made = copy.copy(guardrail)
        made.name = guardrail.get_name()
        key = f"{node}.{made.name}"
        options = self._policies.get(key, StepPolicy()).options(key)
        judge = guardrail.guardrail_function

        async def guardrail_function(context: Any, agent: Any, given: Any) -> Any:
            async def work() -> Any:
                said = judge(context, agent, given)
                return await said if inspect.isawaitable(said) else said

            return await record_async(options, {"given": given}, work, VERDICT)

        made.guardrail_function = guardrail_function
        return made


def _notice_failures(tool: Any) -> None:
    """Let an error that the SDK tells the model reach the failure inbox, too."""
    if not hasattr(tool, "_failure_error_function"):
        return
    is_default = getattr(tool, "_use_default_failure_error_function", True)
    tell = default_tool_error_function if is_default else tool._failure_error_function  # noqa: SLF001
    if tell is None:  # the error comes out by itself
        return

    def notice(context: Any, error: Exception) -> Any:
        capture_failure(error)
        return tell(context, error)

    tool._failure_error_function = notice  # noqa: SLF001  # of our own copy
    tool._use_default_failure_error_function = False  # noqa: SLF001
    if (bind := getattr(tool.on_invoke_tool, "__agents_bind_function_tool__", None)) is not None:
        tool.on_invoke_tool = bind(tool)  # it looks the function up on the tool that it is bound to
