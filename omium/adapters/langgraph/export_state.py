"""State: a graph's channels with their reducers, and the schema of its input, as a spec says them.

Starts are judged by the schema, which is no stricter than LangGraph: what a `TypedDict` asks for is not
required, and messages may be given in each of the forms that LangChain reads. But a name that the state does
not have is refused, as LangGraph would drop its value without a word.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated, Any, Final, get_args, get_origin

from langgraph.channels.binop import BinaryOperatorAggregate
from langgraph.pregel import Pregel
from pydantic import BaseModel

from omium.adapters.langgraph.reading_code import Code
from omium.jsonvalue import JsonValue

_KEPT: Final = frozenset({"type", "title", "description", "format"})
"""Of a field's schema: no defaults or examples, which are values of the user's."""


def state_of(builder: Any) -> dict[str, JsonValue]:
    """Return the channels of a graph's state by name, in the order of its schema."""
    channels: dict[str, JsonValue] = {name: _channel(each) for name, each in builder.channels.items()}
    for name, managed in (getattr(builder, "managed", None) or {}).items():
        channels[name] = {"type": getattr(managed, "__name__", type(managed).__name__), "managed": True}
    return {"channels": channels}


def list_reduced(builder: Any) -> list[str]:
    """Return the names of channels that merge what several nodes write."""
    return [name for name, each in builder.channels.items() if isinstance(each, BinaryOperatorAggregate)]


def _channel(channel: Any) -> JsonValue:
    described: dict[str, JsonValue] = {"type": type(channel).__name__}
    reducer = getattr(channel, "operator", None) or getattr(channel, "reducer", None)
    if reducer is not None:
        described["reducer"] = Code.of(reducer).ref
    value = getattr(channel, "typ", None) or object
    value_type = inspect.formatannotation(get_args(value)[0] if get_origin(value) is Annotated else value)
    if "<" not in value_type and value is not object:  # what has no name is shown by its address
        described["value"] = value_type[:300]
    return described


def input_schema_of(graph: Pregel[Any, Any, Any, Any]) -> dict[str, JsonValue]:
    """Return a JSON Schema of the graph's input; empty where LangGraph cannot make one."""
    try:
        schema = graph.get_input_jsonschema()
    except Exception:  # pydantic refuses some annotations (typing.TypedDict before Python 3.12)
        schema = _names_only(graph)
    fields = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(fields, Mapping):
        return {}
    builder = getattr(graph, "builder", None)
    managed = getattr(builder, "managed", None) or {}
    made: dict[str, Any] = {
        "type": "object",
        "properties": {str(name): _simple(field) for name, field in fields.items() if name not in managed},
    }
    declared = getattr(builder, "input_schema", None)
    required = schema.get("required")
    is_checked = isinstance(declared, type) and issubclass(declared, BaseModel)
    if not is_checked:
        made["properties"] = {name: _or_null(field) for name, field in made["properties"].items()}
    if is_checked and required:
        made["required"] = [str(name) for name in required]
    known = {*getattr(builder, "channels", ()), *managed}  # of an `@entrypoint`, which gets all, none
    if known and fields.keys() <= known:  # or else a field has another name, too
        made["additionalProperties"] = False
    return made


def _or_null(field: Any) -> JsonValue:
    """Return the schema of a field of a class that nobody checks: there is often None in it at the start."""
    return {**field, "type": [field["type"], "null"]} if "type" in field else field


def _names_only(graph: Pregel[Any, Any, Any, Any]) -> dict[str, Any]:
    channels = getattr(getattr(graph, "builder", None), "channels", {})
    return {"type": "object", "properties": {name: {} for name in channels}}


def _simple(field: Any) -> JsonValue:
    if not isinstance(field, Mapping):
        return {}
    kept: dict[str, JsonValue] = {
        name: value for name, value in field.items() if name in _KEPT and isinstance(value, str)
    }
    if field.get("type") == "array" and "$ref" in str(field.get("items", "")):
        kept.pop("type")  # messages: one alone is read as well
    elif isinstance(field.get("items"), Mapping):
        kept["items"] = _simple(field["items"])
    return kept
