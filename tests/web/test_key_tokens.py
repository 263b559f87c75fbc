"""Short-lived tokens: what they may, when they end, and everything that somebody could try with them."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.apikeys import make_api_key, split_api_key
from omium.errors import KeyRevoked
from omium.server.db.tx import Tx
from omium.server.seal import KeyFile
from omium.server.store import api_keys
from omium.server.web.token_auth import SKEW_S, TTL_S, TokenClaims, read_token, write_token
from omium.states import Environment, Scope
from tests.web.asgi import open_stream, until

S_US = 1_000_000


async def exchange(client, **body):
    return await client.post("/v1/auth/token", json=body)


async def token_of(client, **body):
    reply = await exchange(client, **body)
    assert reply.status_code == 201, reply.text
    return bearer(client, reply.json()["token"])


def bearer(client, token):
    """Return a client that sends `token`."""
    return client.as_key(client.key.model_copy(update={"api_key": token}))


async def status_of(client):
    reply = await client.get("/v1/whoami")
    return "ok" if reply.status_code == 200 else reply.json()["code"]


def claims_of(client):
    return read_token(client.server.key_file, client.api_key)


def signed(client, **changes):
    """Return a client with a token that this server has signed, with other claims."""
    return bearer(client, write_token(client.server.key_file, replace(claims_of(client), **changes)))


# ---- what it is good for


async def test_a_token_stands_for_its_key(each_app_client):
    key = each_app_client.as_key(await each_app_client.new_key(environment=Environment.PROD))

    reply = await exchange(key)
    who = (await bearer(key, reply.json()["token"]).get("/v1/whoami")).json()

    assert reply.json()["token"].startswith("omt_")
    assert reply.json()["expires_at_us"] == key.clock.now_us() + TTL_S * S_US
    assert (who["api_key_id"], who["environment"]) == (key.key.api_key_id, "prod")
    assert sorted(who["scopes"]) == sorted(reply.json()["scopes"])


async def test_a_token_never_manages_and_never_pays(app_client):
    token = await token_of(app_client)

    scopes = (await token.get("/v1/whoami")).json()["scopes"]
    refused = [
        await token.post_keyed("/v1/keys", {"name": "x"}),
        await token.post(f"/v1/keys/{token.key.api_key_id}/revoke"),
        await token.post_keyed(f"/v1/keys/{token.key.api_key_id}/rotate", {}),
        await token.patch(f"/v1/keys/{token.key.api_key_id}", json={"name": "x"}),
        await token.post("/v1/admin/backup", json={}),
    ]

    assert set(scopes) == {"read", "run", "operate", "worker", "ingest"}
    assert [reply.json()["code"] for reply in refused] == ["scope-missing"] * 5


@pytest.mark.parametrize("scope", sorted(set(Scope) - {"read", "run", "operate", "worker", "ingest"}))
async def test_a_scope_that_manages_cannot_be_asked_for(app_client, scope):
    reply = await exchange(app_client, scopes=["read", scope])
    assert (reply.status_code, reply.json()["scope"]) == (403, scope)


async def test_a_token_may_carry_less_than_its_key_and_never_more(app_client):
    key = app_client.as_key(await app_client.new_key(Scope.READ, Scope.RUN))

    narrow = await token_of(key, scopes=["read"])
    more = await exchange(key, scopes=["operate"])

    assert (await narrow.get("/v1/whoami")).json()["scopes"] == ["read"]
    assert more.json()["scope"] == "operate"


async def test_a_scope_that_the_key_loses_is_lost_by_its_tokens(app_client):
    key = app_client.as_key(await app_client.new_key(Scope.READ, Scope.RUN))
    token = await token_of(key)
    await app_client.patch(f"/v1/keys/{key.key.api_key_id}", json={"scopes": ["run"]})

    assert (await token.get("/v1/whoami")).json()["scopes"] == ["run"]


async def test_a_token_keeps_to_the_keys_workflows(app_client):
    key = app_client.as_key(await app_client.new_key(workflows=["a"]))
    token = await token_of(key)
    principal = await app_client.server.auth.authenticate({"authorization": f"Bearer {token.api_key}"})
    assert principal.workflows == {"a"}


async def test_a_token_is_not_exchanged_again(app_client):
    assert (await exchange(await token_of(app_client))).json()["code"] == "not-exchangeable"


async def test_nothing_is_written_for_a_token_and_one_row_read(app_client):
    await exchange(app_client)
    await app_client.server.auth.close()
    before = app_client.server.db.counters()

    token = await token_of(app_client)
    for _ in range(3):
        await app_client.server.auth.authenticate({"authorization": f"Bearer {token.api_key}"})

    assert app_client.server.db.counters().reads == before.reads
    assert app_client.server.db.counters().works == before.works


# ---- its end


@pytest.mark.parametrize("ttl_s", [1, 60, 900])
async def test_a_token_ends_to_the_second(app_client, ttl_s):
    token = await token_of(app_client, ttl_s=ttl_s)
    app_client.clock.advance(seconds=ttl_s - 0.001)
    assert await status_of(token) == "ok"
    app_client.clock.advance(seconds=0.001)  # the same row is believed still
    assert await status_of(token) == "token-expired"


@pytest.mark.parametrize("ttl_s", [0, 901, -5])
async def test_a_longer_or_empty_life_is_refused(app_client, ttl_s):
    assert (await exchange(app_client, ttl_s=ttl_s)).status_code == 400


async def test_a_token_ends_with_its_key(each_app_client):
    key = each_app_client.as_key(await each_app_client.new_key())
    token = await token_of(key)
    assert await status_of(token) == "ok"
    await each_app_client.post(f"/v1/keys/{key.key.api_key_id}/revoke")
    assert await status_of(token) == KeyRevoked.code


async def test_a_token_of_a_key_that_another_server_revoked_is_refused_within_a_second(app_client):
    key = app_client.as_key(await app_client.new_key())
    token = await token_of(key)
    assert await status_of(token) == "ok"

    def work(tx: Tx) -> bool:
        return api_keys.revoke_key(tx, key.key.tenant_id, key.key.api_key_id)

    await app_client.server.db.write(work)
    app_client.clock.advance(seconds=1.001)
    assert await status_of(token) == KeyRevoked.code


async def test_a_token_ends_when_its_key_expires(app_client):
    soon = app_client.clock.now_us() + 60 * S_US
    token = await token_of(app_client.as_key(await app_client.new_key(expires_us=soon)))
    app_client.clock.advance(seconds=62)
    assert await status_of(token) == "key-expired"


@pytest.mark.parametrize("grace_s", [0, 900])
async def test_a_token_lives_no_longer_than_the_secret_it_was_made_from(app_client, grace_s):
    key = app_client.as_key(await app_client.new_key())
    app_client.clock.advance(seconds=5)
    token = await token_of(key)
    made = await app_client.post_keyed(f"/v1/keys/{key.key.api_key_id}/rotate", {"grace_s": grace_s})
    fresh = await token_of(bearer(key, made.json()["api_key"]))

    states = [await status_of(token), await status_of(fresh)]
    again = await app_client.post_keyed(f"/v1/keys/{key.key.api_key_id}/rotate", {"grace_s": 900})

    assert states == ["ok" if grace_s else "key-rotated", "ok"]
    assert again.status_code == 200
    assert [await status_of(token), await status_of(fresh)] == ["key-rotated", "ok"]


async def test_a_stream_ends_with_the_token_that_opened_it(app_client):
    token = await token_of(app_client, ttl_s=60)
    async with open_stream(token, "/v1/events/stream") as stream:
        await until(lambda: app_client.server.streams.open == 1)
        app_client.clock.advance(seconds=61)
        await stream.wait_for_end()


# ---- what somebody could try


async def test_a_token_of_another_server_is_refused(app_client, tmp_path):
    mine = await token_of(app_client)
    other = KeyFile.open(tmp_path / "other.json")
    claims = claims_of(mine)

    forged = bearer(mine, write_token(other, replace(claims, audience=other.server_id)))
    pretended = bearer(mine, write_token(other, claims))

    assert other.server_id != app_client.server.key_file.server_id
    assert await status_of(forged) == await status_of(pretended) == "unauthenticated"


async def test_a_token_under_the_name_of_our_signing_key_but_signed_by_another_is_refused(
    app_client, tmp_path
):
    mine = await token_of(app_client)
    head, payload, _ = mine.api_key.split(".")
    theirs = write_token(KeyFile.open(tmp_path / "other.json"), claims_of(mine)).split(".")[2]
    assert await status_of(bearer(mine, f"{head}.{payload}.{theirs}")) == "unauthenticated"


async def test_another_audience_is_refused_though_we_signed_it(app_client):
    mine = await token_of(app_client)
    assert await status_of(signed(mine, audience="sv_" + "0" * 32)) == "unauthenticated"


async def test_an_unknown_name_of_the_signing_key_is_refused(app_client):
    mine = await token_of(app_client)
    renamed = mine.api_key.replace(app_client.server.key_file.token_key_id, "0" * 16)
    assert await status_of(bearer(mine, renamed)) == "unauthenticated"


async def test_a_clock_that_is_a_little_ahead_is_forgiven_and_one_far_ahead_is_not(app_client):
    mine = await token_of(app_client)
    now_us = app_client.clock.now_us()
    near = signed(mine, issued_us=now_us + SKEW_S * S_US, expires_us=now_us + 900 * S_US)
    far = signed(mine, issued_us=now_us + SKEW_S * S_US + 1, expires_us=now_us + 900 * S_US)
    assert [await status_of(near), await status_of(far)] == ["ok", "unauthenticated"]


async def test_a_token_of_a_key_that_is_not_there_is_refused(app_client):
    mine = await token_of(app_client)
    gone = signed(mine, key_id="ak_" + "0" * 26)
    assert await status_of(gone) == "unauthenticated"


@pytest.mark.parametrize("number", [0, -1, 2, 99])
async def test_a_token_of_a_secret_that_the_key_never_had_is_refused(app_client, number):
    assert await status_of(signed(await token_of(app_client), secret_number=number)) == "key-rotated"


async def test_scopes_beyond_those_of_tokens_are_worth_nothing_though_we_signed_them(app_client):
    widened = signed(await token_of(app_client), scopes=("manage", "read", "server", "nonsense"))
    assert (await widened.get("/v1/whoami")).json()["scopes"] == ["read"]


def _segment(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize("algorithm", ["none", "HS256", "EdDSA", "ES256"])
async def test_a_json_web_token_is_not_one_of_ours_whatever_its_algorithm(app_client, algorithm):
    key_file, claims = app_client.server.key_file, claims_of(await token_of(app_client))
    payload = {"sub": claims.key_id, "aud": claims.audience, "exp": 2**40, "scopes": ["read"]}
    body = f"{_segment({'alg': algorithm, 'kid': key_file.token_key_id})}.{_segment(payload)}"
    public = key_file._signing_key.public_key().public_bytes_raw()
    made = {
        "none": b"",
        "HS256": hmac.digest(public, body.encode(), hashlib.sha256),  # the old trick with the public half
        "EdDSA": key_file._signing_key.sign(body.encode()),
        "ES256": bytes(64),
    }[algorithm]
    signature = base64.urlsafe_b64encode(made).decode().rstrip("=")
    for token in (f"{body}.{signature}", f"omt_{body}.{signature}"):
        assert await status_of(bearer(app_client, token)) == "unauthenticated"


async def test_what_the_same_key_signed_for_another_purpose_is_no_token(app_client):
    key_file = app_client.server.key_file
    mine = await token_of(app_client)
    body = mine.api_key.rpartition(".")[0]
    bare = base64.urlsafe_b64encode(key_file.sign_token(body.encode())).decode().rstrip("=")
    assert await status_of(bearer(mine, f"{body}.{bare}")) == "unauthenticated"


async def test_parts_of_two_good_tokens_do_not_make_a_third(app_client):
    first, second = await token_of(app_client), await token_of(app_client, scopes=["read"])
    (head, one, sealed_one), (_, two, sealed_two) = (each.api_key.split(".") for each in (first, second))
    for token in (f"{head}.{one}.{sealed_two}", f"{head}.{two}.{sealed_one}"):
        assert await status_of(bearer(app_client, token)) == "unauthenticated"


@pytest.mark.parametrize(
    "token",
    ["omt_", "omt_.", "omt_..", "omt_" + "a" * 1_900, "omt_" + "a" * 30_000, "omt_" + "é" * 20, "omt_\x00"],
    ids=len,
)
async def test_nonsense_and_giants_are_refused_at_once(app_client, token):
    before = app_client.server.db.counters().reads
    reply = await app_client.get("/v1/whoami", headers={"authorization": f"Bearer {token}".encode()})
    assert reply.status_code == 401
    assert app_client.server.db.counters().reads == before


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    key_file = KeyFile.open(tmp_path_factory.mktemp("keys") / "keys.json")
    claims = TokenClaims(key_file.server_id, "ak_" + "0" * 26, 1, ("read",), 5, 6, "00")
    return key_file, write_token(key_file, claims), claims


def test_a_token_says_what_it_was_made_to_say(good):
    key_file, token, claims = good
    assert read_token(key_file, token) == claims


@given(data=st.data())
def test_one_changed_character_anywhere_makes_it_worthless(good, data):
    key_file, token, _ = good
    at = data.draw(st.integers(0, len(token) - 1))
    instead = data.draw(st.sampled_from("ABCXYZabcxyz0189-_.=+/ \n").filter(lambda c: c != token[at]))
    assert read_token(key_file, token[:at] + instead + token[at + 1 :]) is None


@given(data=st.data())
def test_a_token_that_is_cut_or_longer_is_worthless(good, data):
    key_file, token, _ = good
    at = data.draw(st.integers(0, len(token) - 1))
    more = data.draw(st.text(min_size=1, max_size=5))
    assert read_token(key_file, token[:at]) is None
    assert read_token(key_file, token + more) is None
    assert read_token(key_file, more + token) is None


@given(token=st.text(max_size=200).map(lambda text: f"omt_{text}"))
def test_anything_at_all_is_answered_by_no(good, token):
    assert read_token(good[0], token) is None


# ---- the same of keys


@pytest.fixture(scope="module")
def key_text():
    """One key for all examples: what hypothesis draws next depends on its characters."""
    return make_api_key("dev", "ak_" + "0" * 26).token


@given(data=st.data())
def test_one_changed_character_in_a_key_is_noticed_without_asking_anybody(key_text, data):
    at = data.draw(st.integers(0, len(key_text) - 1))
    instead = data.draw(st.sampled_from("abcxyz0189ABCXYZ_").filter(lambda c: c != key_text[at]))
    assert split_api_key(key_text[:at] + instead + key_text[at + 1 :]) is None


async def test_an_unknown_key_costs_as_many_reads_as_a_wrong_secret(app_client):
    known = make_api_key("dev", app_client.key.api_key_id).token
    unknown = make_api_key("dev", "ak_" + "0" * 26).token
    costs = []
    for token in (known, unknown):
        app_client.clock.advance(seconds=2)
        before = app_client.server.db.counters().reads
        reply = await app_client.get("/v1/whoami", headers={"authorization": f"Bearer {token}"})
        await app_client.server.auth.close()
        costs.append(
            (reply.status_code, reply.json()["detail"], app_client.server.db.counters().reads - before)
        )
    assert costs[0] == costs[1]


async def test_the_prefix_of_one_form_does_not_open_the_door_of_another(app_client):
    key = app_client.api_key
    token = (await exchange(app_client)).json()["token"]
    for text in (
        key.replace("om_", "omt_", 1),
        key.replace("om_", "oms_", 1),
        token.replace("omt_", "om_", 1),
        token.replace("omt_", "oms_", 1),
        f"om_{token}",
        f"{key}{token}",
    ):
        assert await status_of(bearer(app_client, text)) == "unauthenticated"


def test_there_is_one_way_to_write_a_signature(good):
    """86 characters hold four bits more than 64 bytes: what differs only there is refused, too."""
    key_file, token, claims = good
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    readable = [token[:-1] + letter for letter in last if read_token(key_file, token[:-1] + letter) == claims]
    assert readable == [token]
