"""CrewAI's JsonProvider: a folder for each branch, in it a file for each checkpoint."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from omium.adapters.attach.crew_rows import Document, StoredCheckpoint, parse
from omium.adapters.attach.runs import BLOB_BYTES_MAX
from omium.errors import ConfigError

NAME: Final = re.compile(r"(\d{8}T\d{6}_[0-9a-f]{8})_p-([\w-]{1,64})\.json")
_FILES_MAX: Final = 50_000
_DEPTH_MAX: Final = 6


def find_folder(path: Path) -> Path | None:
    """Return `path` if it is a folder of checkpoints or one of them; None for any other file.

    Raises `ConfigError` for a folder without any.
    """
    if path.is_file() and NAME.fullmatch(path.name):
        return path
    if not path.is_dir():
        return None
    if not _list_files(path):
        raise ConfigError(
            f"The folder {path} holds no checkpoints of CrewAI, which are files like"
            " main/20260101T120000_0123abcd_p-none.json; of SQLite files name the file."
        )
    return path


def _list_files(path: Path) -> list[StoredCheckpoint]:
    """Return the checkpoints in `path`, which is one of them or a folder; no link is followed."""
    if path.is_file():
        found = NAME.fullmatch(path.name)
        return [StoredCheckpoint(found[1], None, str(path))] if found else []
    stored: list[StoredCheckpoint] = []
    for folder, folders, files in os.walk(path):
        if len(Path(folder).relative_to(path).parts) >= _DEPTH_MAX:
            folders.clear()
        for name in files:
            if found := NAME.fullmatch(name):
                parent = None if found[2] == "none" else found[2]
                stored.append(StoredCheckpoint(found[1], parent, str(Path(folder, name))))
        if len(stored) >= _FILES_MAX:
            break
    return stored


class Folder:
    """A folder of checkpoints, or one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def list_checkpoints(self) -> list[StoredCheckpoint]:
        """Return all of them."""
        return _list_files(self._path)

    def load(self, stored: StoredCheckpoint) -> tuple[Document | None, int]:
        """Return one as the document that it is, None where it cannot be read; and how many bytes were."""
        path = Path(stored.place)
        try:
            if not path.is_file() or path.stat().st_size > BLOB_BYTES_MAX:
                return None, 0
            body = path.read_bytes()
        except OSError:  # pruned meanwhile, or not ours to read
            return None, 0
        return parse(body), len(body)
