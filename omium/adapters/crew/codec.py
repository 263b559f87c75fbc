"""How CrewAI's outputs are recorded: what people look at and edit, without the conversation behind it.

A pydantic output comes back as an object of its class if this process knows that class; a class is looked up
among what is loaded, nothing is imported because a record says so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from crewai import CrewOutput, TaskOutput
from pydantic import BaseModel, ValidationError

from omium.adapters.crew.plain import make_plain
from omium.jsonvalue import TypeRegistry

_TASK_OUTPUT = "crewai.task_output"
_CREW_OUTPUT = "crewai.crew_output"
_TEXTS = ("raw", "name", "description", "expected_output", "agent")
_FORM = frozenset({*_TEXTS, "json_dict", "output_format"})


def register_codecs(types: TypeRegistry) -> None:
    """Let `types` record outputs of tasks and crews. Called twice it changes nothing."""
    if types.find_codec_by_tag(_TASK_OUTPUT) is None:
        types.register_codec(_TASK_OUTPUT, TaskOutput, dump_task_output, load_task_output)
        types.register_codec(_CREW_OUTPUT, CrewOutput, _dump_crew_output, _load_crew_output)


def dump_task_output(output: TaskOutput) -> dict[str, Any]:
    """Return what is recorded of a task's output."""
    form: dict[str, Any] = {name: getattr(output, name) for name in _TEXTS}
    form["output_format"] = output.output_format.value
    if output.json_dict is not None:
        form["json_dict"] = make_plain(output.json_dict)
    if output.pydantic is not None:
        form["pydantic"] = _dump_model(output.pydantic)
    if failures := getattr(output, "tool_failures", None):  # younger than the oldest CrewAI that is supported
        form["tool_failures"] = [make_plain(each.model_dump(mode="json")) for each in failures]
    return form


def load_task_output(recorded: Any) -> TaskOutput:
    """Return the output that was recorded."""
    form = {**recorded}
    form["pydantic"] = _load_model(form.get("pydantic"))
    form = {name: value for name, value in form.items() if value is not None}
    try:
        return TaskOutput(**form)
    except ValidationError:  # failures of tools that an older CrewAI described otherwise
        form.pop("tool_failures", None)
        return TaskOutput(**form)


def restore_task_output(recorded: Any, task: Any, agent: Any) -> TaskOutput:
    """Return a task's recorded output; an edited one may be a text, or an object with only `raw`."""
    if not isinstance(recorded, TaskOutput):
        edited = dict(recorded) if isinstance(recorded, Mapping) else {"raw": recorded}
        raw = edited.get("raw", recorded)
        about = {
            "name": task.name or task.description,
            "description": task.description,
            "expected_output": task.expected_output,
            "agent": getattr(agent, "role", "") or "",
            "raw": raw if isinstance(raw, str) else json.dumps(make_plain(raw), ensure_ascii=False),
        }
        recorded = load_task_output(
            {**about, **{k: v for k, v in edited.items() if k in _FORM and k != "raw"}}
        )
    model = getattr(task, "output_pydantic", None)
    if model is not None and not isinstance(recorded.pydantic, model):
        recorded.pydantic = _parse(model, recorded)
    elif getattr(task, "output_json", None) is not None and recorded.json_dict is None:
        parsed = _parse(task.output_json, recorded)
        recorded.json_dict = None if parsed is None else parsed.model_dump()
    return recorded


def _parse(model: type[BaseModel], output: TaskOutput) -> BaseModel | None:
    try:
        return model.model_validate_json(output.raw)
    except ValidationError:
        return None


def _dump_crew_output(output: CrewOutput) -> dict[str, Any]:
    form: dict[str, Any] = {
        "raw": output.raw,
        "tasks": [dump_task_output(each) for each in output.tasks_output],
    }
    if output.json_dict is not None:
        form["json_dict"] = make_plain(output.json_dict)
    if output.pydantic is not None:
        form["pydantic"] = _dump_model(output.pydantic)
    return form


def _load_crew_output(recorded: Any) -> CrewOutput:
    return CrewOutput(
        raw=recorded["raw"],
        json_dict=recorded.get("json_dict"),
        pydantic=_load_model(recorded.get("pydantic")),
        tasks_output=[load_task_output(each) for each in recorded["tasks"]],
    )


def _dump_model(model: BaseModel) -> dict[str, Any]:
    class_ = type(model)
    return {"class": f"{class_.__module__}:{class_.__qualname__}", "value": model.model_dump(mode="json")}


def _load_model(form: Any) -> BaseModel | None:
    if not isinstance(form, Mapping) or "class" not in form:
        return None
    module, _, name = str(form["class"]).partition(":")
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        return None
    try:
        return found.model_validate(form["value"])
    except ValidationError:  # the class has changed since
        return None
