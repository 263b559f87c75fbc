"""Steps: recorded once per identity and attempt, and answered the same when they are sent again."""

import pytest

from omium.errors import StepConflict


async def test_a_completed_step_is_recorded_with_its_event(engine):
    run = await engine.start()

    seq = await run.step("search", output=[1, 2])

    step = (await engine.steps(run.id))["search"]
    assert (step.status, step.attempt, step.completed_seq, step.output) == ("completed", 1, seq, b"[1,2]")
    assert (await engine.event_types(run.id)) == ["execution.started", "step.completed"]
    assert (await engine.row(run.id)).steps_completed == 1


async def test_the_same_result_again_gets_the_same_answer_and_changes_nothing(engine):
    run = await engine.start()
    first = await run.step("search", output={"a": 1, "b": 2})
    before = await engine.row(run.id)

    again = await run.step("search", output={"b": 2, "a": 1})

    assert again == first
    assert await engine.row(run.id) == before
    assert len(await engine.events(run.id)) == 2


async def test_another_result_of_the_same_attempt_is_a_conflict(engine):
    run = await engine.start()
    await run.step("search", output=1)

    with pytest.raises(StepConflict):
        await run.step("search", output=2)
    with pytest.raises(StepConflict):
        await run.step("search", output=1, attempt=2)

    assert (await engine.steps(run.id))["search"].output == b"1"
    assert len(await engine.events(run.id)) == 2
