"""One server per database file: a lock file beside it, held for as long as the database is open.

A separate file, because closing any handle of the database file itself would drop SQLite's own locks. The
kernel releases the lock when the process dies, and children do not inherit it (close-on-exec).
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from omium.errors import DatabaseLocked


class FileLock:
    """The lock on `database`; raises `DatabaseLocked` when another server, also of this process, holds it."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".lock")
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._handle, 32, 0).decode("ascii", "replace").strip()
            os.close(self._handle)
            raise DatabaseLocked(
                f"{database} is in use by another omium process{f' (pid {holder})' if holder else ''}. "
                "Stop it first, or give this one a database of its own."
            ) from None
        self.released = False
        os.ftruncate(self._handle, 0)
        with suppress(OSError):  # a full disk; the number is for people, what counts is the lock
            os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next server in. The file stays: removing it would race with whoever opens it now."""
        if not self.released:
            self.released = True
            os.close(self._handle)
