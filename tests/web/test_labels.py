"""Tags and business keys: given at the start, found by, and in nobody's way afterwards."""

import pytest

from omium.ids import new_id
from omium.server.db.tx import Sql
from tests.web.walk import DIGEST, TOKEN

COUNT_LABELS = Sql("SELECT COUNT(*) FROM execution_labels")
COUNT_TAGS = Sql("SELECT COUNT(*) FROM execution_tags")


async def start(client, **fields):
    body = {"workflow": "order", "driver": "worker", "input_digest": DIGEST, "input": {}} | fields
    return await client.post_keyed("/v1/executions", body)


async def started(client, **fields):
    answer = await start(client, **fields)
    assert answer.status_code == 200, answer.text
    client.clock.advance(seconds=1)
    reply = answer.json()
    return reply.get("execution", reply)["id"]


async def find(client, **query):
    answer = await client.get("/v1/executions", params=query)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"]]


async def test_executions_are_found_by_tag_and_by_business_key_newest_first(each_app_client):
    client = each_app_client
    first = await started(client, tags=["nightly", "eu"], business_key="order-1")
    second = await started(client, tags=["nightly"], business_key="order-2")
    third = await started(client, business_key="order-1", workflow="refund")
    await started(client)

    assert await find(client, tag="nightly") == [second, first]
    assert await find(client, business_key="order-1") == [third, first]
    assert await find(client, business_key="order-1", tag="eu") == [first]
    assert await find(client, business_key="order-1", workflow="refund") == [third]
    assert await find(client, tag="nightly", status="completed") == []
    assert await find(client, tag="no such") == []


async def test_a_page_by_tag_goes_on_where_it_ended(each_app_client):
    client = each_app_client
    made = [await started(client, tags=["t"]) for _ in range(5)]
    first = (await client.get("/v1/executions", params={"tag": "t", "limit": 2})).json()
    rest = await client.get("/v1/executions", params={"tag": "t", "limit": 9, "after": first["next"]})
    found = [each["id"] for each in (*first["items"], *rest.json()["items"])]
    assert found == made[::-1]


async def test_lists_and_details_show_the_labels_sorted_and_once(app_client):
    made = await started(app_client, tags=["b", "a", "b"], business_key="order 7")
    listed = (await app_client.get("/v1/executions")).json()["items"][0]
    detail = (await app_client.get(f"/v1/executions/{made}")).json()
    for shown in (listed, detail):
        assert (shown["tags"], shown["business_key"]) == (["a", "b"], "order 7")


async def test_labels_are_part_of_what_makes_two_starts_the_same(app_client):
    execution_id = new_id("ex", 1)
    assert (await start(app_client, id=execution_id, tags=["a", "b"])).status_code == 200
    assert (await start(app_client, id=execution_id, tags=["b", "a"])).status_code == 200
    assert (await start(app_client, id=execution_id, tags=["other"])).status_code == 409
    assert await app_client.server.db.read(lambda tx: tx.one(COUNT_TAGS, int)) == 2


@pytest.mark.parametrize(
    "labels",
    [
        {"tags": [""]},
        {"tags": ["x" * 101]},
        {"tags": ["a\x00"]},
        {"tags": list("abcdefghijklmnopqrstu")},
        {"tags": "word"},
        {"business_key": ""},
        {"business_key": "line\nend"},
    ],
)
async def test_what_is_no_label_is_refused(app_client, labels):
    assert (await start(app_client, **labels)).status_code == 400


async def test_other_tenants_find_nothing_by_the_same_words(app_client):
    await started(app_client, tags=["shared"], business_key="order-1")
    stranger = await app_client.new_tenant()
    assert await find(stranger, tag="shared") == []
    assert await find(stranger, business_key="order-1") == []


async def test_a_replay_is_found_by_what_its_source_is_found_by(app_client):
    made = await started(
        app_client,
        driver="local",
        lease_token=TOKEN,
        tags=["eu"],
        business_key="order-1",
    )
    write = {"type": "execution.completed", "output": 1}
    group = {"execution_id": made, "epoch": 1, "lease_token": TOKEN, "writes": [write]}
    answer = await app_client.post("/v1/writes", json={"groups": [group]})
    assert answer.status_code == 200, answer.text
    replayed = await app_client.post_keyed(f"/v1/executions/{made}/replay", {})
    assert replayed.status_code == 200, replayed.text

    assert len(await find(app_client, tag="eu", business_key="order-1")) == 2


async def test_labels_go_with_their_execution(app_client):
    made = await started(app_client, tags=["a", "b"], business_key="k")
    delete = Sql("DELETE FROM executions WHERE id = :id")
    for table in ("events", "execution_meters"):
        await app_client.server.db.write(
            lambda tx, table=table: tx.execute(Sql(f"DELETE FROM {table} WHERE execution_id = :id"), id=made)
        )
    await app_client.server.db.write(lambda tx: tx.execute(delete, id=made))
    assert await app_client.server.db.read(lambda tx: tx.one(COUNT_LABELS, int)) == 0
    assert await app_client.server.db.read(lambda tx: tx.one(COUNT_TAGS, int)) == 0
