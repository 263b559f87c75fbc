"""Migrations: numbered `.sql` files, forward only, each in one transaction with its own record and checksum.

A file `NNNN_name.sql` is written once for both databases, with the tokens of sql.py. Where that is not
possible (triggers), a line `--: sqlite` or `--: postgres` begins a part for one of them and `--: both` ends
it. The checksum is of the file as it is, so an applied migration never changes: write the next one.

When the process dies: a migration and its record are one transaction, so running again completes what is
missing.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omium.errors import DatabaseTooNew, MigrationChanged, StorageError
from omium.server.db.sql import Dialect, Sql, render_script

FOLDER: Final = Path(__file__).with_name("migrations")
APPLICATION_ID: Final = 0x4F4D4955  # "OMIU" in the header of a SQLite file: whose it is

CREATE_RECORDS: Final = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
      number      {int64} NOT NULL PRIMARY KEY,
      name        {text}  NOT NULL,
      checksum    {text}  NOT NULL,
      applied_us  {int64} NOT NULL
    ) {strict}
"""
INSERT_RECORD: Final = Sql("""
    INSERT INTO schema_migrations (number, name, checksum, applied_us)
    VALUES (:number, :name, :checksum, :applied_us)
""")
LIST_RECORDS: Final = "SELECT number, name, checksum FROM schema_migrations ORDER BY number"

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_PART = re.compile(r"^[ \t]*--:[ \t]*(\w+)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Record:
    """A migration that a database says it has."""

    number: int
    name: str
    checksum: str


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration that this version of Omium has."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def script(self, dialect: Dialect) -> str:
        """Return the statements for `dialect`."""
        parts = _PART.split(self.text)
        wanted = [parts[0]]
        for target, part in zip(parts[1::2], parts[2::2], strict=True):
            if target not in ("both", "sqlite", "postgres"):
                raise ValueError(
                    f"`--: {target}` in migration {self.number}: both, sqlite or postgres expected"
                )
            if target in ("both", dialect):
                wanted.append(part)
        return render_script("".join(wanted), dialect)


def list_migrations(folder: Path = FOLDER) -> list[Migration]:
    """Return the migrations in `folder`, first to last; raises `ValueError` for a gap or a stray file."""
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path.name} is not named NNNN_name.sql")
        migrations.append(Migration(int(match[1]), match[2], path.read_text("utf-8")))
    if [migration.number for migration in migrations] != list(range(1, len(migrations) + 1)):
        raise ValueError(f"migrations in {folder} are not numbered 1, 2, 3 without gaps")
    return migrations


def pending(migrations: Sequence[Migration], records: Sequence[Record]) -> list[Migration]:
    """Return the migrations that are still to be applied.

    Raises `DatabaseTooNew` when the database has some that this version does not know, `MigrationChanged`
    when one of them differs from what was applied.
    """
    if len(records) > len(migrations):
        newest = records[-1]
        raise DatabaseTooNew(
            f"The database has migration {newest.number} ({newest.name}), this version of Omium knows "
            f"{len(migrations)}. A newer Omium has used it: upgrade this one, or restore an older backup."
        )
    for record, migration in zip(records, migrations, strict=False):
        if (record.number, record.checksum) != (migration.number, migration.checksum):
            raise MigrationChanged(
                f"Migration {record.number} ({record.name}) was applied with other content than it has here. "
                "The installation or the database was altered: reinstall omium-os, or restore a backup."
            )
    return list(migrations[len(records) :])


def check_current(migrations: Sequence[Migration], records: Sequence[Record]) -> None:
    """Raise `StorageError` when something is to be applied; otherwise as `pending`."""
    missing = pending(migrations, records)
    if missing:
        raise StorageError(
            f"The database lacks {len(missing)} migration(s), first {missing[0].number} ({missing[0].name}). "
            "Run `omium db migrate` first."
        )


# ---- SQLite


def sqlite_records(connection: sqlite3.Connection) -> list[Record]:
    """Return what was applied to the file; raises `StorageError` when it belongs to another program."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if "schema_migrations" in tables:
        return [Record(*row) for row in connection.execute(LIST_RECORDS).fetchall()]
    if tables - {"sqlite_sequence"}:
        raise StorageError("This SQLite file holds tables of another program; give Omium a file of its own.")
    return []


def migrate_sqlite(connection: sqlite3.Connection, migrations: Sequence[Migration], now_us: int) -> list[str]:
    """Bring the file up to date and return the names of what was applied; `connection` is in autocommit."""
    applied = []
    for migration in pending(migrations, sqlite_records(connection)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(render_script(CREATE_RECORDS, "sqlite"))
            for statement in split_sqlite(migration.script("sqlite")):
                connection.execute(statement).fetchall()
            connection.execute(
                INSERT_RECORD.render("sqlite"),
                INSERT_RECORD.values(
                    {
                        "number": migration.number,
                        "name": migration.name,
                        "checksum": migration.checksum,
                        "applied_us": now_us,
                    }
                ),
            )
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {migration.number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        applied.append(f"{migration.number:04}_{migration.name}")
    return applied


def split_sqlite(script: str) -> Iterator[str]:
    """Yield the statements of `script` one by one: `executescript` would commit in between."""
    *pieces, rest = script.split(";")
    statement = ""
    for piece in pieces:
        statement += piece + ";"
        if sqlite3.complete_statement(statement):  # knows quotes, comments and the bodies of triggers
            yield statement
            statement = ""
    if re.sub(r"--[^\n]*", "", statement + rest).strip():
        raise ValueError(f"a statement does not end: {(statement + rest).strip()[:200]}")
