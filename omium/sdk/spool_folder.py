"""The folder of spool files: their names, whose they are, and what the server refused.

Owns `spool` in the profile's folder. Records of another server or another tenant are left alone: a profile
that was switched must not tell one tenant what another one's agents did. What is in the files is spool.py.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from omium.config import Settings
from omium.sdk.draining import Entry
from omium.sdk.sealing import load_key
from omium.sdk.spool import SpoolFile

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")

_log = logging.getLogger("omium")


class SpoolFolder:
    """The spool files of one profile, as far as they are for `settings`' server and tenant."""

    def __init__(self, settings: Settings) -> None:
        self.path: Final = settings.folder / "spool"
        self._settings = settings
        self._key: bytes | None = None

    def create(self, execution_id: str, start: str, now_us: int) -> SpoolFile:
        """Create the file of an execution and a process start. Raises OSError."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = {
            "execution_id": execution_id,
            "base_url": self._settings.base_url,
            "key_digest": _digest(self._settings.api_key),
            "tenant_id": self._settings.tenant_id,
            "host_name": socket.gethostname(),
            "pid": os.getpid(),
            "created_at_us": now_us,
        }
        path = self.path / f"{_file_name(execution_id)}.{start}.spool"
        return SpoolFile.create(path, self._get_key(), json.dumps(owner).encode())

    def list_paths(self, execution_id: str | None = None) -> list[Path]:
        """Return the files of an execution, or all, oldest first."""
        name = "*" if execution_id is None else _file_name(execution_id)
        found = []
        for path in self.path.glob(f"{name}.*.spool"):
            try:
                found.append((path.stat().st_mtime_ns, path))
            except FileNotFoundError:  # sent and removed meanwhile
                continue
        return [path for _, path in sorted(found)]

    def take_over(self, path: Path) -> tuple[SpoolFile, str] | None:
        """Return (file, execution id) of what a dead process left, None if it lives or it is not for us."""
        try:
            file = SpoolFile.take_over(path, self._get_key())
            if file is None:
                return None
            first = file.first()
        except (OSError, ValueError) as error:
            _log.warning("%s cannot be read: %s.", path, error)
            return None
        if first is None:  # its process died while it made the file: nothing was promised
            file.remove()
            return None
        owner = json.loads(first)
        if not self._is_ours(owner):
            file.close()
            return None
        return file, str(owner["execution_id"])

    def reject(self, file: SpoolFile, entry: Entry, error: Exception) -> None:
        """Put an entry aside, sealed like the rest. Called twice for the same entry it is there once."""
        why = {"why": f"{type(error).__name__}: {error}", "type": entry.write_type or entry.kind}
        path = self._rejected() / f"{file.path.stem}.{entry.seq}.spool"
        try:
            aside = SpoolFile.create(path, self._get_key(), file.first() or b"{}")
        except FileExistsError:
            return
        aside.append(b'%b,"body":%b}' % (json.dumps(why).encode()[:-1], entry.body))
        aside.close()
        _log.warning("A record of %s was refused and moved to %s: %s", file.path.name, path.parent, error)

    def put_aside(self, file: SpoolFile) -> None:
        """Put a file aside that is damaged behind what could be sent."""
        _log.warning("%s is damaged behind what could be sent; it was moved to rejected.", file.path)
        file.path.rename(self._rejected() / file.path.name)
        file.close()

    def _rejected(self) -> Path:
        folder = self.path / "rejected"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def _is_ours(self, owner: dict[str, Any]) -> bool:
        if owner["base_url"] != self._settings.base_url:
            return False
        tenant_id = self._settings.tenant_id
        same_key: bool = owner["key_digest"] == _digest(self._settings.api_key)
        return same_key or (tenant_id is not None and tenant_id == owner["tenant_id"])

    def _get_key(self) -> bytes:
        if self._key is None:
            self._key = load_key(self._settings.folder)
        return self._key


def list_spooled(folder: Path) -> Iterator[tuple[str, bool, int]]:
    """Yield (file name, whether it was rejected, bytes) of each spool file, for `omium doctor` and bounds."""
    for path in sorted(folder.glob("**/*.spool")):
        try:
            yield path.name, path.parent.name == "rejected", path.stat().st_size
        except FileNotFoundError:  # sent and removed meanwhile
            continue


def _file_name(execution_id: str) -> str:
    if _PLAIN_ID.fullmatch(execution_id):
        return execution_id
    return hashlib.sha256(execution_id.encode()).hexdigest()


def _digest(api_key: str | None) -> str:
    return hashlib.sha256(b"omium spool\0" + (api_key or "").encode()).hexdigest()[:16]
