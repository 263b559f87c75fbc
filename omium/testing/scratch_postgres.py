"""The PostgreSQL database of a trial: made beside the one that is named, and dropped in the end.

Owns its name and its life. What is in the named database is neither read nor written: a trial writes
thousands of executions and kills who writes them, so it gets a database of its own on the same server.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, LiteralString
from urllib.parse import quote, urlencode

from omium.errors import ConfigError
from omium.safetext import safe_text

if TYPE_CHECKING:
    import psycopg

PREFIX: Final = "omium_chaos_"
SCHEMES: Final = ("postgresql://", "postgres://")
CONNECT_TIMEOUT_S: Final = 10


@dataclass(frozen=True, slots=True)
class ScratchDatabase:
    """A database that nobody else uses."""

    name: str
    version: str
    """The server's, as "15.8"."""
    url: str = field(repr=False)
    _beside: str = field(repr=False)

    def remove(self) -> None:
        """Drop it, whoever is still connected; once dropped, this changes nothing.

        Raises `ConfigError` where the server is away or refuses.
        """
        from psycopg import sql  # noqa: PLC0415  # only for a trial on PostgreSQL

        _run(self._beside, "DROP DATABASE IF EXISTS {} WITH (FORCE)", sql.Identifier(self.name))


def make_scratch_database(beside_url: str) -> ScratchDatabase:
    """Make an empty database on the server of `beside_url`, as its user.

    Raises `ConfigError` where that is no URL of PostgreSQL, the server is away, or the user may not.
    """
    if not beside_url.startswith(SCHEMES):
        raise ConfigError("A trial's database is named by a URL that begins with postgresql://.")
    try:
        from psycopg import sql  # noqa: PLC0415  # only for a trial on PostgreSQL
    except ImportError as error:
        raise ConfigError(
            "PostgreSQL's driver is not installed: pip install 'omium-os[postgres]'."
        ) from error
    name = f"{PREFIX}{secrets.token_hex(6)}"
    # template0: what somebody put into template1 is not ours to try
    version = _run(beside_url, "CREATE DATABASE {} TEMPLATE template0", sql.Identifier(name))
    return ScratchDatabase(name, version, _url_of(beside_url, name), beside_url)


def _run(url: str, statement: LiteralString, name: Any) -> str:
    """Run a statement about the database `name` beside the one of `url`; returns the server's version."""
    import psycopg  # noqa: PLC0415  # only for a trial on PostgreSQL
    from psycopg import sql  # noqa: PLC0415

    try:
        with _connect(url) as connection:
            connection.execute(sql.SQL(statement).format(name))
            return connection.info.parameter_status("server_version") or "of unknown version"
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigError(
            "A trial makes a database of its own and drops it, and the user of the database URL may not make "
            "one: ALTER ROLE ... CREATEDB, or name a user who may with --database-url."
        ) from error
    except psycopg.Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"The PostgreSQL of the database URL cannot be used: {safe_text(reason)}."
        ) from error


def _connect(url: str) -> psycopg.Connection[Any]:
    import psycopg  # noqa: PLC0415  # only for a trial on PostgreSQL

    return psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S, autocommit=True)


def _url_of(beside_url: str, name: str) -> str:
    """Return `beside_url` with another database: in the form that has one place for everything."""
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415  # only for a trial on PostgreSQL

    parameters = {key: str(value) for key, value in conninfo_to_dict(beside_url).items() if value is not None}
    parameters.pop("dbname", None)
    return f"postgresql:///{quote(name)}?{urlencode(parameters, quote_via=quote)}"
