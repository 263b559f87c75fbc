"""Limits: one that is reached pauses the execution before its next step; only a raised one lets it go on."""

import pytest

from omium.clock import US_PER_S
from omium.errors import LimitReached, StepConflict

HOUR_US = 3600 * US_PER_S


async def test_time_in_a_drivers_hands_is_limited_and_waiting_is_not(engine):
    run = await engine.start(limits={"max_duration_us": 60 * US_PER_S})
    engine.clock.advance(25)
    assert (await run.heartbeat()).suspend is None
    await run.wait(wake_at_us=engine.clock.now_us() + HOUR_US)
    engine.clock.advance(3601)
    run = await engine.resume(run.id)
    engine.clock.advance(25)
    assert (await run.heartbeat()).suspend is None
    engine.clock.advance(10)
    assert (await run.heartbeat()).suspend == "limit"
    await run.step("search")  # what runs may end
    with pytest.raises(LimitReached, match="60 of 60 seconds"):
        await run.intend("pay")
    await run.suspend("limit")

    row = await engine.row(run.id)
    assert (row.status, row.reason, row.ran_us) == ("paused", "limit", 60 * US_PER_S)
    with pytest.raises(LimitReached) as refused:
        await engine.resume(run.id)
    assert refused.value.members["limit"] == "max_duration_us"
    run = await engine.resume(run.id, max_duration_us=HOUR_US)
    assert (await run.heartbeat()).suspend is None
    assert (await engine.row(run.id)).max_duration_us == HOUR_US


async def test_bytes_that_are_recorded_are_limited_and_a_repeat_does_not_count(engine):
    run = await engine.start(limits={"max_payload_bytes": 200})
    text = "x" * 40  # and its quotes
    for _ in range(3):
        await run.step("search", output=text, input=text)
        await run.checkpoint("state", text, id="cp_1", at_us=1)
        await run.fail_step("think", input=text, delay_us=1)
    key = (await run.intend("pay", input=None)).effect_key
    for _ in range(2):
        await run.end_effect("pay", key, output="1", input=text)
    with pytest.raises(StepConflict):
        await run.step("search", output="another", input=text)
    assert (await engine.row(run.id)).payload_bytes == 4 * 42 + 3

    (answer,) = [await run.send(engine.completed("write", text))]
    assert answer.suspend == "limit"
    await run.suspend("limit")
    with pytest.raises(LimitReached, match="of 200 bytes"):
        await engine.requeue(run.id)
    assert (await engine.requeue(run.id, max_payload_bytes=10_000)).execution.status == "queued"


async def test_of_several_limits_each_must_be_raised(engine):
    run = await engine.start(limits={"max_steps": 1, "max_payload_bytes": 1})
    await run.step("search")
    await run.suspend("limit")
    with pytest.raises(LimitReached, match="1 of 1 steps"):
        await engine.resume(run.id, max_payload_bytes=1000)
    with pytest.raises(LimitReached, match="of 1 bytes"):
        await engine.resume(run.id, max_steps=2)
    await engine.resume(run.id, max_steps=2, max_payload_bytes=1000)


async def test_a_silent_driver_that_returns_is_counted_once(engine):
    run = await engine.start(durability="relaxed", limits={"max_payload_bytes": 1000})
    await engine.expire()
    await run.step("search", output="x" * 40, input=None)
    assert (await engine.row(run.id)).payload_bytes == 42
