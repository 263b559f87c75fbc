"""A JSON value as rows that fold: only what is unfolded has rows, and no more of it than can be looked at.

Owns which rows there are; how they are drawn and moved about in is json_view.py's. Megabytes stay fast since
nothing walks the value but a search: a list of 100,000 items has rows for the first hundreds, then one that
gives more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

CHUNK: Final = 500
"""How many children are unfolded at once; the row behind them gives as many again."""
AT_FIRST: Final = 120
"""So many rows are unfolded by themselves, outer ones first."""
LINE: Final = 96
"""A text that is longer, or has several lines, unfolds into lines of this length."""

Path = tuple[str | int, ...]


@dataclass(slots=True, eq=False)
class Row:
    """One line: a member, an item, a line of a long text, or (`more`) the way to further ones."""

    depth: int
    path: Path
    value: object
    opened: bool = False
    more: Iterator[Row] | None = field(default=None, repr=False)
    left: int = 0
    """With `more`: how many are left, 0 if nobody counted."""
    text_line: bool = False
    """A piece of the text above it: it has no name and no quotes."""

    @property
    def label(self) -> str | int | None:
        """Its member's name or its index; None for the value itself."""
        return self.path[-1] if self.path and not self.text_line and self.more is None else None

    @property
    def folds(self) -> bool:
        """Whether there is something to unfold."""
        if self.text_line or self.more is not None:
            return False
        if isinstance(self.value, str):
            return is_long(self.value)
        return isinstance(self.value, dict | list) and bool(self.value)


def is_long(text: str) -> bool:
    """Say whether a text is unfolded into lines."""
    return len(text) > LINE or "\n" in text


class Rows:
    """The rows of one value."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.rows: list[Row] = [Row(0, (), value)]
        waiting = deque(self.rows)
        while waiting and len(self.rows) < AT_FIRST:
            row = waiting.popleft()
            if row.folds and not isinstance(row.value, str):
                room = CHUNK if row.depth == 0 else AT_FIRST - len(self.rows)
                if row.depth == 0 or _count(row.value) <= room:
                    waiting.extend(self.unfold(self.rows.index(row)))

    def unfold(self, at: int) -> list[Row]:
        """Show what is inside of the row at `at`, or the next ones behind it; returns the rows that came."""
        row = self.rows[at]
        if row.more is not None:
            fresh = _take(row.more, row)
            self.rows[at : at + 1] = fresh
            return fresh
        if not row.folds or row.opened:
            return []
        row.opened = True
        fresh = _take(_children(row), Row(row.depth + 1, row.path, None, left=_count(row.value)))
        self.rows[at + 1 : at + 1] = fresh
        return fresh

    def fold(self, at: int) -> None:
        """Hide what is inside of the row at `at`."""
        row = self.rows[at]
        if row.opened:
            row.opened = False
            end = at + 1
            while end < len(self.rows) and self.rows[end].depth > row.depth:
                end += 1
            del self.rows[at + 1 : end]

    def outer(self, at: int) -> int:
        """Return where the row stands that the one at `at` is inside of."""
        depth = self.rows[at].depth
        return next((each for each in range(at - 1, -1, -1) if self.rows[each].depth < depth), 0)

    def reveal(self, path: Path) -> int:
        """Unfold as much as it takes to show `path`; returns where its row stands."""
        at = 0
        for depth in range(1, len(path) + 1):
            self.unfold(at)
            at = self._find(at + 1, path[:depth])
        return at

    def _find(self, at: int, path: Path) -> int:
        while at < len(self.rows):
            row = self.rows[at]
            if row.more is not None and row.path == path[:-1]:
                self.unfold(at)
            elif row.path == path and not row.text_line:
                return at
            else:
                at += 1
        return len(self.rows) - 1


def _take(source: Iterator[Row], before: Row) -> list[Row]:
    fresh = [row for _, row in zip(range(CHUNK), source, strict=False)]
    if len(fresh) == CHUNK:
        left = max(before.left - CHUNK, 0)
        if not (before.left and left == 0):
            fresh.append(Row(before.depth, before.path, None, more=source, left=left))
    return fresh


def _count(value: object) -> int:
    return len(value) if isinstance(value, dict | list) else 0


def _children(row: Row) -> Iterator[Row]:
    depth, path, value = row.depth + 1, row.path, row.value
    if isinstance(value, dict):
        for name, each in value.items():
            yield Row(depth, (*path, name), each)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield Row(depth, (*path, at), each)
    elif isinstance(value, str):
        for line in _lines(value):
            yield Row(depth, path, line, text_line=True)


def _lines(text: str) -> Iterator[str]:
    """Yield a text's lines, long ones in pieces: of a megabyte only what is asked for is cut."""
    start = 0
    while start < len(text):
        end = text.find("\n", start, start + LINE + 1)
        if end < 0:
            end = start + LINE
            space = text.rfind(" ", start, end) if end < len(text) else -1
            if space > start:
                end = space
            yield text[start:end]
            start = end + (1 if space > start else 0)
        else:
            yield text[start:end]
            start = end + 1


def search(value: object, words: str) -> Iterator[Path | None]:
    """Walk through a value in order: yield the path of each name or scalar with `words`, None for others.

    Whoever walks can stop, or do something else, between any two.
    """
    wanted = words.casefold()
    waiting: list[tuple[Path, object]] = [((), value)]
    while waiting:
        path, each = waiting.pop()
        named = bool(path) and wanted in str(path[-1]).casefold()
        if isinstance(each, dict):
            waiting.extend(((*path, name), inner) for name, inner in reversed(list(each.items())))
            yield path if named else None
        elif isinstance(each, list):
            waiting.extend(((*path, at), each[at]) for at in range(len(each) - 1, -1, -1))
            yield None
        else:
            text = each if isinstance(each, str) else _scalar(each)
            yield path if named or wanted in text.casefold() else None


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
