"""Members: roles, invitations, and an owner who is always left."""

import asyncio
import threading

import pytest

from omium.server.accounts import members
from omium.server.principal import Principal, PrincipalKind
from omium.states import Environment, Role
from tests.accounts.conftest import PASSWORD, open_people
from tests.serverfixture import test_settings

ROLES = [role.value for role in Role]


async def roles_of(client):
    return {item["user"]: item["role"] for item in (await client.get("/v1/members")).json()["items"]}


async def role(client, other, wanted):
    return await client.post(f"/v1/members/{other.session['user_id']}/role", json={"role": wanted})


async def test_an_invitation_makes_one_person_a_member(each_people):
    ada = await each_people.first()
    invitation = await each_people.invite(ada, "operator", note="Bob")
    body = {"password": PASSWORD, "invitation": invitation}

    bob = await each_people.nobody.post("/v1/sign-up", json=body | {"user": "bob"})
    again = await each_people.nobody.post("/v1/sign-up", json=body | {"user": "carol"})
    listed = (await ada.get("/v1/invitations")).json()["items"]

    assert bob.json()["role"] == "operator"
    assert (again.status_code, again.json()["code"]) == (403, "invitation-invalid")
    assert await roles_of(ada) == {"ada": "owner", "bob": "operator"}
    assert [(each["status"], each["note"], each["used_by"]) for each in listed] == [
        ("used", "Bob", bob.json()["user_id"])
    ]
    assert invitation not in str(listed)


async def test_two_who_use_one_invitation_at_once_are_one_member(each_people):
    ada = await each_people.first()
    invitation = await each_people.invite(ada, "viewer")

    replies = await asyncio.gather(
        *(
            each_people.nobody.post(
                "/v1/sign-up", json={"user": f"user{n}", "password": PASSWORD, "invitation": invitation}
            )
            for n in range(4)
        )
    )

    assert sorted(reply.status_code for reply in replies) == [201, 403, 403, 403]
    assert len(await roles_of(ada)) == 2


async def test_an_invitation_ends_by_time_and_by_revoking(people):
    ada = await people.first()
    revoked, old = await people.invite(ada, "viewer"), await people.invite(ada, "viewer", expires_in_s=60)
    ids = [item["id"] for item in (await ada.get("/v1/invitations")).json()["items"]]
    by_token = {each.split("_")[1]: each for each in ids}
    await ada.post(f"/v1/invitations/{by_token[revoked.split('_')[1]]}/revoke")
    people.clock.advance(seconds=60)

    for invitation in (revoked, old):
        body = {"user": "bob", "password": PASSWORD, "invitation": invitation}
        reply = await people.nobody.post("/v1/sign-up", json=body)
        assert (reply.status_code, reply.json()["code"]) == (403, "invitation-invalid")


async def test_who_has_no_invitation_learns_no_names(people):
    ada = await people.first()
    replies = [
        await people.nobody.post("/v1/sign-up", json={"user": name, "password": PASSWORD} | more)
        for name in ("ada", "nobody")
        for more in ({}, {"invitation": "omi_x"}, {"tenant": "x"})
    ]
    assert {reply.status_code for reply in replies} == {403}
    assert [reply.json()["detail"] for reply in replies[:3]] == [
        reply.json()["detail"] for reply in replies[3:]
    ]
    invited = await people.invite(ada, "viewer")
    body = {"user": "ada", "password": PASSWORD, "invitation": invited}
    taken = await people.nobody.post("/v1/sign-up", json=body)
    assert (taken.status_code, taken.json()["code"]) == (409, "name-taken")
    assert (await people.nobody.post("/v1/sign-up", json=body | {"user": "bob"})).status_code == 201, (
        "a refused name spends nothing"
    )


async def test_a_member_of_one_tenant_joins_another(each_people):
    ada = await each_people.first()
    other = await each_people.tenant_of(ada, "other")
    bob = await each_people.join(ada, "bob", "viewer")

    reply = await bob.post(
        "/v1/invitations/accept", json={"invitation": await each_people.invite(other, "admin")}
    )
    again = await each_people.try_log_in("bob", invitation=await each_people.invite(other, "admin"))
    there = each_people.client(reply.json())

    assert (reply.json()["tenant"], reply.json()["role"]) == ("other", "admin")
    assert (await bob.get("/v1/whoami")).status_code == 401
    assert (await there.get("/v1/whoami")).json()["role"] == "admin"
    assert again.json()["code"] == "invitation-invalid"


async def test_nobody_invites_into_more_than_he_holds(people):
    ada, allowed = await people.first(), set()
    for own in ROLES:
        client = ada if own == "owner" else await people.join(ada, f"an-{own}", own)
        for wanted in ROLES:
            reply = await client.post_keyed("/v1/invitations", {"role": wanted})
            assert reply.status_code in (201, 403)
            if reply.status_code == 201:
                allowed.add((own, wanted))

    assert allowed == {("owner", each) for each in ROLES} | {("admin", each) for each in ROLES[1:]}


