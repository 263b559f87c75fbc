"""What a person watches ends when the session, the role or the membership does."""

import asyncio

import pytest

from tests.accounts.conftest import PASSWORD, open_people
from tests.serverfixture import test_settings
from tests.web.asgi import PATIENCE_S, open_stream, until

STREAM = "/v1/events/stream"


async def role(client, other, wanted):
    return await client.post(f"/v1/members/{other.session['user_id']}/role", json={"role": wanted})


ENDS = {
    "revoked by oneself": lambda ada, bob: bob.post(f"/v1/sessions/{bob.session['session_id']}/revoke"),
    "logged out": lambda ada, bob: bob.post("/v1/log-out"),
    "another password": lambda ada, bob: bob.post(
        "/v1/account/password", json={"password": PASSWORD, "new_password": PASSWORD + "!"}
    ),
    "another role": lambda ada, bob: role(ada, bob, "viewer"),
    "removed": lambda ada, bob: ada.post(f"/v1/members/{bob.session['user_id']}/remove"),
    "tenant deleted": lambda ada, bob: ada.post("/v1/tenant/delete", json={"name": "acme"}),
}


@pytest.mark.parametrize("how", ENDS)
async def test_a_stream_ends_at_once(people, how):
    ada = await people.first()
    bob = await people.join(ada, "bob", "operator")
    async with open_stream(bob, STREAM) as stream:
        await until(lambda: people.server.streams.open == 1)
        assert (await ENDS[how](ada, bob)).status_code < 300
        await stream.wait_for_end()


async def test_the_streams_of_other_sessions_go_on(people):
    ada = await people.first()
    other = await people.log_in("ada")
    async with open_stream(ada, STREAM) as kept, open_stream(other, STREAM) as ended:
        await until(lambda: people.server.streams.open == 2)
        await other.post("/v1/log-out")
        await ended.wait_for_end()
        await until(lambda: people.server.streams.open == 1)
        assert not kept.ended.is_set()


async def test_a_stream_that_never_rests_ends_when_another_server_ended_its_session(people):
    from omium.server.store import sessions

    ada = await people.first()
    tenant_id = ada.session["tenant_id"]
    async with open_stream(ada, STREAM) as stream:
        await until(lambda: people.server.streams.open == 1)
        user_id = ada.session["user_id"]
        await people.server.db.write(lambda tx: sessions.end_of_user(tx, user_id))
        people.clock.advance(seconds=1.001)

        async with asyncio.timeout(PATIENCE_S):
            while not stream.ended.is_set():
                people.server.live.wake("tenant", tenant_id)
                await asyncio.sleep(0)


@pytest.mark.postgres
@pytest.mark.parametrize("how", ENDS)
async def test_a_stream_on_another_server_ends_within_a_second(tmp_path, postgres_url, how):
    settings = test_settings(tmp_path, database_url=postgres_url)
    async with open_people(settings) as people, open_people(settings) as elsewhere:
        ada = await people.first()
        bob = await people.join(ada, "bob", "operator")
        async with open_stream(elsewhere.client(bob.session), STREAM) as stream:
            await until(lambda: elsewhere.server.streams.open == 1)
            assert (await ENDS[how](ada, bob)).status_code < 300
            elsewhere.clock.advance(seconds=1.001)  # what is believed of a row is no older than that
            await stream.wait_for_end()
