"""Tasks over HTTP: who is granted what, and what a grant is good for."""

import pytest

from omium.states import Scope
from tests.serverfixture import app_client, each_app_client, open_app_client, test_settings
from tests.tasks.specs import SPENT, fund, start_node

__all__ = ["app_client", "each_app_client"]

PROCESS = {"host_name": "h", "boot_id": "", "pid_namespace": "", "pid": 1, "started_ticks": 1}


async def claim(client, *handlers, worker="wk_1", most=5, **fields):
    body = {
        "worker_id": worker,
        "handlers": list(handlers or ("enrich",)),
        "process": PROCESS,
        "max_executions": most,
        "wait_s": 0,
        **fields,
    }
    reply = await client.post("/v1/workers/claim", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()["tasks"]


def grant_of(task):
    return {name: task[name] for name in ("execution_id", "path", "epoch", "token")}


async def say(client, verb, task, **said):
    return await client.post(f"/v1/tasks/{verb}", json=grant_of(task) | said)


async def status(client, execution_id):
    return (await client.get(f"/v1/executions/{execution_id}")).json()["status"]


async def test_a_task_is_granted_once_and_done_once(each_app_client):
    client = each_app_client
    execution_id = await start_node(client)
    (task,) = await claim(client)
    assert await claim(client, worker="wk_2") == []
    assert (task["node"], task["inputs"], task["attempt"]) == ("n", {"topic": "tea"}, 1)

    first = await say(client, "complete", task, output=1)
    again = await say(client, "complete", task, output=1)
    other = await say(client, "complete", task, output=2)
    assert first.json() == again.json() == {"state": "completed"}
    assert (other.status_code, other.json()["code"]) == (409, "step-conflict")
    assert await status(client, execution_id) == "completed"


@pytest.mark.parametrize("wrong", [{"token": "t" * 32}, {"epoch": 7}], ids=str)
async def test_another_token_or_epoch_changes_nothing(app_client, wrong):
    execution_id = await start_node(app_client)
    (task,) = await claim(app_client)
    forged = task | wrong

    for verb, said in (("complete", {"output": 1}), ("fail", {"error": {"type": "E", "message": "m"}})):
        reply = await say(app_client, verb, forged, **said)
        assert (reply.status_code, reply.json()["code"]) == (409, "lease-lost")
    beaten = await app_client.post("/v1/tasks/heartbeat", json={"tasks": [grant_of(forged), grant_of(task)]})
    assert [each["lost"] for each in beaten.json()["tasks"]] == [True, False]
    assert await status(app_client, execution_id) == "running"


@pytest.fixture
async def each_metered_client(tmp_path, database_url):
    """A server with credits, on each database."""
    address = database_url if database_url.startswith("postgresql://") else None
    async with open_app_client(test_settings(tmp_path, database_url=address, metering=True)) as client:
        await fund(client)
        yield client


@pytest.mark.parametrize(
    ("verb", "said"),
    [("complete", {"output": 1}), ("fail", {"error": {"type": "E", "message": "m"}})],
    ids=["complete", "fail"],
)
async def test_what_a_lost_worker_has_spent_is_charged_once_though_its_end_is_refused(
    each_metered_client, verb, said
):
    client = each_metered_client
    execution_id = await start_node(client)
    (task,) = await claim(client)
    lost = task | {"epoch": task["epoch"] + 7}

    for _ in range(2):
        reply = await say(client, verb, lost, usage=[SPENT], **said)
        assert (reply.status_code, reply.json()["code"]) == (409, "lease-lost")

    detail = (await client.get(f"/v1/executions/{execution_id}")).json()
    assert (detail["status"], detail["usage"]["input_tokens"]) == ("running", 1000)
    charged = detail["cost"]["usage_microcredits"]
    assert charged > 0
    assert (await say(client, "complete", task, output=1, usage=[SPENT])).json() == {"state": "completed"}
    assert (await say(client, verb, lost, usage=[SPENT], **said)).status_code in (200, 409)
    other = await say(client, "complete", task, output=2, usage=[SPENT | {"id": "us_2"}])
    assert other.json()["code"] == "step-conflict"
    detail = (await client.get(f"/v1/executions/{execution_id}")).json()
    assert (detail["output"], detail["usage"]["input_tokens"]) == ({"said": 1}, 2000)
    assert detail["cost"]["usage_microcredits"] == 2 * charged


async def test_a_grant_is_no_good_to_another_tenant(app_client):
    execution_id = await start_node(app_client)
    stranger = await app_client.new_tenant()
    assert await claim(stranger, worker="wk_s") == []
    (task,) = await claim(app_client)

    assert (await say(stranger, "complete", task, output=1)).status_code == 404
    beaten = await stranger.post("/v1/tasks/heartbeat", json={"tasks": [grant_of(task)]})
    assert beaten.json()["tasks"] == [{"lost": True, "cancel_requested": False}]
    assert await status(app_client, execution_id) == "running"


async def test_a_worker_gets_its_keys_workflows_its_queue_and_its_handlers_only(app_client):
    await start_node(app_client)
    other = app_client.as_key(await app_client.new_key(Scope.WORKER, workflows=["another"]))
    mine = app_client.as_key(await app_client.new_key(Scope.WORKER, workflows=["spec-enrich"]))

    assert await claim(other, worker="wk_o") == []
    assert await claim(app_client, queue="elsewhere", worker="wk_q") == []
    assert await claim(app_client, "index", worker="wk_h") == []
    assert len(await claim(mine, worker="wk_m")) == 1


async def test_no_more_is_granted_than_asked_for_and_the_rest_later(app_client):
    for _ in range(5):
        await start_node(app_client)
    found = [len(await claim(app_client, most=2)) for _ in range(4)]
    assert found == [2, 2, 1, 0]


async def test_a_cancel_comes_with_the_heartbeat(app_client):
    execution_id = await start_node(app_client)
    (task,) = await claim(app_client)
    await app_client.post_keyed(f"/v1/executions/{execution_id}/cancel", {})
    beaten = await app_client.post("/v1/tasks/heartbeat", json={"tasks": [grant_of(task)]})
    assert beaten.json()["tasks"] == [{"lost": False, "cancel_requested": True}]


async def test_a_claim_names_something(app_client):
    reply = await app_client.post(
        "/v1/workers/claim", json={"worker_id": "wk_1", "process": PROCESS, "wait_s": 0}
    )
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid-request")


async def test_workers_are_listed_with_their_handlers(app_client):
    await claim(app_client, "enrich", "index")
    (worker,) = (await app_client.get("/v1/workers")).json()["items"]
    assert (worker["workflows"], worker["handlers"]) == ([], ["enrich", "index"])
