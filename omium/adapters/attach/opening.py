"""Opening somebody's SQLite file so that neither it nor its log changes, and no file appears beside it.

A file in WAL mode whose log nobody holds would get a `-shm` beside it even from a connection that only reads.
Where no log is left the file itself is all there is, and is read as unchangeable; where a log was left by a
process that is gone, both are copied to a folder of our own and the copy is read.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from omium.errors import ConfigError

MAGIC: Final = b"SQLite format 3\x00"
_WAL: Final = 2  # bytes 18 and 19 of the file
_WAIT_S: Final = 5.0
_READS: Final = "attach reads LangGraph's SqliteSaver and what CrewAI stores in SQLite or in a folder"


@contextmanager
def open_read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection to the SQLite file at `path` that can only read.

    Raises `ConfigError` where there is none, where it is something else, and where it cannot be read.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ConfigError(f"{path} is no file; {_READS}.")
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    if not head.startswith(MAGIC) or len(head) < 20:
        raise ConfigError(f"{path} is no SQLite file; {_READS}.")
    log, index = Path(f"{path}-wal"), Path(f"{path}-shm")
    in_wal_mode = _WAL in (head[18], head[19])
    has_log = in_wal_mode and log.exists() and log.stat().st_size > 0
    try:
        if has_log and not index.exists():
            with tempfile.TemporaryDirectory(prefix="omium-attach-") as folder:
                copy = Path(folder, "copy.db")
                shutil.copyfile(path, copy)
                shutil.copyfile(log, f"{copy}-wal")
                yield from _connect(copy, "mode=ro")
        else:
            yield from _connect(path, "mode=ro" if has_log or not in_wal_mode else "mode=ro&immutable=1")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except sqlite3.Error as error:
        raise ConfigError(f"{path} cannot be read as SQLite: {error}.") from None


def _connect(path: Path, how: str) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=_WAIT_S)
    try:
        connection.text_factory = lambda data: data.decode(errors="replace")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA query_only = ON")
        yield connection
    finally:
        connection.close()
