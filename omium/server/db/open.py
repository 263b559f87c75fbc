"""`open_database`: from a URL to an open database.

A plain path, `sqlite:///relative/path` or `sqlite:////absolute/path` is a SQLite file; `postgresql://...` is
PostgreSQL, whose driver is an extra.
"""

from __future__ import annotations

from pathlib import Path

from omium.clock import Clock
from omium.errors import ConfigError
from omium.server.db.settings import DatabaseSettings
from omium.server.db.sqlite import open_sqlite
from omium.server.db.tx import Database

_POSTGRES = ("postgresql://", "postgres://")


async def open_database(
    url: str, *, clock: Clock, migrate: bool = True, settings: DatabaseSettings | None = None
) -> Database:
    """Open the database at `url`, bring its schema up to date, and return it ready for works.

    With `migrate=False` a schema that is not up to date raises `StorageError`. Raises `ConfigError` for a URL
    that is not understood, and what `open_sqlite` and `open_postgres` raise.
    """
    if is_postgres(url):
        from omium.server.db.postgres import open_postgres  # noqa: PLC0415  # psycopg is an extra

        return await open_postgres(url, clock=clock, migrate=migrate, settings=settings)
    return await open_sqlite(sqlite_path(url), clock=clock, migrate=migrate, settings=settings)


def is_postgres(url: str) -> bool:
    """Say whether `url` names a PostgreSQL database."""
    return url.startswith(_POSTGRES)


def sqlite_path(url: str) -> Path:
    """Return the file that `url` names; raises `ConfigError` for another kind of URL."""
    if url.startswith("sqlite:///"):
        url = url.removeprefix("sqlite:///")
    if "://" in url or url in ("", ":memory:") or url.startswith(("sqlite:", "file:")):
        raise ConfigError(
            f"The database {url!r} is neither a path, nor sqlite:///path, nor postgresql://user@host/name."
        )
    return Path(url).expanduser()
