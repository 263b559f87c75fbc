"""Two servers on one PostgreSQL: no hint crosses, so each looks for itself, within a second."""

import pytest

from omium.models.execution import CancelExecution, StartExecution
from omium.server.engine.cancel import request_cancel
from omium.server.engine.parts import EngineParts
from omium.server.engine.start import start
from omium.server.engine.values import Vault
from omium.server.principal import Principal, PrincipalKind
from omium.states import Driver, Environment, Scope
from tests.serverfixture import AppClient, open_app_client, test_settings
from tests.web.asgi import open_stream, until

pytestmark = pytest.mark.postgres


@pytest.fixture
async def two(tmp_path, postgres_url):
    """Clients of two servers with the same database, key file and key."""
    settings = test_settings(tmp_path, database_url=postgres_url)
    async with open_app_client(settings) as first, open_app_client(settings) as second:
        yield first, AppClient(second.app, second.clock, first.key)


def principal(client) -> Principal:
    return Principal(
        client.key.tenant_id, client.key.api_key_id, PrincipalKind.KEY, Environment.DEV, frozenset(Scope)
    )


async def test_an_event_that_the_other_server_wrote_arrives(two):
    first, second = two
    parts = EngineParts(first.server.db, Vault(first.server.key_file))
    command = StartExecution(workflow="report", driver=Driver.WORKER, input_digest="0" * 64)
    queued = await start(parts, principal(first), command, idempotency_key="k")
    async with open_stream(second, f"/v1/executions/{queued.id}/events/stream?after=1") as stream:
        await until(lambda: second.server.streams.open == 1)
        await first.server.db.write(
            lambda tx: request_cancel(tx, principal(first), queued.id, CancelExecution())
        )
        assert (await stream.next()).startswith(b"id: 2\n")


async def test_a_key_that_the_other_server_revoked_ends_its_streams_here(two):
    first, second = two
    other = AppClient(second.app, second.clock, await first.new_key())
    async with open_stream(other, "/v1/events/stream") as stream:
        await until(lambda: second.server.streams.open == 1)
        assert (await first.post(f"/v1/keys/{other.key.api_key_id}/revoke")).status_code == 200
        second.clock.advance(seconds=1.1)
        await stream.wait_for_end()


async def test_a_repeat_at_the_other_server_gets_the_same_answer(two):
    first, second = two
    made = await first.post_keyed("/v1/keys", {"name": "a"}, key="k")
    again = await second.post_keyed("/v1/keys", {"name": "a"}, key="k")

    assert again.status_code == 409
    assert again.json()["reply"]["api_key_id"] == made.json()["api_key_id"]


@pytest.mark.parametrize("by_token", [False, True])
async def test_a_new_secret_is_good_at_the_other_server_at_once_and_the_old_one_ends_there_in_a_second(
    two, by_token
):
    first, second = two
    old = AppClient(second.app, second.clock, await first.new_key())
    assert (await old.get("/v1/whoami")).status_code == 200

    rotated = await first.post_keyed(f"/v1/keys/{old.key.api_key_id}/rotate", {})
    new = old.as_key(old.key.model_copy(update={"api_key": rotated.json()["api_key"]}))
    if by_token:
        exchanged = await first.as_key(new.key).post("/v1/auth/token", json={})
        new = old.as_key(old.key.model_copy(update={"api_key": exchanged.json()["token"]}))

    assert (await new.get("/v1/whoami")).status_code == 200
    second.clock.advance(seconds=1.001)
    assert (await old.get("/v1/whoami")).json()["code"] == "key-rotated"


async def test_a_rotation_here_ends_the_streams_of_the_old_secret_there(two):
    first, second = two
    old = AppClient(second.app, second.clock, await first.new_key())
    async with open_stream(old, "/v1/events/stream") as stream:
        await until(lambda: second.server.streams.open == 1)
        await first.post_keyed(f"/v1/keys/{old.key.api_key_id}/rotate", {})
        second.clock.advance(seconds=1.1)
        await stream.wait_for_end()
        assert stream.ended.is_set()
