"""SQLite's JSONB, read without SQLite: it has the functions for it only from 3.45 on.

The form is that of https://sqlite.org/jsonb.html: four bits of type, four of size (or of where it stands),
then the content.
"""

from __future__ import annotations

import json
from typing import Final

from omium.jsonvalue import JsonValue

DEPTH_MAX: Final = 200
VALUES_MAX: Final = 2_000_000
"""An empty list takes one byte there, and 56 here."""
DIGITS_MAX: Final = 1_000
"""Of a number; Python refuses to write one of 4,300 as text, as JSON's are read."""
_CONSTANTS: Final[dict[int, JsonValue]] = {0: None, 1: True, 2: False}
_SIZES: Final = {12: 1, 13: 2, 14: 4, 15: 8}


class NotJsonb(ValueError):
    """The bytes are no JSONB that is read here."""


def read_jsonb(data: bytes) -> JsonValue:
    """Return the one value that `data` holds. Raises `NotJsonb`."""
    value, end = _read(data, 0, len(data), 0, [VALUES_MAX])
    if end != len(data):
        raise NotJsonb("something follows the value")
    return value


def _read(data: bytes, at: int, end: int, depth: int, left: list[int]) -> tuple[JsonValue, int]:
    """Return the value that begins at `at`, and where it ends, which is not behind `end`.

    `left` holds how many values may still be made.
    """
    left[0] -= 1
    if left[0] < 0:
        raise NotJsonb(f"it holds more than {VALUES_MAX:,} values")
    if at >= end or depth > DEPTH_MAX:
        raise NotJsonb(f"it ends before its end, or holds values deeper than {DEPTH_MAX}")
    kind, size = data[at] & 15, data[at] >> 4
    at += 1
    if size > 11:
        more = _SIZES[size]
        size, at = int.from_bytes(data[at : at + more], "big"), at + more
    stop = at + size
    if stop > end:
        raise NotJsonb("it ends before its end")
    if kind in _CONSTANTS:
        return _CONSTANTS[kind], stop
    if kind == 11:
        items: list[JsonValue] = []
        while at < stop:
            item, at = _read(data, at, stop, depth + 1, left)
            items.append(item)
        return items, stop
    if kind == 12:
        members: dict[str, JsonValue] = {}
        while at < stop:
            name, at = _read(data, at, stop, depth + 1, left)
            if not isinstance(name, str):  # as a text it could be of any length
                raise NotJsonb("a name in it is no text")
            members[name], at = _read(data, at, stop, depth + 1, left)
        return members, stop
    return _scalar(kind, data[at:stop]), stop


def _scalar(kind: int, content: bytes) -> JsonValue:
    try:
        text = content.decode()
        match kind:
            case 3 | 4:
                if len(text) > DIGITS_MAX:
                    raise NotJsonb(f"a number in it has more than {DIGITS_MAX} digits")
                return int(text, 0) if kind == 4 else int(text)
            case 5 | 6:
                return float(text)
            case 7 | 10:
                return text
            case 8 | 9:  # with JSON's escapes; of JSON5's further ones, those that JSON has too
                found: JsonValue = json.loads(f'"{text}"', strict=False)
                return found
            case _:
                raise NotJsonb("a byte in it begins no value")
    except (ValueError, RecursionError) as error:
        if isinstance(error, NotJsonb):
            raise
        raise NotJsonb("a number or a text in it is none") from None
