"""Node ids: the agents that a run can reach, by the ids that the spec and the steps have.

Owns what belongs to an agent's graph: the agent, those that it hands off to, and those that it calls as
tools, breadth first. An agent that a handoff makes up while it runs cannot be known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agents import Agent
from agents.handoffs import Handoff

from omium.adapters.node_ids import make_ids


def name_nodes(agent: Agent[Any]) -> dict[str, Agent[Any]]:
    """Return the agents that a run of `agent` can reach by their ids; itself comes first."""
    found = [agent]
    for each in found:  # it grows while it is walked
        for other in [*list_handoffs(each), *list_tool_agents(each)]:
            if not any(other is known for known in found):
                found.append(other)
    return dict(zip(make_ids((each.name for each in found), otherwise="agent"), found, strict=True))


def list_handoffs(agent: Agent[Any]) -> Iterator[Agent[Any]]:
    """Yield the agents that `agent` hands off to, as far as they are known."""
    for each in agent.handoffs:
        target = find_target(each) if isinstance(each, Handoff) else each
        if target is not None:
            yield target


def list_tool_agents(agent: Agent[Any]) -> Iterator[Agent[Any]]:
    """Yield the agents that `agent` calls as tools."""
    for tool in agent.tools:
        if (inner := find_tool_agent(tool)) is not None:
            yield inner


def find_target(handoff: Any) -> Agent[Any] | None:
    """Return the agent that a `handoff(...)` leads to; None where its function makes one up."""
    reference = getattr(handoff, "_agent_ref", None)
    return None if reference is None else reference()


def find_tool_agent(tool: Any) -> Agent[Any] | None:
    """Return the agent of `agent.as_tool(...)`, None for any other tool."""
    return getattr(tool, "_agent_instance", None) if getattr(tool, "_is_agent_tool", False) else None
