"""Native workflows on the server: pinned when they start, claimed by name or entrypoint, replayed."""

import uuid

from omium.server.engine import native
from tests.serverfixture import app_client, each_app_client
from tests.tasks.test_claims import PROCESS

__all__ = ["app_client", "each_app_client"]

DIGEST = "d" * 64


def document(name="tea", entrypoint="tea.py:graph", timeout_s=10, queue=None, mode="native"):
    runtime = {"mode": mode, "entrypoint": entrypoint} | ({"queue": queue} if queue else {})
    nodes = [{"id": "plan", "type": "function"}, {"id": "write", "type": "function", "timeout_s": timeout_s}]
    return {
        "omium": "0",
        "name": name,
        "nodes": nodes,
        "edges": [{"from": "plan", "to": "write"}],
        "runtime": runtime,
    }


async def save(client, **said):
    return await save_document(client, document(**said))


async def save_document(client, said):
    reply = await post(client, "/v1/workflows", {"document": said})
    assert reply.status_code == 200, reply.text
    return reply.json()


async def post(client, path, body):
    return await client.post(path, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})


async def start(client, workflow="tea", key="k"):
    body = {"workflow": workflow, "driver": "worker", "input": {}, "input_digest": DIGEST}
    reply = await client.post("/v1/executions", json=body, headers={"Idempotency-Key": key})
    assert reply.status_code < 300, reply.text
    return reply.json()


