"""Places in a JSON text: on which line stands what a pointer names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[{}\[\],:]|[^\s{}\[\],:"]++')


def find_place(text: str, pointer: str) -> tuple[int, int]:
    """Return line and column, from 0, of what `pointer` names: of a member, where its name stands.

    What is not there is looked for in what would hold it; a text that is not JSON is read as far as it goes.
    """
    best, best_depth = 0, -1
    for found, at in _list_places(text):
        depth = found.count("/")
        if depth > best_depth and (pointer == found or pointer.startswith(f"{found}/")):
            best, best_depth = at, depth
            if found == pointer:
                break
    line = text.count("\n", 0, best)
    return line, best - (text.rfind("\n", 0, best) + 1)


def _list_places(text: str) -> Iterator[tuple[str, int]]:
    """Yield the pointer of everything in the text, with where it begins; it never recurses."""
    path: list[str | int] = []  # per open container: the index, or the key of the current member
    prefixes = [""]  # the pointers of the open containers
    key_at: int | None = None
    expects_key = False
    yield "", 0
    for match in _TOKEN.finditer(text):
        sign, at = match[0], match.start()
        if sign in "}]":
            if path:
                path.pop()
                prefixes.pop()
            expects_key = False
        elif sign == ",":
            if path and isinstance(path[-1], int):
                path[-1] += 1
            else:
                expects_key = bool(path)
        elif sign == ":":
            expects_key = False
        elif expects_key:
            path[-1], key_at = _read_key(sign), at
        else:
            pointer = _here(prefixes[-1], path)
            if path:
                yield pointer, at if key_at is None else key_at
            key_at = None
            if sign in "{[":
                path.append("" if sign == "{" else 0)
                prefixes.append(pointer)
                expects_key = sign == "{"


def _here(prefix: str, path: list[str | int]) -> str:
    return prefix if not path else f"{prefix}/{str(path[-1]).replace('~', '~0').replace('/', '~1')}"


def _read_key(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return text
