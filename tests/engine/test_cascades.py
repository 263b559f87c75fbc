"""Cascades: what follows from another failure points to the root of it, everything else is a root."""

import pytest

from omium.ids import new_id
from omium.models.replay import DecideEffect, ReplayExecution
from omium.server.engine.decisions import decide_effect
from omium.server.engine.replay_requests import replay
from omium.server.store import failures
from omium.states import EffectDecision


async def newest(engine, execution_id):
    found = await engine.read(lambda tx: failures.list_of_execution(tx, execution_id, limit=1))
    return found[0]


async def test_a_parent_points_to_the_deepest_child_that_failed(engine):
    runs = [await engine.start("top")]
    for name in ("middle", "deep"):
        runs.append(await engine.start(name, parent_id=runs[-1].id, parent_path=f"plan/{name}", id=None))
    for run, path in zip(reversed(runs), ["", "plan/deep", "plan"], strict=True):
        await run.fail(path, message=f"in {run.grant.execution.workflow}")

    top, middle, deep = [await newest(engine, run.id) for run in runs]
    assert deep.cause_id is None
    assert (middle.cause_id, top.cause_id) == (deep.id, deep.id)


async def test_a_failure_at_another_step_than_the_failed_child_is_a_root(engine):
    parent = await engine.start("top")
    child = await engine.start("part", parent_id=parent.id, parent_path="part", id=None)
    await child.fail()
    await parent.fail("party")
    assert (await newest(engine, parent.id)).cause_id is None


@pytest.mark.parametrize("decision", ["confirm", "skip", "redo"])
async def test_an_error_after_an_output_that_a_person_gave_follows_from_the_question(engine, decision):
    run = await engine.start()
    key = (await run.intend("pay")).effect_key
    await run.end_effect("pay", key, "unknown")
    await run.suspend("effect")
    question = await newest(engine, run.id)
    command = DecideEffect(decision=EffectDecision(decision))
    packed = engine.parts.vault.pack(engine.who.tenant_id, "by hand")
    await engine.write(lambda tx: decide_effect(tx, engine.who, run.id, key, command, packed))
    again = await engine.resume(run.id)
    await again.fail("mail")
    cascade = await newest(engine, run.id)
    assert cascade.cause_id == (None if decision == "redo" else question.id)


async def patch(engine, key_file, source_id, number, **fields):
    command = ReplayExecution(id=new_id("ex", number), **fields)
    await replay(engine.parts, key_file, engine.who, source_id, command)
    return await engine.claim()


async def test_an_error_after_a_patched_output_follows_from_the_source_also_over_a_replay(engine, key_file):
    run = await engine.start()
    await run.step("search")
    await run.fail("think", message="no source")
    root = await newest(engine, run.id)
    edits = [{"target": "output", "path": "search", "value": "by hand"}]
    patched = await patch(engine, key_file, run.id, 1, edits=edits)
    await patched.step("think")
    await patched.suspend("operator")
    again = await patch(engine, key_file, patched.id, 2)
    await again.fail("write", message="cannot be read")
    assert (await newest(engine, again.id)).cause_id == root.id


async def test_a_lost_driver_and_the_same_failure_again_are_roots(engine, key_file):
    run = await engine.start()
    await run.step("search")
    await run.fail("think", message="no source")
    edits = [{"target": "output", "path": "search", "value": "by hand"}]
    same = await patch(engine, key_file, run.id, 1, edits=edits)
    await same.fail("think", message="no source")
    assert (await newest(engine, same.id)).cause_id is None
    lost = await patch(engine, key_file, run.id, 2, edits=edits)
    for _ in range(6):
        await engine.expire()
        await engine.ask()
    assert (await engine.row(lost.id)).reason == "crash-loop"
    assert (await newest(engine, lost.id)).cause_id is None
