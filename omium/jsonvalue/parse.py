"""Reading JSON that a stranger sent: everything that databases or readers disagree about is refused.

Owns the fast way: the standard library's C scanner with hooks, after two screens that cost a few passes over
the bytes. Only when something is refused does locate.py walk the text to say where. Tagged forms are not
looked at here (decode.py). The rules are in docs/security.md, "JSON".
"""

from __future__ import annotations

import json
import re
import sys

from omium.errors import InvalidJson
from omium.jsonvalue.canonical import JsonValue
from omium.jsonvalue.limits import DEFAULT_LIMITS, MAX_INTEGER, MIN_INTEGER, JsonLimits
from omium.jsonvalue.locate import find_fault

_WHITESPACE = " \t\n\r"
_SUSPICIOUS_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_BUT_STRUCTURE = bytes(sorted(set(range(256)) - set(b'[]{},"')))
_ONE_BRACKET = bytes.maketrans(b"{}", b"[]")
_CHUNK_BYTES = 256 * 1024


class _RefusedError(ValueError):
    """A hook met something that is not acceptable; where it stands is found afterwards."""


def parse_json(data: bytes | str, *, limits: JsonLimits = DEFAULT_LIMITS) -> JsonValue:
    """Return the value that `data` (UTF-8) describes, or raise `InvalidJson` with member `pointer`.

    Refused beside bad syntax: more structure than `limits`, NaN, Infinity and numbers that overflow, integers
    beyond 64 bits, duplicate keys, lone surrogates, NUL characters, invalid UTF-8. Memory and time are
    bounded by the length of `data`.
    """
    try:
        raw = data.encode() if isinstance(data, str) else data
        text = (data if isinstance(data, str) else data.decode()).strip(_WHITESPACE)
        _screen_structure(raw, limits)
        scanner = _SCANNER if limits is DEFAULT_LIMITS else _make_scanner(limits)
        value, end = scanner.scan_once(text, 0)  # type: ignore[attr-defined]  # missing in typeshed
        if end != len(text):
            raise _RefusedError
        if b"\\u" in raw and _SUSPICIOUS_ESCAPE.search(raw):
            _refuse_bad_characters(raw, value)
    except (ValueError, StopIteration):  # UnicodeError and JSONDecodeError are ValueErrors
        pointer, detail = find_fault(data, limits)
        raise InvalidJson(detail, pointer=pointer) from None  # the causes would hold the whole body
    return value  # type: ignore[no-any-return]  # the scanner returns what JsonValue lists


def _screen_structure(raw: bytes, limits: JsonLimits) -> None:
    """Refuse what is too deep or too many, before the scanner recurses into it."""
    opened = raw.count(b"[") + raw.count(b"{")
    if opened <= limits.max_depth and opened + raw.count(b",") <= limits.max_values:
        return
    structure = _structure_outside_strings(raw)
    containers = structure.count(b"[") + structure.count(b"{")
    if containers > limits.max_containers or containers + structure.count(b",") > limits.max_values:
        raise _RefusedError
    brackets = structure.translate(_ONE_BRACKET, b",")
    for _ in range(limits.max_depth):  # each round takes the innermost level away
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if brackets:  # deeper, or never closed
        raise _RefusedError


def _structure_outside_strings(raw: bytes) -> bytes:
    """Return only the brackets and commas of `raw` that are not inside a string.

    In chunks, because splitting a hostile 16 MiB of quotes at once would take 40 times that in memory.
    """
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = raw.translate(None, _BUT_STRUCTURE)
    kept, inside = [], 0
    for start in range(0, len(marks), _CHUNK_BYTES):
        pieces = marks[start : start + _CHUNK_BYTES].split(b'"')
        kept.append(b"".join(pieces[inside::2]))
        inside = (inside + len(pieces) - 1) % 2
    return b"".join(kept)


def _refuse_bad_characters(raw: bytes, value: JsonValue) -> None:
    """Refuse escapes that make a NUL or half of a surrogate pair; whole pairs are fine."""
    if b"\\u0000" in raw.replace(b"\\\\", b""):  # where the backslash is not itself escaped
        raise _RefusedError
    json.dumps(value, ensure_ascii=False).encode()  # raises UnicodeEncodeError at a lone surrogate


def _parse_int(text: str) -> int:
    if len(text) < 19:  # 18 digits always fit
        return int(text)
    if len(text) <= 20 and MIN_INTEGER <= (number := int(text)) <= MAX_INTEGER:
        return number
    raise _RefusedError


def _parse_float(text: str) -> float:
    number = float(text)
    if -sys.float_info.max <= number <= sys.float_info.max:
        return number
    raise _RefusedError


def _refuse_constant(text: str) -> JsonValue:
    raise _RefusedError(text)


def _make_scanner(limits: JsonLimits) -> json.JSONDecoder:
    def make_object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        made = dict(pairs)
        if len(made) != len(pairs) or len(made) > limits.max_keys:
            raise _RefusedError
        return made

    return json.JSONDecoder(
        object_pairs_hook=make_object,
        parse_int=_parse_int,
        parse_float=_parse_float,
        parse_constant=_refuse_constant,
    )


_SCANNER = _make_scanner(DEFAULT_LIMITS)
