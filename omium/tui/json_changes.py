"""What differs between two JSON values, place by place; of large ones no more than can be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from omium.words import json_text

MISSING: Final = object()
"""On the side that does not have the place."""
_VALUE: Final = 300
_NAME: Final = 100
"""A path holds so much of each member's name: it is drawn whole, and repeated for all that is inside."""


@dataclass(frozen=True, slots=True)
class Change:
    """One place: its path such as `items[2].price`, and what is there on both sides (`MISSING`: nothing)."""

    path: str
    one: object
    other: object

    @property
    def lines(self) -> Iterator[tuple[str, str]]:
        """The change as lines with `-` and `+`."""
        where = f"{self.path}: " if self.path else ""
        if self.one is not MISSING:
            yield "-", f"{where}{_short(self.one)}"
        if self.other is not MISSING:
            yield "+", f"{where}{_short(self.other)}"


def list_changes(one: object, other: object, path: str = "") -> Iterator[Change]:
    """Yield where two values differ, in the order of the first; whoever asks stops when it is enough."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in {**one, **other}:
            shown = str(name) if len(name) <= _NAME else f"{name[:_NAME]}…"
            inner = f"{path}.{shown}" if path else shown
            yield from list_changes(one.get(name, MISSING), other.get(name, MISSING), inner)
    elif isinstance(one, list) and isinstance(other, list):
        for at in range(max(len(one), len(other))):
            mine, its = (each[at] if at < len(each) else MISSING for each in (one, other))
            yield from list_changes(mine, its, f"{path}[{at}]")
    elif not is_same(one, other):
        yield Change(path, one, other)


def is_same(one: object, other: object) -> bool:
    """Say whether two values are the same JSON: `1` and `true` are not, `1` and `1.0` are."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other


def _short(value: object) -> str:
    text = json_text(value)
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}… ({len(text):,} characters)"
