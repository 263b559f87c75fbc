"""CrewAI's checkpoints as they are stored: one document each, in files or in a table, each naming its parent.

A checkpoint holds the whole record of events of its process, so the newest of a line of them is enough.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

Document: TypeAlias = "dict[str, object]"
LEAVES_MAX: Final = 1_000
"""Lines of checkpoints that are read, the newest first."""
READ_BYTES_MAX: Final = 256 * 2**20
"""Of all documents that a question reads, the newest first: a store may be anybody's."""
VALUES_MAX: Final = 2_000_000
"""Of one document: each value takes 60 bytes and more, however few it has in the file."""


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint that was not read yet; ids begin with the time at which they were written."""

    checkpoint_id: str
    parent_id: str | None
    place: str


class CrewRows(Protocol):
    """Where checkpoints are."""

    def list_checkpoints(self) -> list[StoredCheckpoint]:
        """Return all of them."""
        ...

    def load(self, stored: StoredCheckpoint) -> tuple[Document | None, int]:
        """Return one as the document that it is, None where it cannot be read; and how many bytes were."""
        ...


def list_leaves(stored: Iterable[StoredCheckpoint]) -> list[StoredCheckpoint]:
    """Return those from which no other goes on, the newest first."""
    stored = list(stored)
    parents = {each.parent_id for each in stored}
    leaves = [each for each in stored if each.checkpoint_id not in parents]
    return sorted(leaves, key=lambda each: each.checkpoint_id, reverse=True)[:LEAVES_MAX]


def count_lines(leaves: Iterable[StoredCheckpoint], by_id: dict[str, StoredCheckpoint]) -> int:
    """Return how many checkpoints `leaves` and all that came before them are."""
    line: set[str] = set()
    for leaf in leaves:
        at: StoredCheckpoint | None = leaf
        while at is not None and at.checkpoint_id not in line:
            line.add(at.checkpoint_id)
            at = by_id.get(at.parent_id or "")
    return len(line)


def parse(text: str | bytes) -> Document | None:
    """Return the object that a JSON text holds; None for one of more values than `VALUES_MAX`."""
    marks: tuple[str, ...] | tuple[bytes, ...] = (
        (b",", b"[", b"{") if isinstance(text, bytes) else (",", "[", "{")
    )
    if sum(map(text.count, marks)) > VALUES_MAX:  # type: ignore[arg-type]  # marks are what the text is
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
