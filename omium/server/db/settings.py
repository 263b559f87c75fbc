"""How a database is opened: sizes and limits, each with the default that the server uses."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from omium.server.db.migrate import FOLDER


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Everything that may differ between a laptop, a large server and a test."""

    migrations: Path = FOLDER
    max_waiting: int = 10_000  # works and reads that may wait, each; more are refused with `StorageBusy`
    read_deadline_s: float = 2.0  # longer reads would keep the write-ahead log from being reused
    connections: int = 4  # for reading
    postgres_writers: int = 4  # for batches; SQLite has one writer
    postgres_lone_writers: int = 8  # for works that wait for a lock or are run again; connect when needed
    busy_timeout_s: float = 2.0  # how long another process may hold SQLite's lock
    checked_bytes: int = 64 << 20  # SQLite files up to this size are checked whole before they are opened
    ballast_bytes: int = (
        1 << 20
    )  # given back to a full disk, so that the server can start and say so; 0: none
    on_fatal: Callable[[sqlite3.Error], None] | None = None  # None: end the process
