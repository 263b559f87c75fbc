"""Results: what a step, a workflow or a handler returned, as the JSON that is recorded of it.

Owns the two reasons for which it cannot be, said with the name of whose result it is. How values become JSON
is omium/jsonvalue/encode.py.
"""

from __future__ import annotations

from omium.errors import Unserialisable
from omium.jsonvalue import MAX_VALUE_BYTES, JsonValue, TypeRegistry, encode, is_surely_small, json_bytes


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
