"""Endings, waiting, pausing, cancelling: what a driver says, and what is asked of it."""

import json

import pytest

from omium.clock import US_PER_S
from omium.errors import IllegalTransition, InvalidRequest, LeaseLostProblem, StepConflict
from omium.server.engine.cancel import pause_key_executions
from omium.server.store.details import get_details
from tests.engine.harness import principal


async def test_a_completed_execution_keeps_its_output_and_takes_no_more_writes(engine):
    run = await engine.start()
    first = await run.complete({"report": 1})
    assert (await run.complete({"report": 1})).seq == first.seq
    with pytest.raises(StepConflict):
        await run.complete("another")
    with pytest.raises(LeaseLostProblem):
        await run.step("late")
    with pytest.raises(LeaseLostProblem):
        await run.fail()

    detail = await engine.read(lambda tx: get_details(tx, run.id))
    assert detail.output == b'{"report":1}'
    with pytest.raises(IllegalTransition):
        await engine.resume(run.id)
    with pytest.raises(IllegalTransition):
        await engine.cancel(run.id)


async def test_a_failure_opens_an_inbox_item_and_a_resume_closes_it(engine):
    run = await engine.start()
    await run.step("search")
    await run.fail_step("write")
    for _ in range(2):
        await run.fail("write")

    row = await engine.row(run.id)
    assert (row.status, row.reason) == ("failed", "error")
    assert await engine.inbox(run.id) == [("error", "write", "open")]

    again = await engine.resume(run.id)
    records = {record.path: record for record in again.grant.records}
    assert (records["search"].status, records["write"].status) == ("completed", "failed")
    await again.step("write", attempt=2)
    await again.complete()
    assert await engine.inbox(run.id) == [("error", "write", "resolved")]


async def test_a_resume_under_the_same_token_is_the_same_resume(engine):
    run = await engine.start()
    await run.fail()
    first = await engine.resume(run.id, lease_token="r" * 32)
    again = await engine.resume(run.id, lease_token="r" * 32)
    assert (first.grant.epoch, again.grant.epoch) == (2, 2)
    with pytest.raises(IllegalTransition):
        await engine.resume(run.id, lease_token="s" * 32)


async def test_a_timer_wakes_what_waits_once(engine):
    run = await engine.worker_run()
    wake_us = engine.clock.now_us() + 60 * US_PER_S
    for _ in range(2):
        await run.wait(wake_at_us=wake_us)
    row = await engine.row(run.id)
    assert (row.status, row.reason, row.wake_us) == ("waiting", "timer", wake_us)
    assert await engine.advance(59) == 0
    assert await engine.advance(2) == 1
    assert await engine.sweep() == 0
    assert (await engine.row(run.id)).status == "queued"
    assert (await engine.claim()).id == run.id


async def test_a_pause_is_asked_for_and_the_driver_follows(engine):
    run = await engine.worker_run()
    for _ in range(2):
        await engine.pause(run.id)
    answer = await run.heartbeat()
    assert answer.suspend == "operator"
    await run.step("search")  # what runs may end
    await run.suspend("effect")  # whatever the driver calls it

    row = await engine.row(run.id)
    assert (row.status, row.reason, row.suspend) == ("paused", "operator", None)
    assert (await engine.requeue(run.id)).runner == "worker"
    assert (await engine.claim()).id == run.id


async def test_what_is_queued_or_waits_pauses_at_once(engine):
    queued = await engine.queue()
    await engine.pause(queued)
    assert (await engine.row(queued)).status == "paused"
    assert (await engine.ask()).grants == []

    run = await engine.start()
    await run.wait("approval")
    await engine.pause(run.id)
    assert (await engine.row(run.id)).status == "paused"
    done = await engine.start()
    await done.fail()
    with pytest.raises(IllegalTransition):
        await engine.pause(done.id)


async def test_a_cancel_ends_at_once_what_does_not_run(engine):
    queued = await engine.queue()
    await engine.cancel(queued)
    row = await engine.row(queued)
    assert (row.status, row.cancel_outcome) == ("cancelled", "stopped")
    assert (await engine.cancel(queued)).status == "cancelled"


async def test_a_running_execution_is_asked_to_stop_and_says_how(engine):
    run = await engine.start()
    shown = await engine.cancel(run.id)
    assert (shown.status, shown.cancelling) == ("running", True)
    answer = await run.heartbeat()
    assert answer.cancel_requested
    for _ in range(2):
        await run.suspend("cancel", outcome="still_running")

    row = await engine.row(run.id)
    assert (row.status, row.cancel_outcome) == ("cancelled", "still_running")
    late = await run.send(engine.completed("search"))
    assert late.cancel_requested
    assert late.results[0].problem["code"] == "lease-lost"


