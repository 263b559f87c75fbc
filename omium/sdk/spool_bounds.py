"""Bounds of the spool: per execution and per host, so that a server that is away never fills the disk."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from omium.sdk.spool_folder import list_spooled

EXECUTION_BYTES_MAX: Final = 64 * 1024 * 1024
HOST_BYTES_MAX: Final = 1024 * 1024 * 1024
COUNT_EVERY_BYTES: Final = 1024 * 1024  # how much may be appended before the folder is counted again


class SpoolBounds:
    """Says whether there is room. What other processes append is seen when the folder is counted next."""

    def __init__(
        self,
        folder: Path,
        execution_bytes_max: int = EXECUTION_BYTES_MAX,
        host_bytes_max: int = HOST_BYTES_MAX,
    ) -> None:
        self._folder = folder
        self._execution_bytes_max = execution_bytes_max
        self._host_bytes_max = host_bytes_max
        self._guard = threading.Lock()
        self._host_bytes = self._uncounted_bytes = 0

    def why_full(self, file_bytes: int, frame_bytes: int) -> str:
        """Return why a file of `file_bytes` has no room for `frame_bytes` more, empty if it has."""
        if file_bytes + frame_bytes > self._execution_bytes_max:
            return f"the spool holds {file_bytes:,} bytes of it already, all that it may"
        with self._guard:
            if self._uncounted_bytes == 0 or self._uncounted_bytes > COUNT_EVERY_BYTES:
                self._host_bytes = sum(size_bytes for *_, size_bytes in list_spooled(self._folder))
                self._uncounted_bytes = 0
            self._uncounted_bytes += frame_bytes
            if self._host_bytes + self._uncounted_bytes > self._host_bytes_max:
                return f"the spool in {self._folder} holds {self._host_bytes:,} bytes, all that it may"
        return ""
