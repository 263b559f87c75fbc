"""A crew as a document: its tasks as nodes, their order as edges, its agents and tools.

Owns the shape of what is native. The engine's form of a plain crew is export_engine.py's, and which of the
two a crew gets is export_modes.py's. Edges are the order in which CrewAI runs tasks: one after another, those
with `async_execution` side by side until the next that has not, a conditional one or what follows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from omium.adapters.crew.export_llms import export_llm
from omium.adapters.crew.export_refs import make_ref
from omium.adapters.crew.export_schemas import make_schema
from omium.adapters.crew.export_texts import AGENT_TEXTS, get_text, list_names, list_texts
from omium.adapters.crew.export_tools import Tools
from omium.adapters.crew.naming import find_id, make_ids, name_agents, name_nodes
from omium.jsonvalue import JsonValue

_NOTED: Final = ("planning", "reasoning", "multimodal", "inject_date", "memory", "knowledge_sources", "mcps")
"""What an agent has beside its tools, each a word for people: `x-memory`."""


@dataclass(frozen=True, slots=True)
class CrewParts:
    """A crew's tasks and agents by their ids in a document."""

    crew: Any
    tasks: dict[str, Any]
    agents: dict[str, Any]
    manager: str | None
    """The id of the agent that leads a hierarchical crew; one that CrewAI makes is in no list."""


def read_crew(crew: Any, known: Mapping[str, Any] | None = None) -> CrewParts:
    """Return the parts of a crew, in an order that does not change; `known` agents keep their ids."""
    tasks = name_nodes(crew)
    each = [*crew.agents, *(task.agent for task in tasks.values() if task.agent is not None)]
    lead = crew.manager_agent
    agents = dict(known or name_agents([*each, lead] if lead is not None else each))
    manager = find_id(agents, lead) if lead is not None else None
    if manager is None and is_hierarchical(crew):
        manager = make_ids([*agents, "crew-manager"], otherwise="agent")[-1]
    return CrewParts(crew, tasks, agents, manager)


def is_hierarchical(crew: Any) -> bool:
    """Say whether a manager hands the tasks out."""
    return str(getattr(crew.process, "value", crew.process)) == "hierarchical"


def export_crew(parts: CrewParts) -> dict[str, JsonValue]:
    """Return the parts of a native document that come from the crew."""
    crew, tools = parts.crew, Tools()
    agents: dict[str, JsonValue] = {
        id_: export_agent(agent, tools.add(agent.tools)) for id_, agent in parts.agents.items()
    }
    if parts.manager is not None and parts.manager not in agents:
        agents[parts.manager] = _make_manager(crew)
    document: dict[str, JsonValue] = {
        "inputs": make_inputs(parts),
        "outputs": make_outputs(parts),
        "agents": agents,
        "nodes": [_export_task(id_, task, parts, tools) for id_, task in parts.tasks.items()],
        "edges": [*list_order(parts.tasks), *_list_contexts(parts.tasks)],
        "tools": tools.export(),
        "process": "hierarchical" if is_hierarchical(crew) else "sequential",
    }
    if parts.manager is not None:
        document["manager"] = parts.manager
    about = _describe(crew)
    return {**document, **({"x-crewai": about} if about else {})}


def make_inputs(parts: CrewParts, *, value: dict[str, JsonValue] | None = None) -> dict[str, JsonValue]:
    """Return the schema of the inputs that prompts ask for; `value` is that of each."""
    texts = [text for task in parts.tasks.values() for text in list_texts(task)]
    texts += [get_text(agent, field) for agent in parts.agents.values() for field in AGENT_TEXTS]
    names = list_names(texts)
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": {name: dict(value or {}) for name in names},
    }
    if names and not parts.crew.before_kickoff_callbacks:  # which may add what is missing
        schema["required"] = list(names)
    return schema


def make_outputs(parts: CrewParts) -> dict[str, JsonValue]:
    """Return what a crew gives: what its last task gave."""
    last = next(reversed(parts.tasks), None)
    return {} if last is None else {"output": {"$from": f"nodes.{last}.output"}}


def export_agent(agent: Any, tools: list[str]) -> dict[str, JsonValue]:
    """Return an agent, its prompts as they were written."""
    exported: dict[str, JsonValue] = {
        field: text for field in AGENT_TEXTS if (text := get_text(agent, field))
    }
    llm = export_llm(getattr(agent, "llm", None))
    if llm is not None:
        exported["llm"] = llm
    if tools:
        exported["tools"] = list[JsonValue](tools[:100])
    turns = getattr(agent, "max_iter", None)
    if isinstance(turns, int) and 1 <= turns <= 1_000:
        exported["max_turns"] = turns
    if getattr(agent, "allow_delegation", False):
        exported["allow_delegation"] = True
    for field, name in (("max_rpm", "x-max-rpm"), ("max_execution_time", "x-max-execution-time-s")):
        number = getattr(agent, field, None)
        if isinstance(number, int | float):
            exported[name] = number
    if getattr(agent, "guardrail", None) is not None:
        exported["x-guardrail"] = export_guardrail(agent.guardrail)
    for field in _NOTED:
        if getattr(agent, field, None):
            exported[f"x-{field.replace('_', '-')}"] = True
    return exported


