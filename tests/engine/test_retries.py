"""Attempts, replaced inputs and inner steps: what a resume finds (semantics 2.1 to 2.4)."""

import pytest

from omium.clock import US_PER_S
from omium.errors import StepConflict
from omium.server.store.attempts import list_attempts


async def test_a_step_fails_is_retried_and_completes(engine):
    run = await engine.start()
    first = await run.fail_step("search", delay_us=1000)
    assert await run.fail_step("search", delay_us=1000) == first  # a repeat
    with pytest.raises(StepConflict):
        await run.fail_step("search", delay_us=1000, message="another")
    assert (await engine.steps(run.id))["search"].status == "retrying"
    await run.step("search", attempt=2)

    step = (await engine.steps(run.id))["search"]
    assert (step.status, step.attempt, step.error) == ("completed", 2, None)
    failed = await engine.read(lambda tx: list_attempts(tx, run.id, limit=10))
    assert [(each.attempt, each.delay_us) for each in failed] == [(1, 1000)]
    assert await engine.event_types(run.id) == [
        "execution.started",
        "step.attempt_failed",
        "step.completed",
    ]


async def test_inner_steps_are_reused_after_an_interruption(engine):
    run = await engine.worker_run()
    await run.step("outer/inner")
    await engine.expire()
    again = await engine.claim()
    assert [record.path for record in again.grant.records] == ["outer/inner"]


async def test_inner_steps_are_superseded_by_a_failure_of_the_outer_one_but_no_effects(engine):
    run = await engine.start()
    await run.step("outer/inner")
    await run.step("outer/inner/deeper")
    await run.step("outer0")
    await run.effect("outer/pay")
    await run.effect("outer/inner/mail")
    await run.fail_step("outer", delay_us=0)

    assert sorted(await engine.steps(run.id)) == ["outer", "outer/inner/mail", "outer/pay", "outer0"]
    await run.step("outer/inner", output="new")
    await run.step("outer", attempt=2)


async def test_a_failed_try_is_numbered_anew_in_another_epoch(engine):
    run = await engine.worker_run()
    await run.fail_step("outer/inner", delay_us=0)
    await run.fail_step("outer", delay_us=0)  # supersedes what is inside
    await engine.expire()
    again = await engine.claim()
    await again.fail_step("outer/inner", delay_us=0, message="another")
    failed = await engine.read(lambda tx: list_attempts(tx, run.id, limit=10))
    assert [(each.path, each.epoch) for each in failed] == [
        ("outer", 1),
        ("outer/inner", 1),
        ("outer/inner", 2),
    ]


async def test_a_result_for_another_input_replaces_the_record(engine):
    run = await engine.start()
    await run.step("search", output=1, input="a")
    for _ in range(2):
        await run.step("search", output=2, input="b", attempt=2, supersedes=True)

    assert (await engine.steps(run.id))["search"].output == b"2"
    assert await engine.event_types(run.id) == [
        "execution.started",
        "step.completed",
        "step.input_changed",
        "step.completed",
    ]
    assert [event.seq for event in await engine.events(run.id)] == [1, 2, 3, 4]


async def test_a_failure_with_another_input_replaces_the_record_too(engine):
    run = await engine.start()
    await run.step("search", output=1, input="a")
    await run.fail_step("search", input="b", attempt=2)
    assert (await engine.steps(run.id))["search"].status == "failed"


async def test_a_step_that_stores_no_value_may_run_again(engine):
    run = await engine.worker_run()
    await run.step("log", has_output=False)
    await engine.expire()
    again = await engine.claim()
    (record,) = again.grant.records
    assert (record.has_output, record.inline) == (False, False)
    await again.step("log", has_output=False)


async def test_an_abandoned_call_is_noted_once(engine):
    run = await engine.start()
    for _ in range(2):
        await run.write(type="step.abandoned", path="slow", attempt=1)
    assert (await engine.event_types(run.id)).count("step.abandoned") == 1


async def test_a_captured_failure_is_in_the_inbox_once_and_the_execution_goes_on(engine):
    run = await engine.start()
    for _ in range(2):
        await run.write(
            type="failure.captured", id="fo_1", path="search", error={"type": "ValueError", "message": "x"}
        )
    assert await engine.inbox(run.id) == [("captured", "search", "open")]
    await run.complete()


async def test_a_gap_in_the_recording_is_an_event_and_in_the_inbox_once(engine):
    run = await engine.start()
    for _ in range(2):
        await run.write(type="recording.gapped", id="oc_1", error={"type": "RecordingGap", "message": "x"})
    assert (await engine.event_types(run.id)).count("recording.gapped") == 1
    assert await engine.inbox(run.id) == [("captured", "", "open")]


async def test_a_retried_step_counts_the_interruptions_that_cut_it(engine):
    run = await engine.worker_run()
    await run.fail_step("search", delay_us=10)
    await engine.expire()
    assert (await engine.steps(run.id))["search"].interruptions == 1


async def test_a_long_delay_is_waited_for_without_a_driver(engine):
    """The failed try and the wait travel together; the next driver finds the try and its number."""
    run = await engine.worker_run()
    due_us = engine.clock.now_us() + 3600 * US_PER_S
    error = {"type": "Busy", "message": "come back in an hour"}
    failed = {"type": "step.attempt_failed", "error": error, "delay_us": 3600 * US_PER_S}
    waits = {"type": "execution.waits", "reason": "retry", "wake_at_us": due_us}
    for _ in range(2):  # the answer was lost
        answer = await run.send(failed | engine.about("search"), waits)
    assert answer.results[1].problem is None
    row = await engine.row(run.id)
    assert (row.status, row.reason, row.wake_us, row.worker_id) == ("waiting", "retry", due_us, None)

    assert await engine.advance(3599) == 0
    assert (await engine.ask()).grants == []
    await engine.advance(2)
    again = await engine.claim()
    (record,) = again.grant.records
    assert (record.path, record.status, record.attempt) == ("search", "retrying", 1)
    await again.step("search", attempt=2)
    assert (await engine.row(run.id)).interruptions == 0
