"""The scratch folder of a trial: where everything of it lies, and the environment of what runs in it.

Owns the layout: `data/` (a server's data folder), `config/`, the agents' evidence, the world that their
effects change, the journal of a forgetful disk, and logs. Made beside the data folder that is to be tried,
so that the same disk is tried, and removed in the end.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from omium.errors import ConfigError
from omium.safetext import safe_text

FREE_MIN_BYTES: Final = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Scratch:
    """Paths of one trial, and the PostgreSQL that its server uses in place of a file."""

    folder: Path
    database_url: str | None = field(default=None, repr=False)

    @property
    def data(self) -> Path:
        """The server's data folder."""
        return self.folder / "data"

    @property
    def evidence(self) -> Path:
        """What was acknowledged to the agents, a line each; evidence.py reads it."""
        return self.folder / "acknowledged.jsonl"

    @property
    def world(self) -> Path:
        """What the agents' effects did, a line each."""
        return self.folder / "world.txt"

    @property
    def journal(self) -> Path:
        """The writes and syncs of a server on a forgetful disk."""
        return self.folder / "writes.journal"

    @property
    def log(self) -> Path:
        """What server and agents wrote to their standard error."""
        return self.folder / "log.txt"

    def environment(self, **variables: str) -> Mapping[str, str]:
        """Return an environment in which nothing of Omium's is set but `variables` and our folders."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OMIUM_")}
        return {
            **kept,
            "OMIUM_DATA_DIR": str(self.data),
            "OMIUM_CONFIG_DIR": str(self.folder / "config"),
            "OMIUM_BALLAST_BYTES": "0",
            "OMIUM_LOG_FORMAT": "json",
            "OMIUM_LOG_LEVEL": "warning",
            "OMIUM_STARTER_CREDITS": "1000000000",  # however long the trial is
            **({"OMIUM_DATABASE_URL": self.database_url} if self.database_url else {}),
            **variables,
        }

    def remove(self) -> None:
        """Remove the folder with everything in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def make_scratch(beside: Path, database_url: str | None = None) -> Scratch:
    """Make a scratch folder on the disk of `beside`: in the nearest folder above it that is there.

    Raises `ConfigError` where that cannot be written to, or has too little space, and where there is anything
    in the database of `database_url`.
    """
    if database_url is not None:
        refuse_used(database_url)
    parent = beside.absolute().parent
    while not parent.is_dir():
        parent = parent.parent
    try:
        free_bytes = shutil.disk_usage(parent).free
        if free_bytes < FREE_MIN_BYTES:
            raise ConfigError(
                f"{parent} has {free_bytes >> 20} MiB left, and a trial may need {FREE_MIN_BYTES >> 20}: "
                "free some space, or name a folder on another disk with --data."
            )
        return Scratch(Path(tempfile.mkdtemp(prefix="omium-chaos-", dir=parent)), database_url)
    except OSError as error:
        raise ConfigError(
            f"No folder can be made in {parent} ({error.strerror}): run it as the server's user, or name a "
            "folder that you may write beside with --data."
        ) from error


def refuse_used(database_url: str) -> None:
    """Raise `ConfigError` unless `database_url` is a PostgreSQL database without any table.

    A trial writes thousands of executions and kills who writes them: not beside anybody's data.
    """
    import psycopg  # noqa: PLC0415  # only for a trial on PostgreSQL

    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            tables = connection.execute(
                "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchone()
    except psycopg.Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(f"The database of --database-url cannot be used: {safe_text(reason)}.") from error
    if tables is None or tables[0]:
        raise ConfigError(
            "The database of --database-url is not empty; make one for this alone (CREATE DATABASE), and drop"
            " it afterwards."
        )
