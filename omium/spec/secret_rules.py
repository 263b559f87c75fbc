"""Secrets do not belong into a spec: finding them, and where the name of one may stand instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from omium.jsonvalue import JsonValue
from omium.redact import redact
from omium.spec.problems import SpecProblem, join_pointer

SECRET: Final = "$secret"  # noqa: S105  # the mark of a secret's name
PREFIX: Final = "prefix"
_PLACES: Final = re.compile(r"/tools/[^/]*/http/headers/")
_USER_IN_ADDRESS: Final = re.compile(r"^[a-z][a-z0-9+.-]*://[^/?#]*@", re.IGNORECASE)
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


def list_secrets(document: JsonValue) -> Iterator[SpecProblem]:
    """Yield a problem for each secret that is found in the document, and each misplaced `$secret`."""
    without = _take_names_off(document)
    masked, count = redact(without)
    found = set(_list_differences(without, masked)) if count else set()
    for pointer in found:
        yield SpecProblem(
            pointer,
            "This looks like a secret; a spec is stored, shown and exported, and must not hold any.",
            'Store it with "omium secrets set" and name it: {"$secret": "name"}.',
            "secret-found",
        )
    yield from (problem for problem in _list_names(document) if problem.pointer not in found)


def has_named_secret(value: JsonValue) -> bool:
    """Say whether a `$secret` stands anywhere in `value`."""
    return _take_names_off(value) != value


def _take_names_off(document: JsonValue) -> JsonValue:
    """Return the document with an empty object for each named secret, which no detector minds."""
    if isinstance(document, list):
        return [_take_names_off(item) for item in document]
    if isinstance(document, dict):
        if SECRET in document:
            return {}
        return {name: _take_names_off(item) for name, item in document.items()}
    return document


def _list_differences(before: JsonValue, after: JsonValue, pointer: str = "") -> Iterator[str]:
    """Yield where a masked copy is another; a masked name stands for its object."""
    if isinstance(before, dict) and isinstance(after, dict):
        for (name, item), (shown, masked) in zip(before.items(), after.items(), strict=True):
            if name != shown:
                yield pointer
            yield from _list_differences(item, masked, join_pointer(pointer, name))
    elif isinstance(before, list) and isinstance(after, list):
        for at, (item, masked) in enumerate(zip(before, after, strict=True)):
            yield from _list_differences(item, masked, join_pointer(pointer, at))
    elif before != after:
        yield pointer


def _list_names(document: JsonValue) -> Iterator[SpecProblem]:
    stack: list[tuple[str, JsonValue]] = [("", document)]
    while stack:
        pointer, value = stack.pop()
        if isinstance(value, list):
            stack += [(join_pointer(pointer, at), item) for at, item in enumerate(value)]
        elif isinstance(value, str) and pointer.endswith("/url") and _USER_IN_ADDRESS.match(value):
            yield SpecProblem(
                pointer,
                "The address carries a user or a password.",
                'Send it in a header: {"Authorization": {"$secret": "name", "prefix": "Basic "}}.',
                "secret-found",
            )
        elif isinstance(value, dict):
            if SECRET in value:
                yield from _check_name(value, pointer)
            stack += [(join_pointer(pointer, name), item) for name, item in value.items()]


def _check_name(value: dict[str, JsonValue], pointer: str) -> Iterator[SpecProblem]:
    if not _PLACES.match(pointer):
        yield SpecProblem(
            pointer,
            "A secret can be named in the headers of a tool's HTTP request, and nowhere else.",
            "Call the service through such a tool, or let a worker's handler read the secret.",
            "misplaced-secret",
        )
    name, prefix = value[SECRET], value.get(PREFIX, "")
    if (
        not isinstance(name, str)
        or not _NAME.fullmatch(name)
        or not isinstance(prefix, str)
        or not value.keys() <= {SECRET, PREFIX}
    ):
        yield SpecProblem(
            pointer,
            "A secret is named by its name, and may have a prefix.",
            'Write {"$secret": "name"} or {"$secret": "name", "prefix": "Bearer "}.',
            "bad-secret",
        )
