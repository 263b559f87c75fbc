"""A server with people: an owner who has signed up, and whoever a test lets him invite."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from omium.clock import ManualClock
from omium.models.account import NewKey
from omium.server.app import open_app
from omium.server.settings import ServerSettings
from tests.serverfixture import AppClient, each_app_client, test_settings

__all__ = ["each_app_client", "each_people", "make_people", "people"]

PASSWORD = "correct battery staple horse"
NOBODY = NewKey(
    tenant="", tenant_id="", api_key="", api_key_id="", name="", environment="dev", scopes=[], credits=None
)


class People:
    """The people of one server, by name; each is an `AppClient` that sends the person's session."""

    def __init__(self, nobody: AppClient, clock: ManualClock) -> None:
        self.nobody = nobody
        self.clock = clock

    @property
    def server(self):
        return self.nobody.server

    def client(self, session: dict[str, object], peer: str = "127.0.0.1") -> AppClient:
        """Return a client with `session`; it carries the reply of the log-in as `session`."""
        made = self.nobody.as_key(
            NOBODY.model_copy(
                update={"api_key": session["session_token"], "tenant_id": session["tenant_id"]}
            ),
            peer,
        )
        made.session = session
        return made

    async def first(self, name: str = "ada", tenant: str = "acme", **fields: object) -> AppClient:
        """Sign up the server's first user with the one-time token."""
        token = self.server.bootstrap.offer().read_text().strip()
        reply = await self.nobody.post(
            "/v1/sign-up",
            json={"user": name, "password": PASSWORD, "tenant": tenant, "token": token} | fields,
        )
        assert reply.status_code == 201, reply.text
        return self.client(reply.json())

    async def invite(self, inviter: AppClient, role: str, **fields: object) -> str:
        reply = await inviter.post_keyed("/v1/invitations", {"role": role} | fields)
        assert reply.status_code == 201, reply.text
        return reply.json()["invitation_token"]

    async def join(self, inviter: AppClient, name: str, role: str) -> AppClient:
        """Sign up `name` in the inviter's tenant."""
        invitation = await self.invite(inviter, role)
        reply = await self.nobody.post(
            "/v1/sign-up", json={"user": name, "password": PASSWORD, "invitation": invitation}
        )
        assert reply.status_code == 201, reply.text
        return self.client(reply.json())

    async def try_log_in(self, name: str, password: str = PASSWORD, peer: str = "127.0.0.1", **fields):
        client = self.nobody.as_nobody(peer)
        return await client.post("/v1/log-in", json={"user": name, "password": password} | fields)

    async def log_in(self, name: str, password: str = PASSWORD, **fields: object) -> AppClient:
        reply = await self.try_log_in(name, password, **fields)
        assert reply.status_code == 201, reply.text
        return self.client(reply.json())

    async def tenant_of(self, owner: AppClient, name: str) -> AppClient:
        """Create a further tenant, and return its owner's client there."""
        made = await owner.post_keyed("/v1/tenants", {"name": name})
        assert made.status_code == 201, made.text
        return await self.log_in(owner.session["user"], tenant=made.json()["id"])


@asynccontextmanager
async def open_people(settings: ServerSettings) -> AsyncIterator[People]:
    clock = ManualClock()
    async with (
        open_app(settings, clock=clock, sweeps=False) as app,
        AppClient(app, clock, NOBODY) as nobody,
    ):
        yield People(nobody, clock)
        undeclared = [
            line
            for line in app.server.metrics.render().decode().splitlines()
            if "omium_undeclared_problems_total{" in line
        ]
        assert undeclared == []


@pytest.fixture
async def people(tmp_path) -> AsyncIterator[People]:
    """On SQLite, with an injected clock."""
    async with open_people(test_settings(tmp_path)) as opened:
        yield opened


@pytest.fixture
async def each_people(tmp_path, database_url) -> AsyncIterator[People]:
    """The same, on SQLite and on PostgreSQL."""
    url = database_url if database_url.startswith("postgresql://") else None
    async with open_people(test_settings(tmp_path, database_url=url)) as opened:
        yield opened


@pytest.fixture
def make_people(tmp_path) -> Callable[..., object]:
    """A function: `async with make_people(sign_up="open") as people:`."""
    return lambda **chosen: open_people(test_settings(tmp_path, **chosen))
