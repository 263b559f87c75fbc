"""Rollbacks of executions that the engine drives: what stays is recorded, and goes on from there (2.8)."""

from __future__ import annotations

from omium.models.execution import ResumeExecution
from omium.models.replay import RollbackExecution
from omium.server.engine.resume import resume_queued
from omium.server.engine.rollback import roll_back
from omium.server.engine.verify import list_problems
from tests.engine.nodes.specs import function, spec
from tests.engine.nodes.test_node_replays import LINE, again, judge, reading


async def back(nodes, execution_id, **asked):
    command = RollbackExecution.model_validate(asked)
    _, plan = await nodes.engine.write(lambda tx: roll_back(tx, nodes.engine.who, execution_id, command))
    return plan


async def resume(nodes, execution_id):
    parts = nodes.parts
    answer = await nodes.engine.write(
        lambda tx: resume_queued(tx, nodes.engine.who, execution_id, ResumeExecution(), parts.policy, parts)
    )
    assert answer.runner == "engine"
    return answer.execution.status


async def fail_at(nodes, path):
    task = await nodes.claim()
    assert task.path == path
    await nodes.fail(task, retryable=False)


async def test_what_is_left_is_not_done_again_and_what_was_taken_back_is(nodes):
    run = await nodes.start(LINE, {"n": 1})
    await nodes.do(1, 2)
    await fail_at(nodes, "c")

    plan = await back(nodes, run, to_step="b")
    assert plan.superseded_steps == ["b", "c"]
    assert await nodes.status(run) == ("paused", "rollback")
    assert await nodes.live(run) == {}
    assert await nodes.claim_all() == []

    assert await resume(nodes, run) == "running"
    task = await nodes.claim()
    assert (task.path, task.attempt) == ("b", 1)
    await nodes.complete(task, 20)
    await nodes.do(30)
    assert await nodes.status(run) == ("completed", None)
    assert await nodes.output(run) == {"got": 30}
    assert await list_problems(nodes.parts.db) == []


async def test_an_unhandled_failure_that_is_kept_gets_another_try(nodes):
    run = await nodes.start(LINE, {"n": 1})
    await nodes.do(1)
    await fail_at(nodes, "b")
    row = await nodes.row(run)

    await back(nodes, run, to_seq=row.last_seq - 1)
    await resume(nodes, run)

    assert (await nodes.claim()).attempt == 2


async def test_a_failure_that_was_taken_up_stays_taken_up(nodes):
    document = spec(
        [function("a"), function("b"), function("c"), function("d")],
        [
            {"from": "a", "to": "b"},
            {"from": "a", "to": "c", "on": "failure"},
            {"from": "c", "to": "d"},
        ],
    )
    run = await nodes.start(document)
    await nodes.fail(await nodes.claim(), retryable=False)
    await nodes.do("rescued")
    await fail_at(nodes, "d")

    await back(nodes, run, to_step="d")
    await resume(nodes, run)

    assert [task.path for task in await nodes.claim_all()] == ["d"]


async def test_the_branch_that_was_taken_is_taken_again_without_a_question(nodes):
    document = spec(
        [
            {"id": "d", "type": "decision", "inputs": {"x": {"$from": "inputs.x"}}},
            function("b"),
            function("c"),
        ],
        [
            {"from": "d", "to": "b", "when": {"expr": "output.x > 1"}},
            {"from": "d", "to": "c", "default": True},
        ],
    )
    run = await nodes.start(document, {"x": 2})
    await judge(nodes, run, {"d->b": True})
    await fail_at(nodes, "b")

    await back(nodes, run, to_step="b")
    await resume(nodes, run)

    assert (await nodes.claim()).path == "b"


async def test_loops_go_on_in_the_iteration_in_which_they_were(nodes):
    document = spec(
        [function("draft", start=True), reading("check", "draft"), function("send")],
        [
            {"from": "draft", "to": "check"},
            {"from": "check", "to": "draft", "when": {"expr": "output.again"}},
            {"from": "check", "to": "send", "when": {"expr": "!output.again"}},
        ],
    )
    run = await nodes.start(document)
    await nodes.do("one", {"again": True})
    await judge_check(nodes, run, True)
    await nodes.do("two")
    await fail_at(nodes, "check#2")

    await back(nodes, run, to_step="check#2")
    await resume(nodes, run)
    task = await nodes.claim()
    assert (task.path, task.input) == ("check#2", b'{"x":"two"}')

    await nodes.complete(task, {"again": False})
    await judge_check(nodes, run, False)
    assert (await nodes.claim()).path == "send"


async def judge_check(nodes, run, again):
    await judge(nodes, run, {"check->draft": again, "check->send": not again})


