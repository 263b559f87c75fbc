"""The life of a key: capped, changed, given another secret, expired; and who may do that to which key."""

import asyncio
from dataclasses import replace

import pytest

from omium.apikeys import make_api_key, split_api_key
from omium.ids import new_id
from omium.server.db.tx import Tx
from omium.server.ledger import caps
from omium.server.store import api_keys, key_meters
from omium.states import Environment, Scope
from tests.web.asgi import open_stream, until

DAY_US = 86_400 * 1_000_000
DAY_S = 86_400


def rotate(client, key_id, key=None, **body):
    return client.post_keyed(f"/v1/keys/{key_id}/rotate", body, key=key)


def path(client):
    return f"/v1/keys/{client.key.api_key_id}"


async def status_of(client):
    """Return what the door says to the client's key: ok, or the code of the refusal."""
    reply = await client.get("/v1/whoami")
    return "ok" if reply.status_code == 200 else reply.json()["code"]


async def token_of(client):
    token = (await client.post("/v1/auth/token", json={})).json()["token"]
    return client.as_key(client.key.model_copy(update={"api_key": token}))


def with_secret(client, new):
    return client.as_key(client.key.model_copy(update={"api_key": new.json()["api_key"]}))


# ---- caps


async def test_a_key_is_made_with_a_cap_in_dollars_or_in_credits(each_app_client):
    client = each_app_client
    usd = {"name": "a", "spend_cap_usd": "2.50", "cap_period": "month", "soft_cap_percent": 80}
    first = (await client.post_keyed("/v1/keys", usd)).json()
    second = (await client.post_keyed("/v1/keys", {"name": "b", "spend_cap_credits": 0.5})).json()

    shown = (await client.get(f"/v1/keys/{first['id']}")).json()
    other = (await client.get(f"/v1/keys/{second['id']}")).json()

    assert (first["spend_cap_usd"], first["cap_period"], first["soft_cap_percent"]) == (2.5, "month", 80)
    assert shown["spend_cap_microcredits"] == 2_500_000_000
    assert (shown["spent_usd"], shown["period_spent_usd"], shown["soft_cap_percent"]) == (0, 0, 80)
    assert other["spend_cap_microcredits"] == 500_000
    assert (other["cap_period"], other["spend_cap_usd"]) == ("total", 0.0005)
    assert "api_key" not in shown


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"spend_cap_usd": 1, "spend_cap_credits": 1}, "/spend_cap_credits"),
        ({"soft_cap_percent": 80}, "/soft_cap_percent"),
        ({"cap_period": "day"}, "/cap_period"),
        ({"spend_cap_usd": 0}, "/spend_cap_usd"),
        ({"spend_cap_usd": "1e9"}, "/spend_cap_usd"),
        ({"spend_cap_usd": -1}, "/spend_cap_usd"),
        ({"spend_cap_usd": "a lot"}, "/spend_cap_usd"),
        ({"spend_cap_usd": "0.0000000001"}, "/spend_cap_usd"),
        ({"spend_cap_credits": 1, "soft_cap_percent": 100}, "/soft_cap_percent"),
        ({"spend_cap_credits": 1, "cap_period": "week"}, "/cap_period"),
    ],
)
async def test_a_cap_that_makes_no_sense_is_named(app_client, wanted, pointer):
    reply = await app_client.post_keyed("/v1/keys", {"name": "a"} | wanted)

    assert reply.status_code == 400
    assert reply.json()["errors"][0]["pointer"].startswith(pointer)
    assert len((await app_client.get("/v1/keys")).json()["items"]) == 1


async def test_a_change_leaves_what_it_does_not_name(each_app_client):
    client = each_app_client
    body = {"name": "a", "spend_cap_usd": 2, "soft_cap_percent": 80, "workflows": ["x"], "scopes": ["read"]}
    made = (await client.post_keyed("/v1/keys", body)).json()
    at = f"/v1/keys/{made['id']}"
    before = (await client.get(at)).json()

    renamed = (await client.patch(at, json={"name": "b"})).json()
    daily = (await client.patch(at, json={"cap_period": "day"})).json()
    free = (await client.patch(at, json={"spend_cap_usd": None, "workflows": None})).json()
    again = (await client.patch(at, json={"spend_cap_usd": None, "workflows": None})).json()

    assert renamed == before | {"name": "b"}
    assert daily == renamed | {"cap_period": "day"}
    gone = {"spend_cap_microcredits", "spend_cap_usd", "cap_period", "soft_cap_percent"}
    gone |= {"period_spent_microcredits", "period_spent_usd", "period_held_microcredits", "workflows"}
    assert free == daily | dict.fromkeys(gone)
    assert again == free


