"""Lists as parts: items one per line, at most 200 of them or a few MiB in a part.

So a page of a long list is found without unpacking what stands before it, and neither who writes nor who
reads holds more than a part of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from omium.bundle import limits
from omium.bundle.writing import ArchiveWriter


class Rows:
    """Writes one list. Call `end` behind the last item."""

    def __init__(self, writer: ArchiveWriter, prefix: str) -> None:
        self._writer = writer
        self._prefix = prefix
        self._lines: list[bytes] = []
        self._held_bytes = 0
        self._parts = 0
        self.total = 0

    def add(self, lines: Iterable[bytes]) -> None:
        """Add items, each as JSON without a line feed."""
        for line in lines:
            self._lines.append(line)
            self._held_bytes += len(line)
            self.total += 1
            if len(self._lines) == limits.LIST_ITEMS_MAX or self._held_bytes >= limits.LIST_BYTES_FULL:
                self._flush()

    def end(self) -> None:
        """Write what is left."""
        if self._lines:
            self._flush()

    def _flush(self) -> None:
        self._parts += 1
        name = f"{self._prefix}/{self._parts:04x}.jsonl"
        self._writer.add(name, b"\n".join([*self._lines, b""]), items=len(self._lines))
        self._lines.clear()
        self._held_bytes = 0


def value_part(folder: str, kind: str, name: str) -> str:
    """Return where a value stands that was too long for its list: found by its own name, without an index."""
    return f"{folder}/{kind}/{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.json"
