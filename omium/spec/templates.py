"""Templates of prompts: `{name}`, replaced once, and nothing more.

Never `str.format` and never a template language: no attributes, no calls, no second pass over what was put
in. Braces around anything that is no name stay as they are, so that JSON in a prompt needs no care.
`{{name}}` is written for a literal `{name}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from omium.jsonvalue import JsonValue, json_bytes

_PLACE: Final = re.compile(r"\{\{([A-Za-z_][A-Za-z0-9_-]*)\}\}|\{([A-Za-z_][A-Za-z0-9_-]*)\}")


class UnknownName(LookupError):
    """A template asks for a name that nobody gave; `name` says which."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The template asks for {{{name}}}, and no input has that name.")
        self.name = name


def list_names(template: str) -> list[str]:
    """Return the names that a template asks for, each once, in their order."""
    return list(dict.fromkeys(found[2] for found in _PLACE.finditer(template) if found[2]))


def measure(template: str, lengths: Mapping[str, int]) -> int:
    """Return how long `template` becomes, at most, where names have values of these `lengths`."""
    return len(template) + sum(lengths.get(found[2], 0) for found in _PLACE.finditer(template) if found[2])


def render(template: str, values: Mapping[str, JsonValue]) -> str:
    """Return the template with each name replaced: texts as they are, everything else as JSON.

    Raises `UnknownName`.
    """

    def put(found: re.Match[str]) -> str:
        if found[1]:
            return f"{{{found[1]}}}"
        if found[2] not in values:
            raise UnknownName(found[2])
        value = values[found[2]]
        return value if isinstance(value, str) else json_bytes(value).decode()

    return _PLACE.sub(put, template)
