"""JSON bytes: what is sent and stored, and the canonical form that is hashed.

Owns the type `JsonValue`, writing and hashing. Reading foreign bytes is
parse.py, Python values that JSON has no form for are encode.py and decode.py.

Two writers on purpose. `json_bytes` keeps the order in which keys were inserted, and is for what comes back
to a user's code: a dict that came back sorted would build another prompt. `canonical_bytes` sorts keys by
code point, and is for digests, where order must not count.
"""

from __future__ import annotations

import hashlib
import json
from typing import TypeAlias

from omium.errors import Unserialisable

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

# allow_nan=False: NaN is not JSON. Floats are written by repr(): the shortest text that reads back equal,
# with -0.0 and 1.0 told from 0 and 1.
_ORDERED = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_SORTED = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)


def json_bytes(value: JsonValue) -> bytes:
    """Return `value` as compact UTF-8 JSON in its own key order; `Unserialisable` if it is not JSON."""
    return _write(_ORDERED, value)


def canonical_bytes(value: JsonValue) -> bytes:
    """Return the one canonical UTF-8 text of `value`, keys sorted; `Unserialisable` if it is not JSON."""
    return _write(_SORTED, value)


def digest(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _write(encoder: json.JSONEncoder, value: JsonValue) -> bytes:
    try:
        return encoder.encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        raise Unserialisable(
            f"This is not a JSON value ({error}); turn Python values into one with `encode` first.",
            type_name=type(value).__name__,
        ) from error
