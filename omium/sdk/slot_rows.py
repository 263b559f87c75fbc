"""Slot rows: steps of one execution that have or want a slot of the same concurrency key, in order.

As many of them as the key allows ask the server; the others stand behind them here. So an execution with
thousands of such steps does not ask thousands of questions a second, nor fill the server's row.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Row:
    tickets: dict[str, int] = field(default_factory=dict)
    """By path; counted up, so that the order is that of coming."""
    numbers: list[int] = field(default_factory=list)
    """The same, sorted."""
    next: int = 0


class SlotRows:
    """The rows of one execution, by key; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a generator that is collected may leave at any point
        self._rows: dict[str, _Row] = {}

    def enter(self, key: str, path: str) -> None:
        """Stand at the end of the row; a step inside of one that stands there stands nowhere: it shares."""
        with self._lock:
            row = self._rows.setdefault(key, _Row())
            if path in row.tickets or _has_outer(row, path):
                return
            row.tickets[path] = row.next
            row.numbers.append(row.next)
            row.next += 1

    def count_ahead(self, key: str, path: str) -> int:
        """Return how many steps of this execution stand before `path`."""
        with self._lock:
            row = self._rows[key]
            ticket = row.tickets.get(path)
            return 0 if ticket is None else bisect_left(row.numbers, ticket)

    def leave(self, key: str, path: str) -> None:
        """Leave the row; nothing happens to whoever is not in it."""
        with self._lock:
            row = self._rows.get(key)
            if row is not None and (ticket := row.tickets.pop(path, None)) is not None:
                del row.numbers[bisect_left(row.numbers, ticket)]


def _has_outer(row: _Row, path: str) -> bool:
    """Say whether a step around `path` stands in the row."""
    outer = path.rpartition("/")[0]
    while outer:
        if outer in row.tickets:
            return True
        outer = outer.rpartition("/")[0]
    return False
