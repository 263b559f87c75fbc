"""Copies of crews that share nothing which a run or an edit would change.

CrewAI's own `copy()` finds agents by role and tasks by text: of two that read the same, one is lost. Here
each part is copied once and found by identity. Tools, memories and models are shared, as they are with the
agents of one crew; a model that is edited becomes another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias
from uuid import uuid4

from omium.adapters.crew.export_crew import CrewParts, read_crew
from omium.adapters.crew.export_texts import AGENT_TEXTS, TASK_TEXTS, get_text
from omium.adapters.crew.naming import find_id

_LLM_DERIVED: Final = (
    "is_o1_model",
    "is_gpt4_model",
    "is_anthropic",
    "context_window_size",
    "supports_tools",
)
"""Fields that a model works out from its name when it is made."""
Texts: TypeAlias = Mapping[int, Mapping[str, str]]
"""Texts by field, of each task and agent by its `id()`."""


def copy_crew(parts: CrewParts) -> CrewParts:
    """Return the crew's parts copied; a task without a name gets its id as one, so that it keeps that id."""
    agents = {id_: _copy_agent(agent) for id_, agent in parts.agents.items()}
    tasks: dict[str, Any] = {}
    for id_, task in parts.tasks.items():
        copied = _copy(task)
        inside = copied.__dict__
        inside.update(output=None, name=task.name or id_)
        if task.agent is not None:
            inside["agent"] = agents[str(find_id(parts.agents, task.agent))]
        tasks[id_] = copied
    for id_, task in parts.tasks.items():
        if isinstance(task.context, list):
            found = [find_id(parts.tasks, each) for each in task.context]
            tasks[id_].__dict__["context"] = [
                tasks[name] if name is not None else each
                for name, each in zip(found, task.context, strict=True)
            ]
    crew = _copy(parts.crew)
    crew.__dict__.update(
        tasks=list(tasks.values()),
        agents=[agents[str(find_id(parts.agents, agent))] for agent in parts.crew.agents],
        usage_metrics=None,
    )
    lead = parts.crew.manager_agent
    if lead is not None:
        crew.__dict__["manager_agent"] = agents[str(find_id(parts.agents, lead))]
    return CrewParts(crew, tasks, agents, parts.manager)


def read_texts(crew: Any) -> Texts:
    """Return the texts of a crew's tasks and agents as they were written, before its last kickoff.

    Right only while no kickoff works with the crew: it writes into these texts one after another.
    """
    agents = [*crew.agents, *(task.agent for task in crew.tasks), crew.manager_agent]
    texts = {id(agent): _read(agent, AGENT_TEXTS) for agent in agents if agent is not None}
    return texts | {id(task): _read(task, (*TASK_TEXTS, "output_file")) for task in crew.tasks}


def _read(part: Any, fields: tuple[str, ...]) -> dict[str, str]:
    return {field: get_text(part, field) for field in fields if getattr(part, field) is not None}


def copy_for_run(crew: Any, texts: Texts) -> Any:
    """Return a copy of the crew with these texts (`read_texts`), which its next kickoff fills with inputs.

    CrewAI's own `copy()` keeps what the last kickoff has filled in, so a run would be given another one's.
    """
    parts = read_crew(crew)
    copied = copy_crew(parts)
    pairs = [(task, copied.tasks[id_]) for id_, task in parts.tasks.items()]
    pairs += [(agent, copied.agents[id_]) for id_, agent in parts.agents.items()]
    for part, made in pairs:
        made.__dict__["id"] = uuid4()
        for field, text in texts.get(id(part), {}).items():
            set_text(made, field, text)
    for id_, task in parts.tasks.items():
        copied.tasks[id_].__dict__["name"] = task.name
    copied.crew.__dict__["id"] = uuid4()
    return copied.crew


def set_text(part: Any, field: str, text: str) -> None:
    """Give an agent or a task of a copied crew another text, for the inputs of its next kickoff."""
    setattr(part, field, text)
    private = part.__pydantic_private__
    if private is not None and private.get(f"_original_{field}") is not None:
        private[f"_original_{field}"] = text


def replace_llm(agent: Any, edits: dict[str, Any]) -> bool:
    """Give an agent of a copied crew a model made anew with `edits`; False where its model has no such field.

    None takes a parameter back to its default.
    """
    llm = agent.llm
    fields = getattr(type(llm), "model_fields", {})
    if not edits.keys() <= fields.keys():
        return False
    given = {name: getattr(llm, name) for name in llm.model_fields_set if name not in _LLM_DERIVED}
    given.update(edits)
    for name, value in edits.items():
        if value is None:
            del given[name]
    made = type(llm)(**given)
    agent.__dict__["llm"] = made
    private = agent.__pydantic_private__ or {}
    if "_declared_llm" in private:  # what the agent's next copy is made with
        private["_declared_llm"] = made
    return True


def _copy_agent(agent: Any) -> Any:
    copied = _copy(agent)
    inside = copied.__dict__
    for field in ("agent_executor", "crew"):  # of the last kickoff
        if field in inside:
            inside[field] = None
    handler = inside.get("tools_handler")
    if handler is not None:
        inside["tools_handler"] = handler.model_copy()
    return copied


def _copy(part: Any) -> Any:
    """Return a shallow copy whose lists, dicts and sets are its own."""
    copied = part.model_copy()
    for held in (copied.__dict__, copied.__pydantic_private__ or {}):
        for name, value in held.items():
            if type(value) in (list, dict, set):
                held[name] = value.copy()
    return copied
