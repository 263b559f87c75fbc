"""What a failure answers without scrolling."""

import pytest

from omium.errors import NotFound
from omium.ids import new_id
from omium.models.replay import PlanReplay, ReplayExecution
from omium.server.engine.failure_detail import read_failure
from omium.server.engine.inbox import Filters, list_failures
from omium.server.engine.replay_requests import plan_replay, replay


async def show(engine, kind="error", workflow=""):
    tenant_id = engine.who.tenant_id
    groups = await engine.read(
        lambda tx: list_failures(
            tx, tenant_id, Filters(kind=kind, workflow=workflow), before=(2**62, "~"), limit=10
        )
    )
    return await read_failure(engine.parts, tenant_id, groups[0].id)


def code(digest, revision="r1"):
    return {"digest": digest, "git_revision": revision, "command": ["python", "agents.py"], "cwd": "/app"}


async def test_one_sentence_says_what_failed_and_how(engine):
    run = await engine.start("report")
    await run.fail("write", message="the model gave up\nand more")

    detail = await show(engine)
    assert detail.sentence == "The step write of report failed with ValueError: the model gave up"
    assert (detail.root, detail.cause, detail.count) == (True, None, 1)
    assert detail.execution.id == run.id


async def test_a_cascade_points_at_its_cause(engine):
    parent = await engine.start("report")
    child = await engine.start("part", parent_id=parent.id, parent_path="part")
    await child.fail("inner")
    await parent.fail("part")

    detail = await show(engine, workflow="report")
    assert not detail.root
    assert detail.cause.execution_id == child.id


async def test_attempts_come_with_their_delays(engine):
    run = await engine.start("report")
    await run.fail_step("write", delay_us=2_000_000)
    await run.fail_step("write", attempt=2)
    await run.fail("write")

    assert [(each.attempt, each.delay_us) for each in (await show(engine)).attempts] == [
        (1, 2_000_000),
        (2, None),
    ]


async def test_without_effects_or_with_done_ones_a_retry_is_safe(engine):
    run = await engine.start("report")
    await run.fail("write")
    assert (await show(engine)).retry_safe

    run = await engine.start("other")
    await run.effect("pay")
    await run.fail("write")
    detail = await show(engine, workflow="other")
    assert detail.retry_safe
    assert "pay" in detail.retry_safe_reason
    assert [effect["state"] for effect in detail.effects] == ["done"]


async def test_with_an_unknown_effect_it_is_not_and_the_next_action_is_to_decide(engine):
    run = await engine.start("report")
    answer = await run.intend("pay")
    await run.end_effect("pay", answer.effect_key, state="unknown")
    await run.suspend("effect")

    detail = await show(engine, "effect-unknown")
    assert not detail.retry_safe
    assert detail.next_action.startswith("Decide about the effect")


async def test_a_replay_is_judged_by_the_effects_of_its_lineage(engine, key_file):
    run = await engine.start("report")
    answer = await run.intend("pay")
    await run.end_effect("pay", answer.effect_key, state="unknown")
    await run.suspend("effect")
    plan = await plan_replay(engine.parts, key_file, engine.who, run.id, PlanReplay())
    command = ReplayExecution(id=new_id("ex", 1), plan_token=plan.token)
    await replay(engine.parts, key_file, engine.who, run.id, command)
    await (await engine.claim("report")).fail("write")

    assert not (await show(engine)).retry_safe


async def test_what_changed_since_the_last_success_is_named(engine):
    fine = await engine.start("report", code=code("c1"), input={"topic": "tea", "n": 1})
    usage = {"id": "u1", "model": "small", "provider": "local", "at_us": 1}
    await fine.step("write", usage=[usage])
    await fine.complete()
    engine.clock.advance(seconds=1)
    run = await engine.start("report", code=code("c2"), input={"topic": "coffee", "n": 1, "more": True})
    await run.step("search", usage=[usage | {"id": "u2", "model": "large"}])
    await run.fail("write")

    changed = (await show(engine)).changed
    assert changed.since_execution_id == fine.id
    assert (changed.code_digest, changed.git_revision) == (["c1", "c2"], None)
    assert changed.models == [["small"], ["large"]]
    assert changed.inputs == ["more", "topic"]


async def test_without_an_earlier_success_nothing_is_compared(engine):
    run = await engine.start("report")
    await run.fail("write")
    assert (await show(engine)).changed.since_execution_id is None


async def test_the_next_action_says_who_would_run_it(engine):
    run = await engine.start("report", code=code("c1"))
    await run.fail("write")
    detail = await show(engine)
    assert "no worker serves it" in detail.next_action
    assert detail.runner.command == ["python", "agents.py"]

    await engine.ask("report", max_executions=0)
    assert "no worker" not in (await show(engine)).next_action


async def test_a_strangers_failure_is_not_found(engine):
    run = await engine.start("report")
    await run.fail("write")
    detail = await show(engine)
    with pytest.raises(NotFound):
        await read_failure(engine.parts, engine.stranger.tenant_id, detail.id)
