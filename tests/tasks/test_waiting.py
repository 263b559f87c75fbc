"""Signals and approvals over HTTP: what waits is shown, told, decided, once."""

from tests.serverfixture import app_client, each_app_client

__all__ = ["app_client", "each_app_client"]

APPROVAL = {
    "id": "publish",
    "type": "approval",
    "inputs": {"title": {"$from": "inputs.title"}},
    "parameters": {"message": "Publish {title}?", "expires_s": 3600},
}
WAIT = {"id": "paid", "type": "wait", "parameters": {"signal": "paid"}}


async def start(client, node, inputs=None):
    document = {
        "omium": "0",
        "name": "waits",
        "nodes": [node],
        "outputs": {"said": {"$from": f"nodes.{node['id']}.output"}},
    }
    saved = await client.post_keyed("/v1/workflows", {"document": document})
    assert saved.status_code < 300, saved.text
    body = {"workflow": "waits", "driver": "worker", "input": inputs or {}, "input_digest": "0" * 64}
    return (await client.post_keyed("/v1/executions", body)).json()["id"]


async def approvals(client):
    return (await client.get("/v1/approvals")).json()["items"]


async def decide(client, execution_id, decision="approved", **said):
    body = {"path": "publish", "decision": decision} | said
    return await client.post_keyed(f"/v1/executions/{execution_id}/approvals", body)


async def signal(client, execution_id, signal_id="1", payload=None):
    body = {"name": "paid", "signal_id": signal_id, "payload": payload}
    return await client.post(f"/v1/executions/{execution_id}/signals", json=body)


async def detail(client, execution_id):
    return (await client.get(f"/v1/executions/{execution_id}")).json()


async def test_what_waits_for_a_person_says_what_is_asked(each_app_client):
    client = each_app_client
    execution_id = await start(client, APPROVAL, {"title": "Tides"})

    (asked,) = await approvals(client)
    assert (asked["execution_id"], asked["path"], asked["workflow"]) == (execution_id, "publish", "waits")
    assert (asked["message"], asked["inputs"]) == ("Publish Tides?", {"title": "Tides"})
    assert asked["expires_at_us"] - asked["asked_at_us"] == 3600 * 1_000_000
    assert (await detail(client, execution_id))["status"] == "waiting"


async def test_a_decision_is_the_nodes_output_and_the_second_one_comes_too_late(each_app_client):
    client = each_app_client
    execution_id = await start(client, APPROVAL, {"title": "Tides"})

    decided = await decide(client, execution_id, comment="fine")
    assert decided.json() == {
        "execution_id": execution_id,
        "path": "publish",
        "decision": "approved",
        "status": "completed",
    }
    said = (await detail(client, execution_id))["output"]["said"]
    assert (said["decision"], said["by"], said["comment"]) == ("approved", client.key.api_key_id, "fine")
    late = await decide(client, execution_id, "rejected")
    assert (late.status_code, late.json()["code"]) == (409, "already-decided")
    assert await approvals(client) == []


async def test_approvals_are_listed_page_by_page_the_oldest_first(app_client):
    ids = [await start(app_client, APPROVAL, {"title": str(number)}) for number in range(3)]
    found, after = [], {}
    while True:
        page = (await app_client.get("/v1/approvals", params={"limit": 2} | after)).json()
        found += [each["execution_id"] for each in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert sorted(found) == sorted(ids)
    assert len(found) == 3


async def test_a_stranger_sees_and_decides_nothing(app_client):
    execution_id = await start(app_client, APPROVAL, {"title": "Tides"})
    stranger = await app_client.new_tenant()

    assert await approvals(stranger) == []
    for reply in (await decide(stranger, execution_id), await signal(stranger, execution_id)):
        assert (reply.status_code, reply.json()["code"]) == (404, "not-found")
    assert len(await approvals(app_client)) == 1


async def test_a_signal_is_taken_by_the_node_that_waits_for_it_once(each_app_client):
    client = each_app_client
    execution_id = await start(client, WAIT)

    sent = (await signal(client, execution_id, payload={"amount": 90})).json()
    assert (sent["fresh"], sent["taken_by"]) == (True, "paid")
    assert (await detail(client, execution_id))["output"] == {"said": {"amount": 90}}
    again = (await signal(client, execution_id, payload={"amount": 90})).json()
    assert (again["fresh"], again["taken_by"]) == (False, "paid")
    late = await signal(client, execution_id, "2")
    assert (late.status_code, late.json()["code"]) == (409, "illegal-transition")


async def test_an_execution_of_code_takes_signals_and_no_decisions(app_client):
    body = {"workflow": "code", "driver": "worker", "input": {}, "input_digest": "0" * 64}
    execution_id = (await app_client.post_keyed("/v1/executions", body)).json()["id"]
    refused, sent = await decide(app_client, execution_id), await signal(app_client, execution_id)
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal-transition")
    assert (sent.status_code, sent.json()["taken_by"]) == (200, None)
