"""What the `omium db` commands do to a database without a server: back up, restore, migrate, compact.

Synchronous, one call each, with errors that a person can act on. A backup may also be taken while a server
runs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from omium.clock import SystemClock
from omium.errors import ConfigError, StorageError
from omium.server.db.backup import copy_sqlite, restore_sqlite
from omium.server.db.lock import FileLock
from omium.server.db.migrate import FOLDER, list_migrations, migrate_sqlite
from omium.server.db.open import is_postgres, sqlite_path
from omium.server.db.sqlite_connection import connect_writer
from omium.server.db.sqlite_tx import translate

_BUSY_TIMEOUT_S = 5.0


def backup_file(source_url: str, target: Path, migrations: Path = FOLDER) -> None:
    """Write the database at `source_url`, which may be in use, to the new file `target`, mode 0600.

    Raises `StorageError` where there is no such database or `target` exists, `StorageFull`,
    `DatabaseCorrupt`.
    """
    if is_postgres(source_url):
        from omium.server.db.backup_postgres import copy_postgres  # noqa: PLC0415  # psycopg is an extra

        copy_postgres(source_url, target, migrations)
    else:
        copy_sqlite(sqlite_path(source_url).resolve(), target)


def restore_file(
    backup: Path, target_url: str, *, replace: bool = False, migrations: Path = FOLDER
) -> Path | None:
    """Make `backup` the database at `target_url`, after checking it whole.

    With `replace` a file that is there is set aside, and its new name returned. A PostgreSQL database must be
    empty. Raises `DatabaseCorrupt`, `DatabaseTooNew`, `DatabaseLocked` (a server runs), `StorageError`.
    """
    if is_postgres(target_url):
        from omium.server.db.backup_postgres import restore_postgres  # noqa: PLC0415  # psycopg is an extra

        restore_postgres(backup, target_url, migrations)
        return None
    return restore_sqlite(backup, sqlite_path(target_url), replace=replace, migrations=migrations)


def migrate_file(url: str, migrations: Path = FOLDER) -> list[str]:
    """Bring the database at `url` up to date and return the names of what was applied, oldest first.

    Raises `DatabaseLocked` (a server runs), `DatabaseTooNew`, `MigrationChanged`, `StorageError`.
    """
    known = list_migrations(migrations)
    now_us = SystemClock().now_us()
    if is_postgres(url):
        from omium.server.db.migrate_postgres import migrate_postgres_url  # noqa: PLC0415  # psycopg is an extra

        return migrate_postgres_url(url, known, now_us)
    with _own_file(url, "migrated") as (_, connection):
        return migrate_sqlite(connection, known, now_us)


def compact_file(url: str) -> tuple[int, int]:
    """Give the free pages of the SQLite file at `url` back to the disk; returns its bytes before and after.

    Needs as much free space as the file has content. Dies in the middle: the file is as it was. Raises
    `DatabaseLocked` (a server runs), `StorageFull`, `StorageError`; `ConfigError` for PostgreSQL.
    """
    if is_postgres(url):
        raise ConfigError("PostgreSQL looks after its free space by itself (autovacuum).")
    with _own_file(url, "compacted") as (path, connection):
        # Of the log, too, nothing is left: a size is compared with a size.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        before_bytes = path.stat().st_size
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return before_bytes, path.stat().st_size


@contextmanager
def _own_file(url: str, done: str) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """Open the SQLite file at `url` under its lock; `done` says in an error what could not be done to it."""
    path = sqlite_path(url).resolve()
    if not path.exists():
        raise StorageError(f"There is no database {path}; `omium serve` makes one.")
    lock = FileLock(path)
    try:
        with closing(connect_writer(path, _BUSY_TIMEOUT_S)) as connection:
            yield path, connection
    except sqlite3.Error as error:
        explained = translate(error)
        if explained is error:
            raise StorageError(f"{path} cannot be {done}: {error}.") from error
        raise explained from error
    finally:
        lock.release()
