"""API keys: who is let in, what is shown once, and how a key ends."""

import httpx
import pytest

from omium.apikeys import make_api_key
from omium.errors import Unauthenticated
from omium.ids import new_id
from omium.states import Environment, Scope


async def test_a_key_says_whose_it_is(each_app_client):
    reply = await each_app_client.get("/v1/whoami")

    assert reply.status_code == 200
    assert reply.json()["tenant"] == "test"
    assert reply.json()["api_key_id"] == each_app_client.key.api_key_id


async def test_without_a_key_nobody_is_let_in(app_client):
    reply = await app_client.as_nobody().get("/v1/whoami")

    assert reply.status_code == 401
    assert reply.json()["code"] == Unauthenticated.code
    assert reply.headers["www-authenticate"].startswith("Bearer")


async def test_a_mistyped_key_costs_no_query(app_client):
    before = app_client.server.db.counters().reads
    wrong = app_client.api_key[:-1] + ("a" if app_client.api_key[-1] != "a" else "b")

    reply = await app_client.get("/v1/whoami", headers={"authorization": f"Bearer {wrong}"})

    assert reply.status_code == 401
    assert "character" in reply.json()["detail"]
    assert app_client.server.db.counters().reads == before


async def test_an_unknown_key_and_a_wrong_secret_get_the_same_answer(app_client):
    unknown = make_api_key("dev", new_id("ak", 1)).token
    forged = make_api_key("dev", app_client.key.api_key_id).token

    first = await app_client.get("/v1/whoami", headers={"authorization": f"Bearer {unknown}"})
    second = await app_client.get("/v1/whoami", headers={"authorization": f"Bearer {forged}"})

    assert first.status_code == second.status_code == 401
    assert _without_id(first) == _without_id(second)


async def test_a_key_of_another_environment_is_unknown(app_client):
    staged = make_api_key("staging", app_client.key.api_key_id).token

    reply = await app_client.get("/v1/whoami", headers={"authorization": f"Bearer {staged}"})

    assert reply.status_code == 401


async def test_a_created_key_works_and_is_shown_once(each_app_client):
    client = each_app_client
    body = {"name": "ci", "environment": "staging", "scopes": ["read"]}

    first = await client.post_keyed("/v1/keys", body, key="k1")
    again = await client.post_keyed("/v1/keys", body, key="k1")

    assert first.status_code == 201
    made = first.json()
    whoami = await client.get("/v1/whoami", headers={"authorization": f"Bearer {made['api_key']}"})
    assert whoami.json()["environment"] == "staging"
    assert whoami.json()["scopes"] == ["read"]
    assert again.status_code == 409
    assert again.json()["code"] == "secret-not-repeatable"
    assert again.json()["reply"]["api_key_id"] == made["api_key_id"]
    assert made["api_key"] not in again.text
    assert "api_key" not in again.json()["reply"]
    assert len((await client.get("/v1/keys")).json()["items"]) == 2


async def test_no_secret_is_in_the_database(app_client):
    made = (await app_client.post_keyed("/v1/keys", {"name": "ci"})).json()["api_key"]
    secret = made.rsplit("_", 1)[1][:30].encode()

    folder = app_client.server.settings.data
    stored = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())

    assert secret not in stored


async def test_nobody_hands_on_a_scope_that_he_does_not_have(app_client):
    manager = app_client.as_key(await app_client.new_key(Scope.MANAGE, Scope.READ))

    refused = await manager.post_keyed("/v1/keys", {"name": "x", "scopes": ["server"]})
    cut = await manager.post_keyed("/v1/keys", {"name": "x"})

    assert refused.status_code == 403
    assert refused.json()["scope"] == "server"
    assert cut.json()["scopes"] == ["read"]


async def test_a_scope_that_is_missing_is_named(app_client):
    reader = app_client.as_key(await app_client.new_key(Scope.READ))

    reply = await reader.post_keyed("/v1/keys", {"name": "x"})

    assert reply.status_code == 403
    assert reply.json()["code"] == "scope-missing"


