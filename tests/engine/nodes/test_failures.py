"""Failures of nodes: retried, handled, unhandled, resumed."""

from decimal import Decimal

from omium.jsonvalue import encode
from tests.engine.nodes.specs import chain, function, spec

RETRY = {"max_attempts": 3, "initial_delay_s": 10, "jitter": False}


async def test_a_node_is_tried_again_after_its_delay_and_keeps_its_inputs(nodes):
    document = chain("a", "b")
    document["nodes"][0] |= {"retry": RETRY, "inputs": {"x": {"$from": "inputs.x"}}}
    run = await nodes.start(document, {"x": 1})

    assert (await nodes.fail(await nodes.claim())).state == "retrying"
    assert await nodes.status(run) == ("waiting", "retry")
    assert (await nodes.row(run)).wake_us is not None
    assert await nodes.claim_all() == []
    assert await nodes.advance(9) == 0
    await nodes.advance(2)
    second = await nodes.claim()
    assert (second.attempt, second.input) == (2, b'{"x":1}')
    await nodes.complete(second)
    await nodes.do(None)
    assert await nodes.status(run) == ("completed", None)


async def test_the_provider_says_when_to_come_back(nodes):
    document = chain("a")
    document["nodes"][0]["retry"] = RETRY
    await nodes.start(document)

    await nodes.fail(await nodes.claim(), retry_after_s=100.0)

    assert await nodes.advance(99) == 0
    await nodes.advance(12)
    assert (await nodes.claim()).attempt == 2


async def test_a_failure_that_nothing_handles_fails_the_execution_and_opens_the_inbox(nodes):
    run = await nodes.start(chain("a", "b"))
    assert (await nodes.fail(await nodes.claim())).state == "failed"

    assert await nodes.status(run) == ("failed", "error")
    assert await nodes.engine.inbox(run) == [("error", "a", "open")]
    assert await nodes.live(run) == {"a": ("failed", None)}


async def test_what_runs_beside_a_failure_is_recorded_and_nothing_else_begins(nodes):
    document = spec(
        [
            function("a"),
            function("b"),
            function("c"),
            {"id": "w", "type": "wait", "parameters": {"seconds": 9}},
        ],
        [{"from": "b", "to": "c"}],
    )
    run = await nodes.start(document)
    one, other = await nodes.claim_all()

    await nodes.fail(one)
    assert await nodes.status(run) == ("running", None)
    await nodes.complete(other, 2)
    assert await nodes.status(run) == ("failed", "error")
    assert await nodes.live(run) == {"a": ("failed", None), "c": ("parked", None), "w": ("parked", "timer")}
    assert await nodes.advance(10) == 0

    await nodes.engine.requeue(run)
    assert await nodes.status(run) == ("running", None)
    await nodes.sweep()
    assert {task.path: task.attempt for task in await nodes.claim_all()} == {"a": 2, "c": 1}
    assert await nodes.engine.inbox(run) == [("error", "a", "resolved")]


async def test_a_failure_is_handled_by_an_edge(nodes):
    document = spec(
        [function("a"), function("b") | {"inputs": {"why": {"$from": "nodes.a.error.type"}}}, function("c")],
        [{"from": "a", "to": "b", "on": "failure"}, {"from": "a", "to": "c"}],
    )
    run = await nodes.start(document)
    await nodes.fail(await nodes.claim(), "KeyError")
    task = await nodes.claim()

    assert (task.path, task.input) == ("b", b'{"why":"KeyError"}')
    await nodes.complete(task)
    assert await nodes.status(run) == ("completed", None)
    assert await nodes.engine.inbox(run) == []


async def test_a_reference_to_what_was_skipped_fails_the_node_and_is_not_tried_again(nodes):
    document = spec(
        [
            function("a"),
            function("b"),
            function("c") | {"retry": RETRY, "inputs": {"x": {"$from": "nodes.b.output"}}},
        ],
        [
            {"from": "a", "to": "b", "on": "failure"},
            {"from": "a", "to": "c"},
            {"from": "b", "to": "c", "kind": "context"},
        ],
    )
    run = await nodes.start(document)
    await nodes.do(1)

    assert await nodes.status(run) == ("failed", "error")
    assert [event.data.get("code") for event in await nodes.engine.events(run)][-1] == "reference-unavailable"


async def test_a_timeout_fails_the_try_and_its_late_result_changes_nothing(nodes):
    document = chain("a")
    document["nodes"][0] |= {"timeout_s": 5, "retry": RETRY}
    run = await nodes.start(document)
    task = await nodes.claim()
    await nodes.advance(6)

    assert (await nodes.live(run))["a"] == ("waiting", "retry")
    await nodes.advance(20)
    again = await nodes.claim()
    assert (again.attempt, again.epoch) == (2, 2)
    import pytest

    from omium.errors import LeaseLostProblem

    with pytest.raises(LeaseLostProblem):
        await nodes.complete(task, 1)


async def test_a_lost_worker_is_an_interruption_and_no_attempt(nodes):
    run = await nodes.start(chain("a"))
    for _ in range(5):
        task = await nodes.claim()
        await nodes.advance(36)
    again = await nodes.claim()
    assert (again.attempt, again.interruptions) == (1, 5)
    assert task.epoch < again.epoch

    await nodes.advance(36)
    assert await nodes.status(run) == ("failed", "error")
    assert (await nodes.engine.events(run))[-1].data["code"] == "crash-loop"


async def test_whoever_says_that_it_lives_keeps_its_task(nodes):
    run = await nodes.start(chain("a"))
    task = await nodes.claim()
    for _ in range(4):
        await nodes.advance(20)
        await nodes.touch(task)
    await nodes.complete(task)
    assert await nodes.status(run) == ("completed", None)


async def test_an_output_of_another_shape_fails_the_node_without_another_try(nodes):
    document = chain("a")
    document["nodes"][0] |= {"retry": RETRY, "outputs": {"type": "object"}}
    run = await nodes.start(document)
    assert (await nodes.complete(await nodes.claim(), "text")).state == "failed"
    assert await nodes.status(run) == ("failed", "error")


async def test_a_checkpoint_has_the_shape_that_the_spec_asks(nodes):
    document = chain("a", "b")
    schema = {"type": "object", "required": ["draft"]}
    document["nodes"][0]["checkpoint"] = {"enabled": True, "payload": schema}
    run = await nodes.start(document)
    await nodes.complete(await nodes.claim(), {"draft": 1})
    assert "checkpoint.saved" in await nodes.engine.event_types(run)

    other = await nodes.start("flow")
    assert (await nodes.complete(await nodes.claim_of(other), {})).state == "failed"
    assert (await nodes.engine.events(other))[-1].data["code"] == "checkpoint-schema"


async def test_what_a_handler_gave_is_judged_without_the_tags_of_its_classes(nodes):
    document = chain("a", "b")
    price = {"type": "object", "properties": {"price": {"type": "string"}}, "required": ["price"]}
    document["nodes"][0] |= {"outputs": price, "checkpoint": {"payload": price}}
    run = await nodes.start(document)

    await nodes.complete(await nodes.claim(), encode({"price": Decimal("1.20")}))

    assert await nodes.status(run) == ("running", None)
