"""What a document must not hold: keys, headers, passwords in addresses, wherever they have come to stand.

Owns two nets. Values that the crew's own objects and this process's environment hold under names of secrets
are masked wherever their text occurs, in a prompt or in source code; and what looks like a secret by itself
is masked by omium.redact. The exporters write no field that is made for secrets in the first place.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel

from omium.adapters.masking import mask_document
from omium.jsonvalue import JsonValue
from omium.redact.names import Strength, judge_name

_HOLDERS: Final = ("headers", "default_headers", "extra_headers", "cookies", "default_query", "query_params")
"""Fields whose values are secrets, whatever they are called inside."""
_DEPTH_MAX: Final = 8
_BUILT_IN: Final = ("builtins", "crewai")
"""Modules whose plain objects hold no secrets of a user's: numbers, locks, loggers."""


def withhold(document: Mapping[str, JsonValue], owners: Iterable[Any]) -> dict[str, JsonValue]:
    """Return the document with `[redacted]` for each secret that `owners` hold, and what looks like one."""
    secrets = {*_list_environment()}
    for owner in owners:
        secrets.update(_list_values(owner, "", 0, {}))
    return mask_document(document, secrets)


def _list_environment() -> Iterator[str]:
    yield from (value for name, value in os.environ.items() if judge_name(name) is Strength.STRONG)


def _list_values(value: Any, name: str, depth: int, seen: dict[int, Any]) -> Iterator[str]:
    if depth > _DEPTH_MAX or id(value) in seen:
        return
    if isinstance(value, str):
        if judge_name(name) is Strength.STRONG:
            yield value
        yield from _list_from_address(value)
        return
    if hasattr(value, "get_secret_value"):  # pydantic's own type for secrets
        yield str(value.get_secret_value())
        return
    seen[id(value)] = value  # kept: while it is here, nothing else has its id
    if isinstance(value, dict):
        for key, each in value.items():
            is_held = name.lower() in _HOLDERS and isinstance(each, str)
            if is_held:
                yield each
            yield from _list_values(each, str(key), depth + 1, seen)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _list_values(each, name, depth + 1, seen)
    elif isinstance(value, BaseModel) or type(value).__module__.partition(".")[0] not in _BUILT_IN:
        yield from _list_values(_fields(value), name, depth + 1, seen)


def _fields(value: Any) -> dict[str, Any]:
    own = getattr(value, "__dict__", None)
    private = getattr(value, "__pydantic_private__", None)
    return {**(own if isinstance(own, dict) else {}), **(private if isinstance(private, dict) else {})}


def _list_from_address(text: str) -> Iterator[str]:
    """Yield what an address says before its host: `https://user:password@host`."""
    if "://" not in text[:20] or "@" not in text:
        return
    try:
        parts = urlsplit(text)
    except ValueError:  # no address after all
        return
    if parts.password:
        yield parts.password
        yield unquote(parts.password)
    elif parts.username:
        yield parts.username
