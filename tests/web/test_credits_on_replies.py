"""Credits on every reply, and 402 where something would begin: how it is worded, and where it never comes."""

import pytest

from omium.ids import new_id
from omium.server.ledger import funding
from omium.server.ledger.book import About, EntryKind
from omium.server.ledger.tranches import STEPS_PER_TRANCHE

CREDIT = 1_000_000
BEGINNING = CREDIT // 10 + STEPS_PER_TRANCHE * CREDIT // 100


@pytest.fixture
async def metered(make_app_client):
    async with make_app_client(metering=True) as client:
        yield client


async def fund(client, amount):
    tenant_id, about = client.key.tenant_id, About(actor_id="test")
    await client.server.db.write(lambda tx: funding.fund(tx, tenant_id, EntryKind.GRANT, amount, about))
    client.clock.advance(2)


def start(client, **fields):
    body = {
        "id": new_id("ex", client.clock.now_us()),
        "workflow": "report",
        "driver": "local",
        "input_digest": "0" * 64,
        "lease_token": "t" * 32,
        "process": {"boot_id": "b", "pid_namespace": "n", "pid": 1, "started_ticks": 1},
    }
    return client.post("/v1/executions", json=body | fields)


async def test_402_says_the_sentence_what_is_there_what_is_missing_and_nothing_of_retrying(metered):
    reply = await start(metered)
    assert reply.status_code == 402
    told = reply.json()
    assert told["code"] == "credits-exhausted"
    assert told["error"] == "CREDITS_EXHAUSTED"
    assert told["detail"] == "You've exhausted your Omium credits; please top up."
    assert (told["balance"], told["required"], told["limit_source"]) == (0, BEGINNING, "tenant")
    assert "retry-after" not in reply.headers
    assert "rate" not in reply.text.lower()


async def test_every_reply_says_how_many_remain_without_a_read_per_request(metered):
    await fund(metered, 1234 * CREDIT)
    first = await metered.get("/v1/executions")
    assert first.headers["omium-credits-remaining"] == "1234"
    reads = metered.server.db.counters().reads
    for _ in range(5):
        await metered.get("/v1/nothing-here")
    assert metered.server.db.counters().reads == reads
    missing = await metered.get("/v1/executions/ex_01k9zzzzzzzzzzzzzzzzzzzzzz")
    assert missing.status_code == 404
    assert missing.headers["omium-credits-remaining"] == "1234"


async def test_a_commit_that_moves_credits_is_seen_soon_and_low_ones_are_warned_of(metered):
    await fund(metered, CREDIT)
    await metered.get("/v1/executions")
    assert (await start(metered)).status_code == 200
    for _ in range(8):
        for _ in range(2):
            metered.clock.advance(0.1)
            reply = await metered.get("/v1/executions")
            await metered.server.credits.close()
        if "omium-credits-warning" in reply.headers:
            break
        await start(metered)
    assert reply.headers["omium-credits-warning"] == "low"
    assert float(reply.headers["omium-credits-remaining"]) < 0.2


async def test_without_metering_no_reply_speaks_of_credits(app_client):
    reply = await app_client.get("/v1/executions")
    assert "omium-credits-remaining" not in reply.headers
    assert (await start(app_client)).status_code == 200


async def test_what_has_happened_is_taken_without_any_credits(metered):
    await fund(metered, BEGINNING)
    grant = (await start(metered)).json()
    step = {
        "type": "step.completed",
        "path": "s",
        "name": "s",
        "input_digest": "0" * 64,
        "started_at_us": 1,
        "ended_at_us": 2,
        "usage": [{"id": "u", "provider": "openai", "model": "gpt-4o", "input_tokens": 50_000, "at_us": 1}],
    }
    group = {"execution_id": grant["execution"]["id"], "epoch": 1, "lease_token": "t" * 32}
    writes = [step, {"type": "heartbeat"}]
    reply = await metered.post("/v1/writes", json={"groups": [group | {"writes": writes}]})
    assert reply.status_code == 200
    (told,) = reply.json()["groups"]
    assert [each["problem"] for each in told["results"]] == [None, None]
    assert told["suspend"] == "credits"
    alone = {"id": "v", "provider": "openai", "model": "gpt-4o", "input_tokens": 1, "at_us": 1}
    assert (await metered.post("/v1/usage", json=alone)).status_code == 200
    assert (await start(metered)).status_code == 402
    cancelled = await metered.post_keyed(f"/v1/executions/{grant['execution']['id']}/cancel", json={})
    assert cancelled.status_code < 300


async def test_the_cost_of_an_execution_is_shown_by_step(metered):
    await fund(metered, 100 * CREDIT)
    grant = (await start(metered)).json()
    usage = {
        "id": "u",
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 1000,
        "at_us": 1,
        "path": "s",
    }
    step = {
        "type": "step.completed",
        "path": "s",
        "name": "s",
        "input_digest": "0" * 64,
        "started_at_us": 1,
        "ended_at_us": 2,
        "usage": [usage],
    }
    group = {"execution_id": grant["execution"]["id"], "epoch": 1, "lease_token": "t" * 32, "writes": [step]}
    await metered.post("/v1/writes", json={"groups": [group]})
    cost = (await metered.get(f"/v1/executions/{grant['execution']['id']}")).json()["cost"]
    assert cost["steps"] == [{"key": "s", "microcredits": cost["usage_microcredits"]}]
    assert cost["charged_microcredits"] == cost["usage_microcredits"] + CREDIT // 10 + CREDIT // 100
    assert cost["held_microcredits"] > 0
