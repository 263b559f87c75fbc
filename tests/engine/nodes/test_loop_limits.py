"""Loops that stand at their limit: a resume lets them go round more often, and nothing else does."""

import pytest

from omium.errors import IllegalTransition, InvalidRequest
from omium.models.execution import LOOP_LIMIT_MAX
from omium.models.replay import RollbackExecution
from omium.server.engine.rollback import roll_back
from omium.spec.limits import ITERATIONS_MAX
from tests.engine.nodes.specs import function, spec

BACK = {"draft->draft": True}


def loop(header="draft", **fields):
    """Return a spec (or a body) of one loop that may go round twice, and a node behind it."""
    return {
        "nodes": [function(header) | {"start": True}, function("send")],
        "edges": [{"from": header, "to": header, "when": {"expr": "true"}}, {"from": header, "to": "send"}],
        "loops": {header: {"max_iterations": 2}},
    } | fields


async def go_round(nodes, *paths, answers=None):
    for path in paths:
        task = await nodes.claim()
        assert task.path == path
        await nodes.complete(task, path)
        await nodes.judge(BACK if answers is None else answers)


@pytest.fixture
async def stood(nodes):
    """An execution whose loop has failed at its limit."""
    run = await nodes.start(spec(**loop(outputs={"last": {"$from": "nodes.draft.output"}})))
    await go_round(nodes, "draft", "draft#2")
    assert await nodes.status(run) == ("failed", "error")
    return run


def test_a_resume_may_ask_for_as_much_as_a_document():
    assert LOOP_LIMIT_MAX == ITERATIONS_MAX


async def test_a_resume_lets_a_loop_go_round_more_often_up_to_the_new_limit(nodes, stood):
    await nodes.engine.requeue(stood, loop_limits={"draft": 4})
    resumed = [each for each in await nodes.engine.events(stood) if each.type == "execution.resumed"]
    assert resumed[-1].data["loop_limits"] == {"draft": 4}
    assert await nodes.engine.inbox(stood) == [("error", "draft#2/loop-limit", "resolved")]

    await go_round(nodes, "draft#3", "draft#4")
    assert await nodes.status(stood) == ("failed", "error")
    await nodes.engine.requeue(stood, loop_limits={"draft": 5})
    await go_round(nodes, "draft#5", answers={})
    await nodes.do("sent")
    assert await nodes.status(stood) == ("completed", None)
    assert await nodes.output(stood) == {"last": "draft#5"}


async def test_without_more_rounds_it_fails_again_at_once(nodes, stood):
    await nodes.engine.requeue(stood)
    assert await nodes.status(stood) == ("failed", "error")
    assert (await nodes.engine.events(stood))[-1].data["code"] == "loop-limit"
    await nodes.engine.requeue(stood, loop_limits={"draft": 3})
    assert (await nodes.claim()).path == "draft#3"


@pytest.mark.parametrize(
    "asked",
    [{"send": 5}, {"other": 5}, {"m/draft": 5}, {"": 5}, {"draft": 2}, {"draft": 9, "other": 9}],
    ids=str,
)
async def test_what_is_no_loop_or_no_more_than_before_is_refused_and_changes_nothing(nodes, stood, asked):
    before = await nodes.row(stood)
    with pytest.raises(InvalidRequest):
        await nodes.engine.requeue(stood, loop_limits=asked)
    assert await nodes.row(stood) == before


async def test_a_resume_that_comes_twice_is_told_that_it_runs(nodes, stood):
    await nodes.engine.requeue(stood, loop_limits={"draft": 3})
    with pytest.raises(IllegalTransition):
        await nodes.engine.requeue(stood, loop_limits={"draft": 3})
    assert (await nodes.claim()).path == "draft#3"


async def test_a_raised_limit_stays_when_the_loop_is_walked_again_after_a_rollback(nodes, stood):
    await nodes.engine.requeue(stood, loop_limits={"draft": 4})
    await go_round(nodes, "draft#3")
    await nodes.fail(await nodes.claim(), retryable=False)
    command = RollbackExecution.model_validate({"to_step": "draft#4"})
    await nodes.engine.write(lambda tx: roll_back(tx, nodes.engine.who, stood, command))

    await nodes.engine.requeue(stood)
    await go_round(nodes, "draft#4", answers={})
    await nodes.do("sent")
    assert await nodes.status(stood) == ("completed", None)


async def test_an_execution_of_code_has_no_loops(engine):
    await engine.queue("report")
    run = await engine.claim("report")
    await run.fail()
    with pytest.raises(InvalidRequest):
        await engine.requeue(run.id, loop_limits={"draft": 3})
    with pytest.raises(InvalidRequest):
        await engine.resume(run.id, loop_limits={"draft": 3})


async def test_a_loop_of_a_maps_body_is_named_behind_its_map(nodes):
    many = {"id": "m", "type": "map", "parameters": {"items": {"$from": "inputs.xs"}}, "body": loop()}
    run = await nodes.start(spec([many]), {"xs": [1, 2]})
    for _ in range(2):
        for task in await nodes.claim_all():
            await nodes.complete(task, task.path)
        await nodes.judge(BACK)
    assert await nodes.status(run) == ("failed", "error")
    with pytest.raises(InvalidRequest):
        await nodes.engine.requeue(run, loop_limits={"draft": 3})

    await nodes.engine.requeue(run, loop_limits={"m/draft": 3})
    tasks = await nodes.claim_all()
    assert sorted(task.path for task in tasks) == ["m[0]/draft#3", "m[1]/draft#3"]
    for task in tasks:
        await nodes.complete(task, task.path)
    await nodes.judge({})
    await nodes.do("sent", "sent")
    assert await nodes.status(run) == ("completed", None)
