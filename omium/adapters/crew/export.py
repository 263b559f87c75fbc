"""export_workflow: a crew or a flow of CrewAI as a document of the Workflow Spec.

    subjects.py         what a name in a module stands for      naming.py          ids of nodes
    export_crew.py      tasks, agents, edges                    export_flow.py     methods, routers
    export_engine.py    what the engine runs                    export_modes.py    ... and what not, and why
    export_tools.py     tools and their schemas                 export_llms.py     models
    export_refs.py      code, for people                        export_texts.py    prompts as written
    export_schemas.py   pydantic models                         export_secrets.py  what is left out
    export_policies.py  what `instrument` was told of nodes

The document is the same in every process, byte by byte, and no secret is in it.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from omium.adapters.crew.applied import Applied
from omium.adapters.crew.export_crew import export_crew, read_crew
from omium.adapters.crew.export_engine import export_engine
from omium.adapters.crew.export_flow import export_flow
from omium.adapters.crew.export_modes import explain_native
from omium.adapters.crew.export_policies import add_policies
from omium.adapters.crew.export_secrets import withhold
from omium.adapters.crew.naming import find_definition, is_flow
from omium.adapters.crew.subjects import find_policies, get_subject
from omium.errors import ConfigError
from omium.jsonvalue import JsonValue
from omium.spec.limits import NAME_CHARACTERS_MAX

Mode = Literal["engine", "native"]
_FLOW: Final = "The methods of a flow are Python code, and CrewAI chooses which of them follow."
_WANTED: Final = "It was exported for CrewAI, though Omium's engine could run it."
_JUDGED: Final = "The output of {} is judged by a schema, as CrewAI gives it."
_UNNAMED: Final = "crew"
"""What CrewAI calls a crew that nobody named."""


def export_workflow(
    obj: object, *, name: str | None = None, entrypoint: str | None = None, mode: Mode | None = None
) -> dict[str, JsonValue]:
    """Return `obj` as a workflow spec: a crew, a flow, or a class or function that makes one.

    `name` is the workflow's, by default the crew's or the flow's own. `entrypoint` is what a worker is told
    to serve, such as `crew.py:crew`. The mode is `engine` where Omium's engine does the same work in the same
    order without CrewAI, else `native`, with the reasons in `x-native-because`; `mode` asks for one of them.
    Raises `ConfigError` for what is no crew and no flow, has no task or method, or cannot be what `mode` asks
    for.
    """
    subject = get_subject(obj)
    if is_flow(subject):
        called, because, parts = str(find_definition(subject).name), [_FLOW], export_flow(subject)
        owners: list[Any] = [subject]
    else:
        crew = read_crew(subject, obj.agents if isinstance(obj, Applied) else None)
        called, owners = _name_crew(subject, entrypoint), [subject, *crew.agents.values()]
        because = explain_native(subject, crew.tasks, crew.agents) if crew.tasks else []
        policies = find_policies(obj)
        because += [
            _JUDGED.format(id_) for id_ in crew.tasks if id_ in policies and policies[id_].output_schema
        ]
        if not because and mode == "native":
            because = [_WANTED]
        parts = export_crew(crew) if because else export_engine(crew)
    if not parts["nodes"]:
        raise ConfigError(f"{called} has nothing to do: a workflow needs a task, or a method marked @start.")
    if because and mode == "engine":
        raise ConfigError(f"Only CrewAI itself can run {called}: {' '.join(because)}")
    add_policies(parts, find_policies(obj))
    document: dict[str, JsonValue] = {
        "omium": "0",
        "name": (name or called)[:NAME_CHARACTERS_MAX],
        "source_framework": "crewai",
        **{field: value for field, value in parts.items() if value not in ({}, [], None)},
        "runtime": {
            "mode": "native" if because else "engine",
            **({"entrypoint": entrypoint} if entrypoint else {}),
        },
    }
    if because:
        document["x-native-because"] = list[JsonValue](because)
    return withhold(document, owners)


def _name_crew(crew: Any, entrypoint: str | None) -> str:
    """Return a crew's name, or for one that has none the name that its module knows it by."""
    if crew.name and crew.name != _UNNAMED:
        return str(crew.name)
    return (entrypoint or "").rpartition(":")[2] or _UNNAMED
