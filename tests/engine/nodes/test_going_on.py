"""Cancel, pause, resume, effects, slots, breakers."""

import pytest

from omium.errors import EffectUnresolved, LeaseLostProblem, LimitReached
from omium.models.execution import Limits
from omium.models.replay import DecideEffect
from omium.models.usage import RecordUsage
from omium.server.engine.decisions import decide_effect
from tests.engine.nodes.specs import chain, function, spec


async def test_a_cancel_reaches_what_runs_and_ends_with_it(nodes):
    run = await nodes.start(chain("a", "b"))
    task = await nodes.claim()
    await nodes.engine.cancel(run)
    assert await nodes.status(run) == ("running", None)
    assert (await nodes.touch(task)).cancel_requested
    await nodes.complete(task, 1)
    assert await nodes.status(run) == ("cancelled", None)
    assert await nodes.live(run) == {}


async def test_a_cancel_of_what_waits_ends_at_once(nodes):
    run = await nodes.start(spec([{"id": "w", "type": "wait", "parameters": {"seconds": 9}}]))
    await nodes.engine.cancel(run)
    assert await nodes.status(run) == ("cancelled", None)
    assert await nodes.advance(10) == 0


async def test_a_cancel_ends_with_its_grace_and_voids_grants(nodes):
    run = await nodes.start(chain("a"))
    task = await nodes.claim()
    await nodes.engine.cancel(run)
    await nodes.engine.advance(31)
    row = await nodes.row(run)
    assert (row.status, row.cancel_outcome) == ("cancelled", "still_running")
    with pytest.raises(LeaseLostProblem):
        await nodes.complete(task, 1)


async def test_a_pause_lets_nothing_begin_and_a_resume_goes_on(nodes):
    run = await nodes.start(chain("a", "b"))
    task = await nodes.claim()
    await nodes.engine.pause(run)
    assert await nodes.status(run) == ("running", None)
    await nodes.complete(task, 1)
    assert await nodes.status(run) == ("paused", "operator")
    assert await nodes.claim_all() == []

    await nodes.engine.requeue(run)
    await nodes.do(2)
    assert await nodes.status(run) == ("completed", None)


async def test_a_timer_does_not_fire_while_its_execution_is_paused(nodes):
    run = await nodes.start(spec([{"id": "w", "type": "wait", "parameters": {"seconds": 9}}]))
    await nodes.engine.pause(run)
    assert await nodes.advance(10) == 0
    await nodes.engine.requeue(run)
    await nodes.sweep()
    assert await nodes.status(run) == ("completed", None)


async def test_a_signal_that_comes_while_nothing_may_begin_is_taken_with_the_resume(nodes):
    run = await nodes.start(spec([{"id": "w", "type": "wait", "parameters": {"signal": "go"}}]))
    await nodes.engine.pause(run)
    assert (await nodes.signal(run, "go", 1)).path is None
    await nodes.engine.requeue(run)
    assert await nodes.status(run) == ("completed", None)


async def test_at_its_limit_of_steps_an_execution_is_paused_until_the_limit_is_raised(nodes):
    run = await nodes.start(chain("a", "b", "c"), limits=Limits(max_steps=2))
    await nodes.do(1, 2)
    assert await nodes.status(run) == ("paused", "limit")
    with pytest.raises(LimitReached):
        await nodes.engine.requeue(run)
    await nodes.engine.requeue(run, max_steps=10)
    await nodes.do(3)
    assert await nodes.status(run) == ("completed", None)


async def test_a_failure_of_what_is_being_cancelled_is_nobodys_business(nodes):
    run = await nodes.start(chain("a", "b"))
    task = await nodes.claim()
    await nodes.engine.cancel(run)
    await nodes.fail(task)
    assert await nodes.status(run) == ("cancelled", None)
    assert await nodes.engine.inbox(run) == []


# ---- effects


def effect(**fields):
    document = chain("send", "b")
    document["nodes"][0] |= {"effect": True} | fields
    return document


async def test_an_effect_is_announced_with_its_claim_and_done_with_its_result(nodes):
    run = await nodes.start(effect(compensate="unsend"))
    task = await nodes.claim()
    known = (await nodes.engine.effects(run))["send"]
    assert (known.state, known.effect_key, known.compensate) == ("intended", task.effect_key, "unsend")
    await nodes.complete(task, "sent")
    await nodes.do(1)

    assert (await nodes.engine.effects(run))["send"].state == "done"
    assert (await nodes.engine.steps(run))["send"].effect_key == task.effect_key
    assert await nodes.status(run) == ("completed", None)


