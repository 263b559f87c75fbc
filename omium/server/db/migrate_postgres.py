"""Migrations on PostgreSQL; what they are is in migrate.py."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Final

import psycopg
from psycopg import errors

from omium.errors import StorageError
from omium.server.db.migrate import (
    CREATE_RECORDS,
    INSERT_RECORD,
    LIST_RECORDS,
    Migration,
    Record,
    pending,
)
from omium.server.db.postgres_connection import PgConnection, connect
from omium.server.db.sql import render_script

_TRIES: Final = 5
_RACES: Final = (errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject)


def postgres_records(connection: PgConnection) -> list[Record]:
    """Return what was applied to the database."""
    (found,) = connection.execute("SELECT to_regclass('schema_migrations')").fetchall()[0]
    return [Record(*row) for row in connection.execute(LIST_RECORDS).fetchall()] if found else []


def migrate_postgres_url(url: str, migrations: Sequence[Migration], now_us: int) -> list[str]:
    """Bring the database at `url` up to date and return what was applied; raises `StorageError`."""
    try:
        with closing(connect(url)) as connection:
            return migrate_postgres(connection, migrations, now_us)
    except psycopg.Error as error:
        raise StorageError(f"PostgreSQL cannot be used: {error}".strip()) from error


def migrate_postgres(connection: PgConnection, migrations: Sequence[Migration], now_us: int) -> list[str]:
    """Bring the database up to date and return what was applied; several servers may start at once."""
    if not pending(migrations, postgres_records(connection)):
        return []  # without a lock: what is usual
    _create_records(connection)
    connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
    applied: list[str] = []
    while True:
        with connection.transaction():
            connection.execute("LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE")
            missing = pending(migrations, postgres_records(connection))
            if not missing:
                return applied
            _apply(connection, missing[0], now_us)
        applied.append(f"{missing[0].number:04}_{missing[0].name}")


def _apply(connection: PgConnection, migration: Migration, now_us: int) -> None:
    connection.execute(migration.script("postgres"))
    values = {
        "number": migration.number,
        "name": migration.name,
        "checksum": migration.checksum,
        "applied_us": now_us,
    }
    cursor = psycopg.RawCursor(connection)
    cursor.execute(INSERT_RECORD.render("postgres"), [values[place] for place in INSERT_RECORD.places])


def _create_records(connection: PgConnection) -> None:
    for attempt in range(1, _TRIES + 1):
        try:
            connection.execute(render_script(CREATE_RECORDS, "postgres"))
        except (*_RACES, psycopg.InternalError):
            # `IF NOT EXISTS` looks before it makes: another server that starts can come in between.
            if attempt == _TRIES:
                raise
        else:
            return