async def test_an_admin_can_neither_make_nor_unmake_an_owner(each_people):
    ada = await each_people.first()
    admin = await each_people.join(ada, "bob", "admin")
    carol = await each_people.join(ada, "carol", "owner")

    replies = [
        await role(admin, admin, "owner"),
        await role(admin, carol, "viewer"),
        await admin.post(f"/v1/members/{carol.session['user_id']}/remove"),
        await admin.post("/v1/tenant/delete", json={"name": "acme"}),
    ]

    assert [reply.status_code for reply in replies] == [403] * 4
    assert await roles_of(ada) == {"ada": "owner", "bob": "admin", "carol": "owner"}


async def test_only_the_servers_owner_invites_another_one(people):
    ada = await people.first()
    carol = await people.join(ada, "carol", "owner")

    refused = await carol.post_keyed("/v1/invitations", {"role": "owner", "server_owner": True})
    invitation = await people.invite(ada, "owner", server_owner=True)
    body = {"user": "dan", "password": PASSWORD, "invitation": invitation}
    dan = (await people.nobody.post("/v1/sign-up", json=body)).json()

    assert (refused.status_code, refused.json()["scope"]) == (403, "server")
    assert "server" not in carol.session["scopes"]
    assert "server" in dan["scopes"]


async def test_a_role_that_changes_counts_at_once(each_people):
    ada = await each_people.first()
    bob = await each_people.join(ada, "bob", "admin")
    assert (await bob.get("/v1/invitations")).status_code == 200

    changed = await role(ada, bob, "viewer")
    refused = await bob.get("/v1/invitations")

    assert changed.json()["role"] == "viewer"
    assert (refused.status_code, refused.json()["code"]) == (403, "scope-missing")
    assert "viewer" in refused.json()["detail"]
    assert (await role(ada, bob, "viewer")).json() == changed.json()


async def test_what_a_demoted_admin_has_sent_out_is_void(each_people):
    ada = await each_people.first()
    bob = await each_people.join(ada, "bob", "admin")
    invitation = await each_people.invite(bob, "admin")

    await role(ada, bob, "viewer")
    reply = await each_people.nobody.post(
        "/v1/sign-up", json={"user": "eve", "password": PASSWORD, "invitation": invitation}
    )

    assert reply.json()["code"] == "invitation-invalid"


async def test_what_a_revoked_key_has_sent_out_is_void(each_app_client):
    client = each_app_client
    key = client.as_key(await client.new_key())
    invitation = (await key.post_keyed("/v1/invitations", {"role": "owner"})).json()
    mine = (await client.post_keyed("/v1/invitations", {"role": "owner"})).json()

    assert (await client.post(f"/v1/keys/{key.key.api_key_id}/revoke")).status_code == 200

    listed = (await client.get("/v1/invitations")).json()["items"]
    assert {each["id"]: each["status"] for each in listed} == {
        invitation["id"]: "revoked",
        mine["id"]: "open",
    }
    body = {"user": "eve", "password": PASSWORD, "invitation": invitation["invitation_token"]}
    late = await client.as_nobody().post("/v1/sign-up", json=body)
    assert late.json()["code"] == "invitation-invalid"


async def test_a_removed_member_is_out_at_once_and_his_keys_are_named(each_people):
    ada = await each_people.first()
    bob = await each_people.join(ada, "bob", "admin")
    key = (await bob.post_keyed("/v1/keys", {"name": "his"})).json()["api_key"]

    path = f"/v1/members/{bob.session['user_id']}/remove"
    removed = await ada.post(path)
    again = await ada.post(path)

    assert removed.json()["active_keys"] == 1
    assert again.status_code == 404
    assert (await bob.get("/v1/whoami")).status_code == 401
    assert (await each_people.try_log_in("bob")).json()["code"] == "no-tenant"
    alive = await each_people.nobody.get("/v1/whoami", headers={"authorization": f"Bearer {key}"})
    assert alive.status_code == 200


async def test_the_last_owner_stays(each_people):
    ada = await each_people.first()
    ada_path = f"/v1/members/{ada.session['user_id']}"
    replies = [
        await role(ada, ada, "viewer"),
        await ada.post(f"{ada_path}/remove"),
        await ada.post("/v1/tenant/leave"),
    ]
    assert {(reply.status_code, reply.json()["code"]) for reply in replies} == {(409, "last-owner")}
    assert "omium members role" in replies[0].json()["detail"]

    carol = await each_people.join(ada, "carol", "owner")
    assert (await ada.post("/v1/tenant/leave")).status_code == 200
    assert (await carol.post("/v1/tenant/leave")).status_code == 409


async def test_two_owners_who_leave_at_once_leave_one(each_people):
    ada = await each_people.first()
    carol = await each_people.join(ada, "carol", "owner")

    replies = await asyncio.gather(ada.post("/v1/tenant/leave"), role(carol, carol, "viewer"))

    assert sorted(reply.status_code for reply in replies) == [200, 409]


