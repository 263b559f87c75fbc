"""A private PostgreSQL server with its durability on, for the peers and rows that need one.

Owns finding its programs and ending it; how it is made is what the tests use, too (tests/postgres.py).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.processes import DISK, INSTALL_PEERS, PEERS_PYTHON
from benchmarks.rows import Missing
from tests import postgres

NO_POSTGRES = "not installed: PostgreSQL's server programs"
DURABLE = {"fsync": "on", "full_page_writes": "on", "autovacuum": "on", "shared_buffers": "128MB"}


@contextmanager
def open_postgres() -> Iterator[postgres.Server]:
    """A fresh server on a real disk, or `Missing`."""
    binaries = postgres.find_binaries()
    if binaries is None:
        raise Missing(NO_POSTGRES)
    before = tempfile.tempdir
    tempfile.tempdir = str(DISK) if os.access(DISK, os.W_OK) else None
    try:
        server = postgres.start_server(binaries, DURABLE)
    finally:
        tempfile.tempdir = before
    try:
        yield server
    finally:
        server.stop()


def make_absurd_database(server: postgres.Server) -> str:
    """Return the URL of a fresh database with absurd's schema."""
    command = PEERS_PYTHON.parent / "absurdctl"
    if not command.exists():
        raise Missing(INSTALL_PEERS)
    binaries = postgres.find_binaries()
    url = server.url(server.create_database())
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}"}
    subprocess.run([command, "init", "-d", url], env=environment, check=True, capture_output=True)
    return url
