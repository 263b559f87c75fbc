"""Stored values for people: as JSON, cut where they are long, objects as their class and its parts.

Nothing is made of them. An object that keeps a secret for itself (pydantic's `SecretStr`) is concealed here,
the server looks for others.
"""

from __future__ import annotations

import base64
import math
from typing import Final

from omium.adapters.attach.packed import Extension, NotPacked, Packed, read_packed
from omium.jsonvalue import JsonValue, json_bytes

VALUE_BYTES_MAX: Final = 32 * 2**10
TEXT_MAX: Final = 8 * 2**10
ITEMS_MAX: Final = 2_000
_DEPTH_MAX: Final = 20
_CUT: Final = "… (cut)"
_NUMPY: Final = 6
_DELTA: Final = 7


def make_plain(value: Packed) -> JsonValue:
    """Return `value` as JSON of at most `VALUE_BYTES_MAX`; of what is longer the beginning."""
    found = _plain(value, 0, [ITEMS_MAX])
    body = json_bytes(found)
    if len(body) <= VALUE_BYTES_MAX:
        return found
    return body[: VALUE_BYTES_MAX // 2].decode(errors="ignore") + _CUT


def _plain(value: Packed, depth: int, left: list[int]) -> JsonValue:
    left[0] -= 1
    if left[0] < 0 or depth > _DEPTH_MAX:
        return _CUT
    match value:
        case None | bool():
            return value
        case int():
            return value if -(2**63) <= value < 2**63 else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return clean_text(value)
        case bytes():
            return f"({len(value)} bytes)" if len(value) > 64 else base64.b64encode(value).decode()
        case Extension():
            return _object(value, depth, left)
        case list():
            return [_plain(each, depth + 1, left) for each in value[: left[0] + 1]]
        case dict():
            members = list(value.items())[: left[0] + 1]
            return {clean_text(name): _plain(each, depth + 1, left) for name, each in members}


def clean_text(text: str) -> str:
    """Return `text` as JSON can hold it, cut after `TEXT_MAX` characters."""
    cut = text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + _CUT
    return cut.replace("\x00", "").encode(errors="ignore").decode()


def _object(value: Extension, depth: int, left: list[int]) -> JsonValue:
    """Return an object of LangGraph's serialiser: module, class and what it is made from."""
    if value.code == _NUMPY:
        return f"(an array of {len(value.data)} bytes)"
    try:
        parts = read_packed(value.data)
    except NotPacked:
        return f"({len(value.data)} bytes)"
    if value.code == _DELTA:
        return _plain(parts, depth + 1, left)
    if not isinstance(parts, list) or len(parts) < 3:
        return f"({len(value.data)} bytes)"
    module, name, made = str(parts[0])[:200], str(parts[1])[:200], parts[2]
    if "secret" in name.lower():
        return "[redacted]"
    shown = _plain(made, depth + 1, left)
    if module in ("builtins", "collections", "uuid", "datetime", "decimal", "pathlib"):
        return shown  # a set, a date: what it is made from says it
    if isinstance(shown, dict):
        return {"class": f"{module}.{name}", **shown}
    return {"class": f"{module}.{name}", "value": shown}
