"""Sessions: how one begins, what it is good for, and every way in which it ends."""

import asyncio
import threading

import pytest

from omium.server.accounts.people import sign_up_first
from tests.accounts.conftest import PASSWORD, open_people
from tests.serverfixture import test_settings


async def test_the_first_user_owns_the_server_and_a_tenant(each_people):
    ada = await each_people.first()

    who = (await ada.get("/v1/whoami")).json()

    assert (who["user"], who["role"], who["tenant"]) == ("ada", "owner", "acme")
    assert set(who["scopes"]) == {"read", "run", "operate", "manage", "billing", "own", "server"}
    assert who["api_key_id"] is None
    assert (await ada.get("/v1/credits")).json()["credits"] == 10_000


async def test_the_token_is_void_once_there_is_a_user(each_people):
    token = each_people.server.bootstrap.offer().read_text().strip()
    body = {"user": "ada", "password": PASSWORD, "token": token}
    first = await each_people.nobody.post("/v1/sign-up", json=body)
    again = await each_people.nobody.post("/v1/sign-up", json=body | {"user": "eve"})
    other = await each_people.nobody.post("/v1/bootstrap", json={"token": token})

    assert (first.status_code, again.status_code, other.status_code) == (201, 403, 403)
    assert not each_people.server.bootstrap.path.exists()


@pytest.mark.postgres
@pytest.mark.parametrize("path", ["/v1/sign-up", "/v1/bootstrap"])
async def test_of_two_who_are_first_at_two_servers_one_owns_them(tmp_path, postgres_url, path):
    """The second waits for the first one's commit, and is refused then."""
    settings = test_settings(tmp_path, database_url=postgres_url)
    async with open_people(settings) as people, open_people(settings) as elsewhere:
        inside, released = threading.Event(), threading.Event()

        def sign_up_slowly(tx):
            sign_up_first(tx, "ada", "a digest", "acme", 0)
            inside.set()
            released.wait(30)

        first = asyncio.create_task(people.server.db.write(sign_up_slowly))
        await asyncio.to_thread(inside.wait, 30)
        wanted = {"user": "eve", "password": PASSWORD, "tenant": "hers"}
        token = elsewhere.server.bootstrap.offer().read_text().strip()
        second = asyncio.create_task(elsewhere.nobody.post(path, json=wanted | {"token": token}))
        await asyncio.wait({second}, timeout=0.5)
        released.set()
        await first

        assert (await second).json()["code"] == "bootstrap-closed"
        assert (await people.try_log_in("eve")).json()["code"] == "login-refused"


async def test_the_token_is_taken_from_the_servers_own_machine_only(people):
    token = people.server.bootstrap.offer().read_text().strip()
    body = {"user": "ada", "password": PASSWORD, "token": token}

    far = await people.nobody.as_nobody("192.0.2.7").post("/v1/sign-up", json=body)
    proxied = await people.nobody.post("/v1/sign-up", json=body, headers={"x-forwarded-for": "192.0.2.7"})

    assert (far.status_code, proxied.status_code) == (403, 403)
    assert (await people.nobody.post("/v1/sign-up", json=body)).status_code == 201


async def test_the_bootstrap_can_make_the_first_user_too(each_people):
    token = each_people.server.bootstrap.offer().read_text().strip()
    body = {"token": token, "tenant": "acme", "user": "Ada@Example.org", "password": PASSWORD}

    made = await each_people.nobody.post("/v1/bootstrap", json=body)
    ada = await each_people.log_in("ada@example.org")
    keys = (await ada.get("/v1/keys")).json()["items"]

    assert made.status_code == 201
    assert ada.session["role"] == "owner"
    assert "server" in ada.session["scopes"]
    assert [key["name"] for key in keys] == ["owner"]
    assert keys[0]["created_by"] == ada.session["user_id"]


async def test_a_session_is_of_one_tenant_and_one_environment(each_people):
    ada = await each_people.first()
    there = await each_people.tenant_of(ada, "other")

    assert (await there.get("/v1/whoami")).json()["tenant"] == "other"
    assert (await ada.get("/v1/whoami")).json()["tenant"] == "acme"
    prod = await each_people.log_in("ada", tenant="acme", environment="prod")
    assert (await prod.get("/v1/whoami")).json()["environment"] == "prod"


