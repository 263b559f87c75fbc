"""Schedules fire each time once, whatever servers, clocks and absences do, and tell what was refused."""

from dataclasses import replace

import pytest

from omium.errors import InvalidRequest, NotFound, ScopeMissing, WorkflowNotAllowed
from omium.models.schedules import CreateSchedule
from omium.server.db.tx import Sql
from omium.server.schedules import firing, planning
from omium.server.store import api_keys, fires
from omium.states import Environment
from tests.engine.harness import principal

MINUTE_S = 60
HOUR_S = 3600


async def plan(engine, cron="0 * * * *", **fields):
    command = CreateSchedule(name="s", workflow="report", cron=cron, input={"topic": "tea"}, **fields)
    return await engine.write(lambda tx: planning.create_schedule(tx, engine.parts, engine.who, command))


async def sweep(engine):
    count = 0
    while await engine.write(lambda tx: firing.sweep_due(tx, engine.parts)):
        count += 1
        assert count < 100, "it comes to an end"
    while await engine.write(lambda tx: firing.sweep_waiting(tx, engine.parts)):
        pass


async def told(engine, schedule):
    """Return what became of each time, the oldest first: minutes after the start, and the outcome."""
    rows = await engine.read(lambda tx: fires.list_fires(tx, schedule.id, (2**62, ""), 1_000))
    return [
        (row.due_us // 60_000_000 % (24 * 60), row.outcome) for row in sorted(rows, key=lambda r: r.due_us)
    ]


async def test_each_time_starts_one_execution_by_the_workflows_name(engine):
    schedule = await plan(engine)
    engine.clock.advance(seconds=HOUR_S)
    await sweep(engine)
    await sweep(engine)

    run = await engine.claim("report")
    assert run.grant.input == {"topic": "tea"}
    row = await engine.row(run.id)
    assert (row.started_by, row.driver, row.environment) == ("ak_test", "worker", "dev")
    assert await told(engine, schedule) == [(60, "started")]


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("skip", [(60, "skipped")]),
        ("one", [(60, "skipped"), (240, "started")]),
        ("all", [(60, "skipped"), (180, "started"), (240, "started")]),
    ],
)
async def test_times_at_which_no_server_looked(engine, missed, expected):
    schedule = await plan(engine, missed=missed, missed_max=2, overlap="allow")
    engine.clock.advance(seconds=4 * HOUR_S + 5 * MINUTE_S)

    await sweep(engine)

    assert await told(engine, schedule) == expected


async def test_a_time_that_is_a_little_late_was_not_missed(engine):
    schedule = await plan(engine, missed="skip")
    engine.clock.advance(seconds=HOUR_S + 30)
    await sweep(engine)
    assert await told(engine, schedule) == [(60, "started")]


async def test_while_one_runs_the_next_is_skipped_or_waits(engine):
    schedule = await plan(engine, overlap="skip")
    for _ in range(2):
        engine.clock.advance(seconds=HOUR_S)
        await sweep(engine)
    assert await told(engine, schedule) == [(60, "started"), (120, "skipped")]
    run = await engine.claim("report")
    await run.complete()
    engine.clock.advance(seconds=HOUR_S)
    await sweep(engine)
    assert (await told(engine, schedule))[-1] == (180, "started")


async def test_what_waits_starts_one_after_another(engine):
    schedule = await plan(engine, overlap="queue")
    for _ in range(3):
        engine.clock.advance(seconds=HOUR_S)
        await sweep(engine)
    assert await told(engine, schedule) == [(60, "started"), (120, "waiting"), (180, "waiting")]

    for done in (1, 2):
        run = await engine.claim("report")
        await run.complete()
        await sweep(engine)
        assert [outcome for _, outcome in await told(engine, schedule)].count("started") == done + 1


async def test_a_clock_that_was_ahead_and_is_set_back_repeats_no_time_and_forgets_none(engine):
    schedule = await plan(engine, overlap="allow")
    engine.clock.advance(seconds=3 * HOUR_S)  # by mistake
    await sweep(engine)
    engine.clock.advance(seconds=-3 * HOUR_S)
    await sweep(engine)
    again = await engine.read(lambda tx: planning.get_schedule(tx, engine.who.tenant_id, schedule.id))
    assert again.next_us == schedule.next_at_us[0]

    for _ in range(4):
        engine.clock.advance(seconds=HOUR_S)
        await sweep(engine)

    # 01:00 was told as missed and 03:00 as started while the clock was ahead: neither comes again.
    assert await told(engine, schedule) == [
        (60, "skipped"),
        (120, "started"),
        (180, "started"),
        (240, "started"),
    ]


