"""The inbox, replays, rollbacks, effects, breakers, usage, logs, status and settings, over HTTP."""

import pytest

from omium.ids import new_id

DIGEST = "0" * 64


async def fail_one(client, *, effect=None):
    """Start an execution that completes `search` and fails at `write`; returns its id."""
    started = await client.post(
        "/v1/executions",
        json={
            "id": new_id("ex", client.clock.now_us()),
            "workflow": "report",
            "driver": "local",
            "input": {"topic": "tea"},
            "input_digest": DIGEST,
            "lease_token": "t" * 32,
        },
    )
    grant = started.json()
    about = {"input_digest": DIGEST, "started_at_us": 1, "ended_at_us": 2}
    line = {"at_us": 1, "stream": "stdout", "text": "hello"}
    usage = {"id": f"u-{grant['execution']['id']}", "model": "small", "input_tokens": 3, "at_us": 1}
    writes = [
        {
            "type": "step.completed",
            "path": "search",
            "name": "search",
            "output": [1],
            "logs": [line],
            "usage": [usage],
        }
        | about
    ]
    if effect:
        writes.append({"type": "effect.intended", "path": effect, "name": effect} | about)
    writes.append({"type": "execution.failed", "path": "write", "error": {"type": "E", "message": "no"}})
    group = {
        "execution_id": grant["execution"]["id"],
        "epoch": grant["epoch"],
        "lease_token": grant["lease_token"],
    }
    answer = await client.post("/v1/writes", json={"groups": [group | {"writes": writes}]})
    assert all(result["problem"] is None for result in answer.json()["groups"][0]["results"]), answer.text
    return grant["execution"]["id"]


def key():
    return {"Idempotency-Key": new_id("ik", 1)}


def items(reply):
    assert reply.status_code == 200, reply.text
    return reply.json()["items"]


async def test_a_failure_is_listed_shown_ignored_and_resolved(app_client):
    execution_id = await fail_one(app_client)
    (failure,) = items(await app_client.get("/v1/failures?status=open&workflow=report"))
    path = f"/v1/failures/{failure['id']}"

    detail = (await app_client.get(path)).json()
    assert detail["execution"]["id"] == execution_id
    assert detail["sentence"] == "The step write of report failed with E: no"
    assert [each["execution_id"] for each in items(await app_client.get(f"{path}/occurrences"))] == [
        execution_id
    ]
    ignored = (await app_client.post(f"{path}/ignore", json={"reason": "known", "until_count": 3})).json()
    assert (ignored["status"], ignored["ignored_count_left"]) == ("ignored", 3)
    resolved = (await app_client.post(f"{path}/resolve", json={"reason": "fixed"})).json()
    assert (resolved["status"], resolved["open_count"]) == ("resolved", 0)
    assert items(await app_client.get("/v1/failures?status=open")) == []


async def test_a_plan_then_its_replay(app_client):
    execution_id = await fail_one(app_client)
    plan = (await app_client.post(f"/v1/executions/{execution_id}/plan", json={})).json()
    assert (plan["reuse"], plan["rerun"], plan["runner"]) == (1, 0, "none")

    body = {"plan_token": plan["token"], "reason": "again"}
    headers = {"Idempotency-Key": "k1"}
    path = f"/v1/executions/{execution_id}/replay"
    first = await app_client.post(path, json=body, headers=headers)
    again = await app_client.post(path, json=body, headers=headers)
    assert first.status_code == 200, first.text
    assert again.json()["execution"]["id"] == first.json()["execution"]["id"]
    assert first.json()["execution"]["replay_of"] == execution_id


async def test_an_unknown_effect_is_decided_once_and_then_the_execution_goes_back(app_client):
    execution_id = await fail_one(app_client, effect="pay")
    (effect,) = items(await app_client.get(f"/v1/executions/{execution_id}/effects"))
    assert effect["state"] == "unknown"
    back = {"to_step": "search"}
    refused = await app_client.post(f"/v1/executions/{execution_id}/rollback/plan", json=back)
    assert refused.json()["code"] == "effect-unresolved"

    path = f"/v1/executions/{execution_id}/effects/{effect['effect_key']}/decide"
    decided = await app_client.post(path, json={"decision": "confirm", "output": "paid"}, headers=key())
    assert (decided.json()["state"], decided.json()["output"]) == ("done", "paid")
    assert (await app_client.post(path, json={"decision": "skip"}, headers=key())).json()[
        "code"
    ] == "already-decided"

    plan = (await app_client.post(f"/v1/executions/{execution_id}/rollback/plan", json=back)).json()
    assert (plan["superseded_steps"], plan["uncompensated"]) == (["search"], ["pay"])
    done = (await app_client.post(f"/v1/executions/{execution_id}/rollback", json=back, headers=key())).json()
    assert (done["execution"]["status"], done["execution"]["reason"]) == ("paused", "rollback")
    assert items(await app_client.get(f"/v1/executions/{execution_id}/compensations")) == []
    skipped = await app_client.post(
        f"/v1/executions/{execution_id}/compensations/skip", json={"reason": "none"}, headers=key()
    )
    assert skipped.json()["id"] == execution_id


