"""Export: agents of the OpenAI Agents SDK as a Workflow Spec.

Owns which agents are nodes, and what is said of them. A handoff is an edge that the model decides on, so its
source is dynamic; an agent that is called as a tool works inside its caller's turn, and says so. Which model
is asked is told, where and with which key never.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agents import Agent, FunctionTool, ModelSettings
from agents.handoffs import Handoff
from agents.models.default_models import get_default_model

from omium.adapters.documents import ANYTHING, make_document, make_ref, make_schema, without_empty
from omium.adapters.openai_agents.naming import find_target, find_tool_agent, list_tool_agents, name_nodes
from omium.jsonvalue import JsonValue

PARAMETERS = ("temperature", "top_p", "max_tokens", "frequency_penalty", "presence_penalty")


def export_workflow(
    agent: Agent[Any], *, name: str | None = None, entrypoint: str | None = None
) -> dict[str, JsonValue]:
    """Return the agents that `agent` can reach as a document; `entrypoint` is what a worker serves.

    Takes what `instrument` returned, too. The document is the same in every process, and holds no key.
    """
    root = getattr(agent, "source", agent)
    nodes = name_nodes(root)
    tools: dict[str, Any] = {}
    agents = {id_: _agent(id_, each, tools) for id_, each in nodes.items()}
    edges = list(_edges(nodes))
    dynamic = {edge["from"] for edge in edges}
    return make_document(
        name or root.name,
        "openai_agents",
        inputs={"type": "object", "properties": {"input": ANYTHING}, "required": ["input"]},
        agents=agents,
        tools=tools,
        nodes=[_node(id_, each, id_ in dynamic, is_root=each is root) for id_, each in nodes.items()],
        edges=edges,
        because=_because(nodes),
        entrypoint=entrypoint,
    )


def _because(nodes: dict[str, Agent[Any]]) -> list[str]:
    sentences = [
        "The agents' own loop decides after each turn whether tools run, who goes on and what is final."
    ]
    if any(each.handoffs for each in nodes.values()):
        sentences.append(
            "A handoff is chosen by the model while the agents run, and carries the conversation on."
        )
    if any(isinstance(tool, FunctionTool) for each in nodes.values() for tool in each.tools):
        sentences.append("Tools are Python functions of the process that runs the agents.")
    if any(not isinstance(each.instructions, str | None) for each in nodes.values()):
        sentences.append("Instructions are made by a function for each run.")
    return sentences


def _agent(id_: str, agent: Agent[Any], tools: dict[str, Any]) -> dict[str, Any]:
    names = []
    for tool in agent.tools:
        told = _tool(tool)
        is_another = tools.get(tool.name, told) != told  # tools of two agents may have one name
        names.append(f"{id_}.{tool.name}" if is_another else tool.name)
        tools[names[-1]] = told
    instructions = agent.instructions
    written = isinstance(instructions, str)
    return without_empty(
        {
            "role": agent.name,
            "goal": instructions if written else "",
            "llm": _llm(agent),
            "tools": names,
            "x-handoff-description": agent.handoff_description,
            "x-instructions": None if written else make_ref(instructions),
            "x-output-type": getattr(agent.output_type, "__qualname__", None),
            "x-mcp-servers": [str(getattr(server, "name", "")) for server in agent.mcp_servers],
        }
    )


def _llm(agent: Agent[Any]) -> dict[str, Any]:
    model: Any = agent.model
    named = (
        model if isinstance(model, str) else getattr(model, "model", None) if model else get_default_model()
    )
    provider, slash, short = str(named or "").removeprefix("litellm/").partition("/")
    settings: ModelSettings = agent.model_settings
    parameters = {key: value for key in PARAMETERS if (value := getattr(settings, key, None)) is not None}
    told = (
        {"provider": provider, "model": short} if slash else {"provider": "openai", "model": str(named or "")}
    )
    return without_empty({**told, "parameters": parameters})


def _tool(tool: Any) -> dict[str, Any]:
    inner = find_tool_agent(tool)
    function = (
        getattr(tool, "__wrapped__", None) if isinstance(tool, FunctionTool) and inner is None else None
    )
    return without_empty(
        {
            "description": str(getattr(tool, "description", "") or ""),
            "input_schema": make_schema(getattr(tool, "params_json_schema", {})),
            "ref": make_ref(function),
            "x-agent": None if inner is None else inner.name,
            "x-runs-at": None if isinstance(tool, FunctionTool) else type(tool).__name__,
        }
    )


def _node(id_: str, agent: Agent[Any], is_dynamic: bool, *, is_root: bool) -> dict[str, Any]:
    guardrails = [
        shown
        for each in [*agent.input_guardrails, *agent.output_guardrails]
        if (shown := make_ref(each.guardrail_function)) is not None
    ]
    return without_empty(
        {
            "id": id_,
            "type": "agent_task",
            "name": agent.name if agent.name != id_ else "",
            "agent": id_,
            "parameters": without_empty({"description": "{input}", "guardrails": guardrails}),
            "inputs": {"input": {"$from": "inputs.input"}},
            "start": True if is_root else None,
            "dynamic": True if is_dynamic else None,
        }
    )


def _edges(nodes: dict[str, Agent[Any]]) -> Iterator[dict[str, Any]]:
    ids = {id(each): id_ for id_, each in nodes.items()}
    for id_, agent in nodes.items():
        told: list[tuple[str, str]] = []
        for each in agent.handoffs:
            target = find_target(each) if isinstance(each, Handoff) else each
            if target is not None:
                told.append((ids[id(target)], "handoff"))
        told += [(ids[id(each)], "agent_as_tool") for each in list_tool_agents(agent)]
        for target_id, kind in dict.fromkeys(told):
            yield {"from": id_, "to": target_id, "x-kind": kind}
