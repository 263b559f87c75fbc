"""Results: what a step, a workflow or a handler returned, as the JSON that is recorded of it.

Owns the reasons for which it cannot be, said with the name of whose result it is: it has no form, is too
large, or not as its schema asks. How values become JSON is omium/jsonvalue/encode.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omium.errors import OmiumError, OutputInvalid, Unserialisable
from omium.jsonvalue import (
    MAX_VALUE_BYTES,
    JsonValue,
    TypeRegistry,
    encode,
    is_surely_small,
    json_bytes,
    plain,
)
from omium.later import later

_schemas = later("omium.spec.schemas")  # few steps have one


def encode_result(who: str, result: object, types: TypeRegistry) -> JsonValue:
    """Return `result` as JSON; raises `Unserialisable` naming `who` returned it. It may be too large."""
    try:
        return encode(result, types=types)
    except Unserialisable as error:
        raise Unserialisable(
            f"{who} returned something that cannot be recorded. {error}",
            type_name=error.type_name,
            path=error.path,
        ) from error


def encode_bounded(who: str, result: object, types: TypeRegistry) -> JsonValue:
    """Return `result` as `encode_result` does; raises `Unserialisable` also where it is too large."""
    output = encode_result(who, result, types)
    if is_surely_small(output):
        return output
    if (size_bytes := len(json_bytes(output))) > MAX_VALUE_BYTES:
        raise Unserialisable(
            f"{who} returned {size_bytes} bytes, more than the {MAX_VALUE_BYTES} that one recorded value may "
            "take. Save it to a file or a store, and return where it is.",
            type_name=type(result).__name__,
        )
    return output


def take_whole(output: JsonValue) -> tuple[JsonValue, ...]:
    """Return what a schema judges of an output: all of it, as people see it, without the tags of classes."""
    return (plain(output),)


def judge_output(who: str, output: JsonValue, schema: Mapping[str, Any]) -> None:
    """Raise `OutputInvalid`, naming `who`, where `output` is not as `schema` asks."""
    problems = _schemas().check_value(schema, output)
    if problems:
        first, more = problems[0], f" And {len(problems) - 1} more." if problems[1:] else ""
        at = f"{first.pointer}: " if first.pointer else ""
        raise OutputInvalid(
            f"What {who} returned is not as its schema asks: {at}{first.detail}{more}", pointer=first.pointer
        )


def find_schema_fault(schema: Mapping[str, Any]) -> str:
    """Return why no output can be judged by `schema`, empty if it can be used."""
    try:
        refused = _schemas().check_schema(schema)
    except (OmiumError, TypeError, ValueError) as error:
        return f"A schema is JSON, and this is none: {error}"
    if refused is None:
        return ""
    return f"{refused} (at {refused.pointer})" if refused.pointer else str(refused)