async def test_going_elsewhere_ends_the_session_and_gives_another_secret(each_people):
    ada = await each_people.first()
    await each_people.tenant_of(ada, "other")

    reply = await ada.post("/v1/sessions/switch", json={"tenant": "other"})
    there = each_people.client(reply.json())

    assert reply.status_code == 201
    assert (await there.get("/v1/whoami")).json()["tenant"] == "other"
    assert (await ada.get("/v1/whoami")).json()["code"] == "session-ended"


async def test_a_tenant_of_others_cannot_be_entered(each_people):
    ada = await each_people.first()
    bob = await each_people.join(ada, "bob", "operator")
    private = await each_people.tenant_of(ada, "private")

    replies = [
        await bob.post("/v1/sessions/switch", json={"tenant": name})
        for name in ("private", private.session["tenant_id"], "tn_" + "0" * 26)
    ]

    assert {(reply.status_code, reply.json()["code"]) for reply in replies} == {(403, "no-tenant")}
    assert len({reply.json()["detail"] for reply in replies}) == 1
    assert (await bob.get("/v1/whoami")).status_code == 200


async def test_sessions_are_listed_and_ended(each_people):
    ada = await each_people.first()
    second = await each_people.log_in("ada")
    third = await each_people.log_in("ada")

    listed = (await second.get("/v1/sessions")).json()["items"]
    assert [item["id"] for item in listed if item["current"]] == [second.session["session_id"]]
    assert len(listed) == 3

    path = f"/v1/sessions/{third.session['session_id']}/revoke"
    assert (await second.post(path)).json() == {"ended": 1}
    assert (await second.post(path)).json() == {"ended": 0}
    assert (await third.get("/v1/whoami")).json()["code"] == "session-ended"

    assert (await second.post("/v1/sessions/revoke-others")).json() == {"ended": 1}
    assert (await ada.get("/v1/whoami")).status_code == 401
    assert len((await second.get("/v1/sessions")).json()["items"]) == 1

    assert (await second.post("/v1/log-out")).status_code == 204
    assert (await second.get("/v1/whoami")).status_code == 401


async def test_anothers_session_answers_as_an_unknown_one(each_people):
    ada = await each_people.first()
    bob = await each_people.join(ada, "bob", "owner")

    foreign = await bob.post(f"/v1/sessions/{ada.session['session_id']}/revoke")
    unknown = await bob.post(f"/v1/sessions/se_{'0' * 26}/revoke")

    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["detail"] == unknown.json()["detail"]
    assert (await ada.get("/v1/whoami")).status_code == 200


async def test_an_unused_session_ends(people):
    ada = await people.first()
    people.clock.advance(seconds=6 * 86_400)
    assert (await ada.get("/v1/whoami")).status_code == 200
    await people.server.auth.close()

    people.clock.advance(seconds=6 * 86_400)
    assert (await ada.get("/v1/whoami")).status_code == 200
    await people.server.auth.close()

    people.clock.advance(seconds=7 * 86_400)
    assert (await ada.get("/v1/whoami")).json()["code"] == "session-ended"


async def test_a_session_ends_at_last_however_much_it_is_used(people):
    ada = await people.first()
    for _ in range(29):
        people.clock.advance(seconds=86_400)
        assert (await ada.get("/v1/whoami")).status_code == 200
        await people.server.auth.close()

    people.clock.advance(seconds=86_400)

    assert (await ada.get("/v1/whoami")).json()["code"] == "session-ended"


async def test_what_another_server_ended_is_refused_within_a_second(people):
    from omium.server.store import sessions

    ada = await people.first()
    assert (await ada.get("/v1/whoami")).status_code == 200
    user_id = ada.session["user_id"]
    await people.server.db.write(lambda tx: sessions.end_of_user(tx, user_id))

    people.clock.advance(seconds=1.001)

    assert (await ada.get("/v1/whoami")).status_code == 401


async def test_use_is_noted_at_most_once_a_minute(people):
    ada, noted = await people.first(), []
    for _ in range(4):
        people.clock.advance(seconds=31)
        await ada.get("/v1/whoami")
        await people.server.auth.close()
        noted.append((await ada.get("/v1/sessions")).json()["items"][0]["last_used_at_us"])

    assert noted[0] < noted[1] == noted[2] < noted[3]


