"""What people do to accounts stands in the audit log, and what is over goes in the background."""

from omium.server.accounts import deletion
from omium.server.db.tx import Sql
from tests.accounts.conftest import PASSWORD


async def log_of(client):
    entries = (await client.get("/v1/audit", params={"limit": 100})).json()["items"]
    return [(each["action"], each["result"], each["actor_id"]) for each in reversed(entries)]


async def test_who_came_in_and_changed_whom_is_told(each_people):
    ada = await each_people.first()
    bob = await each_people.join(ada, "bob", "operator")
    ada_id, bob_id = ada.session["user_id"], bob.session["user_id"]
    await bob.post("/v1/tenant/rename", json={"name": "mine"})
    await ada.post(f"/v1/members/{bob_id}/role", json={"role": "viewer"})
    await bob.post("/v1/log-out")
    await each_people.log_in("bob")
    await ada.post(f"/v1/members/{bob_id}/remove")

    assert await log_of(ada) == [
        ("user.created", "done", ada_id),
        ("invitation.created", "done", ada_id),
        ("user.created", "done", bob_id),
        ("tenant.renamed", "refused", bob_id),
        ("role.changed", "done", ada_id),
        ("session.closed", "done", bob_id),
        ("session.opened", "done", bob_id),
        ("member.removed", "done", ada_id),
    ]


async def test_no_secret_is_in_the_audit_log(people):
    ada = await people.first()
    invitation = await people.invite(ada, "viewer")
    await people.try_log_in("ada", "not the right one at all")
    changed = await ada.post(
        "/v1/account/password", json={"password": PASSWORD, "new_password": PASSWORD + "!"}
    )
    again = people.client(changed.json())

    told = (await again.get("/v1/audit", params={"limit": 100})).text
    for secret in (PASSWORD, "not the right one", invitation, again.session["session_token"]):
        assert secret not in told


async def test_what_is_over_goes_after_a_while(people):
    ada = await people.first()
    await people.invite(ada, "viewer", expires_in_s=60)
    await people.try_log_in("nobody", "not the right one at all")
    counts = {
        table: Sql(f"SELECT COUNT(*) FROM {table}") for table in ("sessions", "invitations", "login_failures")
    }

    async def count():
        return [await people.server.db.read(lambda tx, s=sql: tx.one(s, int)) for sql in counts.values()]

    before = await count()
    await people.server.db.write(deletion.sweep_accounts)
    assert await count() == before

    people.clock.advance(seconds=61 * 86_400)
    await people.server.db.write(deletion.sweep_accounts)
    assert await count() == [0, 0, 0]
