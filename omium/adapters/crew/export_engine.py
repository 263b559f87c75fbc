"""A plain crew in the form that Omium's engine runs without CrewAI.

CrewAI tells a task's agent what the tasks before gave: every one of them, or those in its `context`, with the
words that stand here. In a document of the engine these are references in the node's inputs and their places
in its prompt, so that people see in it all that a model is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from omium.adapters.crew.export_crew import CrewParts, export_agent, list_order, make_inputs, make_outputs
from omium.adapters.crew.export_texts import get_text, list_names, list_texts
from omium.adapters.crew.naming import find_id
from omium.jsonvalue import JsonValue

_CONTEXT: Final = "\n\nThis is the context you're working with:\n"
_DIVIDER: Final = "\n\n----------\n\n"
_VALUE: Final[dict[str, JsonValue]] = {"type": ["string", "integer"]}
"""What both write in the same way into a prompt; CrewAI writes lists and booleans as Python does."""


def export_engine(parts: CrewParts) -> dict[str, JsonValue]:
    """Return the parts of an engine document that come from a crew which the engine can run."""
    used = {id(task.agent) for task in parts.tasks.values()}
    return {
        "inputs": make_inputs(parts, value=_VALUE),
        "outputs": make_outputs(parts),
        "agents": {id_: export_agent(agent, []) for id_, agent in parts.agents.items() if id(agent) in used},
        "nodes": [_export_task(id_, task, parts) for id_, task in parts.tasks.items()],
        "edges": list(list_order(parts.tasks)),
    }


def _export_task(id_: str, task: Any, parts: CrewParts) -> dict[str, JsonValue]:
    names = list_names(list_texts(task))
    inputs: dict[str, JsonValue] = {name: {"$from": ["inputs", name]} for name in names}
    description, sources = get_text(task, "description"), _list_sources(id_, task, parts.tasks)
    if sources:
        places = []
        for source in sources:
            name = source if source[0].isalpha() or source[0] == "_" else f"_{source}"
            while name in inputs:
                name = f"{name}_output"
            inputs[name] = {"$from": f"nodes.{source}.output"}
            places.append(f"{{{name}}}")
        description += _CONTEXT + _DIVIDER.join(places)
    parameters: dict[str, JsonValue] = {"description": description}
    if get_text(task, "expected_output"):
        parameters["expected_output"] = get_text(task, "expected_output")
    node: dict[str, JsonValue] = {
        "id": id_,
        "type": "agent_task",
        "agent": find_id(parts.agents, task.agent),
        "parameters": parameters,
        "inputs": inputs,
    }
    return {**node, **({"name": str(task.name)[:300]} if task.name and task.name != id_ else {})}


def _list_sources(id_: str, task: Any, tasks: Mapping[str, Any]) -> list[str]:
    """Return the tasks whose outputs this one is told: those it names, or all before it."""
    before = list(tasks)[: list(tasks).index(id_)]
    if task.context is None:
        return []
    if isinstance(task.context, list | tuple):
        named = [find_id(tasks, each) for each in task.context]
        return [each for each in dict.fromkeys(named) if each in before]
    return before
