"""Databases that have every migration already: made once for each pytest process, copied for each test.

To migrate takes longer than most tests do. That migrating itself works is shown where databases are empty:
in tests/db, tests/faults/test_migrations.py, and wherever `omium serve` and `omium up` begin in a new folder.
"""

import atexit
import functools
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

from omium.server.db.migrate import list_migrations, migrate_sqlite
from omium.server.db.sqlite_connection import connect_writer

BUSY_TIMEOUT_S = 5.0


@functools.cache
def sqlite_template() -> Path:
    """Return a SQLite file with every migration and nothing in it, as a server leaves it that was closed."""
    folder = Path(tempfile.mkdtemp(prefix="omium-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "omium.sqlite"
    file.touch(mode=0o600)
    with closing(connect_writer(file, BUSY_TIMEOUT_S)) as connection:
        migrate_sqlite(connection, list_migrations(), 0)
    return file


def put_sqlite(file: Path) -> Path:
    """Put a migrated database at `file` unless one is there, and return `file`."""
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy(sqlite_template(), file)  # with its mode: nobody else may read it
    return file