@pytest.mark.parametrize("name", ["name", "scopes", "cap_period"])
async def test_what_every_key_has_cannot_be_taken_away(app_client, name):
    reply = await app_client.patch(path(app_client), json={name: None})
    assert reply.json()["errors"][0]["pointer"] == f"/{name}"


async def test_a_changed_scope_counts_at_once(each_app_client):
    other = each_app_client.as_key(await each_app_client.new_key())
    assert (await other.get("/v1/keys")).status_code == 200

    await each_app_client.patch(path(other), json={"scopes": ["run"]})

    assert (await other.get("/v1/keys")).json()["code"] == "scope-missing"


# ---- who may


async def test_nobody_gives_a_key_more_than_he_has(app_client):
    manager = app_client.as_key(await app_client.new_key(Scope.MANAGE, Scope.READ))
    weak = await app_client.new_key(Scope.READ)

    widened = await manager.patch(f"/v1/keys/{weak.api_key_id}", json={"scopes": ["read", "operate"]})
    himself = await manager.patch(path(manager), json={"scopes": ["manage", "server"]})

    assert widened.json()["scope"] == "operate"
    assert himself.json()["scope"] == "server"


async def test_nobody_takes_over_a_stronger_key_by_giving_it_another_secret(app_client):
    manager = app_client.as_key(await app_client.new_key(Scope.MANAGE, Scope.READ))

    reply = await rotate(manager, app_client.key.api_key_id)

    assert reply.json()["code"] == "scope-missing"
    assert await status_of(app_client) == "ok"


async def test_a_key_with_a_list_of_workflows_hands_on_no_others(app_client):
    manager = app_client.as_key(await app_client.new_key(workflows=["a", "b"]))
    free = await app_client.new_key()

    everything = await manager.post_keyed("/v1/keys", {"name": "x"})
    another = await manager.post_keyed("/v1/keys", {"name": "x", "workflows": ["a", "c"]})
    himself = await manager.patch(path(manager), json={"workflows": None})
    stronger = await rotate(manager, free.api_key_id)
    by_another = await manager.patch(f"/v1/keys/{free.api_key_id}", json={"scopes": ["read", "run"]})
    fewer = await manager.post_keyed("/v1/keys", {"name": "x", "workflows": ["a"]})

    for reply in (everything, another, himself, stronger, by_another):
        assert reply.json()["code"] == "workflow-not-allowed"
    assert fewer.status_code == 201


async def test_another_tenants_key_is_an_unknown_one_to_every_request(each_app_client):
    other = await each_app_client.new_tenant()
    foreign, unknown = each_app_client.key.api_key_id, new_id("ak", 1)
    for method, suffix, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "taken", "spend_cap_usd": 1}),
        ("POST", "/rotate", {}),
        ("GET", "/usage", None),
    ):
        answers = [
            await other.request(
                method, f"/v1/keys/{key_id}{suffix}", json=body, headers={"idempotency-key": key_id}
            )
            for key_id in (foreign, unknown)
        ]
        assert [reply.status_code for reply in answers] == [404, 404]
        first, second = ({**reply.json(), "request_id": ""} for reply in answers)
        assert first == second
    mine = (await each_app_client.get(path(each_app_client))).json()
    assert (mine["name"], mine["spend_cap_usd"], mine["rotated_at_us"]) == ("owner", None, None)


# ---- rotation


