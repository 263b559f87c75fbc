"""Runs that a framework stored itself become executions: as they were, once, and for free."""

import asyncio

from omium.server.analytics.summing import sum_rows
from omium.server.analytics.verify import list_sum_problems
from omium.server.engine.verify import list_problems
from omium.server.store import alerts
from omium.server.traces.verify import list_trace_problems
from omium.states import Environment, Scope

DAY_US = 86_400_000_000
IDENTITY = "ab" * 32


def run(app, days=3, **changed):
    """A run of the day before yesterday: two steps, the second failed."""
    begun_us = app.clock.now_us() - days * DAY_US
    return {
        "framework": "langgraph",
        "identity": IDENTITY,
        "run_id": "thread 7",
        "workflow": "report",
        "status": "failed",
        "started_at_us": begun_us,
        "updated_at_us": begun_us + 30,
        "input": {"topic": "otters"},
        "steps": [
            step("search", begun_us, begun_us + 10, output={"found": 3}),
            step("write", begun_us + 11, begun_us + 30, error={"type": "ValueError", "message": "no ink"}),
        ],
        "states": [{"name": "state", "at_us": begun_us + 10, "state": {"found": 3}}],
        "usage": [
            {"at_us": begun_us + 5, "step": 0, "model": "gpt-4o", "input_tokens": 7, "output_tokens": 2}
        ],
    } | changed


def step(name, begun_us, ended_us, **more):
    return {"name": name, "started_at_us": begun_us, "ended_at_us": ended_us} | more


def finished(body):
    ended = [each | {"error": None, "output": "done"} for each in body["steps"]]
    return body | {"status": "completed", "output": "done", "steps": ended}