@pytest.mark.postgres
async def test_two_owners_who_leave_at_two_servers_leave_one(tmp_path, postgres_url):
    """The second waits for the first one's commit, and then counts."""
    settings = test_settings(tmp_path, database_url=postgres_url)
    async with open_people(settings) as people, open_people(settings) as elsewhere:
        ada = await people.first()
        carol = await people.join(ada, "carol", "owner")
        there = elsewhere.client(carol.session)
        assert (await there.get("/v1/whoami")).status_code == 200
        inside, released = threading.Event(), threading.Event()
        leaver = Principal(
            ada.session["tenant_id"], ada.session["user_id"], PrincipalKind.USER, Environment.DEV, frozenset()
        )

        def leave_slowly(tx):
            members.leave_tenant(tx, leaver)
            inside.set()
            released.wait(30)

        first = asyncio.create_task(people.server.db.write(leave_slowly))
        await asyncio.to_thread(inside.wait, 30)
        second = asyncio.create_task(there.post("/v1/tenant/leave"))
        await asyncio.wait({second}, timeout=0.5)
        released.set()
        await first
        reply = await second

        assert (reply.status_code, reply.json().get("code")) == (409, "last-owner")


async def test_a_user_goes_for_good_but_not_the_only_owner(each_people):
    ada = await each_people.first()
    carol = await each_people.join(ada, "carol", "owner")
    refused = await ada.post("/v1/account/delete", json={"password": PASSWORD})
    wrong = await carol.post("/v1/account/delete", json={"password": "not the right one at all"})
    gone = await carol.post("/v1/account/delete", json={"password": PASSWORD})

    assert (refused.status_code, refused.json()["code"]) == (409, "last-owner")
    assert "--server-owner" in refused.json()["detail"]
    assert wrong.status_code == 401
    assert gone.status_code == 204
    assert (await carol.get("/v1/whoami")).status_code == 401
    assert (await each_people.try_log_in("carol")).json()["code"] == "login-refused"
    assert await roles_of(ada) == {"ada": "owner"}


async def test_the_only_owner_of_a_tenant_is_told_which(each_people):
    ada = await each_people.first()
    invitation = await each_people.invite(ada, "owner", server_owner=True)
    body = {"user": "dan", "password": PASSWORD, "invitation": invitation}
    dan = each_people.client((await each_people.nobody.post("/v1/sign-up", json=body)).json())
    await each_people.tenant_of(dan, "his own")

    refused = await dan.post("/v1/account/delete", json={"password": PASSWORD})

    assert refused.json()["tenants"] == ["his own"]
    assert "his own" in refused.json()["detail"]


async def test_another_tenants_member_answers_as_an_unknown_one(each_people):
    ada = await each_people.first()
    bob = await each_people.join(ada, "bob", "viewer")
    other = await each_people.tenant_of(ada, "other")

    foreign = await role(other, bob, "admin")
    unknown = await other.post(f"/v1/members/us_{'0' * 26}/role", json={"role": "admin"})
    removed = await other.post(f"/v1/members/{bob.session['user_id']}/remove")

    assert [reply.status_code for reply in (foreign, unknown, removed)] == [404] * 3
    assert foreign.json()["detail"] == unknown.json()["detail"]
    assert (await roles_of(ada))["bob"] == "viewer"


async def test_a_key_invites_the_first_person_of_a_server_without_people(each_app_client):
    client = each_app_client
    invitation = await client.post_keyed("/v1/invitations", {"role": "owner", "server_owner": True})
    body = {"user": "ada", "password": PASSWORD, "invitation": invitation.json()["invitation_token"]}

    alone = await client.as_nobody().post("/v1/sign-up", json={"user": "eve", "password": PASSWORD})
    ada = await client.as_nobody().post("/v1/sign-up", json=body)

    assert alone.json()["code"] == "sign-up-closed"
    assert (ada.json()["tenant"], ada.json()["role"]) == ("test", "owner")
    assert "server" in ada.json()["scopes"]


async def test_a_key_with_a_list_of_workflows_makes_no_person_who_may_run_all(each_app_client):
    listed = each_app_client.as_key(await each_app_client.new_key(workflows=["a"]))

    answers = {
        role: (await listed.post_keyed("/v1/invitations", {"role": role})).json().get("code")
        for role in ("viewer", "operator", "admin", "owner")
    }

    refused = "workflow-not-allowed"
    assert answers == {"viewer": None, "operator": refused, "admin": refused, "owner": refused}


@pytest.mark.parametrize("policy", ["closed", "invitation", "open"])
async def test_the_policy_says_who_may_sign_up(make_people, policy):
    async with make_people(sign_up=policy) as people:
        ada = await people.first()
        invited = {
            "user": "bob",
            "password": PASSWORD,
            "invitation": await people.invite(ada, "viewer"),
        }
        alone = {"user": "carol", "password": PASSWORD, "tenant": "hers"}

        codes = [
            (await people.nobody.post("/v1/sign-up", json=body)).status_code for body in (invited, alone)
        ]

        assert codes == {"closed": [403, 403], "invitation": [201, 403], "open": [201, 201]}[policy]
        if policy == "open":
            carol = await people.log_in("carol")
            assert carol.session["role"] == "owner"
            assert "server" not in carol.session["scopes"]
