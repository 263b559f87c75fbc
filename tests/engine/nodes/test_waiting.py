"""Timers, signals, approvals, conditions: what nodes wait for."""

import pytest

from omium.errors import AlreadyDecided, IllegalTransition, NotFound
from omium.server.engine.approvals import MESSAGE_CHARACTERS_MAX, read_approvals, view_approval
from omium.server.store.approvals import BEGINNING
from tests.engine.nodes.specs import function, spec


def waits(**parameters):
    return spec(
        [{"id": "w", "type": "wait", "parameters": parameters}, function("a")],
        [{"from": "w", "to": "a"}],
        outputs={"got": {"$from": "nodes.w.output", "default": "none"}},
    )


async def test_a_timer_fires_once_when_its_time_has_come(nodes):
    run = await nodes.start(waits(seconds=60))
    assert await nodes.status(run) == ("waiting", "timer")
    assert await nodes.advance(59) == 0
    assert await nodes.advance(2) == 1
    assert await nodes.status(run) == ("running", None)
    assert await nodes.advance(100) == 0
    await nodes.do(1)
    assert await nodes.output(run) == {"got": None}


async def test_a_wait_until_a_time_that_is_past_ends_at_once(nodes):
    await nodes.start(waits(until="2001-01-01T00:00:00Z"))
    assert (await nodes.claim()).path == "a"


async def test_a_wait_for_what_is_no_time_fails(nodes):
    run = await nodes.start(waits(until={"$from": "inputs.when"}), {"when": "soon"})
    assert await nodes.status(run) == ("failed", "error")


async def test_signals_are_kept_in_order_and_taken_once(nodes):
    run = await nodes.start(waits(signal="go"))
    assert await nodes.status(run) == ("waiting", "signal")

    first = await nodes.signal(run, "go", {"n": 1})
    again = await nodes.signal(run, "go", {"n": 1})
    second = await nodes.signal(run, "go", {"n": 2}, "s2")

    assert (first.fresh, first.path, again.fresh, again.path) == (True, "w", False, "w")
    assert second.path is None
    await nodes.do(None)
    assert await nodes.output(run) == {"got": {"n": 1}}


async def test_a_signal_that_comes_before_its_node_is_waiting_for_it(nodes):
    document = spec(
        [function("a"), {"id": "w", "type": "wait", "parameters": {"signal": "go"}}],
        [{"from": "a", "to": "w"}],
    )
    run = await nodes.start(document)
    await nodes.signal(run, "go", 5)
    await nodes.do(None)
    assert await nodes.status(run) == ("completed", None)


async def test_a_signal_that_never_comes_fails_the_node(nodes):
    run = await nodes.start(waits(signal="go", timeout_s=10))
    await nodes.advance(11)
    assert await nodes.status(run) == ("failed", "error")
    assert await nodes.engine.inbox(run) == [("timeout", "w", "open")]


async def test_strangers_signal_and_decide_nothing(nodes):
    run = await nodes.start(waits(signal="go"))
    with pytest.raises(NotFound):
        await nodes.signal(run, "go", who=nodes.engine.stranger)
    with pytest.raises(NotFound):
        await nodes.decide(run, "w", who=nodes.engine.stranger)


def approval(**parameters):
    return spec(
        [{"id": "ok", "type": "approval", "parameters": parameters}, function("a")],
        [{"from": "ok", "to": "a"}],
        outputs={"said": {"$from": "nodes.ok.output.decision"}},
    )


async def test_an_approval_is_decided_once(nodes):
    run = await nodes.start(approval(message="May it go?"))
    assert await nodes.status(run) == ("waiting", "approval")
    await nodes.decide(run, "ok", "rejected")
    with pytest.raises(AlreadyDecided):
        await nodes.decide(run, "ok", "approved")
    await nodes.do(None)
    assert await nodes.output(run) == {"said": "rejected"}


@pytest.mark.parametrize(("times", "shown"), [(1, "On tea? "), (9_000, "On {topic}? " * 9_000)])
async def test_a_question_that_would_be_far_too_long_is_shown_as_it_is_written(nodes, times, shown):
    topic = "tea" if times == 1 else "t" * 3_000  # 27 MB, were they put in
    document = approval(message="On {topic}? " * times)
    document["nodes"][0]["inputs"] = {"topic": topic}
    await nodes.start(document)
    tenant_id, parts = nodes.engine.who.tenant_id, nodes.engine.parts
    (asked,) = await nodes.engine.read(lambda tx: read_approvals(tx, parts, tenant_id, BEGINNING, 10))
    assert view_approval(parts, asked).message == shown[:MESSAGE_CHARACTERS_MAX]