async def claim(client, *entrypoints, workflows=(), worker="wk_1", **fields):
    body = {
        "worker_id": worker,
        "workflows": list(workflows),
        "entrypoints": list(entrypoints),
        "process": PROCESS,
        "wait_s": 0,
        **fields,
    }
    reply = await client.post("/v1/workers/claim", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()["grants"]


def completed(path):
    return {
        "type": "step.completed",
        "path": path,
        "name": path.partition(":")[0],
        "input_digest": DIGEST,
        "started_at_us": 1,
        "ended_at_us": 2,
        "explicit_key": True,
    }


async def write(client, grant, *writes):
    group = {
        "execution_id": grant["execution"]["id"],
        "epoch": grant["epoch"],
        "lease_token": grant["lease_token"],
        "writes": list(writes),
    }
    reply = await client.post("/v1/writes", json={"groups": [group]})
    assert reply.status_code == 200, reply.text
    results = reply.json()["groups"][0]["results"]
    assert all(each["problem"] is None for each in results), reply.text
    return results


async def detail(client, execution_id):
    return (await client.get(f"/v1/executions/{execution_id}")).json()


async def test_a_start_is_pinned_to_the_active_version_and_stays_on_it(each_app_client):
    client = each_app_client
    saved = await save(client)
    first = await start(client, key="first")
    await save(client, timeout_s=20)
    second = await start(client, key="second")

    grants = {
        grant["execution"]["id"]: grant for grant in await claim(client, workflows=["tea"], max_executions=2)
    }

    assert (first["driver"], first["status"]) == ("worker", "queued")
    assert grants[first["id"]]["pinned"] == {
        "workflow_id": saved["id"],
        "version": 1,
        "digest": saved["digest"],
        "entrypoint": "tea.py:graph",
    }
    assert grants[second["id"]]["pinned"]["version"] == 2
    assert [(await detail(client, each["id"]))["version"] for each in (first, second)] == [1, 2]


async def test_code_alone_has_no_version(app_client):
    await start(app_client, "elsewhere")
    (grant,) = await claim(app_client, workflows=["elsewhere"])

    assert grant["pinned"] is None
    assert (await detail(app_client, grant["execution"]["id"]))["version"] is None


async def test_a_worker_of_an_entrypoint_claims_whatever_names_it(each_app_client):
    client = each_app_client
    await save(client)
    await save(client, name="chai", entrypoint="other.py:graph")
    tea, chai = await start(client, "tea", "1"), await start(client, "chai", "2")

    assert await claim(client, "nobody.py:graph", worker="wk_0") == []
    (grant,) = await claim(client, "tea.py:graph", max_executions=5)

    assert grant["execution"]["id"] == tea["id"]
    assert (await detail(client, tea["id"]))["runner"]["runner"] == "worker"
    unserved = (await detail(client, chai["id"]))["runner"]
    assert (unserved["runner"], unserved["command"]) == ("none", ["omium", "worker", "other.py:graph"])


async def test_others_workflows_do_not_keep_one_from_being_claimed(app_client, monkeypatch):
    monkeypatch.setattr(native, "SERVED_MAX", 1)
    await save(app_client, name="coffee", entrypoint="coffee.py:graph")
    await save(app_client)
    await start(app_client)
    assert len(await claim(app_client, "tea.py:graph")) == 1


async def test_an_archived_workflow_is_still_claimed_for_what_runs_of_it(app_client):
    await save(app_client)
    begun = await start(app_client)
    await post(app_client, "/v1/workflows/tea/archive", {})

    (grant,) = await claim(app_client, "tea.py:graph")

    assert grant["execution"]["id"] == begun["id"]


async def test_a_document_says_the_queue_unless_the_start_does(app_client):
    await save(app_client, queue="gpu")
    begun = await start(app_client)

    assert begun["queue"] == "gpu"
    assert await claim(app_client, "tea.py:graph") == []
    assert len(await claim(app_client, "tea.py:graph", queue="gpu", worker="wk_2")) == 1


async def test_a_replay_keeps_the_version_or_takes_another_and_then_runs_its_nodes(each_app_client):
    client = each_app_client
    await save(client)
    source = (await start(client))["id"]
    (grant,) = await claim(client, workflows=["tea"])
    done = {"type": "execution.completed", "output": 1}
    await write(client, grant, completed("plan:4b11"), completed("write:e7e0"), done)
    await save(client, timeout_s=20)

    plans = [
        (await client.post(f"/v1/executions/{source}/plan", json=body)).json()
        for body in ({}, {"version": 2})
    ]
    replayed = await client.post(
        f"/v1/executions/{source}/replay", json={"version": 2}, headers={"Idempotency-Key": "r"}
    )
    (again,) = await claim(client, workflows=["tea"])

    assert [(plan["version"], plan["reuse"], plan["rerun"]) for plan in plans] == [(1, 2, 0), (2, 1, 1)]
    assert again["execution"]["id"] == replayed.json()["execution"]["id"]
    assert again["pinned"]["version"] == 2
    assert [record["name"] for record in again["records"]] == ["plan"]
    refused = await client.post(f"/v1/executions/{source}/plan", json={"version": 3})
    assert refused.status_code == 404


async def test_a_replay_does_not_change_from_workers_to_the_engine(app_client):
    await save(app_client)
    source = (await start(app_client))["id"]
    engine = document(mode="engine")
    for node in engine["nodes"]:
        node["parameters"] = {"handler": "h"}
    await save_document(app_client, engine)

    refused = await app_client.post(f"/v1/executions/{source}/plan", json={"version": 2})

    assert (refused.status_code, refused.json()["code"]) == (400, "invalid-request")
    assert "replay on one in native mode" in refused.json()["detail"]


async def test_a_subworkflow_of_a_native_workflow_is_refused_with_the_way_that_there_is(app_client):
    await save(app_client)
    outer = {
        "omium": "0",
        "name": "outer",
        "nodes": [{"id": "inner", "type": "subworkflow", "workflow": "tea"}],
    }
    await save_document(app_client, outer)
    begun = await start(app_client, "outer")

    assert begun["status"] == "failed"
    error = (await detail(app_client, begun["id"]))["error"]
    assert "omium.run_workflow('tea')" in error["message"]


async def test_a_driver_is_answered_whether_its_step_has_a_slot(each_app_client):
    client = each_app_client
    said = document()
    said["nodes"][1]["concurrency"] = {"key": "provider", "limit": 1}
    await save_document(client, said)
    grants = []
    for key in ("first", "second"):
        await start(client, key=key)
        grants += await claim(client, workflows=["tea"])

    asked = {"type": "slot.asked", "path": "write", "key": "provider", "limit": 1}
    back = {"type": "slot.returned", "path": "write", "key": "provider"}
    answers = [
        await write(client, grants[0], asked),
        await write(client, grants[1], asked),
        await write(client, grants[0], back, completed("write")),
        await write(client, grants[1], asked),
    ]

    assert [answer[0]["slot"] for answer in answers] == ["held", "waiting", None, "held"]
