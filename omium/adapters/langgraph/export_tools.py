"""Tools and agents: what a graph's models may call, as a spec's `tools` and `agents`.

Owns the parts of a document that stand beside its nodes, and that each has one name there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from omium.adapters.langgraph.reading_code import Code
from omium.jsonvalue import JsonValue, json_bytes
from omium.spec.schemas import check_schema

_SCHEMA_BYTES_MAX: Final = 32 * 1024


@dataclass(slots=True)
class Beside:
    """The tools and agents of a document in the making."""

    tools: dict[str, JsonValue] = field(default_factory=dict)
    agents: dict[str, JsonValue] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    _named: list[tuple[Any, str]] = field(default_factory=list)

    def add_tools(self, tools: Mapping[str, Any]) -> list[str]:
        """Describe tools, each once, and return their names in the document."""
        return [self._add_tool(name, tool) for name, tool in sorted(tools.items())]

    def _add_tool(self, name: str, tool: Any) -> str:
        known = next((taken for other, taken in self._named if other is tool), None)
        if known is not None:
            return known
        unique = _unused(name[:190], self.tools)
        self.tools[unique] = describe_tool(tool)
        self._named.append((tool, unique))
        return unique

    def add_agent(self, wanted: str, agent: dict[str, JsonValue]) -> str:
        """Take an agent, and return its name in the document."""
        unique = _unused(wanted, self.agents)
        self.agents[unique] = agent
        return unique

    def because(self, sentence: str) -> None:
        """Note a reason for native mode, once."""
        if sentence not in self.reasons:
            self.reasons.append(sentence)


def describe_tool(tool: Any) -> dict[str, JsonValue]:
    """Return one of LangChain's tools as a spec's: description, schema, and the name of its function."""
    described: dict[str, JsonValue] = {}
    text = getattr(tool, "description", "")
    if isinstance(text, str) and text:
        described["description"] = text[:20_000]
    schema = _schema(tool)
    if schema:
        described["input_schema"] = schema
    function = getattr(tool, "func", None) or getattr(tool, "coroutine", None) or type(tool)
    described["ref"] = {"ref": Code.of(function).ref}
    return described


def _schema(tool: Any) -> dict[str, JsonValue]:
    try:
        found = tool.tool_call_schema  # without what LangGraph itself injects
        made = found if isinstance(found, dict) else found.model_json_schema()
        bare = _without_defaults(made)
        size_bytes = len(json_bytes(bare))
    except Exception:  # a tool of the user's own class, or arguments that have no schema
        return {}
    if not isinstance(bare, dict) or size_bytes > _SCHEMA_BYTES_MAX or check_schema(bare) is not None:
        return {}
    return bare


def _without_defaults(value: Any) -> Any:
    """Return a schema without default values: what a function falls back on may be a key."""
    if isinstance(value, dict):
        return {name: _without_defaults(item) for name, item in value.items() if not _is_default(name, item)}
    if isinstance(value, list):
        return [_without_defaults(item) for item in value]
    return value


def _is_default(name: str, item: Any) -> bool:
    # An argument may itself be called "default": then a schema stands there.
    return name in {"default", "examples"} and not (isinstance(item, dict) and "type" in item)


def _unused(wanted: str, taken: Mapping[str, object]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name
