"""What a key has used: by day, by model, with credits; what retention removes stays counted."""

import datetime as dt

import pytest

from omium.server.engine import retention
from omium.server.ledger import caps, holds
from omium.server.ledger.book import About
from omium.server.store.key_usage import DAY_US
from omium.states import Scope
from tests.web.test_allow_lists import local, start
from tests.web.walk import group, step_write

DAY_S = 86_400


@pytest.fixture
async def key(each_app_client):
    return each_app_client.as_key(await each_app_client.new_key())


async def run(client, steps=2, usage=()):
    """Run one execution to its end and return its id."""
    body = local("report")
    await start(client, body)
    writes = [step_write(f"s{number}", type="step.completed", output=1) for number in range(steps)]
    if usage:
        writes[0]["usage"] = list(usage)
    writes.append({"type": "execution.completed", "output": 1})
    reply = await client.post("/v1/writes", json={"groups": [group(body["id"], *writes)]})
    assert [each["problem"] for each in reply.json()["groups"][0]["results"]] == [None] * len(writes)
    return body["id"]


def tokens(client, name, model, **counts):
    return {"id": name, "provider": "p", "model": model, "at_us": client.clock.now_us()} | counts


async def usage_of(client, key, **query):
    reply = await client.get(f"/v1/keys/{key.key.api_key_id}/usage", params=query)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def charge(client, key, microcredits):
    """Charge the key's tenant for something that the key did, as metering does."""
    about = About(actor_id=key.key.api_key_id, api_key_id=key.key.api_key_id)
    tenant_id = key.key.tenant_id
    await client.server.db.write(lambda tx: holds.spend(tx, tenant_id, tx.new_id("ex"), microcredits, about))


def today(client):
    return dt.date(1970, 1, 1) + dt.timedelta(days=client.clock.now_us() // DAY_US)


async def test_executions_steps_and_tokens_are_counted_for_the_key_that_started(each_app_client, key):
    client = each_app_client
    await run(client, 5)  # another key's
    await run(key, 2, [tokens(key, "a", "big", input_tokens=7, output_tokens=1)])
    await run(key, 3, [tokens(key, "b", "big", input_tokens=3), tokens(key, "c", "small", calls=4)])

    found = await usage_of(client, key)

    (day,) = found["days"]
    assert day["day"] == found["last_day"] == today(client).isoformat()
    assert (day["executions"], day["steps"]) == (2, 5)
    assert [(m["model"], m["input_tokens"], m["output_tokens"], m["calls"]) for m in day["models"]] == [
        ("big", 10, 1, 2),
        ("small", 0, 0, 4),
    ]
    assert found["total"] == {name: value for name, value in day.items() if name != "day"}


async def test_credits_are_those_of_the_journal_before_and_after_they_are_added_up(each_app_client, key):
    client = each_app_client
    before = (await usage_of(client, key))["total"]["spent_microcredits"]
    await charge(client, key, 2_500_000)
    found = [await usage_of(client, key)]
    while await client.server.db.write(caps.sweep_rollups):
        pass
    found.append(await usage_of(client, key))

    assert found[0] == found[1]
    assert found[0]["total"]["spent_microcredits"] - before == 2_500_000
    shown = (await client.get(f"/v1/keys/{key.key.api_key_id}")).json()
    assert shown["spent_microcredits"] == found[0]["total"]["spent_microcredits"]


async def test_days_are_told_apart_and_the_window_has_both_ends(each_app_client, key):
    client = each_app_client
    first = today(client)
    await run(key, 1)
    client.clock.advance(seconds=DAY_S)
    await run(key, 2)
    client.clock.advance(seconds=DAY_S)

    everything = await usage_of(client, key)
    one = await usage_of(client, key, days=2)
    named = await usage_of(client, key, days=1, last_day=first.isoformat())
    nothing = await usage_of(client, key, days=1)

    assert [(day["day"], day["steps"]) for day in everything["days"]] == [
        (first.isoformat(), 1),
        ((first + dt.timedelta(days=1)).isoformat(), 2),
    ]
    assert [day["steps"] for day in one["days"]] == [2]
    assert [day["steps"] for day in named["days"]] == [1]
    assert (nothing["days"], nothing["total"]["steps"]) == ([], 0)


async def test_what_retention_removes_stays_counted_once(each_app_client, key):
    client = each_app_client
    first = today(client)
    await run(key, 3, [tokens(key, "a", "big", input_tokens=7)])
    before = await usage_of(client, key)
    client.clock.advance(seconds=40 * DAY_S)

    for _ in range(5):
        await client.server.db.write(retention.sweep_executions)
    after = await usage_of(client, key, last_day=first.isoformat())

    assert (await client.get("/v1/executions")).json()["items"] == []
    assert after["days"] == before["days"]


@pytest.mark.parametrize(
    "query",
    [
        {"days": 0},
        {"days": 367},
        {"last_day": "yesterday"},
        {"last_day": "1969-12-31"},
        {"last_day": "9999-12-31"},
    ],
)
async def test_a_window_that_makes_no_sense_is_refused(app_client, query):
    reply = await app_client.get(f"/v1/keys/{app_client.key.api_key_id}/usage", params=query)
    assert reply.status_code == 400


async def test_reading_usage_needs_to_read(app_client):
    worker = app_client.as_key(await app_client.new_key(Scope.WORKER))
    assert (await worker.get(f"/v1/keys/{worker.key.api_key_id}/usage")).status_code == 403
