"""What becomes of an execution whose driver is lost (semantics 3.4), and how a former one is proved gone."""

import pytest

from omium.errors import EffectUnresolved, IllegalTransition, LeaseLostProblem
from omium.models.failure import IgnoreFailure
from omium.server.engine.failures import close_occurrences
from omium.server.engine.inbox import ignore_failure
from omium.server.store.details import get_details
from omium.server.store.executions import lock_execution
from omium.server.store.failures import list_of_execution
from omium.states import FailureStatus
from tests.engine.harness import process


async def test_a_lost_worker_is_an_interruption_and_any_worker_goes_on(engine):
    run = await engine.worker_run()
    await run.step("search")
    await engine.expire()

    row = await engine.row(run.id)
    assert (row.status, row.reason, row.interruptions) == ("queued", "interrupted", 1)
    again = await engine.claim("report", worker="other")
    assert [record.path for record in again.grant.records] == ["search"]
    assert await engine.inbox(run.id) == []


async def test_a_lost_local_driver_fails_and_stays_failed_until_somebody_resumes(engine):
    run = await engine.start()
    await run.heartbeat("search")
    await engine.expire()

    row = await engine.row(run.id)
    assert (row.status, row.reason) == ("failed", "driver-lost")
    assert await engine.inbox(run.id) == [("driver-lost", "search", "open")]
    assert await engine.advance(100_000) == 0

    again = await engine.resume(run.id)
    assert again.grant.epoch == 2
    assert await engine.inbox(run.id) == [("driver-lost", "search", "resolved")]
    with pytest.raises(LeaseLostProblem):
        await run.step("search")


async def test_a_lost_driver_that_returns_goes_on_and_closes_its_failure(engine):
    run = await engine.start()
    await engine.expire()
    await run.step("search")

    assert (await engine.row(run.id)).status == "running"
    assert await engine.inbox(run.id) == [("driver-lost", "", "resolved")]
    await run.complete()


async def test_a_driver_does_not_return_once_a_person_has_acted_on_its_loss(engine):
    run = await engine.start()
    await engine.expire()

    def ignore(tx):
        row = lock_execution(tx, engine.who.tenant_id, run.id)
        return close_occurrences(tx, row, status=FailureStatus.IGNORED, by="user", reason="known")

    assert await engine.write(ignore) == 1
    with pytest.raises(LeaseLostProblem):
        await run.step("search")
    assert (await engine.row(run.id)).status == "failed"


async def test_a_driver_returns_although_an_earlier_ignore_covers_its_loss(engine):
    for _ in range(2):
        run = await engine.start()
        await engine.expire()
        (group,) = (await engine.write(lambda tx, run=run: list_of_execution(tx, run.id)))[:1]
        cover = IgnoreFailure(reason="laptops sleep", until_count=5)
        await ignore_failure(engine.db, engine.who, group.failure_id, cover)
    run = await engine.start()
    await engine.expire()
    assert await engine.inbox(run.id) == [("driver-lost", "", "ignored")]

    await run.step("search")
    assert (await engine.row(run.id)).status == "running"


async def test_an_execution_whose_driver_returned_shows_no_error(engine):
    run = await engine.start()
    await engine.expire()
    await run.step("search")

    assert (await engine.write(lambda tx: get_details(tx, run.id))).error is None


async def test_a_relaxed_driver_is_silent_first_and_lost_much_later(engine):
    run = await engine.start(durability="relaxed")
    assert await engine.expire() == 1
    row = await engine.row(run.id)
    assert (row.status, row.silent) == ("running", 1)
    assert await engine.sweep() == 0

    await run.step("search")
    assert (await engine.row(run.id)).silent == 0
    assert (await engine.event_types(run.id))[1:] == [
        "execution.silenced",
        "execution.returned",
        "step.completed",
    ]

    await engine.expire()
    await engine.advance(15 * 60)
    row = await engine.row(run.id)
    assert (row.status, row.reason, row.silent) == ("failed", "driver-lost", 0)


async def test_takeover_auto_hands_a_lost_local_execution_to_a_worker_that_serves_it(engine):
    run = await engine.start(takeover="auto")
    await engine.ask("report", worker="w1")
    engine.clock.advance(30)
    await engine.ask("report", worker="w1")  # seen within the last minute
    await engine.advance(6)

    assert (await engine.row(run.id)).status == "queued"
    assert (await engine.claim("report")).id == run.id


