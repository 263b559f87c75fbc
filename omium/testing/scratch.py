"""The scratch folder of a trial: where everything of it lies, and the environment of what runs in it.

Owns the layout: `data/` (a server's data folder), `config/`, the agents' evidence, the world that their
effects change, the journal of a forgetful disk, and logs. Made beside the data folder that is to be tried,
so that the same disk is tried, and removed in the end. A database on PostgreSQL is scratch_postgres.py's.
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
from omium.testing.scratch_postgres import ScratchDatabase, make_scratch_database

FREE_MIN_BYTES: Final = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Scratch:
    """Paths of one trial, and the database on PostgreSQL that its server uses in place of a file."""

    folder: Path
    database: ScratchDatabase | None = field(default=None)

    @property
    def data(self) -> Path:
        """The server's data folder."""
        return self.folder / "data"

    @property
    def evidence(self) -> Path:
        """What was acknowledged to the agents, a line each; evidence.py reads it."""
        return self.folder / "acknowledged.jsonl"

    @property
    def allowance(self) -> Path:
        """How far the evidence may grow before the agents begin nothing new; evidence.py reads it."""
        return self.folder / "allowance.txt"

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
            **({"OMIUM_DATABASE_URL": self.database.url} if self.database else {}),
            **variables,
        }

    def remove(self) -> None:
        """Remove the folder with everything in it, and the database; again, nothing happens.

        Raises `ConfigError` where PostgreSQL is away: the folder is gone then, the database is not.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.database is not None:
            self.database.remove()


def make_scratch(beside: Path, database_url: str | None = None) -> Scratch:
    """Make a scratch folder on the disk of `beside`: in the nearest folder above it that is there.

    With `database_url`, make a database on that PostgreSQL, too. Raises `ConfigError` where the folder cannot
    be written to or has too little space, and where no database can be made.
    """
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
        folder = Path(tempfile.mkdtemp(prefix="omium-chaos-", dir=parent))
    except OSError as error:
        raise ConfigError(
            f"No folder can be made in {parent} ({error.strerror}): run it as the server's user, or name a "
            "folder that you may write beside with --data."
        ) from error
    try:
        return Scratch(folder, make_scratch_database(database_url) if database_url else None)
    except BaseException:
        folder.rmdir()  # nothing is in it yet
        raise
