"""The engine's endpoints over HTTP: a local run, a worker's run, what people see, and who may do what."""

import asyncio

import pytest

from omium.ids import new_id
from omium.server.engine.rollback import CHILDREN_AT_ONCE
from omium.states import Scope
from tests.engine.harness import digest_of, process

KEY = {"idempotency-key": "once"}


@pytest.fixture
async def client(each_app_client):
    return each_app_client


def start_body(client, driver="local", **fields):
    body = {
        "id": new_id("ex", client.clock.now_us()),
        "workflow": "report",
        "driver": driver,
        "input": {"topic": "tea"},
        "input_digest": digest_of("tea"),
    }
    if driver == "local":
        body |= {"lease_token": "t" * 32, "process": process().model_dump()}
    return body | fields


async def start(client, driver="local", **fields):
    answer = await client.post("/v1/executions", json=start_body(client, driver, **fields))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def write(client, grant, **fields):
    step = {"type": "step.completed", "path": "search", "name": "search", "output": [1, 2]}
    step |= {"input_digest": digest_of(1), "started_at_us": 1, "ended_at_us": 2} | fields
    group = {"execution_id": grant["execution"]["id"], "epoch": grant["epoch"]}
    group |= {"lease_token": grant["lease_token"], "writes": [step]}
    answer = await client.post("/v1/writes", json={"groups": [group]})
    assert answer.status_code == 200, answer.text
    return answer.json()["groups"][0]["results"][0]


def claim_body(**fields):
    return {
        "worker_id": "w1",
        "workflows": ["report"],
        "process": process().model_dump(),
        "wait_s": 0,
    } | fields


async def test_a_local_run_is_written_and_shown(client):
    grant = await start(client)
    assert (await write(client, grant))["seq"] == 2
    assert (await write(client, grant, output=3))["problem"]["code"] == "step-conflict"

    address = f"/v1/executions/{grant['execution']['id']}"
    detail = (await client.get(address)).json()
    assert (detail["status"], detail["steps"][0]["output"], detail["runner"]["runner"]) == (
        "running",
        [1, 2],
        "none",
    )
    for rest in ("steps", "attempts", "attempts?path=search", "events", "checkpoints"):
        found = await client.get(f"{address}/{rest}")
        assert found.status_code == 200, found.text
        assert found.json()["next"] is None
    assert (await client.get(f"{address}/steps/value?path=search")).json()["output"] == [1, 2]
    assert (await client.get(f"{address}/steps/value?path=none")).status_code == 404
    assert (await client.get(f"{address}/checkpoints/none")).status_code == 404
    listed = await client.get("/v1/executions?status=running&workflow=report&environment=dev&limit=1")
    assert [each["id"] for each in listed.json()["items"]] == [grant["execution"]["id"]]


async def test_pages_go_on_where_the_last_one_ended(client):
    ids = []
    for _ in range(3):
        client.clock.advance(1)
        ids.append((await start(client))["execution"]["id"])
    first = (await client.get("/v1/executions?limit=2")).json()
    second = (await client.get("/v1/executions", params={"limit": 2, "after": first["next"]})).json()
    assert [each["id"] for each in first["items"] + second["items"]] == ids[::-1]
    for name in ("parent", "replay_of"):
        assert (await client.get(f"/v1/executions?{name}=ex_none")).json()["items"] == []


async def test_a_worker_claims_is_listed_and_ends(client):
    started = await start(client, "worker")
    assert started["status"] == "queued"
    claimed = (await client.post("/v1/workers/claim", json=claim_body())).json()
    assert (claimed["grants"][0]["input"], claimed["pending"]) == ({"topic": "tea"}, 0)
    (worker,) = (await client.get("/v1/workers")).json()["items"]
    assert (worker["id"], worker["seen"]) == ("w1", True)

    assert (await client.post("/v1/workers/stop", json={"worker_id": "w1"})).status_code == 204
    (worker,) = (await client.get("/v1/workers")).json()["items"]
    assert worker["seen"] is False


async def test_a_claim_that_waits_is_woken_by_work(client):
    await client.post("/v1/workers/claim", json=claim_body())
    waiting = asyncio.ensure_future(client.post("/v1/workers/claim", json=claim_body(wait_s=30)))
    while not client.server.live._by_topic:  # noqa: ASYNC110  # until it waits: turns of the loop, no time
        await asyncio.sleep(0)
    started = await start(client, "worker")
    claimed = (await waiting).json()
    assert [grant["execution"]["id"] for grant in claimed["grants"]] == [started["id"]]