async def test_a_revoked_key_is_refused_at_once(each_app_client):
    client = each_app_client
    other = client.as_key(await client.new_key())
    assert (await other.get("/v1/whoami")).status_code == 200

    revoked = await client.post(f"/v1/keys/{other.key.api_key_id}/revoke")
    again = await client.post(f"/v1/keys/{other.key.api_key_id}/revoke")
    refused = await other.get("/v1/whoami")

    assert revoked.json()["status"] == "revoked"
    assert again.json() == revoked.json()
    assert refused.status_code == 401
    assert refused.json()["code"] == "key-revoked"


async def test_a_key_that_another_server_revoked_is_refused_within_a_second(app_client):
    from omium.server.store import api_keys

    other = app_client.as_key(await app_client.new_key())
    assert (await other.get("/v1/whoami")).status_code == 200
    key = other.key
    await app_client.server.db.write(lambda tx: api_keys.revoke_key(tx, key.tenant_id, key.api_key_id))

    app_client.clock.advance(seconds=1.001)

    assert (await other.get("/v1/whoami")).status_code == 401


async def test_a_key_expires(app_client):
    in_a_minute = app_client.clock.now_us() + 60_000_000
    other = app_client.as_key(await app_client.new_key(expires_us=in_a_minute))
    assert (await other.get("/v1/whoami")).status_code == 200

    app_client.clock.advance(seconds=60)

    assert (await other.get("/v1/whoami")).json()["code"] == "key-expired"


async def test_an_expiry_in_the_past_is_refused(app_client):
    reply = await app_client.post_keyed("/v1/keys", {"name": "x", "expires_at_us": 1})

    assert reply.status_code == 400
    assert reply.json()["errors"][0]["pointer"] == "/expires_at_us"


async def test_another_tenants_key_answers_as_an_unknown_one(each_app_client):
    other = await each_app_client.new_tenant()
    foreign, unknown = each_app_client.key.api_key_id, new_id("ak", 1)

    first = await other.post(f"/v1/keys/{foreign}/revoke")
    second = await other.post(f"/v1/keys/{unknown}/revoke")

    assert first.status_code == second.status_code == 404
    assert _without_id(first) == _without_id(second)
    assert (await each_app_client.get("/v1/whoami")).status_code == 200
    assert foreign not in (await other.get("/v1/keys")).text


async def test_keys_are_listed_page_by_page_newest_first(each_app_client):
    client = each_app_client
    for number in range(5):
        client.clock.advance(seconds=1)
        await client.post_keyed("/v1/keys", {"name": f"key {number}"})

    names, after = [], None
    while True:
        query = {"limit": "2"} | ({"after": after} if after else {})
        page = (await client.get("/v1/keys", params=query)).json()
        names += [item["name"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break

    assert set(names) == {"owner", *(f"key {number}" for number in range(5))}
    assert len(names) == 6


@pytest.mark.parametrize("cursor", ["x", "WzFd", "bm90IGpzb24", "WyIiLDFd"])
async def test_a_made_up_cursor_is_refused(app_client, cursor):
    reply = await app_client.get("/v1/keys", params={"after": cursor})

    assert reply.status_code == 400
    assert reply.json()["code"] == "invalid-request"


async def test_use_is_noted_at_most_once_a_minute(app_client):
    client, noted = app_client, []
    for _ in range(4):
        await client.get("/v1/whoami")
        await client.server.auth.close()
        noted.append((await client.get("/v1/keys")).json()["items"][0]["last_used_at_us"])
        client.clock.advance(seconds=31)

    assert noted[0] is not None
    assert noted[0] == noted[1]
    assert noted[2] > noted[1]


def _without_id(reply: httpx.Response) -> dict[str, object]:
    return {name: value for name, value in reply.json().items() if name != "request_id"}


def test_environments_fit_the_form_of_keys():
    for environment in Environment:
        assert make_api_key(environment.value, new_id("ak", 1)).token
