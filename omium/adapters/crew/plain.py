"""Plain: anything that CrewAI hands around as JSON, so that it can be compared and shown.

For what a step was *given*: it is never turned back. What a step gives is recorded by codec.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

SHOWN_CHARACTERS_MAX: Final = 2_000


def make_plain(value: Any) -> Any:
    """Return `value` as JSON; what has no JSON form as the name of its class, the same in every process."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, BaseModel):
        return {name: make_plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(key): make_plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [make_plain(each) for each in value]
    if isinstance(value, type):
        return value.__qualname__
    return type(value).__qualname__


def compute_digest(value: Any) -> str:
    """Return a digest of `value` as JSON."""
    return hashlib.sha256(json.dumps(make_plain(value), sort_keys=True).encode()).hexdigest()


def shorten_text(value: Any) -> str:
    """Return `value` as a text that people can be shown."""
    text = value if isinstance(value, str) else json.dumps(make_plain(value), ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…"
