"""What a request leaves in the audit log."""

import pytest

from omium.server.audit.refusals import PER_MINUTE
from omium.server.db.tx import Sql
from omium.server.store import audit_log as store
from omium.server.store.audit_log import SYSTEM, Wanted
from omium.states import Scope


async def entries(client, tenant_id=None):
    tenant_id = tenant_id or client.key.tenant_id
    return await client.server.db.read(lambda tx: store.list_chain(tx, tenant_id, 0, 1_000))


async def test_a_mutation_and_its_entry_are_one(each_app_client):
    reply = await each_app_client.post_keyed("/v1/keys", {"name": "ci"})

    [entry] = await entries(each_app_client)

    assert (entry.action, entry.target) == ("key.created", reply.json()["api_key_id"])
    assert (entry.actor_kind, entry.actor_id) == ("key", each_app_client.key.api_key_id)
    assert (entry.result, entry.code, entry.seq) == ("done", "", 1)
    assert entry.address == "127.0.0.1"
    assert entry.user_agent.startswith("python-httpx")
    assert entry.request_id == reply.headers["omium-request-id"]


async def test_a_repeat_writes_no_second_entry(each_app_client):
    for _ in range(2):
        await each_app_client.post_keyed("/v1/breakers/llm", {"state": "closed"}, key="same")

    assert [entry.action for entry in await entries(each_app_client)] == ["breaker.set"]


async def test_what_was_undone_is_not_told(each_app_client):
    reply = await each_app_client.post("/v1/keys/ak_unknown/revoke")

    assert reply.status_code == 404
    assert await entries(each_app_client) == []


async def test_a_refusal_for_want_of_a_scope_is_told(each_app_client):
    reader = each_app_client.as_key(await each_app_client.new_key(Scope.READ))

    reply = await reader.post_keyed("/v1/keys", {"name": "more"})

    assert reply.status_code == 403
    [entry] = await entries(each_app_client)
    assert (entry.action, entry.result, entry.code) == ("key.created", "refused", "scope-missing")
    assert entry.actor_id == reader.key.api_key_id


async def test_a_scope_that_the_handler_refuses_to_hand_on_is_told(each_app_client):
    manager = each_app_client.as_key(await each_app_client.new_key(Scope.MANAGE))

    await manager.post_keyed("/v1/keys", {"name": "more", "scopes": ["server"]})

    assert [entry.code for entry in await entries(each_app_client)] == ["scope-missing"]


async def test_refusals_are_bounded_and_counted(each_app_client):
    reader = each_app_client.as_key(await each_app_client.new_key(Scope.READ))
    for _ in range(PER_MINUTE + 7):
        await reader.post_keyed("/v1/keys", {"name": "more"})
    assert len(await entries(each_app_client)) == PER_MINUTE

    each_app_client.clock.advance(seconds=61)
    await reader.post_keyed("/v1/keys", {"name": "more"})

    assert (await entries(each_app_client))[-1].detail == b'{"left_out_before":7}'


async def test_what_no_tenant_is_concerned_with_stands_in_the_servers_chain(app_client):
    reply = await app_client.as_nobody().post("/v1/bootstrap", json={"token": "x" * 43, "tenant": "t"})

    assert reply.status_code == 403
    assert await entries(app_client) == []
    [entry] = await entries(app_client, SYSTEM)
    assert (entry.action, entry.result, entry.code) == ("tenant.created", "refused", "bootstrap-closed")


async def test_a_deed_without_a_transaction_of_its_own_is_told_after_it(app_client):
    reply = await app_client.post("/v1/admin/backup", json={})

    [entry] = await entries(app_client)

    assert (entry.action, entry.target) == ("backup.made", reply.json()["file"])


async def test_a_user_agent_can_neither_forge_lines_nor_fill_the_log(app_client):
    agent = "a\x1b[31m" + "b" * 1_000

    await app_client.post(
        "/v1/breakers/llm", json={"state": "closed"}, headers={"Idempotency-Key": "1", "user-agent": agent}
    )

    [entry] = await entries(app_client)
    assert entry.user_agent == ("a[31m" + "b" * 1_000)[:200]


@pytest.mark.parametrize("field", ["actor_id", "action", "target", "result"])
async def test_entries_are_found_by_what_they_tell(each_app_client, field):
    reader = each_app_client.as_key(await each_app_client.new_key(Scope.READ))
    await each_app_client.post_keyed("/v1/keys", {"name": "ci"})
    await reader.post_keyed("/v1/breakers/llm", {"state": "closed"})
    wanted = (await entries(each_app_client))[1]
    tenant_id = each_app_client.key.tenant_id

    found = await each_app_client.server.db.read(
        lambda tx: store.list_entries(tx, tenant_id, Wanted(**{field: getattr(wanted, field)}), None, 10)
    )

    assert found == [wanted]


SET_BACK = Sql("UPDATE audit_heads SET last_seq = 0")


@pytest.mark.parametrize("keyed", [True, False])
async def test_without_its_entry_there_is_no_deed(each_app_client, keyed):
    key_id = (await each_app_client.post_keyed("/v1/keys", {"name": "ci"})).json()["api_key_id"]
    # The next entry has the number of one that is there, so it cannot be written.
    await each_app_client.server.db.write(lambda tx: tx.execute(SET_BACK))
    if keyed:
        reply = await each_app_client.post_keyed("/v1/keys", {"name": "more"})
    else:
        reply = await each_app_client.post(f"/v1/keys/{key_id}/revoke")

    keys = (await each_app_client.get("/v1/keys")).json()["items"]
    assert reply.status_code == 500
    assert {(key["name"], key["status"]) for key in keys} == {("owner", "active"), ("ci", "active")}