async def test_a_map_keeps_the_items_that_were_done(nodes):
    document = spec(
        [
            {
                "id": "each",
                "type": "map",
                "parameters": {"items": [1, 2, 3], "concurrency": 1},
                "body": {
                    "nodes": [function("work", inputs={"i": {"$from": "item"}})],
                    "outputs": {"got": {"$from": "nodes.work.output"}},
                },
            }
        ],
        outputs={"all": {"$from": "nodes.each.output"}},
    )
    run = await nodes.start(document)
    await nodes.do("x")
    await fail_at(nodes, "each[1]/work")
    assert (await nodes.status(run))[0] == "failed"

    await back(nodes, run, to_step="each[1]/work")
    await resume(nodes, run)
    assert await nodes.do_all("y") == ["each[1]/work", "each[2]/work"]
    assert await nodes.output(run) == {"all": [{"got": "x"}, {"got": "y"}, {"got": "y"}]}


async def test_going_back_before_a_map_takes_its_items_back_too(nodes):
    document = spec(
        [
            {
                "id": "each",
                "type": "map",
                "parameters": {"items": [1, 2]},
                "body": {"nodes": [function("work")], "outputs": {}},
            },
            function("a"),
        ],
        [{"from": "each", "to": "a"}],
    )
    run = await nodes.start(document)
    await nodes.do("x", "x")
    await fail_at(nodes, "a")

    await back(nodes, run, to_step="each")
    await resume(nodes, run)
    assert sorted(task.path for task in await nodes.claim_all()) == ["each[0]/work", "each[1]/work"]


async def test_a_timer_that_was_taken_back_does_not_fire(nodes):
    document = spec(
        [function("a"), {"id": "w", "type": "wait", "parameters": {"seconds": 60}}],
        [{"from": "a", "to": "w"}],
    )
    run = await nodes.start(document)
    await nodes.do(1)
    assert await nodes.status(run) == ("waiting", "timer")

    await back(nodes, run, to_step="a")
    await nodes.advance(120)
    assert await nodes.status(run) == ("paused", "rollback")
    await resume(nodes, run)
    assert (await nodes.claim()).path == "a"


async def test_a_replay_that_was_rolled_back_still_reuses_what_its_source_had(nodes, key_file):
    run = await nodes.start(LINE, {"n": 1})
    await nodes.do(1, 2)
    await fail_at(nodes, "c")
    answer = await again(nodes, key_file, run)
    replayed = answer.execution.id
    await fail_at(nodes, "c")

    await back(nodes, replayed, to_step="c")
    await resume(nodes, replayed)
    await nodes.do(3)
    assert await nodes.output(replayed) == {"got": 3}


async def test_no_value_is_counted_twice_or_forgotten(nodes, key_file):
    big = "x" * 100_000
    run = await nodes.start(LINE, {"n": big})
    await nodes.do(big, big)
    await fail_at(nodes, "c")
    await back(nodes, run, to_step="b")
    await resume(nodes, run)
    await nodes.do(big + "2", big)

    assert await list_problems(nodes.parts.db) == []


async def test_going_back_twice_is_the_same(nodes):
    run = await nodes.start(LINE, {"n": 1})
    await nodes.do(1, 2)
    await fail_at(nodes, "c")
    for _ in range(2):
        await back(nodes, run, to_step="a")
        await resume(nodes, run)
        await nodes.do(1)
        await fail_at(nodes, "b")
    assert (await nodes.row(run)).generation == 3


async def parent_and_child(nodes):
    child = spec([function("work")], outputs={"got": {"$from": "nodes.work.output"}}, name="inner")
    await nodes.store(child)
    document = spec(
        [function("a"), {"id": "sub", "type": "subworkflow", "workflow": "inner"}, reading("c", "sub")],
        [{"from": "a", "to": "sub"}, {"from": "sub", "to": "c"}],
    )
    run = await nodes.start(document)
    await nodes.do(1, "x")
    await nodes.sweep()
    await fail_at(nodes, "c")
    return run


async def test_a_child_that_had_ended_before_the_point_is_not_begun_again(nodes):
    run = await parent_and_child(nodes)

    await back(nodes, run, to_step="c")
    await resume(nodes, run)
    assert (await nodes.claim()).path == "c"


async def test_going_back_before_a_child_begins_another_one(nodes):
    run = await parent_and_child(nodes)

    await back(nodes, run, to_step="sub")
    await resume(nodes, run)
    task = await nodes.claim()
    assert (task.path, task.workflow) == ("work", "inner")
    await nodes.complete(task, "y")
    await nodes.sweep()
    assert (await nodes.claim()).input == b'{"x":{"got":"y"}}'