async def test_a_failed_effect_is_unknown_and_a_person_decides(nodes):
    run = await nodes.start(effect())
    assert (await nodes.fail(await nodes.claim())).state == "effect-unknown"
    assert await nodes.status(run) == ("paused", "effect")
    assert await nodes.engine.inbox(run) == [("effect-unknown", "send", "open")]
    with pytest.raises(EffectUnresolved):
        await nodes.engine.requeue(run)

    await decide(nodes, run, "confirm")
    await nodes.engine.requeue(run)
    await nodes.sweep()
    assert (await nodes.claim()).path == "b"


async def decide(nodes, run, decision):
    known = (await nodes.engine.effects(run))["send"]
    who = nodes.engine.who
    output = nodes.parts.vault.pack(who.tenant_id, "by hand") if decision != "redo" else None
    command = DecideEffect(decision=decision, output="by hand" if output else None)
    await nodes.engine.write(lambda tx: decide_effect(tx, who, run, known.effect_key, command, output))


async def test_a_redo_calls_again_under_another_key(nodes):
    run = await nodes.start(effect())
    first = await nodes.claim()
    await nodes.advance(36)  # lost
    assert await nodes.status(run) == ("paused", "effect")
    await decide(nodes, run, "redo")
    await nodes.engine.requeue(run)
    await nodes.sweep()
    again = await nodes.claim()
    assert again.effect_key != first.effect_key
    await nodes.complete(again, "sent")
    await nodes.do(1)
    assert await nodes.status(run) == ("completed", None)


async def test_an_effect_that_certainly_did_not_happen_is_tried_again(nodes):
    run = await nodes.start(effect(retry={"max_attempts": 2, "initial_delay_s": 0, "jitter": False}))
    first = await nodes.claim()
    await nodes.fail(first, not_applied=True)
    await nodes.sweep()
    again = await nodes.claim()
    assert (again.attempt, again.effect_key) == (2, first.effect_key)
    await nodes.complete(again, "sent")
    assert (await nodes.engine.effects(run))["send"].state == "done"


# ---- slots and breakers


def limited(limit=1):
    return spec([function(name) | {"concurrency": {"key": "k", "limit": limit}} for name in ("a", "b", "c")])


async def test_a_key_runs_as_many_at_once_as_it_says_first_come_first_served(nodes):
    run = await nodes.start(limited())
    nodes.engine.clock.advance(1)
    other = await nodes.start("flow")
    (first,) = await nodes.claim_all()
    assert await nodes.claim_all() == []
    order = []
    task = first
    while task is not None:
        order.append((task.execution_id, task.attempt))
        await nodes.complete(task, 1)
        await nodes.sweep()
        taken = await nodes.claim_all()
        assert len(taken) <= 1
        task = taken[0] if taken else None
    assert [each for each, _ in order] == [run] * 3 + [other] * 3
    assert {attempt for _, attempt in order} == {1}
    assert await nodes.status(other) == ("completed", None)


async def test_a_lost_task_gives_its_slot_back(nodes):
    await nodes.start(limited())
    await nodes.claim_all()
    await nodes.claim_all()
    await nodes.advance(36)
    assert len(await nodes.claim_all()) == 1


async def test_an_open_breaker_lets_nodes_wait(nodes):
    nodes_ = [function(name) | {"breaker": "p"} for name in ("a", "b", "c")]
    document = spec(
        nodes_,
        breakers={"p": {"window_s": 60, "min_calls": 1, "failure_rate": 0.5, "cooldown_s": 30, "probes": 1}},
    )
    document["edges"] = [{"from": "a", "to": "b", "on": "always"}]
    run = await nodes.start(document)
    task = await nodes.claim()
    await nodes.fail(task, "TimeoutError", error={"status": 503})
    assert await nodes.claim_all() == []
    assert "waiting" in {state for state, _ in (await nodes.live(run)).values()}
    await nodes.advance(31)
    assert len(await nodes.claim_all()) == 1


async def test_nodes_wait_where_their_breaker_has_reached_its_limit_of_tokens(nodes):
    document = chain("a", "b", breakers={"p": {"tokens_per_minute": 100}})
    for node in document["nodes"]:
        node["breaker"] = "p"
    run = await nodes.start(document)
    spent = RecordUsage(id="us_1", path="a", input_tokens=90, output_tokens=20, at_us=1)
    await nodes.complete(await nodes.claim(), 1, usage=[spent])

    assert await nodes.claim_all() == []
    assert await nodes.status(run) == ("waiting", "breaker")
    await nodes.advance(66)
    await nodes.do(2)
    assert await nodes.status(run) == ("completed", None)