async def test_a_rotated_key_goes_on_under_its_new_secret_alone(each_app_client):
    client = each_app_client
    old = client.as_key(await client.new_key(environment=Environment.STAGING))
    assert await status_of(old) == "ok"
    before = (await client.get(path(old))).json()

    reply = await rotate(client, old.key.api_key_id)
    new = with_secret(old, reply)

    assert reply.status_code == 200
    assert split_api_key(new.api_key).key_id == old.key.api_key_id
    assert new.api_key.startswith("om_staging_")
    assert await status_of(new) == "ok"
    assert await status_of(old) == "key-rotated"
    after = (await client.get(path(old))).json()
    assert after["rotated_at_us"] is not None
    same = before.keys() - {"rotated_at_us", "last_used_at_us"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


@pytest.mark.parametrize("grace_s", [900, 3_600, 86_400])
async def test_the_old_secret_is_good_for_the_grace_and_no_longer(each_app_client, grace_s):
    client = each_app_client
    old = client.as_key(await client.new_key())
    await status_of(old)

    new = with_secret(old, await rotate(client, old.key.api_key_id, grace_s=grace_s))
    shown = (await client.get(path(old))).json()
    states = [await status_of(old)]
    client.clock.advance(seconds=grace_s - 1)
    states.append(await status_of(old))
    client.clock.advance(seconds=1)  # within the second for which a row is believed
    states += [await status_of(old), await status_of(new)]
    client.clock.advance(seconds=10)
    states += [await status_of(old), await status_of(new)]

    assert states == ["ok", "ok", "key-rotated", "ok", "key-rotated", "ok"]
    assert shown["old_secret_ends_at_us"] == shown["rotated_at_us"] + grace_s * 1_000_000
    assert (await client.get(path(old))).json()["old_secret_ends_at_us"] is None


@pytest.mark.parametrize("grace_s", [1, 60, 86_401, -1])
async def test_another_grace_is_refused(app_client, grace_s):
    assert (await rotate(app_client, app_client.key.api_key_id, grace_s=grace_s)).status_code == 400


async def test_only_the_last_secret_gets_a_grace(app_client):
    client = app_client
    first = client.as_key(await client.new_key())

    second = with_secret(first, await rotate(client, first.key.api_key_id, grace_s=86_400))
    third = with_secret(first, await rotate(client, first.key.api_key_id, grace_s=900))
    states = [await status_of(each) for each in (first, second, third)]
    fourth = with_secret(first, await rotate(client, first.key.api_key_id))

    assert states == ["unauthenticated", "ok", "ok"]
    assert [await status_of(each) for each in (second, third, fourth)] == [
        "unauthenticated",
        "key-rotated",
        "ok",
    ]


async def test_a_rotation_that_is_asked_for_again_is_done_once_and_shows_no_secret(each_app_client):
    client = each_app_client
    key = client.as_key(await client.new_key())

    first = await rotate(client, key.key.api_key_id, key="k")
    again = await rotate(client, key.key.api_key_id, key="k")

    assert again.json()["code"] == "secret-not-repeatable"
    assert first.json()["api_key"] not in again.text
    assert await status_of(with_secret(key, first)) == "ok"


async def test_two_rotations_at_once_leave_one_secret(each_app_client):
    client = each_app_client
    key = client.as_key(await client.new_key())

    both = await asyncio.gather(*(rotate(client, key.key.api_key_id) for _ in range(2)))

    states = sorted([await status_of(with_secret(key, each)) for each in both])
    assert states == ["key-rotated", "ok"]
    row = await client.server.db.read(lambda tx: api_keys.find_key(tx, key.key.api_key_id))
    assert row.secret_number == 3


async def test_a_rotation_that_dies_before_its_commit_leaves_the_old_secret(app_client):
    client = app_client
    key = client.as_key(await client.new_key())
    row = await client.server.db.read(lambda tx: api_keys.find_key(tx, key.key.api_key_id))

    def die(tx: Tx) -> None:
        api_keys.rotate_key(tx, row, b"d" * 32, 0)
        raise MemoryError

    with pytest.raises(MemoryError):
        await client.server.db.write(die)

    client.clock.advance(seconds=2)
    assert await status_of(key) == "ok"


async def test_a_key_may_rotate_itself(app_client):
    reply = await rotate(app_client, app_client.key.api_key_id)

    assert await status_of(with_secret(app_client, reply)) == "ok"
    assert await status_of(app_client) == "key-rotated"


@pytest.mark.parametrize("end", ["revoke", "expire"])
async def test_a_key_that_has_ended_gets_no_new_secret(app_client, end):
    client = app_client
    soon = client.clock.now_us() + 60_000_000
    key = await client.new_key(expires_us=soon)
    if end == "revoke":
        await client.post(f"/v1/keys/{key.api_key_id}/revoke")
    else:
        client.clock.advance(seconds=60)

    assert (await rotate(client, key.api_key_id)).json()["code"] == "key-ended"


async def test_a_rotation_ends_the_streams_of_a_secret_without_grace(app_client):
    other = app_client.as_key(await app_client.new_key())
    async with open_stream(other, "/v1/events/stream") as stream:
        await until(lambda: app_client.server.streams.open == 1)
        await rotate(app_client, other.key.api_key_id)
        await stream.wait_for_end()


@pytest.mark.parametrize("change", [{"scopes": ["run"]}, {"workflows": ["a"]}])
async def test_a_stream_ends_with_what_the_key_may(app_client, change):
    """Whoever listens comes back as what the key is now."""
    other = app_client.as_key(await app_client.new_key(workflows=["a", "b"]))
    token = await token_of(other)
    async with open_stream(other, "/v1/events/stream") as own, open_stream(token, "/v1/events/stream") as its:
        await until(lambda: app_client.server.streams.open == 2)
        await app_client.patch(path(other), json=change)
        await own.wait_for_end()
        await its.wait_for_end()


@pytest.mark.parametrize(
    ("change", "goes_on"),
    [({"scopes": "run"}, False), ({"workflows": b'["a"]'}, False), ({"scopes": "operate read run"}, True)],
)
async def test_what_a_key_has_opened_goes_on_as_long_as_it_may_as_much(app_client, change, goes_on):
    """Also where another server changed the key: here nobody was told."""
    key, auth = await app_client.new_key(Scope.READ, Scope.RUN, workflows=["a", "b"]), app_client.server.auth
    principal = await auth.authenticate({"authorization": f"Bearer {key.api_key}"})

    def work(tx: Tx) -> None:
        row = api_keys.lock_tenant_key(tx, key.tenant_id, key.api_key_id)
        api_keys.update_key(tx, replace(row, **change))

    await app_client.server.db.write(work)
    app_client.clock.advance(seconds=1.001)

    assert await auth.is_still_good(principal) is goes_on


async def test_an_old_secret_tells_nothing_of_a_key_of_its_own(app_client):
    """The answer to an old secret is one that only its holder can get."""
    key = await app_client.new_key()
    await rotate(app_client, key.api_key_id)
    guessed = app_client.as_key(key.model_copy(update={"api_key": make_api_key("dev", key.api_key_id).token}))

    assert await status_of(guessed) == "unauthenticated"


# ---- the end


async def test_an_expired_key_is_shown_as_such_and_can_be_put_off(each_app_client):
    client = each_app_client
    key = client.as_key(await client.new_key(expires_us=client.clock.now_us() + 60_000_000))
    client.clock.advance(seconds=60)
    assert await status_of(key) == "key-expired"

    shown = (await client.get(path(key))).json()
    put_off = await client.patch(path(key), json={"expires_at_us": client.clock.now_us() + DAY_US})

    assert shown["status"] == "expired"
    assert put_off.json()["status"] == "active"
    assert await status_of(key) == "ok"


async def test_a_revoked_key_never_comes_back(app_client):
    key = await app_client.new_key()
    await app_client.post(f"/v1/keys/{key.api_key_id}/revoke")

    reply = await app_client.patch(f"/v1/keys/{key.api_key_id}", json={"expires_at_us": None})

    assert reply.json()["code"] == "key-ended"


async def test_keys_that_have_ended_stay_in_the_list_and_can_be_asked_for(each_app_client):
    client = each_app_client
    alive = await client.new_key(environment=Environment.PROD)
    expired = await client.new_key(expires_us=client.clock.now_us() + 1)
    revoked = await client.new_key()
    await client.post(f"/v1/keys/{revoked.api_key_id}/revoke")
    client.clock.advance(seconds=1)

    async def ids(**query):
        return {item["id"] for item in (await client.get("/v1/keys", params=query)).json()["items"]}

    everything = {key.api_key_id for key in (client.key, alive, expired, revoked)}
    assert await ids() == everything
    assert await ids(status="active") == {client.key.api_key_id, alive.api_key_id}
    assert await ids(status="expired") == {expired.api_key_id}
    assert await ids(status="revoked") == {revoked.api_key_id}
    assert await ids(environment="prod") == {alive.api_key_id}
    assert await ids(environment="prod", status="revoked") == set()


async def test_an_expiry_is_told_of_once_and_again_after_it_was_put_off(app_client):
    client = app_client
    key = await client.new_key(expires_us=client.clock.now_us() + 1_000_000)
    told = []

    async def sweep():
        await client.server.db.write(lambda tx: caps.sweep_expired(tx, lambda _, notice: told.append(notice)))

    await sweep()
    assert told == []
    client.clock.advance(seconds=1)
    await sweep()
    await sweep()
    assert [notice.api_key_id for notice in set(told)] == [key.api_key_id]
    later = client.clock.now_us() + 1_000_000
    await client.patch(f"/v1/keys/{key.api_key_id}", json={"expires_at_us": later})
    client.clock.advance(seconds=1)
    await sweep()
    assert len({notice.once for notice in told}) == 2


async def test_the_door_reads_one_row_for_a_key_and_none_for_the_next_second(app_client):
    key = app_client.as_key(await app_client.new_key())
    await status_of(key)
    await app_client.server.auth.close()
    app_client.clock.advance(seconds=2)
    headers = {"authorization": f"Bearer {key.api_key}"}

    before = app_client.server.db.counters().reads
    for _ in range(5):
        await app_client.server.auth.authenticate(headers)

    assert app_client.server.db.counters().reads == before + 1


async def test_a_cap_survives_a_rotation(app_client):
    made = (await app_client.post_keyed("/v1/keys", {"name": "a", "spend_cap_usd": 1})).json()
    before = await app_client.server.db.read(lambda tx: key_meters.find_cap(tx, made["id"]))
    await rotate(app_client, made["id"])
    assert await app_client.server.db.read(lambda tx: key_meters.find_cap(tx, made["id"])) == before
