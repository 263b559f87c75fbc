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
from collections.abc import Callable
from typing import Final, TypeAlias

from omium.errors import Unserialisable
from omium.jsonvalue.limits import INLINE_BYTES

LOOKED_AT_MAX: Final = 64

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"


def _make_writer(*, sort_keys: bool) -> Callable[[object], str]:
    """Return what `JSONEncoder.encode` does, without what it makes anew for each value.

    allow_nan=False: NaN is not JSON. Floats are written by repr(): the shortest text that reads back equal,
    with -0.0 and 1.0 told from 0 and 1. What contains itself ends as a RecursionError.
    """
    encoder = json.JSONEncoder(
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
        sort_keys=sort_keys,
        check_circular=False,
    )
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # an interpreter without the C module
        return encoder.encode
    text, join = json.encoder.encode_basestring, "".join
    write = make(None, encoder.default, text, None, ":", ",", sort_keys, False, False)
    return lambda value: text(value) if type(value) is str else join(write(value, 0))


_ORDERED = _make_writer(sort_keys=False)
_SORTED = _make_writer(sort_keys=True)


def json_bytes(value: JsonValue) -> bytes:
    """Return `value` as compact UTF-8 JSON in its own key order; `Unserialisable` if it is not JSON."""
    return _write(_ORDERED, value)


def canonical_bytes(value: JsonValue) -> bytes:
    """Return the one canonical UTF-8 text of `value`, keys sorted; `Unserialisable` if it is not JSON."""
    return _write(_SORTED, value)


def canonical_of(value: JsonValue, body: bytes) -> bytes:
    """Return `canonical_bytes(value)`, where `body` is its `json_bytes` already.

    A text with one colon after a quote has at most one key, so there is nothing to sort: most results.
    """
    return body if body.count(b'":') < 2 else canonical_bytes(value)


def is_surely_small(value: JsonValue) -> bool:
    """Say whether what `encode` made takes less than `INLINE_BYTES` for certain; False: measure it.

    A look at the first few dozen values: for what steps usually return that is a fraction of writing it.
    """
    room_bytes, waiting = INLINE_BYTES, [value]
    while waiting:
        each = waiting.pop()
        room_bytes -= 32  # quotes, commas and the longest number
        if isinstance(each, str):
            room_bytes -= 6 * len(each)  # as control characters would be written
        elif isinstance(each, dict | list):
            if len(each) + len(waiting) > LOOKED_AT_MAX:
                return False
            if isinstance(each, dict):
                room_bytes -= 6 * sum(map(len, each))
                waiting += each.values()
            else:
                waiting += each
        if room_bytes < 0:
            return False
    return True


def digest(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _write(writer: Callable[[object], str], value: JsonValue) -> bytes:
    try:
        return writer(value).encode()
    except (TypeError, ValueError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        raise Unserialisable(
            f"This is not a JSON value ({error}); turn Python values into one with `encode` first.",
            type_name=type(value).__name__,
        ) from error
