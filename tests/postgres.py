"""A private PostgreSQL server for the tests, and a fresh database for each test that asks.

Owns the server process of one pytest process (under pytest-xdist each worker has its own, so workers never
wait for each other). The server listens on a Unix socket in a folder of its own and touches no installed
cluster. It ends when pytest ends, however pytest ends: a shell beside it waits for the closing of a pipe.

Its text order is a linguistic one (ICU), so that SQL which relies on `COLLATE "C"` and does not say so fails
here. Durability is off: it is for speed, crash tests of PostgreSQL itself need a server of their own.
"""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from omium.server.db.migrate import list_migrations
from omium.server.db.migrate_postgres import migrate_postgres_url
from tests.migrated import put_sqlite

START_TIMEOUT_S = 60
SERVER_USERS = ("postgres", "nobody")  # who runs the server when we are root: initdb refuses root

# Runs the server until standard input closes, then stops it fast and removes its folder.
GUARD = """
folder=$1; shift
"$@" </dev/null >"$folder/log" 2>&1 &
server=$!
while read -r _; do :; done
kill -INT $server 2>/dev/null
wait $server
rm -rf "$folder"
"""

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "max_prepared_transactions": "0",
    "shared_buffers": "32MB",
    "timezone": "Asia/Kathmandu",  # no code may depend on the server's zone; this one is 45 minutes odd
    "autovacuum": "off",
}


@dataclass
class Server:
    """A running server: makes and drops databases."""

    folder: Path
    process: subprocess.Popen[bytes]
    names: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    template: str | None = None  # the database with every migration, which no test opens

    def url(self, database: str) -> str:
        return f"postgresql://omium@/{database}?host={self.folder}"

    def create_database(self) -> str:
        name = f"test_{next(self.names)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
        return name

    def copy_template(self) -> str:
        """Make a database that has every migration and nothing in it."""
        if self.template is None:
            template = self.create_database()
            migrate_postgres_url(self.url(template), list_migrations(), 0)
            self.template = template
        name = f"test_{next(self.names)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {self.template} STRATEGY file_copy")
        return name

    def drop_database(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def wait_until_ready(self) -> None:
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError as error:
                if time.monotonic() > give_up_at:
                    log = (self.folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"PostgreSQL did not start: {error}\n{log}") from error
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=START_TIMEOUT_S)


def find_binaries() -> Path | None:
    """Return the folder with the newest `initdb` and `postgres`, from the PATH or from Debian's folders."""
    on_path = shutil.which("initdb")
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), reverse=True
    )
    candidates = [Path(on_path).resolve(), *debian] if on_path else debian
    return next((path.parent for path in candidates if (path.parent / "postgres").exists()), None)


def choose_user() -> str | None:
    """Return the user to run the server as, or None for the one that runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in SERVER_USERS if name in known)


def start_server(binaries: Path, changed: Mapping[str, str] | None = None) -> Server:
    """Make a cluster in a new folder, start it and wait until it answers; `changed` goes over `SETTINGS`."""
    folder = Path(tempfile.mkdtemp(prefix="omium-pg-"))
    user = choose_user()
    identity: dict[str, object] = {}
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    environment = {"PATH": f"{binaries}:{os.defpath}", "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    data = folder / "data"
    initdb = [
        binaries / "initdb", "--pgdata", data, "--username", "omium", "--auth", "trust", "--encoding", "UTF8",
        "--locale-provider", "icu", "--icu-locale", "en-US", "--no-sync", "--no-instructions",
    ]  # fmt: skip
    made = subprocess.run(
        initdb, cwd=folder, env=environment, capture_output=True, text=True, check=False, **identity
    )
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed:\n{made.stdout}{made.stderr}")
    chosen = {**SETTINGS, **(changed or {})}
    settings = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
    command = [binaries / "postgres", "-D", data, "-k", folder, *settings]
    process = subprocess.Popen(
        ["/bin/sh", "-c", GUARD, "guard", folder, *command],
        cwd="/",
        env=environment,
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C ends pytest, and pytest's end ends the server
        **identity,
    )
    server = Server(folder, process)
    server.wait_until_ready()
    return server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One server for this pytest process; skips without the programs, unless they are required."""
    binaries = find_binaries()
    if binaries is None:
        reason = "PostgreSQL's server programs (initdb, postgres) are not installed"
        if os.environ.get("OMIUM_REQUIRE_POSTGRES"):
            pytest.fail(f"{reason}, and OMIUM_REQUIRE_POSTGRES is set")
        pytest.skip(reason)
    server = start_server(binaries)
    yield server
    server.stop()


@pytest.fixture
def empty_postgres_url(postgres_server: Server) -> Iterator[str]:
    """The URL of a fresh database without any table, dropped after the test."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """The URL of a fresh database with our tables and nothing in them, dropped after the test."""
    name = postgres_server.copy_template()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a fresh database is: a SQLite path first, then a PostgreSQL URL; the test runs on both."""
    if request.param == "sqlite":
        return str(put_sqlite(tmp_path / "omium.sqlite"))
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(params=BOTH)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same before any migration: no file, or a database without a table."""
    if request.param == "sqlite":
        return str(tmp_path / "omium.sqlite")
    url: str = request.getfixturevalue("empty_postgres_url")
    return url
