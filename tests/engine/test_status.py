"""How a tenant stands."""

from omium.server.engine.status import read_status


async def status(engine, who=None):
    return await engine.read(lambda tx: read_status(tx, who or engine.who, engine.parts.policy))


async def test_a_fresh_tenant_is_told_what_to_do_first(engine):
    found = await status(engine)
    assert [(item.name, item.done) for item in found.checklist] == [
        ("create an API key", True),
        ("run your first workflow", False),
    ]
    assert all(item.command for item in found.checklist)
    assert (found.success_rate, found.credits, found.executions_today) == (None, None, 0)


async def test_executions_are_counted_by_status_and_by_day(engine):
    for ending in ("complete", "complete", "complete", "fail"):
        await getattr(await engine.start("report"), ending)()
    await engine.start("report")
    await engine.queue("report")
    await (await engine.start("report")).wait(wake_at_us=engine.clock.now_us() + 60_000_000)

    found = await status(engine)
    assert (found.running, found.queued, found.waiting, found.paused) == (1, 1, 1, 0)
    assert (found.open_failures, found.executions_today, found.success_rate) == (1, 7, 0.75)
    assert found.checklist[1].done

    engine.clock.advance(seconds=24 * 3600)
    assert (await status(engine)).executions_today == 0


async def test_queued_work_that_no_worker_serves_is_named(engine):
    for workflow in ("report", "report", "invoice"):
        await engine.queue(workflow)
    assert (await status(engine)).unserved == ["invoice", "report"]

    await engine.ask("report", max_executions=0)
    found = await status(engine)
    assert (found.workers, found.unserved) == (1, ["invoice"])
    engine.clock.advance(seconds=120)
    found = await status(engine)
    assert (found.workers, found.unserved) == (0, ["invoice", "report"])


async def test_another_tenant_sees_nothing_of_it(engine):
    await (await engine.start("report")).fail()
    found = await status(engine, engine.stranger)
    assert (found.running, found.open_failures, found.executions_today) == (0, 0, 0)
    assert not found.checklist[1].done
