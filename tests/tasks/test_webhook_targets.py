"""Webhook targets: registered, tested, rotated, deleted."""

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from omium.server.db.tx import Sql
from tests.alerts.targets import open_target
from tests.serverfixture import open_app_client, test_settings


@pytest.fixture
async def target():
    async with open_target() as opened:
        opened.body = b""
        yield opened


@pytest.fixture
async def client(tmp_path, target):
    settings = test_settings(tmp_path, outbound_allow=(target.allowed,), outbound_timeout_s=5.0)
    async with open_app_client(settings) as opened:
        yield opened


async def create(client, target, **fields):
    body = {"name": "tools", "url": target.url, "handlers": ["enrich", "index"]} | fields
    reply = await client.post_keyed("/v1/webhooks", body)
    assert reply.status_code == 201, reply.text
    return reply.json()


async def only(client):
    (found,) = (await client.get("/v1/webhooks")).json()["items"]
    return found


async def test_a_target_shows_neither_its_address_nor_its_secret_again(client, target):
    made = await create(client, target)
    assert made["signing_secret"].startswith("whsec_")

    found = await only(client)
    assert "signing_secret" not in found
    assert (found["destination"], found["handlers"]) == (f"http://{target.allowed}/…", ["enrich", "index"])
    assert (found["status"], found["open"], found["environment"]) == ("active", 0, "dev")


async def test_neither_stands_in_clear_in_the_database(client, target):
    secret = (await create(client, target))["signing_secret"]
    sealed = await client.server.db.read(lambda tx: tx.one(Sql("SELECT sealed FROM webhook_targets"), bytes))
    assert secret.removeprefix("whsec_").encode() not in sealed
    assert b"private-path" not in sealed


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "https://user:pw@example.com/", "ftp://x/", "nothing"]
)
async def test_an_address_that_this_server_never_sends_to_is_refused_at_once(client, url):
    body = {"name": "w", "url": url, "handlers": ["h"]}
    reply = await client.post_keyed("/v1/webhooks", body)
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid-request")


async def test_a_test_is_signed_so_that_the_specifications_library_takes_it(client, target):
    made = await create(client, target)
    tested = (await client.post(f"/v1/webhooks/{made['id']}/test")).json()

    assert (tested["ok"], tested["status"]) == (True, 200)
    (received,) = target.received
    assert _verifies(made["signing_secret"], received)
    assert not _verifies((await create(client, target))["signing_secret"], received)


async def test_a_rotation_loses_nothing_and_ends_the_former_secret_after_a_day(client, target):
    made = await create(client, target)
    rotated = (await client.post_keyed(f"/v1/webhooks/{made['id']}/rotate")).json()
    assert rotated["signing_secret"] != made["signing_secret"]

    await client.post(f"/v1/webhooks/{made['id']}/test")
    client.clock.advance(seconds=86_401)
    await client.post(f"/v1/webhooks/{made['id']}/test")

    soon, later = target.received
    for secret in (made["signing_secret"], rotated["signing_secret"]):
        assert _verifies(secret, soon)
    assert not _verifies(made["signing_secret"], later)
    assert _verifies(rotated["signing_secret"], later)


@pytest.mark.parametrize("status", ["302 Found", "410 Gone", "500 Oops"])
async def test_what_is_no_2xx_is_a_failure_that_the_list_shows(client, target, status):
    made = await create(client, target)
    target.status, target.extra = status, "location: https://example.com/\r\n"
    tested = (await client.post(f"/v1/webhooks/{made['id']}/test")).json()

    assert (tested["ok"], tested["status"]) == (False, int(status.split()[0]))
    assert len(target.received) == 1  # a redirect is not followed
    assert status.split()[0] in (await only(client))["note"]


async def test_a_target_that_is_not_there_is_told_as_such(client, target):
    made = await create(client, target, url="https://nowhere.invalid/hook")
    tested = (await client.post(f"/v1/webhooks/{made['id']}/test")).json()
    assert (tested["ok"], tested["status"]) == (False, None)
    assert "nowhere.invalid" in tested["detail"]


async def test_a_deleted_target_is_gone_and_another_tenants_never_was(client, target):
    made = await create(client, target)
    stranger = await client.new_tenant()
    for method, path in (("DELETE", ""), ("POST", "/rotate"), ("POST", "/test")):
        headers = {"Idempotency-Key": f"k{path}"}
        reply = await stranger.request(method, f"/v1/webhooks/{made['id']}{path}", headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (404, "not-found")

    assert (await client.delete(f"/v1/webhooks/{made['id']}")).status_code == 204
    assert (await client.get("/v1/webhooks")).json()["items"] == []
    assert (await client.delete(f"/v1/webhooks/{made['id']}")).status_code == 404


async def test_a_key_for_some_workflows_makes_and_changes_no_target_that_gets_the_tasks_of_all(
    client, target
):
    made = await create(client, target)
    listed = client.as_key(await client.new_key(workflows=["one"]))
    body = {"name": "mine", "url": target.url, "handlers": ["enrich"]}
    replies = [
        await listed.post_keyed("/v1/webhooks", body),
        await listed.post_keyed(f"/v1/webhooks/{made['id']}/rotate"),
        await listed.post(f"/v1/webhooks/{made['id']}/test"),
        await listed.delete(f"/v1/webhooks/{made['id']}"),
    ]
    assert [(reply.status_code, reply.json()["code"]) for reply in replies] == [
        (403, "workflow-not-allowed")
    ] * 4
    assert (await only(client))["id"] == made["id"]
    assert target.received == []


def _verifies(secret, received):
    """Let the stock library say what the signature has to be; the app's clock is not the library's."""
    headers = received.headers
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    expected = Webhook(secret).sign(headers["webhook-id"], at, received.body.decode())
    return expected in headers["webhook-signature"].split(" ")
