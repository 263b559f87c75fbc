"""Servers for tests: a fast one inside the test's own event loop, and a real process on loopback.

    async def test_x(app_client):              # on SQLite; ask for `each_app_client` to run on PostgreSQL too
        reply = await app_client.post("/v1/…", json={…})
        app_client.clock.advance(seconds=60)

    def test_y(running_server):                # a process: `omium serve`'s own code
        httpx.get(running_server.base_url + "/v1/whoami", headers=running_server.headers)
        running_server.kill(); running_server.restart()

A folder that wants them says so in its conftest.py: `from tests.serverfixture import app_client, ...`.
Both begin with a tenant "test" whose owner's key has every scope. `app_client.new_key(...)` and
`app_client.new_tenant(...)` make further identities. `make_app_client` makes clients with other settings.
"""

import contextlib
import os
import re
import signal
import ssl
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from omium.clock import ManualClock
from omium.folders import bootstrap_token_file
from omium.models.account import NewKey
from omium.server import app as server_app
from omium.server.db.open import open_database
from omium.server.settings import ServerSettings
from omium.server.store import tenants
from omium.server.web import accounts
from omium.server.web.context import ServerContext
from omium.server.web.dispatch import Application
from omium.states import Environment, Scope
from tests import preloaded
from tests.db.twice import TwiceDatabase
from tests.migrated import put_sqlite

START_TIMEOUT_S = 60
BASE_URL = "http://localhost"
IN_CLEAR = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that never speak TLS: otherwise httpx reads all authorities first, for 25 ms."""
UNDECLARED = "omium_undeclared_problems_total{"

_PROGRAM = """
import sys
from pathlib import Path
from omium.server.serve import run_server
from omium.server.settings import ServerSettings
sys.exit(run_server(ServerSettings.load(data=Path(sys.argv[1]), port=int(sys.argv[2]))))
"""


class AppClient(httpx.AsyncClient):
    """An HTTP client of an app in this process. `key` is what it sends; `as_key` gives another identity."""

    def __init__(self, app: Application, clock: ManualClock, key: NewKey, peer: str = "127.0.0.1") -> None:
        super().__init__(
            transport=httpx.ASGITransport(app, raise_app_exceptions=True, client=(peer, 40_000)),
            base_url=BASE_URL,
            headers={"authorization": f"Bearer {key.api_key}"} if key.api_key else {},
        )
        self.app = app
        self.clock = clock
        self.key = key

    @property
    def server(self) -> ServerContext:
        return self.app.server

    @property
    def api_key(self) -> str:
        return self.key.api_key

    def as_key(self, key: NewKey, peer: str = "127.0.0.1") -> "AppClient":
        """Return a client that sends `key`; it needs no closing, there is no connection."""
        return AppClient(self.app, self.clock, key, peer)

    def as_nobody(self, peer: str = "127.0.0.1") -> "AppClient":
        return self.as_key(self.key.model_copy(update={"api_key": ""}), peer)

    async def new_key(
        self, *scopes: Scope, environment=Environment.DEV, workflows=None, expires_us=None
    ) -> NewKey:
        """Return a further key of the same tenant, with `scopes` or all of them."""
        return await insert_key(
            self.server, self.key.tenant_id, scopes or tuple(Scope), environment, workflows, expires_us
        )

    async def new_tenant(self, name: str = "other") -> "AppClient":
        """Return a client of a further tenant's owner."""
        return self.as_key(await insert_tenant(self.server, name))

    async def post_keyed(self, path: str, json: object = None, key: str | None = None) -> httpx.Response:
        """POST with an Idempotency-Key, a fresh one unless `key` is given."""
        return await self.post(path, json=json, headers={"Idempotency-Key": key or str(uuid.uuid4())})


async def insert_tenant(server: ServerContext, name: str) -> NewKey:
    made = accounts.make_key(server.key_file, Environment.DEV, server.clock.now_us())

    def work(tx):
        tenant = tenants.insert_tenant(tx, name)
        return accounts.insert_key(
            tx,
            made,
            tenant,
            name="owner",
            scopes=list(Scope),
            workflows=None,
            expires_us=None,
            created_by=None,
        )

    return await server.db.write(work)


async def insert_key(server, tenant_id, scopes, environment, workflows, expires_us) -> NewKey:
    made = accounts.make_key(server.key_file, environment, server.clock.now_us())
    return await server.db.write(
        lambda tx: accounts.insert_key(
            tx,
            made,
            tenants.get_tenant(tx, tenant_id),
            name="test key",
            scopes=scopes,
            workflows=workflows,
            expires_us=expires_us,
            created_by=None,
        )
    )


@asynccontextmanager
async def open_app_twice(settings: ServerSettings, clock: ManualClock) -> AsyncIterator[Application]:
    """Open an app whose every transaction runs twice, first in vain, as after a serialization failure.

    A work that keeps something from its first run gives a wrong answer in some test of the whole surface.
    """

    async def open_twice(url: str, **chosen: object) -> TwiceDatabase:
        return TwiceDatabase(await open_database(url, **chosen))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server_app, "open_database", open_twice)
        async with server_app.open_app(settings, clock=clock, sweeps=False) as opened:
            yield opened


