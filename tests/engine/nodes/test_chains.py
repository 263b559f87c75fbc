"""Executions of specs: from their start to their end, one node after the other."""

import json
from itertools import pairwise

import pytest

from omium.errors import InvalidRequest, LeaseLostProblem
from tests.engine.nodes.specs import chain, function, spec


async def test_a_chain_runs_node_by_node_and_gives_its_outputs(nodes):
    document = chain("a", "b", outputs={"said": {"$from": "nodes.b.output.text"}})
    document["nodes"][1]["inputs"] = {
        "topic": {"$from": "nodes.a.output.topic"},
        "from": {"$from": "inputs.x"},
    }
    run = await nodes.start(document, {"x": 3})

    assert await nodes.status(run) == ("running", None)
    first = await nodes.claim()
    assert (first.path, first.attempt, first.epoch) == ("a", 1, 1)
    assert await nodes.claim_all() == []
    await nodes.complete(first, {"topic": "tea"})
    second = await nodes.claim()
    assert json.loads(second.input) == {"topic": "tea", "from": 3}
    await nodes.complete(second, {"text": "done"})

    assert await nodes.status(run) == ("completed", None)
    assert await nodes.output(run) == {"said": "done"}
    assert await nodes.live(run) == {}
    assert {path: step.status for path, step in (await nodes.engine.steps(run)).items()} == {
        "a": "completed",
        "b": "completed",
    }


async def test_the_same_start_twice_begins_once(nodes):
    document = chain("a")
    run = await nodes.start(document)
    again = await nodes.start("flow", id=run)

    assert again == run
    assert len(await nodes.live(run)) == 1


async def test_an_input_that_the_spec_does_not_take_is_refused_and_leaves_nothing(nodes):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    await nodes.store(chain("a", inputs=schema))

    with pytest.raises(InvalidRequest) as refused:
        await nodes.start("flow", {"n": "three"})

    assert refused.value.members["errors"][0]["pointer"] == "/input/n"


async def test_a_running_execution_keeps_the_version_that_it_began_with(nodes):
    run = await nodes.start(chain("a", "b"))
    await nodes.store(chain("a", "c"))

    await nodes.do(1)
    assert (await nodes.claim()).node == "b"
    assert run is not None


async def test_a_result_said_twice_is_answered_alike_and_a_late_grant_changes_nothing(nodes):
    run = await nodes.start(chain("a", "b"))
    task = await nodes.claim()
    await nodes.complete(task, 1)

    again = await nodes.complete(task, 1)
    assert again.state == "completed"
    assert (await nodes.row(run)).steps_completed == 1
    with pytest.raises(LeaseLostProblem):
        await nodes.fail(task)


async def test_one_thousand_nodes_of_the_engine_itself_end_in_portions(nodes):
    ids = [f"w{at}" for at in range(150)]
    edges = [{"from": one, "to": other} for one, other in pairwise(ids)]
    document = spec([{"id": each, "type": "wait", "parameters": {"seconds": 0}} for each in ids], edges)
    run = await nodes.start(document)

    assert await nodes.status(run) == ("running", None)
    assert await nodes.sweep() == 2
    assert await nodes.status(run) == ("completed", None)


async def test_branches_join_and_what_is_dead_is_skipped(nodes):
    document = spec(
        [function("a"), function("b"), function("c"), function("d")],
        [
            {"from": "a", "to": "b"},
            {"from": "a", "to": "c", "on": "failure"},
            {"from": "b", "to": "d"},
            {"from": "c", "to": "d"},
        ],
    )
    run = await nodes.start(document)

    assert await nodes.do_all() == ["a", "b", "d"]
    assert await nodes.status(run) == ("completed", None)
