"""Replays of executions that the engine drives: what has a record is not done again (semantics 2.6)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from omium.errors import InvalidRequest
from omium.ids import new_id
from omium.models.replay import Edit, PlanReplay, ReplayExecution
from omium.server.engine.replay_requests import plan_replay, replay
from tests.engine.harness import process
from tests.engine.nodes.specs import function, spec


async def plan(nodes, key_file, execution_id, **asked):
    return await plan_replay(
        nodes.parts, key_file, nodes.engine.who, execution_id, PlanReplay.model_validate(asked)
    )


async def again(nodes, key_file, execution_id, **asked):
    asked.setdefault("id", new_id("ex", nodes.engine.clock.now_us()))
    command = ReplayExecution.model_validate(asked)
    return await replay(nodes.parts, key_file, nodes.engine.who, execution_id, command)


def events_of(nodes, execution_id):
    return nodes.engine.event_types(execution_id)


def reading(node_id, source, **fields):
    return function(node_id, inputs={"x": {"$from": f"nodes.{source}.output"}}, **fields)


LINE = spec(
    [function("a", inputs={"n": {"$from": "inputs.n"}}), reading("b", "a"), reading("c", "b")],
    [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}],
    outputs={"got": {"$from": "nodes.c.output"}},
)


async def test_an_unedited_replay_of_a_completed_execution_runs_nothing_and_gives_the_same(nodes, key_file):
    run = await nodes.start(LINE, {"n": 1})
    await nodes.do(1, 2, 3)

    answer = await again(nodes, key_file, run)

    assert answer.execution.status == "completed"
    assert answer.runner == "engine"
    assert await nodes.output(answer.execution.id) == {"got": 3}
    assert await nodes.claim_all() == []
    steps = await nodes.engine.steps(answer.execution.id)
    assert {path: step.reused_from for path, step in steps.items()} == dict.fromkeys("abc", run)
    assert (await nodes.row(answer.execution.id)).steps_completed == 0


async def test_a_failed_execution_is_replayed_from_where_it_failed(nodes, key_file):
    run = await nodes.start(LINE, {"n": 1})
    await nodes.do(1)
    await nodes.fail(await nodes.claim(), retryable=False)
    assert (await nodes.status(run))[0] == "failed"

    answer = await again(nodes, key_file, run)

    task = await nodes.claim()
    assert (task.execution_id, task.path) == (answer.execution.id, "b")
    await nodes.complete(task, 2)
    await nodes.do(3)
    assert await nodes.output(answer.execution.id) == {"got": 3}


async def test_an_edited_output_stands_and_what_reads_it_runs_again(nodes, key_file):
    run = await nodes.start(LINE, {"n": 1})
    await nodes.do(1, 2, 3)
    edit = Edit(target="output", path="a", value=10)

    answer = await again(nodes, key_file, run, edits=[edit])

    task = await nodes.claim()
    assert (task.path, task.input) == ("b", b'{"x":10}')
    await nodes.complete(task, 2)  # the same as before, so c takes the same input
    assert (await nodes.status(answer.execution.id))[0] == "completed"


async def test_an_edited_input_runs_again_what_takes_it(nodes, key_file):
    run = await nodes.start(LINE, {"n": 1})
    await nodes.do(1, 2, 3)

    answer = await again(nodes, key_file, run, edits=[Edit(target="input", path="n", value=5)])

    await nodes.do(1)
    assert await nodes.output(answer.execution.id) == {"got": 3}


async def test_a_forced_step_runs_again(nodes, key_file):
    run = await nodes.start(LINE, {"n": 1})
    await nodes.do(1, 2, 3)

    answer = await again(nodes, key_file, run, force=["b"])

    assert (await nodes.claim()).path == "b"
    assert (await nodes.status(answer.execution.id))[0] == "running"


async def test_a_replay_on_a_new_version_runs_again_what_is_defined_otherwise(nodes, key_file):
    run = await nodes.start(LINE, {"n": 1})
    await nodes.do(1, 2, 3)
    changed = LINE | {"nodes": [*LINE["nodes"][:2], reading("c", "b", parameters={"handler": "send"})]}
    await nodes.store(changed)

    answer = await again(nodes, key_file, run, version=2)

    task = await nodes.claim()
    assert (task.path, task.handler) == ("c", "send")
    await nodes.complete(task, 4)
    assert await nodes.output(answer.execution.id) == {"got": 4}


async def test_a_process_cannot_drive_what_the_server_schedules(nodes, key_file):
    run = await nodes.start(LINE, {"n": 1})
    await nodes.do(1, 2, 3)

    with pytest.raises(InvalidRequest, match="scheduled by the server"):
        await again(
            nodes,
            key_file,
            run,
            process=process(),
            lease_token="t" * 22,
        )


async def test_what_was_skipped_now_is_nothing_that_can_be_read(nodes, key_file):
    document = spec(
        [
            function("a", inputs={"n": {"$from": "inputs.n"}}),
            {"id": "d", "type": "decision", "inputs": {"x": {"$from": "nodes.a.output"}}},
            function("b"),
            function("c"),
        ],
        [
            {"from": "a", "to": "d"},
            {"from": "d", "to": "b", "when": {"expr": "output.x > 1"}},
            {"from": "d", "to": "c", "default": True},
        ],
        outputs={"b": {"$from": "nodes.b.output", "default": "none"}},
    )
    run = await nodes.start(document, {"n": 1})
    await nodes.do(5)
    await judge(nodes, run, {"d->b": True})
    await nodes.do("from b")
    assert await nodes.output(run) == {"b": "from b"}

    answer = await again(nodes, key_file, run, edits=[Edit(target="output", path="a", value=0)])
    await judge(nodes, answer.execution.id, {"d->b": False})
    await nodes.do("from c")
    assert await nodes.output(answer.execution.id) == {"b": "none"}


async def test_the_edge_that_won_wins_again(nodes, key_file):
    document = spec(
        [function("a"), function("b"), function("c", join="any", inputs={"t": {"$from": "trigger.node"}})],
        [{"from": "a", "to": "c"}, {"from": "b", "to": "c"}],
    )
    run = await nodes.start(document)
    first, second = await nodes.claim_all()
    assert (first.path, second.path) == ("a", "b")
    await nodes.complete(second, 2)
    await nodes.do("c")
    await nodes.complete(first, 1)
    assert (await nodes.status(run))[0] == "completed"

    answer = await again(nodes, key_file, run)

    assert answer.execution.status == "completed"
    assert (await nodes.engine.steps(answer.execution.id))["c"].input == b'{"t":"b"}'


async def test_items_of_a_map_are_reused_one_by_one(nodes, key_file):
    document = spec(
        [
            {
                "id": "each",
                "type": "map",
                "parameters": {"items": {"$from": "inputs.items"}},
                "body": {
                    "nodes": [function("work", inputs={"i": {"$from": "item"}})],
                    "edges": [],
                    "outputs": {"got": {"$from": "nodes.work.output"}},
                },
            }
        ],
        outputs={"all": {"$from": "nodes.each.output"}},
    )
    run = await nodes.start(document, {"items": [1, 2, 3]})
    await nodes.do_all("x")
    assert (await nodes.status(run))[0] == "completed"

    edit = Edit(target="input", path="items", value=[1, 9, 3])
    answer = await again(nodes, key_file, run, edits=[edit])
    assert await nodes.do_all("y") == ["each[1]/work"]
    assert await nodes.output(answer.execution.id) == {"all": [{"got": "x"}, {"got": "y"}, {"got": "x"}]}


async def judge(nodes, execution_id, conditions):
    """Tell how the conditions of the activation that is ending were judged."""
    from omium.server.engine.nodes.driving import drive
    from omium.server.engine.nodes.ending import judge_ending
    from omium.server.engine.nodes.inputs import open_column
    from omium.server.engine.nodes.records import result_of
    from omium.server.engine.nodes.settling import settle
    from omium.server.engine.nodes.work import open_work
    from omium.server.store import activations

    def write(tx):
        work = open_work(tx, nodes.parts, nodes.engine.who.tenant_id, execution_id)
        (row,) = activations.list_in_state(tx, execution_id, "ending")
        result = None
        if row.type == "decision":
            given = open_column(work, row.input)
            result = result_of(nodes.parts.vault.pack(row.tenant_id, given, what="output"))
        judge_ending(work, row, conditions, result)
        drive(work)
        return settle(work)

    return await nodes.engine.write(write)


async def test_many_records_are_taken_in_portions(nodes, key_file):
    ids = [f"w{at}" for at in range(200)]
    edges = [{"from": one, "to": other} for one, other in pairwise(ids)]
    waits = [{"id": each, "type": "wait", "parameters": {"seconds": 0}} for each in ids]
    run = await nodes.start(spec([*waits, function("a")], [*edges, {"from": ids[-1], "to": "a"}]))
    await nodes.sweep()
    await nodes.do("done")

    answer = await again(nodes, key_file, run)
    replayed = answer.execution.id
    assert len(await nodes.engine.steps(replayed)) == 64
    assert (await nodes.status(replayed))[0] == "running"
    assert [state for state, _ in (await nodes.live(replayed)).values()] == ["ready"]
    assert await nodes.sweep() == 3

    assert (await nodes.status(replayed))[0] == "completed"
    steps = await nodes.engine.steps(replayed)
    assert len(steps) == 201
    assert all(step.reused_from == run for step in steps.values())