@pytest.mark.parametrize(("heard", "outcome"), [(True, "still_running"), (False, "unknown")])
async def test_after_the_grace_a_cancel_ends_with_what_is_known(engine, heard, outcome):
    run = await engine.start()
    engine.clock.advance(10)
    await engine.cancel(run.id)
    if heard:
        engine.clock.advance(20)
        await run.heartbeat("search")
    await engine.advance(31 if not heard else 11)
    row = await engine.row(run.id)
    assert (row.status, row.cancel_outcome) == ("cancelled", outcome)


async def test_a_cancel_includes_children_at_every_depth(engine):
    parent = await engine.start()
    child = await engine.start("child", parent_id=parent.id, parent_path="call", id=None)
    below = await engine.queue("below", parent_id=child.id, parent_path="call", id=None)
    await engine.cancel(parent.id)

    assert (await child.heartbeat()).cancel_requested
    assert (await engine.row(below)).status == "cancelled"


async def test_a_worker_that_drains_leaves_no_interruption(engine):
    run = await engine.worker_run()
    await run.suspend("drain")
    row = await engine.row(run.id)
    assert (row.status, row.interruptions) == ("queued", 0)


async def test_an_interrupted_script_is_paused_and_can_be_resumed(engine):
    run = await engine.start()
    await run.suspend("interrupted")
    row = await engine.row(run.id)
    assert (row.status, row.reason) == ("paused", "operator")
    assert (await engine.resume(run.id)).grant.epoch == 2


async def test_a_revoked_key_pauses_what_it_started(engine):
    key = principal(engine.who.tenant_id, "key_revoked")
    running = await engine.start(who=key)
    queued = await engine.queue(who=key)
    others = await engine.queue()
    assert await engine.write(lambda tx: pause_key_executions(tx, key.id)) == 2
    assert await engine.write(lambda tx: pause_key_executions(tx, key.id)) == 0

    assert (await running.heartbeat()).suspend == "key-revoked"
    assert (await engine.row(queued)).reason == "key-revoked"
    assert (await engine.row(others)).status == "queued"


async def test_a_lost_driver_that_was_asked_to_pause_leaves_a_paused_execution(engine):
    run = await engine.worker_run()
    await engine.pause(run.id)
    await engine.expire()
    row = await engine.row(run.id)
    assert (row.status, row.reason) == ("paused", "operator")


async def test_waiting_for_a_time_that_is_not_told_is_refused(engine):
    run = await engine.start()
    for reason in ("timer", "retry", "slot", "breaker"):
        with pytest.raises(InvalidRequest):
            await run.write(type="execution.waits", reason=reason)
    await run.wait("signal")
    assert (await engine.row(run.id)).status == "waiting"


async def test_a_failure_while_it_is_cancelled_ends_it_cancelled_and_is_on_record(engine):
    run = await engine.start()
    await engine.cancel(run.id)
    for _ in range(2):  # the second is a repeat of the first
        await run.fail("search")

    row = await engine.row(run.id)
    assert (row.status, row.reason, row.cancel_outcome) == ("cancelled", None, "stopped")
    last = (await engine.events(run.id))[-1]
    assert (last.type, last.data["path"], last.data["error"]) == ("execution.cancelled", "search", "boom")
    assert await engine.inbox(run.id) == [("error", "search", "resolved")]
    assert json.loads((await engine.read(lambda tx: get_details(tx, run.id))).error)["message"] == "boom"
    with pytest.raises(LeaseLostProblem):
        await run.fail("search", message="another")
    with pytest.raises(IllegalTransition):
        await engine.resume(run.id)


async def test_a_driver_cannot_cancel_what_nobody_asked_to_cancel(engine):
    run = await engine.start()
    await run.intend("pay")
    with pytest.raises(IllegalTransition, match="Nobody has asked"):
        await run.suspend("cancel")
    assert (await engine.row(run.id)).status == "running"
    assert (await engine.effects(run.id))["pay"].state == "intended", "the refusal has changed nothing"
    await run.step("search")


async def test_a_scripts_timer_leaves_it_to_a_person_where_no_worker_serves_it(engine):
    run = await engine.start()
    await run.wait(wake_at_us=engine.clock.now_us() + 60 * US_PER_S)
    assert await engine.advance(61) == 1
    row = await engine.row(run.id)
    assert (row.status, row.reason) == ("paused", "operator")
    assert (await engine.events(run.id))[-1].data["after"] == "timer"
    assert (await engine.resume(run.id)).grant.epoch == 2


async def test_a_scripts_timer_queues_it_for_a_worker_that_serves_it(engine):
    await engine.ask()
    run = await engine.start()
    await run.wait(wake_at_us=engine.clock.now_us() + 30 * US_PER_S)
    await engine.advance(31)
    assert (await engine.claim()).id == run.id
