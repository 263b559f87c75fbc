"""Compensations of specs: tasks for workers, the newest effect first, before anything goes on (2.8)."""

from __future__ import annotations

import json

import pytest

from omium.errors import CompensationPending
from omium.server.engine.compensations import list_compensations, skip_compensations
from tests.engine.nodes.specs import function, spec
from tests.engine.nodes.test_node_rollbacks import back, fail_at, resume

ORDER = spec(
    [
        function("a", effect=True, compensate="send"),
        function("b", effect=True, compensate="work"),
        function("c"),
    ],
    [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}],
)


@pytest.fixture
async def rolled(nodes):
    run = await nodes.start(ORDER)
    await nodes.do({"paid": 1}, {"sent": 2})
    await fail_at(nodes, "c")
    await back(nodes, run, to_seq=1)
    return run


async def statuses(nodes, run):
    who = nodes.engine.who
    found = await nodes.engine.read(lambda tx: list_compensations(tx, who.tenant_id, run))
    return [(each.key, each.status, each.attempt) for each in found]


async def grant(nodes, task):
    from omium.server.engine.nodes.tasks import grant_task

    return await nodes.engine.read(lambda tx: grant_task(tx, nodes.parts, task))


async def test_effects_are_undone_one_by_one_the_newest_first(nodes, rolled):
    assert await nodes.status(rolled) == ("paused", "rollback")
    (task,) = await nodes.claim_all()
    assert (task.path, task.handler) == ("~b", "work")
    assert await nodes.status(rolled) == ("running", None)
    granted = await grant(nodes, task)
    assert granted.inputs["output"] == {"sent": 2}
    assert granted.effect_key == f"{granted.inputs['effect_key']}:c"

    await nodes.complete(task, "undone")
    await nodes.complete(await nodes.claim(), None)

    assert await nodes.status(rolled) == ("paused", "rollback")
    assert await statuses(nodes, rolled) == [("~b", "completed", 1), ("~a", "completed", 1)]
    assert (await nodes.engine.steps(rolled))["~b"].kind == "compensation"


async def test_resume_waits_for_the_list_and_then_does_the_effects_again(nodes, rolled):
    with pytest.raises(CompensationPending):
        await resume(nodes, rolled)
    await nodes.do(None, None)

    await resume(nodes, rolled)
    assert (await nodes.claim()).path == "a"


async def test_one_that_fails_stops_the_list_until_a_person_goes_on(nodes, rolled):
    await nodes.fail(await nodes.claim())
    assert await nodes.status(rolled) == ("paused", "rollback-failed")
    assert await nodes.claim_all() == []

    assert await resume(nodes, rolled) == "paused"
    task = await nodes.claim()
    assert (task.path, task.attempt) == ("~b", 2)
    await nodes.complete(task, None)
    await nodes.do(None)
    assert await statuses(nodes, rolled) == [("~b", "completed", 2), ("~a", "completed", 1)]


async def test_what_is_skipped_is_no_task_any_more(nodes, rolled):
    await nodes.engine.write(lambda tx: skip_compensations(tx, nodes.engine.who, rolled, "by hand"))

    assert await nodes.claim_all() == []
    assert await nodes.live(rolled) == {}
    assert await resume(nodes, rolled) == "running"


async def test_a_worker_that_is_lost_leaves_it_to_the_next_one(nodes, rolled):
    await nodes.claim()
    await nodes.advance(3600)

    task = await nodes.claim()
    assert (task.path, task.epoch) == ("~b", 3)
    await nodes.complete(task, None)
    assert json.loads(json.dumps(await statuses(nodes, rolled)))[0] == ["~b", "completed", 1]


async def test_one_that_is_lost_too_often_stops_the_list(nodes, rolled):
    most = (await nodes.row(rolled)).max_interruptions
    for _ in range(most + 1):
        await nodes.claim()
        await nodes.advance(3600)

    assert await nodes.claim_all() == []
    assert await nodes.status(rolled) == ("paused", "rollback-failed")
    assert await statuses(nodes, rolled) == [("~b", "failed", 1), ("~a", "pending", 0)]
    assert await resume(nodes, rolled) == "paused"
    assert (await nodes.claim()).attempt == 2


async def test_the_same_end_twice_undoes_once(nodes, rolled):
    task = await nodes.claim()
    await nodes.complete(task, "undone")

    again = await nodes.complete(task, "undone")
    assert again.state == "completed"
    assert await statuses(nodes, rolled) == [("~b", "completed", 1), ("~a", "pending", 0)]
