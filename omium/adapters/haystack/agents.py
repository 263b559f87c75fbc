"""Agents: the turns and the tools of an `Agent` that is a component, each a step.

Owns copies of an agent, its generator and its tools. The component as a whole is no step: what is inside a
step that fails is done again, and an agent's first answers should not be, because its last one failed. An
error that the agent tells its model is recorded like a result, so that a resume tells it the same.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from haystack.components.agents import Agent
from haystack.tools import Tool, Toolset

from omium.adapters.haystack.usage import record_component_usage
from omium.adapters.recorded import Form, StepPolicy, record_async, record_sync, shorten_messages
from omium.sdk.current import capture_failure
from omium.sdk.options import StepOptions

VALUE: Form[Any] = Form()


def record_agent(agent: Agent, node: str, default: StepPolicy, policies: Mapping[str, StepPolicy]) -> Agent:
    """Return a copy of `agent` each of whose turns (`model`) and tools (by name) is a step."""
    made = copy.copy(agent)
    policy = policies.get(f"{node}.model", policies.get(node, default))
    made.chat_generator = RecordedGenerator(agent.chat_generator, policy.options(f"{node}.model"))
    tells = not getattr(agent, "raise_on_tool_invocation_failure", False)
    made.tools = _record_tools(agent.tools, node, policies, tells=tells)
    return made


class RecordedGenerator:
    """A chat generator each of whose answers is a step."""

    def __init__(self, generator: Any, options: StepOptions) -> None:
        self._generator = generator
        self._options = options
        if callable(getattr(generator, "run_async", None)):
            self.run_async = self._run_async

    def __getattr__(self, name: str) -> Any:
        if name == "_generator":  # a half-made copy
            raise AttributeError(name)
        return getattr(self._generator, name)

    def run(self, messages: Any, tools: Any = None, **more: Any) -> Any:
        """Return the recorded answer, or ask."""
        given = {"messages": messages, **({} if tools is None else {"tools": tools}), **more}

        def work() -> Any:
            outputs = self._generator.run(**given)
            record_component_usage(self._generator, outputs)
            return outputs

        return record_sync(self._options, _describe(given), work, VALUE)

    async def _run_async(self, messages: Any, tools: Any = None, **more: Any) -> Any:
        given = {"messages": messages, **({} if tools is None else {"tools": tools}), **more}

        async def work() -> Any:
            outputs = await self._generator.run_async(**given)
            record_component_usage(self._generator, outputs)
            return outputs

        return await record_async(self._options, _describe(given), work, VALUE)


def _describe(given: Mapping[str, Any]) -> dict[str, object]:
    shown = {name: value for name, value in given.items() if name not in ("tools", "streaming_callback")}
    return {
        **shown,
        "messages": shorten_messages(given["messages"]),
        "tools": [tool.name for tool in given.get("tools") or ()],
    }


def _record_tools(tools: Any, node: str, policies: Mapping[str, StepPolicy], *, tells: bool) -> Any:
    if isinstance(tools, Toolset):
        return _record_toolset(tools, node, policies, tells=tells)
    return [
        _record_toolset(each, node, policies, tells=tells)
        if isinstance(each, Toolset)
        else _record_tool(each, node, policies, tells=tells)
        for each in tools or ()
    ]


def _record_toolset(tools: Any, node: str, policies: Mapping[str, StepPolicy], *, tells: bool) -> Any:
    """Return a copy of a set of tools; what it holds may change while the agent runs."""
    made = copy.copy(tools)
    kind = type(tools)

    def iterate(self: Any) -> Iterator[Any]:
        for tool in kind.__iter__(self):
            yield _record_tool(tool, node, policies, tells=tells)

    made.__class__ = type(kind.__name__, (kind,), {"__iter__": iterate, "__module__": kind.__module__})
    return made


def _record_tool(tool: Tool, node: str, policies: Mapping[str, StepPolicy], *, tells: bool) -> Tool:
    made = copy.copy(tool)
    key = f"{node}.{tool.name}"
    options = policies.get(key, StepPolicy()).options(key)
    function: Any = tool.function
    async_function: Any = getattr(tool, "async_function", None)

    def call(**arguments: Any) -> Any:
        def work() -> Any:
            try:
                return {"result": function(**arguments)}
            except Exception as error:  # the agent tells its model, whatever it is
                return _told(error, tells=tells)

        return _take(record_sync(options, {"arguments": _plain(arguments)}, work, VALUE))

    async def acall(**arguments: Any) -> Any:
        async def work() -> Any:
            try:
                return {"result": await async_function(**arguments)}
            except Exception as error:  # the agent tells its model, whatever it is
                return _told(error, tells=tells)

        return _take(await record_async(options, {"arguments": _plain(arguments)}, work, VALUE))

    if function is not None:
        made.function = call
    if async_function is not None:
        made.async_function = acall
    return made


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments without what Haystack itself hands to a tool."""
    return {name: value for name, value in arguments.items() if name not in ("state", "streaming_callback")}


def _told(error: Exception, *, tells: bool) -> dict[str, str]:
    if not tells:
        raise error
    capture_failure(error)
    return {"error": str(error)}


def _take(recorded: Mapping[str, Any]) -> Any:
    if "error" in recorded:
        raise RuntimeError(recorded["error"])
    return recorded["result"]
