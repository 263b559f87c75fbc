"""Backups of PostgreSQL: every row of one snapshot in a SQLite file, and back.

The schema is the same on both databases, so a backup has one form wherever it comes from: it can be looked at
with any SQLite tool, restored to a file or to PostgreSQL, and is the way from one to the other.

Owns copying rows. When the process dies: a half-made file has a name that ends in `.partial` (backup.py), and
restoring into PostgreSQL is one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omium.errors import StorageError
from omium.server.db.backup import check_backup, sqlite_problems, write_new_file
from omium.server.db.migrate import FOLDER, Migration, check_current, list_migrations, migrate_sqlite
from omium.server.db.migrate_postgres import migrate_postgres, postgres_records
from omium.server.db.postgres_connection import PgConnection, connect
from omium.server.db.sqlite_connection import connect as connect_sqlite

_ROWS_AT_ONCE: Final = 500

_FOREIGN_KEYS: Final = """
    SELECT quote_ident(relname), quote_ident(conname), pg_get_constraintdef(pg_constraint.oid)
      FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
     WHERE contype = 'f' AND pg_table_is_visible(conrelid)
"""
_DAMAGED: Final = """
    SELECT 'the constraint ' || conname || ' was never validated' FROM pg_constraint WHERE NOT convalidated
    UNION ALL
    SELECT 'the index ' || indexrelid::regclass || ' is not valid' FROM pg_index WHERE NOT indisvalid
"""


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    columns: tuple[str, ...]

    @property
    def select(self) -> str:
        return f'SELECT {", ".join(self._quoted)} FROM "{self.name}"'  # noqa: S608  # names from the schema itself

    def insert(self, placeholder: str) -> str:
        values = ", ".join([placeholder] * len(self.columns))
        return f'INSERT INTO "{self.name}" ({", ".join(self._quoted)}) VALUES ({values})'  # noqa: S608  # as above

    @property
    def _quoted(self) -> list[str]:
        return [f'"{column}"' for column in self.columns]


def copy_postgres(url: str, target: Path, migrations: Path = FOLDER) -> None:
    """Write one snapshot of the database at `url` to the new SQLite file `target`, mode 0600.

    Raises `StorageError` where `target` exists or the schema is not up to date, `StorageFull`.
    """
    if target.exists():
        raise StorageError(f"{target} exists already; a backup never overwrites a file. Choose another name.")
    known = list_migrations(migrations)

    def fill(partial: Path) -> None:
        with closing(connect(url, statement_timeout_s=0)) as reading, _writing(partial) as writing:
            reading.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            check_current(known, postgres_records(reading))
            _fill_sqlite(reading, writing, known)

    write_new_file(target, fill)


def restore_postgres(backup: Path, url: str, migrations: Path = FOLDER) -> None:
    """Fill the empty database at `url` from `backup`, which is checked whole first; all or nothing.

    Raises `DatabaseCorrupt`, `DatabaseTooNew`, and `StorageError` where the database is not empty.
    """
    check_backup(backup, migrations)
    with (
        closing(connect_sqlite(backup, "ro")) as reading,
        closing(connect(url, statement_timeout_s=0)) as writing,
    ):
        if postgres_records(writing):
            raise StorageError("The PostgreSQL database is not empty; restore into a new one.")
        known = list_migrations(migrations)
        count = reading.execute("SELECT count(*) FROM schema_migrations").fetchone()[0]
        with writing.transaction():
            migrate_postgres(writing, known[:count], 0)  # as old as the backup; starting brings it up to date
            _fill_postgres(reading, writing)


def postgres_problems(url: str) -> list[str]:
    """Return what PostgreSQL's catalogue says is wrong; rows are checked by its own page checksums."""
    with closing(connect(url, statement_timeout_s=0)) as connection:
        return [row[0] for row in connection.execute(_DAMAGED).fetchall()]


@contextmanager
def _writing(partial: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect_sqlite(partial, "rw")) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")  # tables come one by one; checked when all are there
        connection.execute("PRAGMA synchronous = FULL")
        yield connection


def _fill_sqlite(reading: PgConnection, writing: sqlite3.Connection, known: Sequence[Migration]) -> None:
    migrate_sqlite(writing, known, 0)
    writing.execute("BEGIN")
    triggers = writing.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:  # they have fired already, when the rows were written
        writing.execute(f'DROP TRIGGER "{name}"')
    for table in _tables(writing):
        writing.execute(f'DELETE FROM "{table.name}"')  # noqa: S608  # what a migration put there
        with reading.cursor(name="rows") as rows:
            rows.execute(table.select)
            while found := rows.fetchmany(_ROWS_AT_ONCE):
                writing.executemany(table.insert("?"), found)
    for _, statement in triggers:
        writing.execute(statement)
    writing.execute("COMMIT")
    problems = sqlite_problems(writing)
    if problems:
        raise StorageError(f"The copy is not whole: {problems[0]}.")


def _fill_postgres(reading: sqlite3.Connection, writing: PgConnection) -> None:
    foreign_keys = writing.execute(_FOREIGN_KEYS).fetchall()
    for table_name, name, _ in foreign_keys:  # rows come table by table; added, and so checked, at the end
        writing.execute(f"ALTER TABLE {table_name} DROP CONSTRAINT {name}")
    tables = _tables(reading)
    for table in tables:
        writing.execute(f'ALTER TABLE "{table.name}" DISABLE TRIGGER USER')
        writing.execute(f'DELETE FROM "{table.name}"')  # noqa: S608  # see above
        rows = reading.execute(table.select)
        with writing.cursor() as cursor:
            while found := rows.fetchmany(_ROWS_AT_ONCE):
                cursor.executemany(table.insert("%s"), found)
    for table_name, name, definition in foreign_keys:
        writing.execute(f"ALTER TABLE {table_name} ADD CONSTRAINT {name} {definition}")
    for table in tables:
        writing.execute(f'ALTER TABLE "{table.name}" ENABLE TRIGGER USER')


def _tables(connection: sqlite3.Connection) -> list[_Table]:
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    ).fetchall()
    return [
        _Table(name, tuple(row[1] for row in connection.execute(f'PRAGMA table_info("{name}")')))
        for (name,) in names
    ]
