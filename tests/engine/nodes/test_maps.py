"""Maps and subworkflows."""

import json
from dataclasses import replace

from omium.models.execution import ResumeExecution
from omium.server.engine.resume import resume_queued
from tests.engine.locks import LockDatabase
from tests.engine.nodes.specs import chain, function, spec


def mapped(**parameters):
    each = {
        "id": "each",
        "type": "map",
        "parameters": {"items": {"$from": "inputs.items"}} | parameters,
        "inputs": {"factor": {"$from": "inputs.factor", "default": 1}},
        "body": {
            "nodes": [
                function("work")
                | {
                    "inputs": {
                        "x": {"$from": "item"},
                        "at": {"$from": "index"},
                        "f": {"$from": "inputs.factor"},
                    }
                }
            ],
            "edges": [],
            "outputs": {"y": {"$from": "nodes.work.output"}},
        },
    }
    return spec(
        [each, function("a")], [{"from": "each", "to": "a"}], outputs={"all": {"$from": "nodes.each.output"}}
    )


async def test_items_run_in_windows_and_their_outputs_stand_in_order(nodes):
    run = await nodes.start(mapped(concurrency=2), {"items": ["p", "q", "r"], "factor": 3})
    one, other = await nodes.claim_all()
    assert (one.path, json.loads(one.input)) == ("each[0]/work", {"x": "p", "at": 0, "f": 3})
    await nodes.complete(other, "Q")
    third = await nodes.claim()
    assert third.path == "each[2]/work"
    await nodes.complete(third, "R")
    await nodes.complete(one, "P")
    await nodes.do(None)

    assert await nodes.status(run) == ("completed", None)
    assert await nodes.output(run) == {"all": [{"y": "P"}, {"y": "Q"}, {"y": "R"}]}


async def test_an_empty_list_gives_an_empty_list(nodes):
    run = await nodes.start(mapped(), {"items": []})
    await nodes.do(None)
    assert await nodes.output(run) == {"all": []}


async def test_what_is_no_list_fails_the_map(nodes):
    run = await nodes.start(mapped(), {"items": "text"})
    assert await nodes.status(run) == ("failed", "error")


async def test_with_collect_a_failed_item_stands_in_its_place(nodes):
    run = await nodes.start(mapped(on_item_failure="collect"), {"items": [1, 2]})
    one, other = await nodes.claim_all()
    await nodes.fail(one, "KeyError")
    await nodes.complete(other, 2)
    await nodes.do(None)
    assert await nodes.output(run) == {"all": [{"error": {"type": "KeyError", "message": "boom"}}, {"y": 2}]}
    assert await nodes.engine.inbox(run) == []


async def test_with_fail_fast_nothing_new_begins_and_a_resume_does_what_failed_again(nodes):
    run = await nodes.start(mapped(concurrency=2), {"items": [1, 2, 3]})
    one, other = await nodes.claim_all()
    await nodes.fail(one, "KeyError")
    assert await nodes.status(run) == ("running", None)
    await nodes.complete(other, "two")
    assert await nodes.status(run) == ("failed", "error")
    assert await nodes.engine.inbox(run) == [("error", "each", "open"), ("error", "each[0]/work", "open")]

    await nodes.engine.requeue(run)
    tasks = await nodes.claim_all()
    assert {(task.path, task.attempt) for task in tasks} == {("each[0]/work", 2), ("each[2]/work", 1)}
    for task in tasks:
        await nodes.complete(task, "again")
    await nodes.do(None)
    assert await nodes.output(run) == {"all": [{"y": "again"}, {"y": "two"}, {"y": "again"}]}


async def test_a_failed_map_is_handled_as_any_node(nodes):
    document = mapped()
    document["edges"] = [{"from": "each", "to": "a", "on": "failure"}]
    document["outputs"] = {"why": {"$from": "nodes.each.error.code"}}
    run = await nodes.start(document, {"items": [1]})
    await nodes.fail(await nodes.claim())
    await nodes.do(None)
    assert await nodes.output(run) == {"why": "item-failed"}
    assert await nodes.engine.inbox(run) == []
    assert await nodes.live(run) == {}