async def send(app, body, status=200):
    answer = await app.post("/v1/executions/import", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def get(app, path, **query):
    answer = await app.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def verify(app):
    db = app.server.db
    await db.write(sum_rows)
    assert await list_problems(db) == []
    assert await list_trace_problems(db) == []
    assert await list_sum_problems(db) == []


async def test_a_run_becomes_an_execution_with_its_own_times(each_app_client):
    app = each_app_client
    body = run(app)

    said = await send(app, body)

    assert said["outcome"] == "created"
    path = f"/v1/executions/{said['execution_id']}"
    shown = await get(app, path)
    assert (shown["workflow"], shown["status"], shown["driver"]) == ("report", "failed", "observed")
    assert (shown["created_at_us"], shown["ended_at_us"]) == (body["started_at_us"], body["updated_at_us"])
    assert (shown["input"], shown["error"]) == (
        {"topic": "otters"},
        {"type": "ValueError", "message": "no ink"},
    )
    assert [
        (each["key"], each["status"], each["started_at_us"], each["ended_at_us"], each["output"])
        for each in (await get(app, f"{path}/steps"))["items"]
    ] == [
        ("search", "completed", body["started_at_us"], body["started_at_us"] + 10, {"found": 3}),
        ("write", "failed", body["started_at_us"] + 11, body["updated_at_us"], None),
    ]
    [state] = (await get(app, f"{path}/checkpoints"))["items"]
    assert (state["name"], state["state"], state["created_at_us"]) == (
        "state",
        {"found": 3},
        body["started_at_us"] + 10,
    )
    events = (await get(app, f"{path}/events"))["items"]
    assert [event["type"] for event in events] == [
        "execution.started",
        "step.completed",
        "checkpoint.saved",
        "step.failed",
        "execution.failed",
    ]
    assert events[0]["data"]["imported_from"] == "langgraph"
    await verify(app)


async def test_it_is_found_by_its_tags_and_by_its_own_name(app_client):
    said = await send(app_client, run(app_client))
    for query in ({"tag": "imported"}, {"tag": "langgraph"}, {"business_key": "thread 7"}):
        items = (await get(app_client, "/v1/executions", **query))["items"]
        assert [each["id"] for each in items] == [said["execution_id"]]


async def test_calls_of_models_are_counted_once_and_nothing_is_charged(each_app_client):
    app = each_app_client
    before = await get(app, "/v1/credits")
    body = run(app)
    said = await send(app, body)
    await verify(app)
    call = body["usage"][0]
    later = body | {"updated_at_us": body["updated_at_us"] + 1, "usage": [call, call | {"step": None}]}

    assert (await send(app, later))["outcome"] == "updated"

    records = (await get(app, "/v1/usage"))["items"]
    assert [(each["input_tokens"], each["output_tokens"], each["at_us"]) for each in records] == [
        (7, 2, call["at_us"])
    ] * 2
    shown = await get(app, f"/v1/executions/{said['execution_id']}")
    assert (shown["usage"]["input_tokens"], shown["usage"]["calls"]) == (14, 2)
    assert await get(app, "/v1/credits") == before
    await verify(app)


async def test_its_failure_is_in_the_inbox_as_old_as_it_is_and_alerts_nobody(each_app_client):
    app = each_app_client
    body = run(app)
    rule = {"name": "all", "channel": "webhook", "destination": "https://example.com/alerts"}
    assert (await app.post_keyed("/v1/alerts/rules", rule)).status_code == 201
    said = await send(app, body)

    [failure] = (await get(app, "/v1/failures"))["items"]
    assert (failure["workflow"], failure["step"], failure["count"]) == ("report", "write", 1)
    assert failure["first_seen_at_us"] == failure["last_seen_at_us"] == body["updated_at_us"]
    assert failure["execution_id"] == said["execution_id"]
    older = run(app, days=5, identity="cd" * 32)
    newer = run(app, days=1, identity="ef" * 32)
    newest_id = (await send(app, newer))["execution_id"]
    await send(app, older)
    [failure] = (await get(app, "/v1/failures"))["items"]
    assert (failure["count"], failure["first_seen_at_us"], failure["last_seen_at_us"]) == (
        3,
        older["updated_at_us"],
        newer["updated_at_us"],
    )
    assert failure["execution_id"] == newest_id
    assert await app.server.db.write(lambda tx: alerts.lock_facts(tx, 10)) == []
    await verify(app)


async def test_the_same_run_again_changes_nothing(each_app_client):
    app = each_app_client
    body = run(app)
    first = await send(app, body)
    before = await get(app, f"/v1/executions/{first['execution_id']}")
    app.clock.advance(seconds=60)

    again = await send(app, body)

    assert again == first | {"outcome": "unchanged"}
    assert await get(app, f"/v1/executions/{first['execution_id']}") == before
    assert len((await get(app, "/v1/executions"))["items"]) == 1
    assert (await get(app, "/v1/failures"))["items"][0]["count"] == 1


async def test_many_at_once_make_one_execution(each_app_client):
    app = each_app_client
    body = run(app)

    said = await asyncio.gather(*(send(app, body) for _ in range(8)))

    assert sorted(each["outcome"] for each in said) == ["created"] + ["unchanged"] * 7
    assert len({each["execution_id"] for each in said}) == 1
    assert (await get(app, "/v1/failures"))["items"][0]["count"] == 1
    await verify(app)


async def test_a_run_that_has_gone_on_is_shown_as_it_is_now(each_app_client):
    app = each_app_client
    body = run(app)
    first = await send(app, body)
    await verify(app)

    later = finished(body) | {"updated_at_us": body["updated_at_us"] + 5, "states": body["states"] * 2}
    assert await send(app, later) == first | {"outcome": "updated"}

    path = f"/v1/executions/{first['execution_id']}"
    assert (await get(app, path))["status"] == "completed"
    assert [each["status"] for each in (await get(app, f"{path}/steps"))["items"]] == ["completed"] * 2
    assert len((await get(app, f"{path}/checkpoints"))["items"]) == 2
    assert (await get(app, "/v1/failures"))["items"] == []
    await verify(app)

    assert (await send(app, body))["outcome"] == "older"
    assert (await get(app, path))["status"] == "completed"
    assert (await send(app, later))["outcome"] == "unchanged"


async def test_what_people_did_with_a_failure_stays(app_client):
    app = app_client
    body = run(app)
    await send(app, body)
    [failure] = (await get(app, "/v1/failures"))["items"]
    ignored = await app.post_keyed(f"/v1/failures/{failure['id']}/ignore", {"reason": "known"})
    assert ignored.status_code == 200

    await send(app, body | {"updated_at_us": body["updated_at_us"] + 1})

    assert (await get(app, f"/v1/failures/{failure['id']}"))["status"] == "ignored"
    await verify(app)


async def test_what_has_not_ended_is_paused_and_can_only_be_put_away(each_app_client):
    app = each_app_client
    body = run(app, status="open", steps=[])
    said = await send(app, body)
    path = f"/v1/executions/{said['execution_id']}"
    shown = await get(app, path)
    assert (shown["status"], shown["reason"], shown.get("ended_at_us")) == ("paused", "imported", None)
    await verify(app)

    refused = await app.post_keyed(f"{path}/resume", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal-transition")
    cancelled = await app.post_keyed(f"{path}/cancel", {})
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert (await send(app, body))["outcome"] == "unchanged"
    assert (await get(app, path))["status"] == "cancelled"
    await verify(app)


async def test_what_cannot_go_on_here_says_where_it_can(app_client):
    graph = (await send(app_client, run(app_client)))["execution_id"]
    crew = (await send(app_client, run(app_client, framework="crewai", identity="cd" * 32)))["execution_id"]

    for id_, way in ((graph, "take_thread(saver, 'thread 7')"), (crew, "from_checkpoint")):
        for what in ("plan", "resume", "pause", "cancel"):
            refused = await app_client.post_keyed(f"/v1/executions/{id_}/{what}", {})
            assert (refused.status_code, refused.json()["code"]) == (409, "illegal-transition"), what
            assert way in refused.json()["detail"]


async def test_a_failure_of_what_cannot_go_on_here_says_what_does_instead_of_a_resume(app_client):
    await send(app_client, run(app_client))
    [group] = (await get(app_client, "/v1/failures"))["items"]

    next_action = (await get(app_client, f"/v1/failures/{group['id']}"))["next_action"]

    assert next_action.startswith("Fix the cause. Omium did not run it, and cannot go on with it. ")
    assert "take_thread(saver, 'thread 7')" in next_action
    assert "omium resume" not in next_action


async def test_what_retention_would_remove_is_not_stored(app_client):
    app = app_client
    assert (await send(app, finished(run(app, days=31))))["outcome"] == "expired"
    assert (await send(app, run(app, days=91)))["outcome"] == "expired"
    assert (await get(app, "/v1/executions"))["items"] == []
    assert (await send(app, run(app, days=31)))["outcome"] == "created"  # failed ones are kept for longer

    kept = {"completed_days": None, "cancelled_days": None, "failed_days": None}
    assert (await app.put("/v1/settings/retention", json=kept)).status_code == 200
    assert (await send(app, run(app, days=4_000, identity="cd" * 32)))["outcome"] == "created"
    await verify(app)


async def test_secrets_are_concealed_wherever_they_stand(app_client):
    secret = "sk-" + "proj-" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    body = run(
        app_client,
        input={"api_key": "hunter22222", "text": f"use {secret}"},
        error={"type": "AuthError", "message": f"refused: {secret}"},
        states=[{"name": "state", "at_us": 1, "state": [secret]}],
    )
    body["steps"] = [step(f"call {secret}", 1, 2, input=secret, output={"x": secret})]
    body["started_at_us"] = 1
    said = await send(app_client, body)

    path = f"/v1/executions/{said['execution_id']}"
    for each in (path, f"{path}/steps", f"{path}/events", f"{path}/checkpoints", "/v1/failures"):
        answer = await app_client.get(each)
        assert secret not in answer.text
        assert "hunter22222" not in answer.text


async def test_long_values_are_cut(app_client):
    body = run(app_client, input="x" * 100_000)
    said = await send(app_client, body)

    shown = await get(app_client, f"/v1/executions/{said['execution_id']}")
    assert len(shown["input"]) < 40_000


async def test_tenants_and_environments_have_their_own(app_client):
    body = run(app_client)
    other = await app_client.new_tenant()
    prod = app_client.as_key(await app_client.new_key(environment=Environment.PROD))

    ids = {(await send(each, body))["execution_id"] for each in (app_client, other, prod)}

    assert len(ids) == 3
    for id_ in ids - {(await send(other, body))["execution_id"]}:
        assert (await other.get(f"/v1/executions/{id_}")).status_code == 404


async def test_a_key_needs_the_scope_and_the_workflow(app_client):
    body = run(app_client)
    reader = app_client.as_key(await app_client.new_key(Scope.READ))
    narrow = app_client.as_key(await app_client.new_key(workflows=["other"]))

    assert (await send(reader, body, 403))["code"] == "scope-missing"
    assert (await send(narrow, body, 403))["code"] == "workflow-not-allowed"


async def test_a_key_imports_under_no_other_name_that_is_cleaned_to_its_own_or_from_it(app_client):
    body = run(app_client)
    sent = "support 0123456789abcdef01"  # an id is no part of a name: it is shown as `support`
    narrow = app_client.as_key(await app_client.new_key(workflows=[sent]))
    allowed = app_client.as_key(await app_client.new_key(workflows=["support"]))

    assert (await send(narrow, body | {"workflow": sent}, 403))["code"] == "workflow-not-allowed"

    made = await send(allowed, body | {"workflow": sent})
    assert (await get(app_client, f"/v1/executions/{made['execution_id']}"))["workflow"] == "support"


async def test_a_key_does_not_replace_what_another_workflow_shows(app_client):
    body = run(app_client)
    id_ = (await send(app_client, body))["execution_id"]
    before = await get(app_client, f"/v1/executions/{id_}")
    narrow = app_client.as_key(await app_client.new_key(workflows=["other"]))

    said = await send(narrow, finished(body) | {"workflow": "other"}, 403)

    assert said["code"] == "workflow-not-allowed"
    assert await get(app_client, f"/v1/executions/{id_}") == before


async def test_it_is_in_the_audit_log(app_client):
    said = await send(app_client, run(app_client))

    entry = (await get(app_client, "/v1/audit"))["items"][0]
    assert (entry["action"], entry["target"]) == ("execution.imported", said["execution_id"])
    assert entry["detail"] == {"framework": "langgraph", "run_id": "thread 7"}


def broken(app):
    good, now_us = run(app), app.clock.now_us()
    yield good | {"updated_at_us": good["started_at_us"] - 1}
    yield good | {"updated_at_us": now_us + 600_000_000}
    yield good | {"steps": [step("a", 5, 4)]}
    yield good | {"states": [{"name": "state", "at_us": now_us + DAY_US, "state": None}]}
    yield good | {"steps": [step("a", 4, 5)] * 5_001}
    yield good | {"states": [{"name": "state", "at_us": 1, "state": 1}] * 101}
    yield good | {"usage": [{"at_us": now_us + DAY_US}]}
    yield good | {"usage": [{"at_us": 1, "input_tokens": -1}]}
    yield good | {"identity": "../../etc"}
    yield good | {"framework": "Lang Graph"}
    yield good | {"status": "running"}
    yield good | {"run_id": ""}
    yield good | {"charge": 1}


async def test_what_is_no_run_is_refused(app_client):
    for body in broken(app_client):
        said = await send(app_client, body, 400)
        assert said["code"] == "invalid-request"
    too_large = run(app_client, input="x" * (9 * 2**20))
    assert (await send(app_client, too_large, 413))["code"] == "payload-too-large"
    assert (await get(app_client, "/v1/executions"))["items"] == []


async def test_names_of_any_kind_make_paths_of_their_own(app_client):
    now_us = app_client.clock.now_us()
    names = ["a/b", "a", "a", "ü" * 400, "\u202e", "~x", "#1", "[0]", "%"]
    steps = [step(name, now_us, now_us) for name in names]
    said = await send(
        app_client, run(app_client, status="completed", steps=steps, updated_at_us=now_us, error=None)
    )

    paths = [
        each["key"]
        for each in (await get(app_client, f"/v1/executions/{said['execution_id']}/steps"))["items"]
    ]
    assert len(set(paths)) == len(names)
    assert all("/" not in path and len(path.encode()) <= 1024 for path in paths)
    await verify(app_client)


async def test_five_thousand_steps_are_one_transaction(app_client):
    now_us = app_client.clock.now_us()
    steps = [step("loop", now_us - 5_000 + n, now_us - 4_999 + n, output=n) for n in range(5_000)]

    said = await send(
        app_client, run(app_client, status="completed", steps=steps, updated_at_us=now_us, error=None)
    )

    shown = await get(app_client, f"/v1/executions/{said['execution_id']}")
    assert shown["steps_completed"] == 5_000
