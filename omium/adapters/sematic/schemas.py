"""Schemas: the types of a pipeline's arguments as JSON Schema, for people who start it and for checks.

Owns only what JSON itself can say. A type that it cannot say allows anything: Sematic checks the values.
Defaults are never written: a schema tells that an argument may be left out, not what it is then.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any, Final

from sematic.function import Function

from omium.jsonvalue import JsonValue

_PLAIN: Final[Mapping[Any, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}
_DEPTH_MAX: Final = 8  # a dataclass may hold itself


def make_inputs_schema(function: Function) -> dict[str, JsonValue]:
    """Return the JSON Schema of what `function` is called with."""
    parameters = function.__signature__().parameters
    required: list[JsonValue] = [
        name for name in function.input_types if parameters[name].default is inspect.Parameter.empty
    ]
    properties: dict[str, JsonValue] = {
        name: make_type_schema(type_) for name, type_ in function.input_types.items()
    }
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def make_type_schema(type_: Any, depth: int = 0) -> dict[str, JsonValue]:
    """Return the JSON Schema of a type, empty where anything goes."""
    if type_ in _PLAIN:
        return {"type": _PLAIN[type_]}
    if depth > _DEPTH_MAX:
        return {}
    origin, inner = typing.get_origin(type_), typing.get_args(type_)
    if origin in (typing.Union, types.UnionType):
        options: list[JsonValue] = [make_type_schema(each, depth + 1) for each in inner]
        return {} if {} in options else {"anyOf": options}
    if origin in (list, set, frozenset) and inner:
        return {"type": "array", "items": make_type_schema(inner[0], depth + 1)}
    if origin is tuple and Ellipsis not in inner:
        items: list[JsonValue] = [make_type_schema(each, depth + 1) for each in inner]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if origin is dict and inner[0] is str:
        return {"type": "object", "additionalProperties": make_type_schema(inner[1], depth + 1)}
    if isinstance(type_, type) and issubclass(type_, enum.Enum):
        return {"enum": [*type_.__members__]}
    if isinstance(type_, type) and dataclasses.is_dataclass(type_):
        return _make_dataclass_schema(type_, depth)
    return {}


def _make_dataclass_schema(class_: Any, depth: int) -> dict[str, JsonValue]:
    fields = dataclasses.fields(class_)
    required: list[JsonValue] = [
        each.name
        for each in fields
        if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
    ]
    properties: dict[str, JsonValue] = {
        each.name: {} if isinstance(each.type, str) else make_type_schema(each.type, depth + 1)
        for each in fields
    }
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}
