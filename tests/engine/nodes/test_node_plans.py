"""Plans for executions that the engine drove: what an edit or a new version reaches is known."""

from __future__ import annotations

import pytest

from omium.errors import InvalidRequest, PlanStale
from omium.models.replay import Edit
from tests.engine.nodes.specs import function, spec
from tests.engine.nodes.test_node_replays import LINE, again, plan, reading


def verdicts(made):
    return {step.path: step.disposition for step in made.steps}


@pytest.fixture
async def done(nodes):
    run = await nodes.start(LINE, {"n": 1})
    await nodes.do(1, 2, 3)
    return run


async def test_an_unedited_replay_reuses_everything_and_says_so_for_certain(nodes, key_file, done):
    made = await plan(nodes, key_file, done)

    assert verdicts(made) == dict.fromkeys("abc", "reuse")
    assert (made.mode, made.exact, made.runner, made.version) == ("incremental", True, "engine", 1)


async def test_what_reads_an_edited_output_runs_again_and_what_reads_that(nodes, key_file, done):
    made = await plan(nodes, key_file, done, edits=[Edit(target="output", path="a", value=5)])

    assert verdicts(made) == {"a": "reuse", "b": "rerun", "c": "rerun"}
    assert not made.exact, "b may give what it gave before"


async def test_a_node_that_reads_nothing_of_it_is_reused(nodes, key_file):
    document = spec(
        [function("a", inputs={"n": {"$from": "inputs.n"}}), function("b"), reading("c", "b")],
        [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}],
    )
    run = await nodes.start(document, {"n": 1, "m": 1})
    await nodes.do(1, 2, 3)

    edited = await plan(nodes, key_file, run, edits=[Edit(target="input", path="n", value=2)])
    assert verdicts(edited) == {"a": "rerun", "b": "reuse", "c": "reuse"}
    other = await plan(nodes, key_file, run, edits=[Edit(target="input", path="m", value=2)])
    assert verdicts(other) == dict.fromkeys("abc", "reuse")


async def test_a_new_version_runs_again_what_it_defines_otherwise(nodes, key_file, done):
    changed = LINE | {"nodes": [*LINE["nodes"][:2], reading("c", "b", parameters={"handler": "send"})]}
    await nodes.store(changed)

    made = await plan(nodes, key_file, done, version=2)
    assert verdicts(made) == {"a": "reuse", "b": "reuse", "c": "rerun"}
    assert made.exact
    assert made.version == 2


async def test_what_a_new_version_does_not_have_is_no_part_of_the_plan(nodes, key_file, done):
    await nodes.store(LINE | {"nodes": LINE["nodes"][:2], "edges": LINE["edges"][:1], "outputs": {}})

    assert verdicts(await plan(nodes, key_file, done, version=2)) == {"a": "reuse", "b": "reuse"}


async def test_a_token_is_of_one_version(nodes, key_file, done):
    made = await plan(nodes, key_file, done)
    await nodes.store(LINE | {"description": "another"})

    with pytest.raises(PlanStale):
        await again(nodes, key_file, done, version=2, plan_token=made.token)
    answer = await again(nodes, key_file, done, plan_token=made.token)
    assert answer.execution.status == "completed"


async def test_a_forced_item_of_a_map_runs_again_and_its_map_with_it(nodes, key_file):
    document = spec(
        [
            {
                "id": "each",
                "type": "map",
                "parameters": {"items": [1, 2]},
                "body": {
                    "nodes": [function("work", inputs={"i": {"$from": "item"}})],
                    "outputs": {"got": {"$from": "nodes.work.output"}},
                },
            },
            reading("a", "each"),
        ],
        [{"from": "each", "to": "a"}],
    )
    run = await nodes.start(document)
    await nodes.do("x", "x", "y")

    made = await plan(nodes, key_file, run, force=["each[1]/work"])
    assert verdicts(made) == {
        "each[0]/work": "reuse",
        "each[1]/work": "rerun",
        "each": "rerun",
        "a": "rerun",
    }
    answer = await again(nodes, key_file, run, force=["each[1]/work"])
    assert await nodes.do_all("x") == ["each[1]/work"], "it gave the same, so a is reused"
    assert (await nodes.status(answer.execution.id))[0] == "completed"


async def test_a_state_cannot_be_edited(nodes, key_file, done):
    with pytest.raises(InvalidRequest, match="edit the input"):
        await plan(nodes, key_file, done, edits=[Edit(target="state", path="x", value=1)])


async def test_an_effect_that_was_done_is_not_done_again(nodes, key_file):
    document = spec([function("a", effect=True), function("b")], [{"from": "a", "to": "b"}])
    run = await nodes.start(document)
    await nodes.do(1)
    await nodes.fail(await nodes.claim(), retryable=False)

    made = await plan(nodes, key_file, run)
    assert verdicts(made) == {"a": "reuse", "b": "rerun"}
    await again(nodes, key_file, run)
    assert (await nodes.claim()).path == "b"


async def test_an_effect_that_takes_another_input_asks_a_person(nodes, key_file):
    document = spec([function("a", effect=True, inputs={"n": {"$from": "inputs.n"}})])
    run = await nodes.start(document, {"n": 1})
    await nodes.do(1)

    answer = await again(nodes, key_file, run, edits=[Edit(target="input", path="n", value=2)])
    assert await nodes.claim_all() == []
    assert await nodes.status(answer.execution.id) == ("paused", "effect")
