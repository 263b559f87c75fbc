"""Nothing is stuck: pauses, cancels and resumes in the middle of maps, and of waiting for slots."""

import asyncio
import threading

import pytest

from omium.models.execution import ResumeExecution
from omium.server.engine.live import NODES_TOPIC, AnnouncingDatabase, queue_topic
from omium.server.engine.nodes.tasks import claim_tasks
from omium.server.engine.resume import resume_queued
from omium.server.live import LiveHub
from tests.engine.nodes.specs import chain, function, spec
from tests.engine.nodes.test_maps import mapped

SLOT = {"concurrency": {"key": "door", "limit": 1}}


async def test_a_map_that_was_paused_goes_on_with_its_other_items(nodes):
    run = await nodes.start(mapped(concurrency=1), {"items": ["p", "q"]})
    task = await nodes.claim()
    await nodes.engine.pause(run)
    await nodes.complete(task, 1)
    assert await nodes.status(run) == ("paused", "operator")
    await nodes.engine.requeue(run)
    await nodes.do(2, 3)
    assert await nodes.status(run) == ("completed", None)


async def test_a_map_goes_on_with_its_other_items_when_a_failure_beside_it_is_resumed(nodes):
    document = mapped(concurrency=1)
    document["nodes"].append(function("b"))
    run = await nodes.start(document, {"items": ["p", "q"]})
    tasks = {each.path: each for each in await nodes.claim_all()}
    await nodes.fail(tasks["b"], retryable=False)
    await nodes.complete(tasks["each[0]/work"], 1)
    assert await nodes.status(run) == ("failed", "error")
    await nodes.engine.requeue(run)
    assert await nodes.do_all() == ["b", "each[1]/work", "a"]
    assert await nodes.status(run) == ("completed", None)


async def test_an_item_that_ends_while_its_execution_is_cancelled_ends_the_cancel(nodes):
    run = await nodes.start(mapped(concurrency=1), {"items": ["p", "q"]})
    task = await nodes.claim()
    await nodes.engine.cancel(run)
    await nodes.complete(task, 1)
    assert await nodes.status(run) == ("cancelled", None)


async def test_an_item_that_fails_while_its_execution_is_cancelled_ends_the_cancel(nodes):
    run = await nodes.start(mapped(concurrency=1), {"items": ["p", "q"]})
    task = await nodes.claim()
    await nodes.engine.cancel(run)
    await nodes.fail(task, retryable=False)
    assert await nodes.status(run) == ("cancelled", None)


async def test_an_item_without_its_outputs_fails_again_when_it_is_resumed(nodes):
    document = mapped(concurrency=1)
    body = document["nodes"][0]["body"]
    body["nodes"].append(function("c"))
    body["edges"].append({"from": "work", "to": "c", "on": "failure"})
    body["outputs"] = {"y": {"$from": "nodes.c.output"}}
    run = await nodes.start(document, {"items": ["p"]})
    await nodes.do(1)
    assert await nodes.status(run) == ("failed", "error")
    await nodes.engine.requeue(run)
    assert await nodes.status(run) == ("failed", "error")


async def test_a_slot_that_came_free_during_a_pause_is_there_with_the_resume(nodes):
    document = spec([function("a") | SLOT])
    one, other = await nodes.start(document), await nodes.start("flow")
    task = await nodes.claim()
    assert await nodes.claim_all() == []
    waiting = other if task.execution_id == one else one
    assert await nodes.live(waiting) == {"a": ("waiting", "slot")}
    await nodes.engine.pause(waiting)
    await nodes.complete(task, 1)
    await nodes.sweep()
    await nodes.engine.requeue(waiting)
    assert await nodes.do_all() == ["a"]
    assert await nodes.status(waiting) == ("completed", None)


async def test_an_execution_that_failed_holds_no_slot(nodes):
    document = spec([function("a") | SLOT, function("b")])
    await nodes.start(document)
    first = {each.path: each for each in await nodes.claim_all()}
    other = await nodes.start("flow")
    second = {each.path: each for each in await nodes.claim_all()}
    assert set(second) == {"b"}
    await nodes.complete(first["a"], 1)
    await nodes.sweep()
    assert (await nodes.live(other))["a"] == ("ready", None)
    await nodes.fail(second["b"], retryable=False)
    assert await nodes.status(other) == ("failed", "error")
    third = await nodes.start("flow")
    assert "a" in await nodes.do_all()
    assert await nodes.status(third) == ("completed", None)


async def test_a_resume_wakes_the_workers_and_the_server_for_what_was_ready(nodes):
    hub = LiveHub()
    db, parts, who = AnnouncingDatabase(nodes.engine.db, hub), nodes.parts, nodes.engine.who
    run = await nodes.start(chain("a"))
    await nodes.engine.pause(run)
    queue = queue_topic(who.tenant_id, who.environment.value, "default")
    with hub.watch(*queue) as worker, hub.watch(*NODES_TOPIC) as server:
        await db.write(lambda tx: resume_queued(tx, who, run, ResumeExecution(), parts.policy, parts))
        woken = [await each.wait(0.5) for each in (worker, server)]
    assert woken == [True, True]


async def test_a_handler_is_served_behind_many_nodes_that_nobody_does(nodes):
    many = [function(f"n{at}", parameters={"handler": "a"}) for at in range(70)]
    await nodes.start(spec([*many, function("zz", parameters={"handler": "b"})]))
    assert (await nodes.claim(handlers=["b"])).path == "zz"


async def test_a_slot_that_comes_free_while_somebody_begins_to_wait_for_it_is_not_missed(nodes):
    one, other = await nodes.start(spec([function("a") | SLOT])), await nodes.start("flow")
    task = await nodes.claim()
    stands, go_on, runs = threading.Event(), threading.Event(), []

    def wait_for_it(tx):
        claim_tasks(tx, nodes.parts, nodes.scope(), 1, ["0" * 64])
        runs.append(tx)
        if len(runs) == 1:  # of two: this one is undone
            return
        stands.set()
        go_on.wait(0.5)  # longer than it takes to give the slot back, if nothing stands in the way of that

    waiting = asyncio.create_task(nodes.engine.write(wait_for_it))
    await asyncio.to_thread(stands.wait)
    await nodes.complete(task, 1)
    await nodes.sweep()
    go_on.set()
    await waiting
    await nodes.sweep()
    assert await nodes.live(other if task.execution_id == one else one) == {"a": ("ready", None)}


@pytest.mark.parametrize("kind", ["function", "map"])
async def test_a_node_without_its_inputs_asks_for_them_again_when_it_is_resumed(nodes, kind):
    document = chain("a", "b", "c")
    document["edges"] = [
        {"from": "a", "to": "b", "on": "failure"},
        {"from": "a", "to": "c"},
        {"from": "b", "to": "c"},
    ]
    last = function("c") if kind == "function" else mapped()["nodes"][0] | {"id": "c", "inputs": {}}
    last["inputs"] = {"x": {"$from": "nodes.b.output"}}
    document["nodes"][2] = last
    run = await nodes.start(document, {"items": []})
    await nodes.do(1)
    assert await nodes.status(run) == ("failed", "error")
    await nodes.engine.requeue(run)
    await nodes.sweep()
    assert await nodes.claim_all() == []
    assert await nodes.status(run) == ("failed", "error")
    assert (await nodes.engine.events(run))[-1].data["code"] == "reference-unavailable"
