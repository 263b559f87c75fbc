"""The one-time token: who sits at the fresh server's machine becomes its owner, once."""

import asyncio
import contextlib
import stat
import threading

import pytest

from omium.clock import ManualClock
from omium.server.store import tenants
from omium.server.web.bootstrap import BootstrapToken
from omium.states import Scope
from tests.serverfixture import AppClient, open_app_client, test_settings


@pytest.fixture
async def fresh(tmp_path, database_url):
    """An app without a tenant, whose token was offered."""
    from omium.models.account import NewKey
    from omium.server.app import open_app

    url = database_url if database_url.startswith("postgresql://") else None
    clock = ManualClock()
    nobody = NewKey(tenant="", tenant_id="", api_key="", api_key_id="", name="", environment="dev", scopes=[])
    async with (
        open_app(test_settings(tmp_path, database_url=url), clock=clock, sweeps=False) as app,
        AppClient(app, clock, nobody) as client,
    ):
        app.server.bootstrap.offer()
        yield client


def token_of(client) -> str:
    return client.server.bootstrap.path.read_text().strip()


async def test_the_token_makes_an_owner_and_is_gone(fresh):
    token = token_of(fresh)
    reply = await fresh.post("/v1/bootstrap", json={"token": token, "tenant": "acme", "environment": "prod"})

    assert reply.status_code == 201
    made = reply.json()
    whoami = await fresh.get("/v1/whoami", headers={"authorization": f"Bearer {made['api_key']}"})
    assert whoami.json()["tenant"] == "acme"
    assert whoami.json()["environment"] == "prod"
    assert set(whoami.json()["scopes"]) == set(Scope)
    assert not fresh.server.bootstrap.path.exists()
    assert not fresh.server.bootstrap.is_open


async def test_a_repeat_says_that_the_secret_was_shown_and_names_the_key(fresh):
    token = token_of(fresh)
    first = await fresh.post("/v1/bootstrap", json={"token": token})
    again = await fresh.post("/v1/bootstrap", json={"token": token})

    assert again.status_code == 409
    assert again.json()["code"] == "secret-not-repeatable"
    assert again.json()["reply"]["api_key_id"] == first.json()["api_key_id"]
    assert first.json()["api_key"] not in again.text


async def test_two_at_once_make_one_owner(fresh):
    token = token_of(fresh)
    replies = await asyncio.gather(*(fresh.post("/v1/bootstrap", json={"token": token}) for _ in range(4)))

    # A loser is told of the owner, or, once the winner's token is withdrawn, that the token is wrong.
    made, *refused = sorted(reply.status_code for reply in replies)
    assert made == 201
    assert set(refused) <= {403, 409}


async def test_a_wrong_token_and_an_old_one_are_refused_alike(fresh):
    token = token_of(fresh)
    wrong = await fresh.post("/v1/bootstrap", json={"token": token[:-1]})
    fresh.clock.advance(seconds=901)
    old = await fresh.post("/v1/bootstrap", json={"token": token})

    assert wrong.status_code == old.status_code == 403
    assert wrong.json()["detail"] == old.json()["detail"]
    assert await fresh.server.db.read(tenants.find_any_tenant_id) is None


async def test_a_fresh_token_does_not_open_a_server_that_has_an_owner(fresh):
    await fresh.post("/v1/bootstrap", json={"token": token_of(fresh)})
    fresh.server.bootstrap.offer()

    reply = await fresh.post("/v1/bootstrap", json={"token": token_of(fresh)})

    assert reply.status_code == 403
    assert reply.json()["code"] == "bootstrap-closed"


async def test_a_tenant_that_came_another_way_closes_it_too(tmp_path):
    async with open_app_client(test_settings(tmp_path)) as client:
        client.server.bootstrap.offer()
        reply = await client.post("/v1/bootstrap", json={"token": token_of(client)})
        assert reply.status_code == 403


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("192.0.2.1", {}),
        ("127.0.0.1", {"x-forwarded-for": "192.0.2.1"}),
        ("127.0.0.1", {"forwarded": "for=x"}),
    ],
)
async def test_only_the_machine_itself_may_use_it(fresh, peer, headers):
    client = fresh.as_nobody(peer)
    reply = await client.post("/v1/bootstrap", json={"token": token_of(fresh)}, headers=headers)

    assert reply.status_code == 403
    assert fresh.server.bootstrap.is_open


def test_the_token_file_can_be_read_by_its_owner_only(tmp_path):

    token = BootstrapToken(tmp_path / "data", ManualClock(), 900)
    first = token.offer().read_text()
    second = token.offer().read_text()

    assert stat.S_IMODE(token.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(token.path.parent.stat().st_mode) == 0o700
    assert first != second
    assert token.fits(second.strip())
    assert not token.fits(first.strip())


def test_a_link_in_the_tokens_place_is_not_followed(tmp_path):

    target = tmp_path / "victim"
    target.write_text("mine")
    token = BootstrapToken(tmp_path / "data", ManualClock(), 900)
    token.path.parent.mkdir(parents=True)
    token.path.symlink_to(target)

    token.offer()

    assert target.read_text() == "mine"


def test_who_waits_for_the_file_never_reads_half_of_a_token(tmp_path):
    offered = BootstrapToken(tmp_path / "data", ManualClock(), 900)
    read, stopped = set(), threading.Event()

    def watch():
        while not stopped.is_set():
            with contextlib.suppress(FileNotFoundError):
                read.add(len(offered.path.read_text()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    lengths = {len(offered.offer().read_text()) for _ in range(300)}
    stopped.set()
    watcher.join()

    assert read <= lengths
    assert [path.name for path in offered.path.parent.iterdir()] == [offered.path.name]
