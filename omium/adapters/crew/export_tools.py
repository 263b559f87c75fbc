"""Tools of agents and tasks in a document: what a model is told of them, and whose code they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from omium.adapters.crew.export_refs import make_ref
from omium.adapters.crew.export_schemas import make_schema
from omium.jsonvalue import JsonValue

_NAME_CHARACTERS_MAX: Final = 190
_TOLD: Final = "Tool Description: "
"""Older descriptions hold name and schema, too, and then this."""


class Tools:
    """The tools of a crew, each once, by names that no two share."""

    def __init__(self) -> None:
        self.by_name: dict[str, Any] = {}

    def add(self, tools: Iterable[Any] | None) -> list[str]:
        """Return the names of `tools`, after taking in those that are new."""
        return list(dict.fromkeys(self._name(tool) for tool in tools or ()))

    def _name(self, tool: Any) -> str:
        wanted = str(getattr(tool, "name", None) or type(tool).__name__)[:_NAME_CHARACTERS_MAX]
        name, number = wanted, 1
        while name in self.by_name and not _is_same(self.by_name[name], tool):
            number += 1
            name = f"{wanted}-{number}"
        self.by_name.setdefault(name, tool)
        return name

    def export(self) -> dict[str, JsonValue]:
        """Return the document's `tools`."""
        return {name: export_tool(tool) for name, tool in self.by_name.items()}


def export_tool(tool: Any) -> dict[str, JsonValue]:
    """Return a tool: its description, the schema of its arguments, and its code for people."""
    exported: dict[str, JsonValue] = {}
    description = str(getattr(tool, "description", None) or "")
    if _TOLD in description:
        description = description.partition(_TOLD)[2]
    if description:
        exported["description"] = description
    schemas = (("input_schema", "args_schema"), ("output_schema", "result_schema"))
    for field, attribute in schemas:
        schema = make_schema(getattr(tool, attribute, None))
        if schema:
            exported[field] = schema
    function = getattr(tool, "func", None)
    exported["ref"] = make_ref(function if callable(function) else type(tool))
    return exported


def _is_same(one: Any, other: Any) -> bool:
    """Say whether two tools are one: CrewAI copies a tool when it hands it to a task."""
    if one is other:
        return True
    ours, theirs = getattr(one, "func", None), getattr(other, "func", None)
    if ours is not None or theirs is not None:
        return ours is theirs
    return type(one) is type(other) and _schema(one) == _schema(other)


def _schema(tool: Any) -> dict[str, JsonValue]:
    return {"": str(getattr(tool, "description", "")), **make_schema(getattr(tool, "args_schema", None))}
