"""Sums: whatever happens, whenever a sweep comes, the figures are those of the rows, each counted once."""

import random

import pytest

from omium.ids import new_id
from omium.models.replay import ReplayExecution
from omium.server.analytics import summing
from omium.server.analytics.histogram import bucket_of, middle_us, percentile_us
from omium.server.analytics.queries import analyse_errors, analyse_savings, analyse_usage
from omium.server.analytics.verify import list_sum_problems
from omium.server.db.tx import Sql
from omium.server.engine import retention
from omium.server.engine.replay_requests import replay
from omium.server.store.sum_reading import Window
from omium.server.store.sums import DAY_US, HOUR_US

DAY_S = 24 * 3600


def window(engine, by="", step_us=DAY_US, **fields):
    until_us = engine.clock.now_us() + 2 * DAY_US
    return Window(engine.who.tenant_id, by, 0, until_us - until_us % DAY_US, step_us, **fields)


async def usage(engine, by="", **fields):
    return await engine.read(lambda tx: analyse_usage(tx, window(engine, by, **fields), 50))


async def errors(engine, by="type"):
    return await engine.read(lambda tx: analyse_errors(tx, window(engine, by), 50))


async def savings(engine, by="cause"):
    return await engine.read(lambda tx: analyse_savings(tx, window(engine, by), 50))


async def add_up(engine):
    while await engine.write(summing.sum_rows):
        pass
    while await engine.write(summing.sum_spending):
        pass


async def use(engine, run, key, model="gpt-x"):
    report = {"id": key, "path": "search", "provider": "p", "model": model, "input_tokens": 10}
    report |= {"output_tokens": 5, "calls": 1, "at_us": engine.clock.now_us()}
    await run.step("search", output=1, usage=[report])


async def test_what_has_just_ended_is_in_the_figures_before_and_after_a_sweep(engine):
    run = await engine.start("report")
    await use(engine, run, "u1")
    engine.clock.advance(seconds=8)
    await run.complete()
    other = await engine.start("other")
    await other.fail("write")

    before = [await usage(engine, by) for by in ("", "workflow", "status", "model", "key")]
    failed = await errors(engine)
    await add_up(engine)

    assert [await usage(engine, by) for by in ("", "workflow", "status", "model", "key")] == before
    assert await errors(engine) == failed
    total = before[0].total
    assert (total.executions, total.completed, total.failed, total.success_rate) == (2, 1, 1, 0.5)
    assert (total.steps, total.input_tokens, total.calls) == (1, 10, 1)
    assert total.p99_us == pytest.approx(8_000_000, rel=1 / 16)
    assert {group.value: group.figures.executions for group in before[1].groups} == {"report": 1, "other": 1}
    assert [group.value for group in before[3].groups] == ["gpt-x"]
    assert (failed.total, [group.failures for group in failed.groups]) == (1, [1])


async def test_an_execution_that_goes_on_after_it_failed_is_counted_as_it_ended_at_last(engine):
    run = await engine.start("report")
    await run.step("search", output=1)
    await run.fail("write")
    await add_up(engine)

    again = await engine.resume(run.id)
    running = (await usage(engine)).total
    await again.complete()

    assert (running.executions, running.steps) == (0, 0)
    for _ in range(2):
        total = (await usage(engine)).total
        assert (total.executions, total.completed, total.failed, total.steps) == (1, 1, 0, 1)
        await add_up(engine)
    assert await list_sum_problems(engine.db) == []
    saved = await savings(engine)
    assert [(group.value, group.figures.steps) for group in saved.groups] == [("resume", 1)]


async def test_a_lost_worker_and_a_replay_save_what_was_recorded(engine, key_file):
    await engine.queue("report")
    run = await engine.claim("report")
    await run.step("search", output=1)
    await engine.expire()
    again = await engine.claim("report")
    await again.fail("write")
    await replay(engine.parts, key_file, engine.who, run.id, ReplayExecution(id=new_id("ex", 1)))

    saved = await savings(engine)

    figures = {group.value: (group.figures.times, group.figures.steps) for group in saved.groups}
    assert figures == {"takeover": (1, 1), "replay": (1, 1)}
    assert saved.total.steps == 2


async def test_old_hours_become_days_that_say_the_same(engine):
    for _ in range(3):
        run = await engine.start("report")
        await use(engine, run, new_id("u", 1))
        await run.complete()
        engine.clock.advance(seconds=3600)
    await add_up(engine)
    by_day = await usage(engine, "workflow")
    hours = len((await usage(engine, step_us=HOUR_US)).points)

    engine.clock.advance(seconds=60 * DAY_S)
    while await engine.write(summing.compact_sums):
        pass

    after = await usage(engine, "workflow")
    assert hours == 3
    assert (after.points, after.total) == (by_day.points, by_day.total)
    assert len((await usage(engine, step_us=HOUR_US)).points) == len(by_day.points)
    assert await list_sum_problems(engine.db) == []

    engine.clock.advance(seconds=900 * DAY_S)
    while await engine.write(summing.compact_sums):
        pass
    assert (await usage(engine)).total.executions == 0


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_each_end_is_counted_once(engine, seed):
    """A model of what should be counted, beside random work, sweeps, resumes and retention."""
    pick = random.Random(seed)
    failed, expected, reports = [], {"completed": 0, "failed": 0, "cancelled": 0}, 0
    for number in range(30):
        match pick.choice(
            ["work", "work", "work", "fail", "fail", "resume", "cancel", "sum", "sum", "remove"]
        ):
            case "work":
                run = await engine.start(pick.choice(["a", "b"]))
                await use(engine, run, f"u{number}")
                reports += 1
                await run.complete()
                expected["completed"] += 1
            case "fail":
                failed.append(await engine.start("a"))
                await failed[-1].fail("write")
                expected["failed"] += 1
            case "resume" if failed:
                again = await engine.resume(failed.pop(pick.randrange(len(failed))).id)
                expected["failed"] -= 1
                if pick.random() < 0.5:
                    await again.complete()
                    expected["completed"] += 1
                else:
                    await again.fail("write")
                    failed.append(again)
                    expected["failed"] += 1
            case "cancel":
                await engine.cancel(await engine.queue("b"))
                expected["cancelled"] += 1
            case "sum":
                await engine.write(summing.sum_rows)
                engine.clock.advance(seconds=pick.choice([60, 60, 3600, 41 * DAY_S]))
                await engine.write(summing.compact_sums)
            case "remove":
                engine.clock.advance(seconds=40 * DAY_S)
                while await engine.write(retention.sweep_executions):
                    pass
                failed = []
        total = (await usage(engine)).total
        assert {name: getattr(total, name) for name in expected} == expected
        assert total.calls == reports
        assert await list_sum_problems(engine.db) == []


async def test_a_sum_that_is_not_that_of_its_rows_is_told(engine):
    run = await engine.start("report")
    await run.complete()
    await add_up(engine)
    await engine.write(lambda tx: tx.execute(Sql("UPDATE execution_sums SET executions = 2")))

    assert ["completed" in text for text in await list_sum_problems(engine.db)] == [True]


def test_buckets_are_close_ordered_and_added_up():
    values = sorted({*range(300), *(3**power for power in range(1, 36))})
    assert sorted(values, key=bucket_of) == values
    for value in values:
        assert abs(middle_us(bucket_of(value)) - value) <= max(value / 16, 0)
    counts = {bucket_of(value): 1 for value in range(8)}
    assert [percentile_us(counts, percent) for percent in (1, 50, 100)] == [0, 3, 7]
    assert percentile_us({}, 50) is None