def outer(**fields):
    return spec(
        [{"id": "sub", "type": "subworkflow", "workflow": "inner", "inputs": {"x": {"$from": "inputs.x"}}}],
        outputs={"got": {"$from": "nodes.sub.output.y"}},
        **fields,
    )


async def test_a_subworkflow_is_a_child_execution_and_gives_its_outputs(nodes):
    await nodes.store(chain("a", name="inner", outputs={"y": {"$from": "nodes.a.output"}}))
    run = await nodes.start(outer(), {"x": 1})
    task = await nodes.claim()
    child = await nodes.row(task.execution_id)

    assert (child.parent_id, child.parent_path, child.workflow) == (run, "sub", "inner")
    assert (await nodes.status(run))[0] == "waiting"
    await nodes.complete(task, 7)
    await nodes.sweep()
    assert await nodes.status(run) == ("completed", None)
    assert await nodes.output(run) == {"got": 7}


async def test_a_child_that_fails_or_is_cancelled_fails_its_node(nodes):
    await nodes.store(chain("a", name="inner"))
    run = await nodes.start(outer(), {"x": 1})
    await nodes.fail(await nodes.claim())
    await nodes.sweep()
    assert await nodes.status(run) == ("failed", "error")

    other = await nodes.start("flow", {"x": 1})
    task = await nodes.claim()
    await nodes.engine.cancel(task.execution_id)
    await nodes.complete(task, 1)
    await nodes.sweep()
    assert (await nodes.engine.events(other))[-1].data["code"] == "child-cancelled"


async def test_a_parent_that_is_resumed_lets_its_failed_child_go_on(nodes):
    await nodes.store(chain("a", "b", name="inner", outputs={"y": {"$from": "nodes.b.output"}}))
    run = await nodes.start(outer(), {"x": 1})
    await nodes.complete(await nodes.claim(), 1)
    await nodes.fail(await nodes.claim(), retryable=False)
    await nodes.sweep()
    assert await nodes.status(run) == ("failed", "error")

    parts, asked = nodes.parts, ResumeExecution()
    await nodes.engine.write(lambda tx: resume_queued(tx, nodes.engine.who, run, asked, parts.policy, parts))
    await nodes.sweep()
    task = await nodes.claim()
    assert (task.path, (await nodes.row(task.execution_id)).parent_id) == ("b", run)
    assert (await nodes.status(run))[0] == "waiting"
    await nodes.complete(task, 2)
    await nodes.sweep()
    assert await nodes.output(run) == {"got": 2}
    assert await nodes.engine.inbox(run) == [("error", "sub", "resolved")]
    assert await nodes.engine.inbox(task.execution_id) == [("error", "b", "resolved")]


async def test_a_resume_locks_what_goes_on_with_it_before_it_changes_anything(nodes):
    await nodes.store(chain("a", name="inner"))
    calls = [{"id": each, "type": "subworkflow", "workflow": "inner"} for each in ("one", "two")]
    await nodes.store(spec(calls, name="middle"))
    calls = [{"id": each, "type": "subworkflow", "workflow": "middle"} for each in ("zero", "last")]
    run = await nodes.start(spec(calls))
    for _ in range(4):
        nodes.engine.clock.advance(1)
        await nodes.sweep()
    while tasks := await nodes.claim_all():
        for task in tasks:
            await nodes.fail(task, retryable=False)
    await nodes.sweep()
    assert await nodes.status(run) == ("failed", "error")

    plain, checked = nodes.parts, replace(nodes.parts, db=LockDatabase(nodes.engine.db))
    for _ in range(8):  # a child that had failed while its parent was failing is seen after the resume
        nodes.engine.parts = checked
        await nodes.engine.requeue(run)
        nodes.engine.parts = plain
        await nodes.do_all()
        if (await nodes.status(run))[0] == "completed":
            return
    raise AssertionError("it never went on to its end")


async def test_a_workflow_that_runs_itself_ends(nodes):
    document = spec([{"id": "sub", "type": "subworkflow", "workflow": "flow"}])
    run = await nodes.start(document)
    await nodes.sweep()
    assert await nodes.status(run) == ("failed", "error")


async def test_an_unknown_workflow_fails_the_node(nodes):
    run = await nodes.start(outer(), {"x": 1})
    assert (await nodes.engine.events(run))[-1].data["code"] == "workflow-unknown"
