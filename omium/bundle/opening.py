"""An open bundle: its executions, failures and workflows, its lists by item, its values.

Owns finding parts. That the file is one, and that each part is as it was written, is container.py's; what is
answered with it, answers.py's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from omium.bundle.container import Container
from omium.bundle.manifest import Manifest
from omium.bundle.rows import value_part
from omium.errors import BundleDamaged, Unserialisable
from omium.jsonvalue import json_bytes

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a list: its items are those from `start` on."""

    name: str
    start: int
    items: int


class Bundle:
    """An open bundle; use it as a context manager, or close it. May be used by threads."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._pieces = _find_pieces(container)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    @property
    def path(self) -> Path:
        """The file."""
        return self._container.path

    @property
    def size_bytes(self) -> int:
        """How long the file is."""
        return self._container.size_bytes

    @property
    def manifest(self) -> Manifest:
        """What it holds, and what was left out."""
        return self._container.manifest

    def file_sha256(self) -> str:
        """Return the digest of the whole file, to be compared with the one that its maker was shown."""
        return self._container.file_sha256()

    def verify(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Read every part and check it; `progress` is told (part, of so many). Raises `BundleDamaged`."""
        names = self._container.names
        for number, name in enumerate(names, 1):
            self._container.read(name)
            if progress is not None:
                progress(number, len(names))

    def find_folder(self, execution_id: str) -> str | None:
        """Return where an execution's parts are, if it is held."""
        return next((held.folder for held in self.manifest.executions if held.id == execution_id), None)

    def find_document(self, name: str) -> bytes | None:
        """Return a part that is one JSON document, if there is one of this name."""
        return self._container.read(name) if self._container.has(name) else None

    def find_value(self, folder: str, kind: str, name: str) -> bytes | None:
        """Return the answer that holds a value that was too long for its list, if it is held."""
        return self.find_document(value_part(folder, kind, name))

    def list_lines(self, prefix: str, start: int = 0) -> Iterator[bytes]:
        """Yield a list's items from number `start` on, each as JSON; what is before is not unpacked."""
        for piece in self._pieces.get(prefix, ()):
            if piece.start + piece.items > start:
                lines = self._container.read(piece.name).split(b"\n")[:-1]
                yield from lines[max(0, start - piece.start) :]

    def read_row(self, line: bytes) -> Row:
        """Return an item as JSON has it. Raises `BundleDamaged`."""
        try:
            row = json.loads(line.decode())  # in no other encoding: lines are passed on as they are
        except (ValueError, RecursionError) as error:
            raise self._not_json() from error
        if not isinstance(row, dict):
            raise self._not_json()
        return row

    def write_row(self, row: Row) -> bytes:
        """Return a row as JSON. Raises `BundleDamaged` for what JSON has no form for, such as 1e999."""
        try:
            return json_bytes(row)  # type: ignore[arg-type]  # read_row made it
        except Unserialisable as error:
            raise self._not_json() from error

    def _not_json(self) -> BundleDamaged:
        return BundleDamaged(f"{self.path.name} holds something that is not what a bundle holds.")


def open_bundle(path: Path) -> Bundle:
    """Open the bundle at `path`. Raises `BundleDamaged`, `BundleTooNew`, or `BundleError` if there is none.

    The form of the file, its bounds and its manifest are checked here, each part when it is read.
    """
    return Bundle(Container(path))


def _find_pieces(container: Container) -> dict[str, list[_Piece]]:
    pieces: dict[str, list[_Piece]] = {}
    for name in sorted(name for name in container.names if name.endswith(".jsonl")):
        of_list = pieces.setdefault(name.rpartition("/")[0], [])
        start = of_list[-1].start + of_list[-1].items if of_list else 0
        of_list.append(_Piece(name, start, container.count(name)))
    return pieces
