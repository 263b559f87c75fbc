"""Keys with a list of workflows: they start, drive, resume and stop those, and no others."""

import pytest

from omium.ids import new_id
from omium.states import Scope
from tests.web.walk import DIGEST, PROCESS, TOKEN, group, step_write

ALLOWED, OTHER = "allowed", "other"


def start_body(workflow, **fields):
    return {"workflow": workflow, "driver": "worker", "input_digest": DIGEST, "input": 1} | fields


def local(workflow):
    return start_body(workflow, driver="local", id=new_id("ex", 1), lease_token=TOKEN, process=PROCESS)


async def start(client, body):
    reply = await client.post_keyed("/v1/executions", body)
    assert reply.status_code == 200, reply.text
    return body.get("id") or reply.json()["id"]


@pytest.fixture
async def listed(app_client):
    """A client whose key may do everything, but only with one workflow."""
    return app_client.as_key(await app_client.new_key(workflows=[ALLOWED]))


async def test_only_what_is_on_the_list_is_started(app_client, listed):
    refused = await listed.post_keyed("/v1/executions", start_body(OTHER))
    also = await listed.post_keyed("/v1/executions", local(OTHER))

    await start(listed, start_body(ALLOWED))
    assert refused.status_code == also.status_code == 403
    assert refused.json()["code"] == "workflow-not-allowed"
    assert (refused.json()["workflow"], refused.json()["allowed"]) == (OTHER, [ALLOWED])
    assert len((await app_client.get("/v1/executions")).json()["items"]) == 1


async def test_a_child_needs_to_be_on_the_list_too(listed):
    body = local(ALLOWED)
    await start(listed, body)
    child = start_body(OTHER, parent_id=body["id"], parent_path="c")
    assert (await listed.post_keyed("/v1/executions", child)).json()["code"] == "workflow-not-allowed"


async def test_a_worker_is_given_only_what_is_on_the_list(app_client, listed):
    await start(app_client, start_body(OTHER))
    wanted = await start(app_client, start_body(ALLOWED))
    claim = {"worker_id": "w", "workflows": [ALLOWED, OTHER], "process": PROCESS, "wait_s": 0}

    reply = await listed.post("/v1/workers/claim", json=claim | {"max_executions": 10})

    assert [grant["execution"]["id"] for grant in reply.json()["grants"]] == [wanted]


async def test_an_empty_list_allows_nothing(app_client):
    nobody = app_client.as_key(await app_client.new_key(workflows=[]))
    assert (await nobody.post_keyed("/v1/executions", start_body(ALLOWED))).status_code == 403


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("resume", {"process": PROCESS}),
        ("resume", {}),
        ("cancel", {}),
        ("pause", {}),
        ("replay", {"from_step": "s"}),
        ("rollback", {"to_seq": 1}),
        ("compensations/skip", {"reason": "r"}),
        ("effects/ef_1/decide", {"decision": "skip"}),
        ("records", {"paths": ["s"]}),
    ],
)
async def test_what_somebody_else_runs_is_left_alone(app_client, listed, path, body):
    theirs = local(OTHER)
    await start(app_client, theirs)
    at = f"/v1/executions/{theirs['id']}"
    before = (await app_client.get(at)).json()

    reply = await listed.post_keyed(f"{at}/{path}", body)

    assert reply.status_code == 403, reply.text
    assert reply.json()["code"] == "workflow-not-allowed"
    assert (await app_client.get(at)).json() == before


async def test_a_group_of_failures_of_another_workflow_is_not_replayed(app_client, listed):
    theirs = local(OTHER)
    await start(app_client, theirs)
    error = {"type": "ValueError", "message": "m"}
    writes = [
        step_write("f", type="step.attempt_failed", error=error),
        {"type": "execution.failed", "path": "f", "error": error},
    ]
    await app_client.post("/v1/writes", json={"groups": [group(theirs["id"], *writes)]})
    (failure,) = (await app_client.get("/v1/failures")).json()["items"]

    reply = await listed.post_keyed(f"/v1/failures/{failure['id']}/replay", {})

    assert reply.json()["code"] == "workflow-not-allowed"


async def test_a_strangers_execution_is_unknown_and_not_forbidden(app_client):
    theirs = local(OTHER)
    await start(app_client, theirs)
    stranger = await app_client.new_tenant()
    key = (await stranger.post_keyed("/v1/keys", {"name": "k", "workflows": [ALLOWED]})).json()["api_key"]
    listed = stranger.as_key(stranger.key.model_copy(update={"api_key": key}))

    for path, body in (("cancel", {}), ("records", {"paths": ["s"]})):
        reply = await listed.post_keyed(f"/v1/executions/{theirs['id']}/{path}", body)
        assert reply.status_code == 404


async def test_a_driver_with_its_grant_fetches_what_it_recorded(app_client, listed):
    """The grant itself shows that it was let in."""
    mine = local(ALLOWED)
    await start(listed, mine)
    asked = {"paths": [], "epoch": 1, "lease_token": TOKEN}
    assert (await listed.post(f"/v1/executions/{mine['id']}/records", json=asked)).status_code == 200


async def test_a_list_keeps_from_running_and_not_from_reading(app_client):
    reader = app_client.as_key(await app_client.new_key(Scope.READ, workflows=[ALLOWED]))
    execution_id = await start(app_client, start_body(OTHER))
    assert (await reader.get(f"/v1/executions/{execution_id}")).status_code == 200