async def test_an_approval_that_expires_takes_its_default_or_fails(nodes):
    run = await nodes.start(approval(expires_s=10, default="approved"))
    await nodes.advance(11)
    await nodes.do(None)
    assert await nodes.output(run) == {"said": "approved"}

    other = await nodes.start(approval(expires_s=10))
    await nodes.advance(11)
    assert await nodes.status(other) == ("failed", "error")
    with pytest.raises((AlreadyDecided, IllegalTransition)):
        await nodes.decide(other, "ok")


async def test_conditions_are_judged_between_two_transactions(nodes):
    document = spec(
        [function("a"), function("b"), function("c")],
        [
            {"from": "a", "to": "b", "when": {"expr": "output.score > 5"}},
            {"from": "a", "to": "c", "when": {"expr": "inputs.x == 1"}},
        ],
    )
    run = await nodes.start(document, {"x": 1})
    await nodes.do({"score": 7, "text": "long"})
    assert (await nodes.live(run))["a"] == ("ending", None)
    assert await nodes.status(run) == ("running", None)
    (asked,) = await nodes.judge({"a->b": True})
    assert {each.edge: each.values for each in asked.questions} == {
        "a->b": {"output": {"score": 7}},
        "a->c": {"inputs": {"x": 1}},
    }
    assert [task.path for task in await nodes.claim_all()] == ["b"]
    assert await nodes.judge() == []


async def test_a_condition_without_a_value_fails_its_node(nodes):
    document = spec([function("a"), function("b")], [{"from": "a", "to": "b", "when": {"expr": "output.x"}}])
    run = await nodes.start(document)
    await nodes.do({})
    await nodes.judge(fault="The expression has no value here.")
    assert await nodes.status(run) == ("failed", "error")
    assert (await nodes.engine.events(run))[-1].data["code"] == "edge-condition-error"


def choice():
    return spec(
        [
            {"id": "pick", "type": "decision", "inputs": {"n": {"$from": "inputs.n"}}},
            function("a"),
            function("b"),
        ],
        [
            {"from": "pick", "to": "a", "when": {"expr": "output.n > 1"}},
            {"from": "pick", "to": "b", "default": True},
        ],
    )


async def test_a_decision_takes_its_branch_or_the_default(nodes):
    await nodes.start(choice(), {"n": 2})
    await nodes.judge({"pick->a": True})
    assert (await nodes.claim()).path == "a"
    await nodes.start("flow", {"n": 0})
    await nodes.judge({"pick->a": False})
    assert (await nodes.claim()).path == "b"


async def test_a_decision_without_a_branch_fails(nodes):
    document = choice()
    document["edges"].pop()
    document["nodes"].pop()
    run = await nodes.start(document, {"n": 0})
    await nodes.judge({})
    assert (await nodes.engine.events(run))[-1].data["code"] == "no-branch"


async def test_a_loop_goes_round_until_its_condition_ends_it(nodes):
    document = spec(
        [function("draft") | {"start": True}, function("check"), function("send")],
        [
            {"from": "draft", "to": "check"},
            {"from": "check", "to": "draft", "when": {"expr": "!output.good"}},
            {"from": "check", "to": "send", "when": {"expr": "output.good"}},
        ],
        outputs={"last": {"$from": "nodes.draft.output"}},
        loops={"draft": {"max_iterations": 3}},
    )
    run = await nodes.start(document)
    await nodes.do("one", {"good": False})
    await nodes.judge({"check->draft": True})
    again = await nodes.claim()
    assert again.path == "draft#2"
    await nodes.complete(again, "two")
    await nodes.do({"good": True})
    await nodes.judge({"check->send": True})
    await nodes.do(None)
    assert await nodes.output(run) == {"last": "two"}
    assert sorted(await nodes.engine.steps(run)) == ["check", "check#2", "draft", "draft#2", "send"]


async def test_a_loop_at_its_limit_fails(nodes):
    document = spec(
        [function("draft") | {"start": True}, function("send")],
        [{"from": "draft", "to": "draft", "when": {"expr": "true"}}, {"from": "draft", "to": "send"}],
        loops={"draft": {"max_iterations": 2}},
    )
    run = await nodes.start(document)
    for _ in range(2):
        await nodes.do(None)
        await nodes.judge({"draft->draft": True})
    assert await nodes.status(run) == ("failed", "error")
    assert (await nodes.engine.events(run))[-1].data["code"] == "loop-limit"
