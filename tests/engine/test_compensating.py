"""A rolled-back execution is claimed for its compensations only, newest effect first, then paused again."""

import pytest

from omium.errors import CompensationPending, LeaseLostProblem
from omium.models.replay import RollbackExecution
from omium.server.engine.compensations import skip_compensations
from omium.server.engine.rollback import roll_back


@pytest.fixture
async def rolled_back(engine):
    """A worker's execution with two done effects that a rollback wants undone."""
    run = await engine.worker_run()
    await run.effect("pay", output="receipt", compensate="refund", input=10)
    await run.effect("mail", output="sent", compensate="apologise")
    await run.fail()
    command = RollbackExecution(to_seq=1, reason="wrong customer")
    await engine.write(lambda tx: roll_back(tx, engine.who, run.id, command))
    return run


async def end(run, position, **fields):
    return await run.write(type="compensation.ended", position=position, **fields)


async def test_a_worker_claims_runs_them_in_order_and_the_execution_is_paused_again(engine, rolled_back):
    for resume in (engine.resume, engine.requeue):
        with pytest.raises(CompensationPending):
            await resume(rolled_back.id)
    run = await engine.claim()
    tasks = run.grant.compensations
    assert [(task.path, task.compensate, task.input, task.output) for task in tasks] == [
        ("~mail", "apologise", "in", "sent"),
        ("~pay", "refund", 10, "receipt"),
    ]
    await end(run, 0)
    await end(run, 0)  # a repeat
    await end(run, 1)

    row = await engine.row(run.id)
    assert (row.status, row.reason) == ("paused", "rollback")
    assert (await engine.ask()).grants == []
    again = await engine.resume(run.id)
    answer = await again.intend("pay", input=99)
    assert answer.may_call, "what was undone may be done again, under a new key"
    assert answer.effect_key != tasks[1].effect_key


async def test_a_driver_lost_while_compensating_leaves_it_to_the_next(engine, rolled_back):
    run = await engine.claim()
    await end(run, 0)
    await engine.expire()
    row = await engine.row(run.id)
    assert (row.status, row.reason) == ("paused", "rollback")
    again = await engine.claim()
    assert [task.path for task in again.grant.compensations] == ["~pay"]
    with pytest.raises(LeaseLostProblem):
        await end(run, 1)


async def test_a_crash_loop_while_compensating_stops_the_list_and_a_person_may_skip_the_rest(
    engine, rolled_back
):
    for _ in range(6):
        run = await engine.claim()
        await engine.expire()
    row = await engine.row(run.id)
    assert (row.status, row.reason) == ("paused", "rollback-failed")
    assert ("crash-loop", "", "open") in await engine.inbox(run.id)
    assert (await engine.ask()).grants == []

    await engine.write(lambda tx: skip_compensations(tx, engine.who, run.id, "by hand"))
    assert ("crash-loop", "", "resolved") in await engine.inbox(run.id)
    assert (await engine.resume(run.id)).grant.compensations == []


async def test_a_worker_that_stops_while_compensating_leaves_it_to_the_next(engine, rolled_back):
    run = await engine.claim()
    await run.suspend("drain")
    assert (await engine.row(run.id)).reason == "rollback"
    assert len((await engine.claim()).grant.compensations) == 2


async def test_one_that_failed_is_tried_again_by_a_driver_that_asks_for_this_execution(engine, rolled_back):
    run = await engine.claim()
    await end(run, 0, error={"type": "ValueError", "message": "closed"})
    assert (await engine.row(run.id)).reason == "rollback-failed"
    assert (await engine.ask()).grants == []
    again = await engine.claim(execution_id=run.id)
    assert [task.attempt for task in again.grant.compensations] == [1, 0]
    await end(again, 0, attempt=2)
    await end(again, 1)
    assert (await engine.row(run.id)).reason == "rollback"
