"""Places in a TOML text: in which line a key stands. A look, not a parser: what it misses has no line."""

from __future__ import annotations

import re
from typing import TypeAlias

Place: TypeAlias = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*\"?([A-Za-z0-9_.-]+)\"?\s*=")


def find_lines(text: str) -> dict[Place, int]:
    """Return the line, counted from 1, of each table and key. Tables of a list are counted from 1, too."""
    lines: dict[Place, int] = {}
    counts: dict[str, int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            brackets, name = header[1], header[2]
            if brackets == "[[":
                counts[name] = counts.get(name, 0) + 1
                lines.setdefault((name,), number)
                table = (name, counts[name])
            else:
                table = (name,)
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, key[1]), number)
    return lines
