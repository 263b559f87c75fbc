"""Export: a pipeline of Haystack as a Workflow Spec.

Owns which node a component becomes and what is said of it: its class, and what it was made with, as
Haystack's own serialisation tells it, without keys, addresses and clients.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from haystack import Pipeline
from haystack.components.agents import Agent

from omium.adapters.documents import make_document, make_schema, without_empty
from omium.adapters.haystack.naming import find_ids
from omium.adapters.haystack.usage import find_provider, is_model
from omium.jsonvalue import JsonValue

_UNTOLD = re.compile(r"key|token|secret|password|url|header|client|endpoint|organization", re.IGNORECASE)


def export_workflow(
    pipeline: Pipeline, *, name: str | None = None, entrypoint: str | None = None
) -> dict[str, JsonValue]:
    """Return the pipeline as a document; `entrypoint` is what a worker serves.

    Takes what `instrument` returned, too. The document is the same in every process, and holds no key.
    """
    root = getattr(pipeline, "source", pipeline)
    ids = find_ids(root)
    agents: dict[str, Any] = {}
    tools: dict[str, Any] = {}
    nodes = [
        _node(ids[component], component, root.graph.nodes[component]["instance"], agents, tools)
        for component in sorted(ids)
    ]
    because = [
        "Haystack runs a component as soon as its inputs are there, and hands values from socket to socket."
    ]
    if any(_is_router(root.graph.nodes[component]["instance"]) for component in ids):
        because.append("A router decides while the pipeline runs which of its outputs has a value.")
    return make_document(
        name or str(root.metadata.get("name") or "pipeline"),
        "haystack",
        inputs=_inputs(root),
        agents=agents,
        tools=tools,
        nodes=nodes,
        edges=_edges(root, ids),
        because=because,
        entrypoint=entrypoint,
    )


def _is_router(component: object) -> bool:
    return "Router" in type(component).__name__


def _inputs(pipeline: Pipeline) -> dict[str, Any]:
    """Return the schema of what `run` takes: the open inputs of each component, by its name."""
    properties = {}
    for component, sockets in sorted(pipeline.inputs().items()):
        required = sorted(name for name, socket in sockets.items() if socket.get("is_mandatory"))
        schema: dict[str, Any] = {"type": "object", "properties": {name: {} for name in sorted(sockets)}}
        properties[component] = schema | ({"required": required} if required else {})
    return {"type": "object", "properties": properties}


def _node(
    id_: str, name: str, component: Any, agents: dict[str, Any], tools: dict[str, Any]
) -> dict[str, Any]:
    node: dict[str, Any] = {
        "id": id_,
        "type": "function",
        "name": name if name != id_ else "",
        "dynamic": True if _is_router(component) else None,
        "x-component": f"{type(component).__module__}.{type(component).__qualname__}",
        "x-made-with": _made_with(component),
    }
    if isinstance(component, Agent):
        names = []
        for tool in component.tools or ():
            names.append(tool.name)
            tools[tool.name] = without_empty(
                {"description": tool.description, "input_schema": make_schema(tool.parameters)}
            )
        agents[id_] = without_empty(
            {
                "role": name,
                "goal": getattr(component, "system_prompt", None) or "",
                "llm": _llm(component.chat_generator),
                "tools": names,
            }
        )
        node |= {"type": "agent_task", "agent": id_, "parameters": {"description": "{messages}"}}
        node["x-made-with"] = None
    elif is_model(component) and "Generator" in type(component).__name__:
        node |= {"type": "llm_call", "parameters": without_empty({"llm": _llm(component)})}
    return without_empty(node)


def _llm(component: Any) -> dict[str, Any] | None:
    model = getattr(component, "model", None)
    provider = find_provider(component)
    return {"provider": provider or "custom", "model": str(model)} if provider or model else None


def _made_with(component: Any) -> dict[str, Any]:
    """Return what the component was made with, as far as it is JSON and no secret."""
    try:
        told = component.to_dict().get("init_parameters", {})
    except Exception:  # a component's own code: one that cannot be told has no less place in the graph
        return {}
    kept = {}
    for name, value in sorted(told.items()):
        if _UNTOLD.search(name) or value is None:
            continue
        try:
            kept[name] = json.loads(json.dumps(value, sort_keys=True))
        except (TypeError, ValueError):
            continue
    return kept


def _edges(pipeline: Pipeline, ids: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield one edge for two components, with all connections between their sockets."""
    between: dict[tuple[str, str], list[str]] = {}
    for source, target, data in pipeline.graph.edges(data=True):
        sockets = f"{data['from_socket'].name} -> {data['to_socket'].name}"
        between.setdefault((ids[source], ids[target]), []).append(sockets)
    for (source, target), sockets_ in sorted(between.items()):
        yield {"from": source, "to": target, "x-sockets": sorted(sockets_)}
