"""What a JSON Schema says of a part of a value: whether it is there, and of which type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from omium.jsonvalue import JsonValue
from omium.spec.problems import did_you_mean, split_pointer

_SCALARS: Final = frozenset({"string", "number", "integer", "boolean", "null"})
_TYPES: Final = _SCALARS | {"array", "object"}
_OPEN: Final = ("patternProperties", "anyOf", "oneOf", "allOf", "if", "$dynamicRef", "dependentSchemas")
_REFERENCES_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class Inside:
    """What a schema says of a path."""

    schema: JsonValue
    """Of what stands there; True where nothing is known."""
    is_optional: bool = False
    """Whether it is declared, and may be left out all the same."""
    refused: str = ""
    """A sentence why it cannot be there, or is not declared; empty: it can."""
    suggestion: str = ""
    whole: JsonValue = True
    """The schema that `schema` is a part of, in which its `$ref`s look."""


def look_inside_schema(whole: JsonValue, parts: tuple[str, ...]) -> Inside:
    """Return what the schema `whole` says of the path `parts` in a value."""
    schema, is_optional = follow(whole, whole), False
    for part in parts:
        if not isinstance(schema, dict) or not schema or any(word in schema for word in _OPEN):
            return Inside(True)
        types = types_of(schema, whole)
        if types is not None and types <= _SCALARS:
            return _refuse(f"{_a(types)} has no part {part!r}.", "Remove what follows, or mend the schema.")
        properties = schema.get("properties")
        if types == frozenset({"array"}) or (part.isdigit() and "items" in schema):
            if not part.isdigit():
                return _refuse(f"A list has no part {part!r}.", "Name an item by its number, from 0.")
            schema, is_optional = follow(schema.get("items", True), whole), True
        elif isinstance(properties, dict) and part in properties:
            required = schema.get("required")
            is_optional = is_optional or not (isinstance(required, list) and part in required)
            schema = follow(properties[part], whole)
        elif isinstance(properties, dict) and not isinstance(schema.get("additionalProperties"), dict):
            if schema.get("additionalProperties") is True:
                return Inside(True)
            return _refuse(f"The schema has no {part!r}.", did_you_mean(part, properties))
        else:
            return Inside(True)
    return Inside(schema, is_optional, whole=whole)


def _refuse(sentence: str, suggestion: str) -> Inside:
    return Inside(True, refused=sentence, suggestion=suggestion)


def follow(schema: JsonValue, whole: JsonValue) -> JsonValue:
    """Return what a `$ref` into `whole` names, or the schema itself."""
    for _ in range(_REFERENCES_MAX):
        address = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(address, str):
            return schema
        found = whole
        for key in split_pointer(address):
            found = found.get(key, True) if isinstance(found, dict) else True
        schema = found
    return True


def types_of(schema: JsonValue, whole: JsonValue) -> frozenset[str] | None:
    """Return the JSON types of what the schema takes; None where it does not say."""
    schema = follow(schema, whole)
    if not isinstance(schema, dict):
        return None
    if "type" in schema:
        named = schema["type"]
        types = frozenset(str(each) for each in (named if isinstance(named, list) else [named]))
        return types if types <= _TYPES else None
    if "const" in schema:
        return frozenset({type_name(schema["const"])})
    values = schema.get("enum")
    if isinstance(values, list) and values:
        return frozenset(type_name(each) for each in values)
    return None


def type_name(value: JsonValue) -> str:
    """Return the JSON type of a value."""
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")


def do_types_meet(given: frozenset[str] | None, asked: frozenset[str] | None) -> bool:
    """Say whether a value of one of the types `given` may be one of those `asked`."""
    if given is None or asked is None:
        return True
    numbers = frozenset({"integer", "number"})
    widened = given if given.isdisjoint(numbers) else given | numbers
    return not widened.isdisjoint(asked)


def say_types(types: frozenset[str] | None) -> str:
    """Return the types as a sentence names them."""
    return " or ".join(sorted(types or ())) or "anything"


def _a(types: frozenset[str]) -> str:
    words = say_types(types)
    return f"{'An' if words[0] in 'aeiou' else 'A'} {words}"
