"""Databases with the small test schema, closed whatever happens."""

import dataclasses
from pathlib import Path

import pytest

from omium.clock import ManualClock
from omium.server.db.open import open_database
from omium.server.db.settings import DatabaseSettings
from tests.db.schema import write_migrations


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    return write_migrations(tmp_path / "migrations")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def database_url(empty_database_url: str) -> str:
    """A database without a table: these tests bring schemas of their own."""
    return empty_database_url


@pytest.fixture
def postgres_url(empty_postgres_url: str) -> str:
    """The same on PostgreSQL only."""
    return empty_postgres_url


@pytest.fixture
async def open_any(migrations, clock):
    """Open a database by its URL with the test schema; settings by keyword."""
    opened = []

    async def open_one(url, *, migrate=True, clock=clock, **settings):
        chosen = dataclasses.replace(DatabaseSettings(migrations=migrations, connections=2), **settings)
        database = await open_database(str(url), clock=clock, migrate=migrate, settings=chosen)
        opened.append(database)
        return database

    yield open_one
    for database in opened:
        await database.close()


@pytest.fixture
async def database(open_any, database_url):
    """An empty database, once on SQLite and once on PostgreSQL."""
    return await open_any(database_url)


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    return tmp_path / "omium.sqlite"


@pytest.fixture
async def sqlite(open_any, sqlite_file):
    """An empty SQLite database, for what only its driver does."""
    return await open_any(sqlite_file)