async def test_takeover_auto_without_a_worker_fails_like_any_local_execution(engine):
    run = await engine.start(takeover="auto")
    await engine.expire()
    assert (await engine.row(run.id)).reason == "driver-lost"


async def test_too_many_interruptions_in_a_row_are_a_crash_loop(engine):
    await engine.queue(limits={"max_interruptions": 2})
    for _ in range(2):
        run = await engine.claim()
        await engine.expire()
        assert (await engine.row(run.id)).status == "queued"
    run = await engine.claim()
    await engine.expire()

    row = await engine.row(run.id)
    assert (row.status, row.reason, row.interruptions) == ("failed", "crash-loop", 3)
    assert await engine.inbox(run.id) == [("crash-loop", "", "open")]

    await engine.requeue(run.id)  # a person's word begins a new count
    run = await engine.claim()
    await engine.expire()
    row = await engine.row(run.id)
    assert (row.status, row.interruptions) == ("queued", 4)


async def test_progress_between_interruptions_is_no_crash_loop(engine):
    await engine.queue(limits={"max_interruptions": 1})
    for number in range(4):
        run = await engine.claim()
        await run.step(f"step-{number}")
        await engine.expire()
        assert (await engine.row(run.id)).status == "queued"


async def test_a_restarted_script_takes_over_at_once_from_a_process_that_is_gone(engine):
    run = await engine.start(process=process(pid=1))
    await run.step("search")

    again = await engine.resume(run.id, process=process(pid=2), former_gone=1)

    row = await engine.row(run.id)
    assert (row.status, row.epoch, row.interruptions) == ("running", 2, 1)
    assert [record.path for record in again.grant.records] == ["search"]
    with pytest.raises(LeaseLostProblem):
        await run.step("write")


@pytest.mark.parametrize(
    ("other", "epoch"),
    [(process(pid=2, boot="boot-b"), 1), (process(pid=2), 7), (process(pid=100), 1)],
    ids=["another host", "another epoch", "the very same process"],
)
async def test_a_takeover_without_proof_is_refused(engine, other, epoch):
    run = await engine.start()
    with pytest.raises(IllegalTransition):
        await engine.resume(run.id, process=other, former_gone=epoch)
    await run.step("search")


async def test_a_takeover_with_an_effect_in_flight_asks_a_person_first(engine):
    run = await engine.start(process=process(pid=1))
    await run.intend("pay")

    with pytest.raises(EffectUnresolved) as refused:
        await engine.resume(run.id, process=process(pid=2), former_gone=1)

    assert refused.value.members["effects"][0]["path"] == "pay"
    row = await engine.row(run.id)
    assert (row.status, row.reason) == ("paused", "effect")
    assert await engine.inbox(run.id) == [("effect-unknown", "pay", "open")]


async def test_a_restarted_worker_frees_what_its_former_self_held(engine):
    await engine.queue()
    await engine.claim(worker="before", process=process(pid=1))

    asked = await engine.ask(worker="after", process=process(pid=2))
    assert [each.worker_id for each in asked.neighbours] == ["before"]
    assert asked.grants == []

    asked = await engine.ask(worker="after", process=process(pid=2), gone_workers=["before"])
    assert [grant.epoch for grant in asked.grants] == [2]


async def test_a_worker_cannot_free_what_a_worker_of_another_host_holds(engine):
    await engine.queue()
    await engine.claim(worker="before", process=process(pid=1))
    far = process(pid=2, boot="boot-b")

    asked = await engine.ask(worker="after", process=far, gone_workers=["before", "unknown"])
    assert (asked.grants, asked.neighbours) == ([], [])


async def test_a_returned_driver_leaves_the_question_of_its_effect_open_until_it_answers(engine):
    run = await engine.start()
    key = (await run.intend("pay")).effect_key
    await run.write(type="failure.captured", id="fo_1", path="", error={"type": "E", "message": "m"})
    await engine.expire()
    await run.heartbeat("pay")
    assert await engine.inbox(run.id) == [
        ("captured", "", "open"),
        ("effect-unknown", "pay", "open"),
        ("driver-lost", "", "resolved"),
    ]

    await run.end_effect("pay", key, output="receipt")
    assert ("effect-unknown", "pay", "resolved") in await engine.inbox(run.id)
    assert (await run.intend("pay")).output == "receipt"
    assert "pay" in await engine.steps(run.id)
