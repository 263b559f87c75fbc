"""Many at once: on PostgreSQL transactions really run beside each other, on SQLite they share one."""

import asyncio

from omium.errors import IllegalTransition, Problem
from omium.server.engine.fold import find_differences, fold_events
from omium.server.store import events
from tests.engine.harness import process


async def gather(*coroutines):
    return await asyncio.gather(*coroutines, return_exceptions=True)


async def check(engine, execution_id):
    """The log tells the row."""
    row = await engine.row(execution_id)
    logged = await engine.read(
        lambda tx: events.list_events(tx, engine.who.tenant_id, execution_id, 0, 10_000)
    )
    assert find_differences(row, fold_events(logged)) == []
    return row


async def test_no_two_workers_are_granted_the_same_execution(engine):
    queued = [await engine.queue() for _ in range(6)]
    asked = await gather(*(engine.ask(worker=f"w{number}", max_executions=2) for number in range(8)))
    granted = [grant.execution.id for claimed in asked for grant in claimed.grants]
    assert len(granted) == len(set(granted))
    while claimed := (await engine.ask(worker="rest")).grants:
        granted += [grant.execution.id for grant in claimed]
    assert sorted(granted) == sorted(queued)


async def test_steps_of_one_execution_at_once_are_numbered_without_a_gap(engine):
    run = await engine.start()
    seqs = await gather(*(run.step(f"s{number}") for number in range(24)))
    assert sorted(seqs) == list(range(2, 26))
    assert (await check(engine, run.id)).steps_completed == 24


async def test_the_same_step_at_once_is_recorded_once(engine):
    run = await engine.start()
    seqs = await gather(*(run.step("search") for _ in range(8)))
    assert set(seqs) == {2}
    await check(engine, run.id)


async def test_one_of_two_endings_counts(engine):
    run = await engine.start()
    results = await gather(run.complete(), run.fail(), engine.cancel(run.id), run.step("last"))
    assert (await check(engine, run.id)).status in {"completed", "failed", "cancelled"}
    assert all(not isinstance(result, BaseException) or isinstance(result, Problem) for result in results)


async def test_of_two_who_resume_one_drives(engine):
    run = await engine.start()
    await run.fail()
    taken = await gather(
        *(
            engine.resume(run.id, process=process(pid=number), lease_token=f"{number}" * 32)
            for number in range(4)
        )
    )
    refused = [result for result in taken if isinstance(result, BaseException)]
    assert len(refused) == 3
    assert all(isinstance(problem, IllegalTransition) for problem in refused)
    assert (await check(engine, run.id)).epoch == 2


async def test_sweeps_at_once_lose_a_driver_once(engine):
    runs = [await engine.worker_run() for _ in range(5)]
    engine.clock.advance(36)
    await gather(*(engine.sweep() for _ in range(4)))
    for run in runs:
        row = await check(engine, run.id)
        assert (row.status, row.interruptions) == ("queued", 1)


async def test_the_same_start_at_once_is_one_execution(engine):
    command = {"id": (await engine.start()).id[:-4] + "zzzz"}
    grants = await gather(*(engine.start(**command) for _ in range(6)))
    assert {run.grant.epoch for run in grants} == {1}
    await check(engine, grants[0].id)


async def test_an_effect_that_two_announce_is_permitted_once(engine):
    run = await engine.start()
    answers = await gather(*(run.intend("pay", attempt=number) for number in (1, 2)))
    assert sum(answer.may_call for answer in answers) == 1
    await check(engine, run.id)