async def test_a_group_without_a_worker_is_skipped_with_its_reason(app_client):
    execution_id = await fail_one(app_client)
    (failure,) = items(await app_client.get("/v1/failures"))
    answer = (await app_client.post(f"/v1/failures/{failure['id']}/replay", json={})).json()
    assert list(answer["skipped"]) == [execution_id]
    assert answer["batch"]["status"] == "done"


async def test_logs_and_usage_of_an_execution(app_client):
    execution_id = await fail_one(app_client)
    (line,) = items(await app_client.get(f"/v1/executions/{execution_id}/logs?path=search"))
    assert (line["key"], line["text"]) == ("search", "hello")
    outside = {"id": "u-outside", "input_tokens": 5, "at_us": 9}
    assert (await app_client.post("/v1/usage", json=outside)).json()["input_tokens"] == 5
    assert [each["id"] for each in items(await app_client.get("/v1/usage"))] == [
        "u-outside",
        f"u-{execution_id}",
    ]
    assert len(items(await app_client.get(f"/v1/usage?execution_id={execution_id}"))) == 1


async def test_breakers_are_reported_listed_and_set(app_client):
    call = {"name": "provider/local", "failed": 10, "want_permission": True}
    answer = (await app_client.post("/v1/breakers/calls", json=call)).json()
    assert (answer["state"], answer["allowed"]) == ("open", False)
    assert [each["name"] for each in items(await app_client.get("/v1/breakers"))] == ["provider/local"]
    path = "/v1/breakers/provider%2Flocal"
    assert (await app_client.get(path)).json()["failures"] == 10
    assert (await app_client.post(path, json={"state": "closed"}, headers=key())).json()["state"] == "closed"


async def test_spending_through_a_breaker_is_limited(app_client):
    path = "/v1/breakers/provider%2Flocal"
    for _ in range(2):  # a repeat changes nothing
        shown = (await app_client.put(f"{path}/limits", json={"tokens_per_minute": 100})).json()
        assert (shown["tokens_per_minute"], shown["microcredits_per_minute"]) == (100, None)
    spent = {"id": "us_1", "breaker": "provider/local", "input_tokens": 100, "at_us": 1}
    assert (await app_client.post("/v1/usage", json=spent)).status_code == 200
    call = {"name": "provider/local", "want_permission": True}
    answer = (await app_client.post("/v1/breakers/calls", json=call)).json()
    assert (answer["allowed"], answer["because"]) == (False, "tokens")
    assert (await app_client.put(f"{path}/limits", json={"tokens_per_minute": 0})).status_code == 400


async def test_status_and_settings(app_client):
    await fail_one(app_client)
    status = (await app_client.get("/v1/status")).json()
    assert (status["open_failures"], status["executions_today"], status["success_rate"]) == (1, 1, 0.0)
    kept = await app_client.put("/v1/settings/retention", json={"completed_days": 7})
    assert kept.json() == {"completed_days": 7, "cancelled_days": 30, "failed_days": 90}
    assert (await app_client.get("/v1/settings/retention")).json() == kept.json()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/failures/fl_unknown"),
        ("POST", "/v1/failures/fl_unknown/resolve"),
        ("POST", "/v1/executions/ex_unknown/plan"),
        ("GET", "/v1/executions/ex_unknown/effects"),
        ("GET", "/v1/executions/ex_unknown/compensations"),
        ("GET", "/v1/executions/ex_unknown/logs"),
        ("GET", "/v1/usage?execution_id=ex_unknown"),
        ("GET", "/v1/breakers/unknown"),
    ],
)
async def test_what_is_not_there_is_not_found(app_client, method, path):
    reply = await app_client.request(method, path, **({"json": {}} if method == "POST" else {}))
    assert (reply.status_code, reply.json()["code"]) == (404, "not-found")
