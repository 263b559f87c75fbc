"""Retention: what goes, what stays, and that a replay never misses anything."""

import pytest

from omium.errors import CheckpointGone, IllegalTransition, NotFound
from omium.ids import new_id
from omium.models.account import Retention
from omium.models.replay import PlanReplay, ReplayExecution, RollbackExecution
from omium.server.db.tx import Sql
from omium.server.engine import retention
from omium.server.engine.replay_requests import plan_replay, replay
from omium.server.engine.rollback import roll_back

BIG = "x" * 100_000
DAY_S = 24 * 3600
TABLES = (
    "executions",
    "execution_details",
    "epochs",
    "events",
    "steps",
    "step_attempts",
    "checkpoints",
    "effects",
    "failures",
    "failure_occurrences",
    "step_logs",
)
COUNTS = {table: Sql(f"SELECT COUNT(*) FROM {table}") for table in TABLES}
REFERENCES = Sql("SELECT refs FROM payloads ORDER BY refs")


async def counts(engine):
    return await engine.read(lambda tx: {table: tx.one(sql, int) for table, sql in COUNTS.items()})


async def references(engine):
    return await engine.read(lambda tx: tx.all(REFERENCES, int))


async def sweep(engine):
    portions = 0
    while await engine.write(retention.sweep_executions):
        portions += 1
    return portions


async def make_rich(engine):
    """An execution with something in every table."""
    run = await engine.start("report", input={"big": BIG})
    line = {"at_us": 1, "stream": "stdout", "text": "hello"}
    await run.step("search", output=BIG + "1", input=BIG, logs=[line])
    await run.effect("pay", output=BIG + "2")
    await run.checkpoint("state", BIG + "3")
    await run.fail_step("write", delay_us=1)
    await run.fail("write")
    return run


async def test_everything_of_an_execution_goes_after_its_time(engine):
    run = await make_rich(engine)
    engine.clock.advance(seconds=89 * DAY_S)
    assert await sweep(engine) == 0
    engine.clock.advance(seconds=2 * DAY_S)
    await sweep(engine)

    assert set((await counts(engine)).values()) == {0}
    assert set(await references(engine)) == {0}
    with pytest.raises(NotFound):
        await engine.row(run.id)


@pytest.mark.parametrize("portion", [1, 3, 400])
async def test_a_large_execution_goes_in_portions(engine, monkeypatch, portion):
    monkeypatch.setattr(retention, "PORTION_ROWS", portion)
    await make_rich(engine)
    engine.clock.advance(seconds=91 * DAY_S)

    assert (await sweep(engine) > 3) == (portion < 400)
    assert set((await counts(engine)).values()) == {0}
    assert set(await references(engine)) == {0}


async def test_what_is_being_removed_can_neither_be_resumed_nor_replayed(engine, monkeypatch, key_file):
    monkeypatch.setattr(retention, "PORTION_ROWS", 1)
    run = await make_rich(engine)
    engine.clock.advance(seconds=91 * DAY_S)
    await engine.write(retention.sweep_executions)

    with pytest.raises(IllegalTransition):
        await engine.resume(run.id)
    with pytest.raises(CheckpointGone):
        await engine.write(lambda tx: roll_back(tx, engine.who, run.id, RollbackExecution(to_seq=1)))
    with pytest.raises(CheckpointGone):
        await plan_replay(engine.parts, key_file, engine.who, run.id, PlanReplay())


async def test_a_replay_has_everything_after_its_source_has_gone(engine, key_file):
    run = await make_rich(engine)
    engine.clock.advance(seconds=60 * DAY_S)
    command = ReplayExecution(id=new_id("ex", 1))
    answer = await replay(engine.parts, key_file, engine.who, run.id, command)
    engine.clock.advance(seconds=31 * DAY_S)
    await sweep(engine)
    await engine.write(retention.sweep_payloads)

    with pytest.raises(NotFound):
        await engine.row(run.id)
    again = await engine.claim("report")
    assert again.id == answer.execution.id
    assert again.grant.input == {"big": BIG}
    done = await again.intend("pay")
    assert (done.may_call, done.state, done.output) == (False, "done", BIG + "2")
    assert set(await references(engine)) != {0}


async def test_payloads_that_nobody_points_at_go_after_a_grace(engine):
    await make_rich(engine)
    engine.clock.advance(seconds=91 * DAY_S)
    assert await engine.write(retention.sweep_payloads) == 0
    await sweep(engine)

    assert await engine.write(retention.sweep_payloads) == 5
    assert await references(engine) == []


async def test_each_status_has_its_own_time_and_each_tenant_its_own_setting(engine):
    ended = {}
    for name, who in (("ours", engine.who), ("theirs", engine.stranger)):
        run = await engine.start("report", who=who)
        await run.complete()
        ended[name] = run.id
    failed = await engine.start("report")
    await failed.fail()
    await engine.write(
        lambda tx: retention.set_retention(tx, engine.stranger, Retention(completed_days=None))
    )
    engine.clock.advance(seconds=31 * DAY_S)
    await sweep(engine)

    assert (await counts(engine))["executions"] == 2
    assert (await engine.row(failed.id)).status == "failed"
    with pytest.raises(NotFound):
        await engine.row(ended["ours"])


async def test_a_group_keeps_its_younger_occurrences(engine):
    for _ in range(2):
        run = await engine.start("report")
        await run.fail("write")
        engine.clock.advance(seconds=50 * DAY_S)
    await sweep(engine)

    found = await counts(engine)
    assert (found["failures"], found["failure_occurrences"]) == (1, 1)
    group = await engine.read(lambda tx: tx.all(Sql("SELECT last_execution_id FROM failures"), str))
    assert group == [run.id]


async def test_what_has_not_ended_stays_however_old_it_is(engine):
    await engine.start("report")
    await engine.queue("report")
    engine.clock.advance(seconds=1000 * DAY_S)
    assert await sweep(engine) == 0


async def test_settings_are_read_back_and_other_settings_stay(engine):
    assert await engine.read(lambda tx: retention.get_retention(tx, engine.who.tenant_id)) == Retention()
    wanted = Retention(completed_days=7, cancelled_days=None, failed_days=365)
    await engine.write(lambda tx: retention.set_retention(tx, engine.who, wanted))
    assert await engine.read(lambda tx: retention.get_retention(tx, engine.who.tenant_id)) == wanted