def export_guardrail(guardrail: Any) -> dict[str, JsonValue]:
    """Return a guardrail: a function, or a sentence that CrewAI lets a model judge by."""
    if isinstance(guardrail, str):
        return {"ref": "crewai.tasks.llm_guardrail:LLMGuardrail", "source": guardrail}
    said = getattr(guardrail, "description", None)
    if type(guardrail).__name__ == "LLMGuardrail" and isinstance(said, str):
        return {"ref": "crewai.tasks.llm_guardrail:LLMGuardrail", "source": said}
    return make_ref(guardrail)


def _export_task(id_: str, task: Any, parts: CrewParts, tools: Tools) -> dict[str, JsonValue]:
    parameters: dict[str, JsonValue] = {"description": get_text(task, "description")}
    if get_text(task, "expected_output"):
        parameters["expected_output"] = get_text(task, "expected_output")
    if task.human_input:
        parameters["human_input"] = True
    if task.async_execution:
        parameters["async_execution"] = True
    guardrails = [
        *([task.guardrail] if task.guardrail is not None else []),
        *(task.guardrails if isinstance(task.guardrails, list | tuple) else [task.guardrails]),
    ]
    if exported := list[JsonValue](export_guardrail(each) for each in guardrails if each is not None):
        parameters["guardrails"] = exported
        parameters["x-guardrail-max-retries"] = int(task.guardrail_max_retries)
    node: dict[str, JsonValue] = {"id": id_, "type": "agent_task", "parameters": parameters}
    if task.name and task.name != id_:
        node["name"] = str(task.name)[:300]
    agent = None if task.agent is None else find_id(parts.agents, task.agent)
    if agent is not None:
        node["agent"] = agent
    model = task.output_pydantic or task.output_json or getattr(task, "response_model", None)
    if schema := make_schema(model):
        node["outputs"] = schema
    own = tools.add(task.tools)
    if task.agent is None or own != tools.add(task.agent.tools):
        node.update({"x-tools": list(own)} if own else {})
    listed = _listed_context(task)
    node["x-context"] = "previous" if listed is None else "listed" if listed else "none"
    if get_text(task, "output_file"):
        node["x-output-file"] = get_text(task, "output_file")
    if task.markdown:
        node["x-markdown"] = True
    return node


def list_order(tasks: Mapping[str, Any]) -> Iterator[JsonValue]:
    """Yield the control edges: how CrewAI goes from task to task."""
    before: list[str] = []  # what may have ended last: a task, or those conditional ones that follow it
    beside: list[str] = []  # tasks that run on until the next that is not async
    for id_, task in tasks.items():
        condition = getattr(task, "condition", None)
        is_conditional = condition is not None or type(task).__name__ == "ConditionalTask"
        if beside and (is_conditional or not task.async_execution):
            before, beside = beside, []
        for source in before:
            edge: dict[str, JsonValue] = {"from": source, "to": id_}
            if condition is not None:
                edge["when"] = make_ref(condition)
            yield edge
        if task.async_execution and not is_conditional:
            beside.append(id_)
        else:
            before = [*before, id_] if is_conditional else [id_]


def _list_contexts(tasks: Mapping[str, Any]) -> Iterator[JsonValue]:
    """Yield an edge for each task that another one names in its `context`."""
    for id_, task in tasks.items():
        found = dict.fromkeys(find_id(tasks, source) for source in _listed_context(task) or ())
        for source in found:
            if source is not None:
                yield {"from": source, "to": id_, "kind": "context"}


def _listed_context(task: Any) -> list[Any] | None:
    """Return the tasks that are named as context; None where CrewAI hands over what came before."""
    if isinstance(task.context, list | tuple):
        return list(task.context)
    return [] if task.context is None else None


def _make_manager(crew: Any) -> dict[str, JsonValue]:
    """Return the manager that CrewAI makes at a kickoff where only its model was named."""
    llm = export_llm(crew.manager_llm)
    return {"role": "Crew Manager", **({"llm": llm} if llm else {}), "allow_delegation": True}


def _describe(crew: Any) -> dict[str, JsonValue]:
    """Return what else the crew does, for people."""
    about: dict[str, JsonValue] = {}
    for field in ("planning", "memory", "cache", "knowledge_sources"):
        if getattr(crew, field, None):
            about[field] = True
    if crew.planning and (llm := export_llm(crew.planning_llm)):
        about["planning_llm"] = llm
    if isinstance(crew.max_rpm, int):
        about["max_rpm"] = crew.max_rpm
    for field in ("before_kickoff_callbacks", "after_kickoff_callbacks"):
        if refs := list[JsonValue](make_ref(each) for each in getattr(crew, field, None) or ()):
            about[field] = refs
    return about