async def test_a_claim_that_waits_ends_when_its_worker_stops(client):
    await client.post("/v1/workers/claim", json=claim_body())
    await client.post("/v1/workers/claim", json=claim_body(worker_id="w2"))
    stops, stays = (
        asyncio.ensure_future(client.post("/v1/workers/claim", json=claim_body(worker_id=worker, wait_s=30)))
        for worker in ("w1", "w2")
    )
    while sum(map(len, client.server.live._by_topic.values())) < 2:  # noqa: ASYNC110  # until both wait
        await asyncio.sleep(0)

    await client.post("/v1/workers/stop", json={"worker_id": "w1"})

    assert (await stops).json()["grants"] == []
    assert not stays.done()
    await start(client, "worker")
    assert len((await stays).json()["grants"]) == 1
    (stopped,) = [each for each in (await client.get("/v1/workers")).json()["items"] if each["id"] == "w1"]
    assert stopped["stopped_at_us"] is not None


async def test_pause_cancel_and_resume_are_said_once(client):
    grant = await start(client)
    address = f"/v1/executions/{grant['execution']['id']}"
    for _ in range(2):
        paused = await client.post(f"{address}/pause", json={}, headers=KEY)
        assert paused.json()["status"] == "running"
    await write_suspend(client, grant)
    resumed = await client.post(f"{address}/resume", json={}, headers=KEY)
    assert (resumed.json()["runner"], resumed.json()["execution"]["status"]) == ("none", "queued")
    taken = await client.post(
        f"{address}/resume", json={"process": process(pid=9).model_dump()}, headers={"idempotency-key": "2"}
    )
    assert taken.json()["epoch"] == 2
    cancelled = await client.post(f"{address}/cancel", json={}, headers=KEY)
    assert cancelled.json()["cancelling"] is True


async def write_suspend(client, grant):
    group = {"execution_id": grant["execution"]["id"], "epoch": 1, "lease_token": grant["lease_token"]}
    group["writes"] = [{"type": "execution.suspends", "reason": "operator"}]
    assert (await client.post("/v1/writes", json={"groups": [group]})).status_code == 200


async def test_drivers_need_run_or_worker_and_nothing_else(client):
    grant = await start(client)
    records = f"/v1/executions/{grant['execution']['id']}/records"
    for scope, status in ((Scope.READ, 403), (Scope.RUN, 200), (Scope.WORKER, 200)):
        other = client.as_key(await client.new_key(scope))
        assert (await other.post(records, json={"paths": []})).status_code == status
    assert (await client.post(records, json={"paths": [], "epoch": 1})).status_code == 400
    lease = {"epoch": 9, "lease_token": "x"}
    assert (await client.post(records, json={"paths": [], **lease})).json()["code"] == "lease-lost"


@pytest.mark.parametrize("keep_running", [False, True])
async def test_revoking_a_key_pauses_what_it_started(client, keep_running):
    key = await client.new_key()
    grant = await start(client.as_key(key))
    started = await start(client.as_key(key), "worker")
    query = "?keep_running=true" if keep_running else ""
    for _ in range(2):
        assert (await client.post(f"/v1/keys/{key.api_key_id}/revoke{query}")).status_code == 200
    assert (await write(client, grant))["problem"] is None
    shown = (await client.get(f"/v1/executions/{started['id']}")).json()
    assert (shown["status"], shown["reason"]) == (
        ("queued", None) if keep_running else ("paused", "key-revoked")
    )


@pytest.mark.parametrize("end", ["cancel", "rollback"])
async def test_more_children_than_one_transaction_takes_are_cancelled_with_their_parent(client, end):
    grant = await start(client)
    address = f"/v1/executions/{grant['execution']['id']}"
    for number in range(CHILDREN_AT_ONCE + 2):
        parent = {"parent_id": grant["execution"]["id"], "parent_path": f"c{number}"}
        await start(client, "worker", id=None, **parent)
    wait = {"type": "execution.waits", "reason": "signal"}
    group = {"execution_id": grant["execution"]["id"], "epoch": 1, "lease_token": "t" * 32, "writes": [wait]}
    await client.post("/v1/writes", json={"groups": [group]})

    for _ in range(2):  # the answer was lost
        body = {"reason": "wrong", "to_seq": 1} if end == "rollback" else {}
        answer = await client.post(f"{address}/{end}", json=body, headers=KEY)
        assert answer.status_code == 200, answer.text
        if end == "rollback":
            assert len(answer.json()["plan"]["cancelled_children"]) == CHILDREN_AT_ONCE + 2
    queued = (await client.get("/v1/executions?status=queued")).json()
    assert queued["items"] == []
