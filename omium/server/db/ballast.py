"""Ballast: a little disk space kept beside the database, given back when the disk is full.

On a full disk SQLite cannot even open its log, so the server could not start to let anybody delete something.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def keep(database: Path, size_bytes: int) -> None:
    """Have a file of `size_bytes` beside `database`, unless there is one or the disk is nearly full."""
    path = _path(database)
    if size_bytes <= 0 or path.exists():
        return
    disk = os.statvfs(database.parent)
    if disk.f_bavail * disk.f_frsize < 16 * size_bytes:
        return  # nearly full: the space is needed for work
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(handle, 0, size_bytes)
        finally:
            os.close(handle)
    except OSError:  # no space to spare: then there is nothing to keep
        with suppress(OSError):
            path.unlink()


def release(database: Path) -> int:
    """Give the ballast back to the disk; return how many bytes that freed."""
    path = _path(database)
    try:
        freed = path.stat().st_size
        path.unlink()
    except OSError:
        return 0
    return freed


def _path(database: Path) -> Path:
    return database.with_name(database.name + ".ballast")