async def test_two_servers_fire_a_time_once(engine):
    schedule = await plan(engine, overlap="allow")
    engine.clock.advance(seconds=HOUR_S)
    row = await engine.read(lambda tx: planning.get_schedule(tx, engine.who.tenant_id, schedule.id))
    for _ in range(2):  # both had read the row before either moved it
        await engine.write(lambda tx: firing._fire(tx, engine.parts, row))
    assert await told(engine, schedule) == [(60, "started")]


async def test_a_refusal_is_a_row_and_the_schedule_goes_on(engine):
    schedule = await plan(engine)
    metered = replace(engine.parts, metering=True)  # nobody has given this tenant any credits
    for parts in (metered, engine.parts):
        engine.clock.advance(seconds=HOUR_S)
        await engine.write(lambda tx, p=parts: firing.sweep_due(tx, p))
    await engine.write(lambda tx: tx.execute(Sql("UPDATE api_keys SET workflows = :w"), w=b'["other"]'))
    engine.clock.advance(seconds=HOUR_S)
    await engine.cancel((await engine.claim("report")).id)
    engine.clock.advance(seconds=HOUR_S)
    await engine.write(lambda tx: tx.execute(Sql("UPDATE fires SET live = 0")))
    await sweep(engine)

    rows = await engine.read(lambda tx: fires.list_fires(tx, schedule.id, (2**62, ""), 10))
    codes = [row.code for row in sorted(rows, key=lambda row: row.due_us)]
    assert codes[:2] == ["credits-exhausted", None]
    assert codes[-1] == "workflow-not-allowed"
    assert all((row.execution_id is None) == (row.outcome != "started") for row in rows)


async def test_a_schedule_whose_key_was_revoked_is_paused_and_says_why(engine):
    schedule = await plan(engine)
    await engine.write(lambda tx: api_keys.revoke_key(tx, engine.who.tenant_id, "ak_test"))
    engine.clock.advance(seconds=HOUR_S)
    await sweep(engine)

    row = await engine.read(lambda tx: planning.get_schedule(tx, engine.who.tenant_id, schedule.id))
    assert (row.status, "ak_test" in row.note) == ("paused", True)
    assert await told(engine, schedule) == [(60, "refused")]


async def test_a_paused_schedule_is_silent_and_makes_up_for_nothing(engine):
    schedule = await plan(engine)

    async def pause(paused):
        return await engine.write(lambda tx: planning.set_paused(tx, engine.who, schedule.id, paused=paused))

    assert (await pause(True)).next_at_us == []
    engine.clock.advance(seconds=5 * HOUR_S)
    await sweep(engine)
    assert await told(engine, schedule) == []
    assert (await pause(False)).next_at_us[0] == schedule.next_at_us[0] + 5 * HOUR_S * 1_000_000
    fired = await engine.write(
        lambda tx: planning.run_now(tx, engine.parts, engine.who, schedule.id, "request")
    )
    again = await engine.write(
        lambda tx: planning.run_now(tx, engine.parts, engine.who, schedule.id, "request")
    )
    assert fired.execution_id == again.execution_id is not None


async def test_nobody_plans_what_he_could_not_start_himself(engine):
    with pytest.raises(InvalidRequest, match="five fields"):
        await plan(engine, cron="daily")
    with pytest.raises(ScopeMissing, match="prod"):
        await plan(engine, environment=Environment.PROD)
    limited = principal(engine.who.tenant_id, "ak_test", workflows=frozenset({"other"}))
    command = CreateSchedule(name="s", workflow="report", cron="0 9 * * *")
    with pytest.raises(WorkflowNotAllowed):
        await engine.write(lambda tx: planning.create_schedule(tx, engine.parts, limited, command))
    schedule = await plan(engine)
    with pytest.raises(InvalidRequest, match="already"):
        await plan(engine)
    with pytest.raises(NotFound):
        await engine.write(lambda tx: planning.delete_schedule(tx, engine.stranger, schedule.id))
    await engine.write(lambda tx: planning.delete_schedule(tx, engine.who, schedule.id))
    with pytest.raises(NotFound):
        await engine.write(lambda tx: planning.delete_schedule(tx, engine.who, schedule.id))


async def test_only_who_may_start_the_workflow_there_changes_a_schedule(engine):
    schedule = await plan(engine)
    listed = replace(engine.who, workflows=frozenset({"other"}))
    elsewhere = replace(engine.who, environment=Environment.PROD)
    for change in (
        lambda tx: planning.set_paused(tx, listed, schedule.id, paused=True),
        lambda tx: planning.delete_schedule(tx, listed, schedule.id),
    ):
        with pytest.raises(WorkflowNotAllowed):
            await engine.write(change)
    await engine.write(lambda tx: planning.set_paused(tx, elsewhere, schedule.id, paused=True))
    with pytest.raises(ScopeMissing, match="environment"):
        await engine.write(lambda tx: planning.set_paused(tx, elsewhere, schedule.id, paused=False))