@asynccontextmanager
async def open_app_client(settings: ServerSettings) -> AsyncIterator[AppClient]:
    clock = ManualClock()
    async with (
        open_app_twice(settings, clock) as app,
        AppClient(app, clock, await insert_tenant(app.server, "test")) as client,
    ):
        yield client
        undeclared = [
            line for line in app.server.metrics.render().decode().splitlines() if UNDECLARED in line
        ]
        assert undeclared == [], "endpoints answered problems that they do not declare"


def test_settings(tmp_path: Path, **chosen: object) -> ServerSettings:
    """Settings of a server in `tmp_path`, with a database that has our tables."""
    settings = replace(
        ServerSettings(data=tmp_path / "data", ballast_bytes=0, password_memory_mib=8, metering=False),
        **chosen,
    )
    if settings.database_url is None:
        put_sqlite(settings.data / "omium.sqlite")
    return settings


test_settings.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture
def make_app_client(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[AppClient]]:
    """A function: `async with make_app_client(streams_max=1) as client:` opens one with chosen settings."""
    return lambda **chosen: open_app_client(test_settings(tmp_path, **chosen))


@pytest.fixture
async def app_client(tmp_path: Path) -> AsyncIterator[AppClient]:
    """The app on SQLite with a manual clock and nothing in the background."""
    async with open_app_client(test_settings(tmp_path)) as client:
        yield client


@pytest.fixture
async def each_app_client(tmp_path: Path, database_url: str) -> AsyncIterator[AppClient]:
    """The same, on SQLite and on PostgreSQL."""
    url = database_url if database_url.startswith("postgresql://") else None
    async with open_app_client(test_settings(tmp_path, database_url=url)) as client:
        yield client


class RunningServer:
    """A server process. `api_key` is the owner's, made by the one-time token."""

    def __init__(
        self,
        data: Path,
        environment: dict[str, str],
        program: Sequence[str] = ("-c", _PROGRAM),
        *,
        from_nothing: bool = False,
    ) -> None:
        self.popen = subprocess.Popen if from_nothing else preloaded.Popen
        self.data = data
        self.environment = environment
        self.program = program  # what Python is told before folder and port
        self.before: Sequence[str] = ()  # what comes before Python itself
        self.api_key = ""
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.api_key}"}

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start and wait for the ready line; the port stays the same after the first time."""
        log = (self.data.parent / "server.log").open("a")
        with log:
            self.process = self.popen(
                [*self.before, sys.executable, *self.program, str(self.data), str(self.port)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **self.environment},
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"ready at https?://.*:(\d+)", line)
        if found is None:
            self.process.wait(timeout=START_TIMEOUT_S)
            self.process.stdout.close()
            raise AssertionError(f"the server did not start: {line!r}\n{self.log()}")
        self.port = int(found[1])

    def log(self) -> str:
        """What it wrote to stderr, over all starts."""
        return (self.data.parent / "server.log").read_text()

    def bootstrap(self) -> None:
        """Become the owner, as `omium init` does."""
        token_file = bootstrap_token_file(self.data)
        with httpx.Client(base_url=self.base_url, timeout=START_TIMEOUT_S, verify=IN_CLEAR) as client:
            for _ in range(600):
                if token_file.exists():
                    break
                client.get("/healthz")
            reply = client.post(
                "/v1/bootstrap", json={"token": token_file.read_text().strip(), "tenant": "test"}
            )
            assert reply.status_code == 201, reply.text
            self.api_key = reply.json()["api_key"]

    def kill(self) -> None:
        """SIGKILL: no goodbye of any kind."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        return self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Start again on the same port and data, after `kill` or `stop`."""
        if self.process is not None:
            self.stop()
        self.start()

    def _end(self, number: int) -> int:
        if self.process is None:
            return 0
        process, self.process = self.process, None
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        code = process.wait(timeout=START_TIMEOUT_S)
        assert process.stdout is not None
        process.stdout.close()
        return code


@pytest.fixture
def make_running_server(tmp_path: Path) -> Iterator[Callable[..., RunningServer]]:
    """A function that starts a server with variables such as OMIUM_STREAMS_MAX="1", without a tenant.

    With `from_nothing=True` Python itself starts, and the folder is empty: it takes a second longer.
    """
    servers: list[RunningServer] = []

    def make(*, from_nothing: bool = False, **environment: str) -> RunningServer:
        folder = tmp_path / f"server{len(servers) + 1}"
        folder.mkdir()
        if "OMIUM_DATABASE_URL" not in environment and not from_nothing:
            put_sqlite(folder / "data" / "omium.sqlite")
        chosen = {"OMIUM_BALLAST_BYTES": "0", **environment}
        server = RunningServer(folder / "data", chosen, from_nothing=from_nothing)
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.kill()


@pytest.fixture
def running_server(make_running_server: Callable[..., RunningServer]) -> RunningServer:
    """A server process on SQLite, with an owner."""
    server = make_running_server()
    server.bootstrap()
    return server
