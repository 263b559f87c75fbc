"""Backups: a copy of a SQLite database while it is used, and a checked way back.

Owns the files that are copied to and from. Uses SQLite's own backup of all pages in one step, through one
more read-only connection: the copy is a snapshot that holds every write acknowledged before it began. A copy
made by reading the file would be torn, and would drop the server's locks (sqlite.py).

When the process dies: a half-made copy has a name that ends in `.partial`; the target appears whole or not at
all.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from omium.errors import DatabaseCorrupt, StorageError, StorageFull
from omium.server.db.lock import FileLock
from omium.server.db.migrate import FOLDER, list_migrations, pending, sqlite_records
from omium.server.db.sqlite_connection import connect
from omium.server.db.sqlite_tx import translate


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy the database `source`, which may be in use, to the new file `target`, mode 0600.

    Raises `StorageError` where `target` exists or `source` does not, `StorageFull`, `DatabaseCorrupt`.
    """
    if target.exists():
        raise StorageError(f"{target} exists already; a backup never overwrites a file. Choose another name.")
    if not source.exists():
        raise StorageError(f"There is no database {source}.")

    def fill(partial: Path) -> None:
        with closing(connect(source, "ro")) as reading, closing(connect(partial, "rw")) as writing:
            writing.execute("PRAGMA synchronous = FULL")
            reading.backup(writing, pages=-1)
            writing.execute("PRAGMA journal_mode = DELETE").fetchall()  # no log beside it: one file to carry

    write_new_file(target, fill)


def restore_sqlite(
    backup: Path, target: Path, *, replace: bool = False, migrations: Path = FOLDER
) -> Path | None:
    """Make `backup` the database `target`; with `replace`, set an existing one aside and return where it is.

    The backup is checked whole first; it may be of an older Omium, whose schema the next start brings up to
    date. Raises `DatabaseCorrupt`, `DatabaseTooNew`, `MigrationChanged`, `DatabaseLocked` (a server uses
    `target`), and `StorageError` where `target` exists and is not to be replaced. Run again after an
    interruption.
    """
    check_backup(backup, migrations)
    target = target.resolve()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(target)
    try:
        if target.exists() and not replace:
            raise StorageError(f"{target} exists already. Stop the server and say that it is to be replaced.")
        aside = _set_aside(target)
        copy_sqlite(backup.resolve(), target)
    finally:
        lock.release()
    return aside


def check_backup(backup: Path, migrations: Path = FOLDER) -> None:
    """Raise `DatabaseCorrupt` or `DatabaseTooNew` unless `backup` is a whole Omium database."""
    if not backup.exists():
        raise StorageError(f"There is no backup {backup}.")
    try:
        with closing(connect(backup, "ro")) as connection:
            records = sqlite_records(connection)
            problems = sqlite_problems(connection)
    except sqlite3.Error as error:
        raise DatabaseCorrupt(f"{backup} is not a usable backup ({error}). Choose another one.") from error
    if problems:
        raise DatabaseCorrupt(f"{backup} is damaged ({problems[0]}). Choose another one.")
    if not records:
        raise DatabaseCorrupt(f"{backup} holds no Omium database. Choose another one.")
    pending(list_migrations(migrations), records)


def sqlite_problems(connection: sqlite3.Connection) -> list[str]:
    """Return what SQLite itself finds wrong in the file: pages, indexes, constraints, foreign keys."""
    try:
        problems = [row[0] for row in connection.execute("PRAGMA integrity_check(100)") if row[0] != "ok"]
        orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(100)
    except sqlite3.DatabaseError as error:
        return [f"the file cannot be read: {error}"]
    return problems + [
        f"{'a row' if row_id is None else f'row {row_id}'} of {table} refers to a missing row of {parent}"
        for table, row_id, parent, _ in orphans
    ]


def write_new_file(target: Path, fill: Callable[[Path], None]) -> None:
    """Make `target` (mode 0600) of what `fill` writes to the path it gets: whole, durable, or not at all."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
    except OSError as error:
        raise explain_os_error(target, error) from error
    os.close(handle)
    partial = Path(name)
    try:
        fill(partial)
        sync_path(partial)
        partial.rename(target)
        sync_path(target.parent)
    except sqlite3.Error as error:
        raise translate(error) from error
    except OSError as error:
        raise explain_os_error(target, error) from error
    finally:
        partial.unlink(missing_ok=True)


def explain_os_error(path: Path, error: OSError) -> Exception:
    """Return what the operating system's `error` about `path` means to the person who chose it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"The disk with {path} is full: free some space and try again.")
    return StorageError(f"{path} cannot be used: {error.strerror}. Check the folder and its owner.")


def _set_aside(target: Path) -> Path | None:
    """Rename what stands at `target`, its log included, so that nothing of it meets the restored file."""
    aside = None
    if target.exists():
        with suppress(sqlite3.Error), closing(connect(target, "rw")) as connection:
            # A whole database takes its log in before it goes; of a damaged one the log goes along.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        aside = _free_name(target)
        target.rename(aside)
    for suffix in ("-wal", "-shm"):  # after the file: SQLite drops a log that has no database
        left = target.with_name(target.name + suffix)
        if left.exists() and aside is not None:
            left.rename(aside.with_name(aside.name + suffix))
        else:
            left.unlink(missing_ok=True)
    sync_path(target.parent)
    return aside


def _free_name(target: Path) -> Path:
    number = 1
    while (name := target.with_name(f"{target.name}.replaced-{number}")).exists():
        number += 1
    return name


def sync_path(path: Path) -> None:
    """Make a finished file, or the names in a folder, survive a power cut; never a live database's file."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
