"""The fence: equality of epoch and token only; time never fences, a new grant does."""

import pytest

from omium.errors import LeaseLostProblem, NotFound
from omium.server.engine.leases import restart_leases
from tests.engine.harness import Run


async def test_a_zombie_worker_changes_nothing_and_is_told_so(engine):
    await engine.queue("report")
    first = await engine.claim("report", worker="a")
    await engine.expire()
    second = await engine.claim("report", worker="b")
    before = await engine.row(first.id)

    with pytest.raises(LeaseLostProblem):
        await first.step("write", output="late")

    assert second.id == first.id
    assert second.grant.epoch == first.grant.epoch + 1
    assert await engine.steps(first.id) == {}
    assert await engine.row(first.id) == before


async def test_a_write_with_the_current_epoch_is_taken_however_late(engine):
    run = await engine.start(durability="relaxed")
    engine.clock.advance(1_000_000)

    await run.step("search")

    assert (await engine.row(run.id)).status == "running"


async def test_a_grant_with_another_token_is_refused(engine):
    run = await engine.start()
    forged = run.grant.model_copy(update={"lease_token": "f" * 32})
    with pytest.raises(LeaseLostProblem):
        await Run(engine, forged, engine.who).step("search")


async def test_another_tenant_is_answered_as_for_an_unknown_execution(engine):
    run = await engine.start()
    with pytest.raises(NotFound):
        await Run(engine, run.grant, engine.stranger).step("search")


async def test_every_write_extends_the_lease(engine):
    run = await engine.start()
    for _ in range(4):
        engine.clock.advance(20)
        await run.heartbeat("search")
        assert await engine.sweep() == 0
    assert (await engine.row(run.id)).status == "running"


async def test_stepping_the_wall_clock_expires_no_lease(engine):
    run = await engine.worker_run()
    engine.clock.step_wall(1_000_000)
    assert await engine.sweep() == 0
    assert (await engine.row(run.id)).status == "running"


async def test_after_a_server_start_every_lease_runs_anew(engine):
    run = await engine.worker_run()
    engine.clock.advance(3600)  # the server was away
    assert await engine.write(restart_leases) == 1

    assert await engine.advance(34) == 0
    assert await engine.advance(2) == 1
    assert (await engine.row(run.id)).status == "queued"


async def test_a_worker_that_returns_before_anybody_claimed_goes_on(engine):
    run = await engine.worker_run()
    await engine.expire()
    assert (await engine.row(run.id)).status == "queued"

    await run.step("search")

    row = await engine.row(run.id)
    assert (row.status, row.steps_completed, row.interruptions) == ("running", 1, 1)
    assert (await engine.event_types(run.id))[-2:] == ["execution.returned", "step.completed"]
    assert (await engine.ask("report", worker="b")).grants == []


async def test_a_driver_that_gave_its_lease_back_cannot_write(engine):
    run = await engine.worker_run()
    await run.suspend("drain")
    with pytest.raises(LeaseLostProblem):
        await run.step("search")
    assert (await engine.row(run.id)).status == "queued"
