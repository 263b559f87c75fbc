"""Copying: agents that lead to each other, as copies that lead to each other.

Owns how a copy of a handoff, or of an agent that is called as a tool, leads to the agent's copy. What is
edited in the copies is applying.py's; the user's own agents are never changed.
"""

from __future__ import annotations

import copy
import types
import weakref
from typing import Any

from agents import Agent
from agents.handoffs import Handoff

from omium.adapters.openai_agents.naming import find_target, find_tool_agent, name_nodes


def copy_agents(agent: Agent[Any]) -> dict[str, Agent[Any]]:
    """Return copies of `agent` and of all that it can reach, by id; tools are copies, too."""
    nodes = name_nodes(agent)
    copies = {id(each): copy.copy(each) for each in nodes.values()}
    for each in nodes.values():
        made = copies[id(each)]
        made.tools = [_copy_tool(tool, copies) for tool in each.tools]
        made.handoffs = [_copy_handoff(handoff, copies) for handoff in each.handoffs]
    return {id_: copies[id(each)] for id_, each in nodes.items()}


def describe_handoffs(agent: Agent[Any], copies: dict[str, Agent[Any]]) -> None:
    """Let the copies' handoffs say what their agents say now, where those of `agent` and the rest do."""
    for id_, each in name_nodes(agent).items():
        for given, made in zip(each.handoffs, copies[id_].handoffs, strict=True):
            target = find_target(given) if isinstance(given, Handoff) else None
            if target is None or given.tool_description != Handoff.default_tool_description(target):
                continue
            made.tool_description = Handoff.default_tool_description(find_target(made))


def rebind(tool: Any, agent: Agent[Any], made: Agent[Any]) -> None:
    """Let `agent.as_tool(...)` run the agent's copy: the SDK keeps the agent in the closure of a function."""
    invoker = tool.on_invoke_tool
    function = getattr(invoker, "_invoke_tool_impl", None)
    cells = getattr(function, "__closure__", None)
    if not isinstance(function, types.FunctionType) or cells is None:
        return
    changed = tuple(types.CellType(made) if _holds(cell, agent) else cell for cell in cells)
    again = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, changed
    )
    again.__kwdefaults__ = function.__kwdefaults__
    again.__dict__.update(function.__dict__)
    rebound = copy.copy(invoker)
    rebound._invoke_tool_impl = again  # noqa: SLF001  # of our own copy
    tool.on_invoke_tool = rebound
    tool._agent_instance = made  # noqa: SLF001


def _copy_tool(tool: Any, copies: dict[int, Agent[Any]]) -> Any:
    made = copy.copy(tool)
    inner = find_tool_agent(tool)
    if inner is not None:
        rebind(made, inner, copies[id(inner)])
    return made


def _copy_handoff(given: Any, copies: dict[int, Agent[Any]]) -> Any:
    if isinstance(given, Agent):
        return copies[id(given)]
    target = find_target(given) if isinstance(given, Handoff) else None
    if target is None:  # one whose function makes its agent up
        return given
    made = copy.copy(given)
    made._agent_ref = weakref.ref(copies[id(target)])  # noqa: SLF001  # of our own copy
    return made


def _holds(cell: Any, value: object) -> bool:
    try:
        return cell.cell_contents is value
    except ValueError:  # not filled yet
        return False