async def test_no_secret_is_in_the_data_folder_or_the_list(people):
    ada = await people.first()
    secret = ada.session["session_token"].rsplit("_", 1)[1][:43].encode()
    listed = await ada.get("/v1/sessions")

    folder = people.server.settings.data
    stored = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())

    assert secret not in stored
    assert secret not in listed.content
    assert PASSWORD.encode() not in stored


@pytest.mark.parametrize("wrong", ["typo", "unknown", "forged", "of an invitation"])
async def test_what_is_no_session_is_not_let_in(people, wrong):
    from omium.server.accounts.credentials import Form, make_credential

    ada = await people.first()
    good = ada.session["session_token"]
    tokens = {
        "typo": good[:-1] + ("0" if good[-1] != "0" else "1"),
        "unknown": make_credential(Form.SESSION, "se_" + "0" * 26).text,
        "forged": make_credential(Form.SESSION, ada.session["session_id"]).text,
        "of an invitation": await people.invite(ada, "viewer"),
    }

    reply = await people.nobody.get("/v1/whoami", headers={"authorization": f"Bearer {tokens[wrong]}"})

    assert (reply.status_code, reply.json()["code"]) == (401, "unauthenticated")


async def test_a_key_has_no_sessions(people):
    ada = await people.first()
    key = (await ada.post_keyed("/v1/keys", {"name": "ci"})).json()["api_key"]
    headers = {"authorization": f"Bearer {key}"}

    reply = await people.nobody.get("/v1/sessions", headers=headers)

    assert (reply.status_code, reply.json()["code"]) == (403, "person-needed")


async def test_a_person_makes_keys_for_workers(people):
    ada = await people.first()

    made = await ada.post_keyed("/v1/keys", {"name": "w", "scopes": ["worker", "ingest"]})
    admin = await people.join(ada, "bob", "admin")
    too_much = await admin.post_keyed("/v1/keys", {"name": "x", "scopes": ["own"]})

    assert made.json()["scopes"] == ["ingest", "worker"]
    assert (too_much.status_code, too_much.json()["scope"]) == (403, "own")


async def test_old_sessions_end_when_there_are_many(people):
    ada = await people.first()
    for _ in range(50):
        people.clock.advance(seconds=1)
        latest = await people.log_in("ada")

    assert (await ada.get("/v1/whoami")).status_code == 401
    assert len((await latest.get("/v1/sessions", params={"limit": 200})).json()["items"]) == 50


async def accept_elsewhere(people, client):
    """Take an invitation into a further tenant."""
    owner = await people.log_in("ada", tenant="acme")
    there = await people.tenant_of(owner, "further")
    invitation = await people.invite(there, "viewer")
    return await client.post("/v1/invitations/accept", json={"invitation": invitation})


MOVES = {
    "another environment": lambda people, client: client.post(
        "/v1/sessions/switch", json={"environment": "prod"}
    ),
    "an invitation": accept_elsewhere,
}


@pytest.mark.parametrize("how", MOVES)
async def test_going_elsewhere_does_not_put_the_fixed_end_off(people, how):
    bob = await people.join(await people.first(), "bob", "operator")
    people.clock.advance(seconds=5 * 86_400)

    moved = await MOVES[how](people, bob)

    assert moved.status_code == 201, moved.text
    assert moved.json()["expires_at_us"] == bob.session["expires_at_us"]


@pytest.mark.parametrize("how", MOVES)
async def test_what_another_server_ended_in_this_moment_does_not_go_elsewhere(people, how):
    from omium.server.store import sessions

    bob = await people.join(await people.first(), "bob", "operator")
    assert (await bob.get("/v1/whoami")).status_code == 200
    user_id = bob.session["user_id"]
    await people.server.db.write(lambda tx: sessions.end_of_user(tx, user_id))
    assert (await bob.get("/v1/whoami")).status_code == 200  # this server has not noticed yet

    moved = await MOVES[how](people, bob)

    assert (moved.status_code, moved.json()["code"]) == (401, "session-ended")


async def test_a_session_that_goes_elsewhere_twice_at_once_is_one_session_there(each_people):
    ada = await each_people.first()

    replies = await asyncio.gather(
        *(ada.post("/v1/sessions/switch", json={"environment": "prod"}) for _ in range(2))
    )

    assert sorted(reply.status_code for reply in replies) == [201, 401]
