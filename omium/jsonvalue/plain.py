"""Recorded values as plain JSON: for people, expressions and programs in other languages.

Owns taking the tags off, without any class: a model becomes its fields, a set a list, a decimal its text.
This loses types on purpose; what a step gets back goes through decode.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from omium.jsonvalue.canonical import JsonValue
from omium.jsonvalue.registry import TAG_PREFIX, is_tag_key


def plain(value: JsonValue) -> JsonValue:
    """Return `value` without tagged forms; what is malformed or unknown stays as it stands after its tag."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and is_tag_key(key := next(iter(value))):
        form = value[key]
        return _FORMS.get(key[len(TAG_PREFIX) :], plain)(form)
    return {name: plain(item) for name, item in value.items()}


def _pairs(form: JsonValue) -> JsonValue:
    """An object where all keys are text, else the list of pairs."""
    pairs = plain(form)
    if not isinstance(pairs, list):
        return pairs
    made: dict[str, JsonValue] = {}
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)):
            return pairs
        made[pair[0]] = pair[1]
    return made


def _fields(form: JsonValue) -> JsonValue:
    return plain(form[1]) if isinstance(form, list) and len(form) > 1 else plain(form)


def _extended_fields(form: JsonValue) -> JsonValue:
    """A model's fields, and the fields that it took beyond its own."""
    fields = _fields(form)
    if isinstance(form, list) and len(form) > 2 and isinstance(fields, dict) and isinstance(form[2], dict):
        extra = plain(form[2].get("extra"))
        return {**fields, **extra} if isinstance(extra, dict) else fields
    return fields


def _second_pairs(form: JsonValue) -> JsonValue:
    return _pairs(form[1]) if isinstance(form, list) and len(form) > 1 else plain(form)


def _first(form: JsonValue) -> JsonValue:
    return form[0] if isinstance(form, list) and form else form


def _path(form: JsonValue) -> JsonValue:
    return form[1] if isinstance(form, list) and len(form) > 1 else form


_FORMS: Final[dict[str, Callable[[JsonValue], JsonValue]]] = {
    "dict": _pairs,
    "ordereddict": _pairs,
    "counter": _pairs,
    "defaultdict": _second_pairs,
    "deque": _fields,
    "dataclass": _fields,
    "namedtuple": _fields,
    "model": _extended_fields,
    "enum": _path,
    "url": _path,
    "path": _path,
    "datetime": _first,
    "time": _first,
}
