"""How a tenant stands."""

from omium.money import MICROCREDITS_PER_CREDIT
from omium.server.engine.status import read_status
from omium.server.ledger.book import About, EntryKind
from omium.server.ledger.funding import adjust
from omium.server.ledger.holds import spend


async def status(engine, who=None, *, metering=False):
    return await engine.read(
        lambda tx: read_status(tx, who or engine.who, engine.parts.policy, metering=metering)
    )


async def test_a_fresh_tenant_is_told_what_to_do_first(engine):
    found = await status(engine, metering=True)
    assert [(item.name, item.done) for item in found.checklist] == [
        ("add credits", False),
        ("create an API key", True),
        ("run your first workflow", False),
    ]
    assert all(item.command for item in found.checklist)
    assert (found.success_rate, found.credits, found.executions_today) == (None, 0, 0)


async def test_without_metering_nobody_is_told_to_add_credits(engine):
    found = await status(engine)
    assert [item.name for item in found.checklist] == ["create an API key", "run your first workflow"]
    assert (found.credits, found.empty_at_us, found.credits_low) == (None, None, None)


async def test_credits_and_the_day_that_they_run_out_are_shown(engine):
    tenant_id = engine.who.tenant_id
    amount = 100 * MICROCREDITS_PER_CREDIT
    await engine.fund(amount, EntryKind.TOPUP)
    found = await status(engine, metering=True)
    assert (found.credits, found.burn_credits_per_day, found.empty_at_us) == (100, 0, None)
    assert (found.checklist[0].name, found.checklist[0].done) == ("add credits", True)
    assert not found.credits_low

    await engine.write(lambda tx: spend(tx, tenant_id, "task", amount // 4, About()))
    found = await status(engine, metering=True)
    assert (found.credits, found.burn_credits_per_day) == (75, 25)
    assert found.empty_at_us - engine.clock.now_us() == 3 * 24 * 3600 * 1_000_000

    await engine.write(lambda tx: adjust(tx, tenant_id, -3 * amount // 4, About(note="moved")))
    found = await status(engine, metering=True)
    assert (found.credits, found.credits_low, found.checklist[0].done) == (0, True, True)


async def test_executions_are_counted_by_status_and_by_day(engine):
    for ending in ("complete", "complete", "complete", "fail"):
        await getattr(await engine.start("report"), ending)()
    await engine.start("report")
    await engine.queue("report")
    await (await engine.start("report")).wait(wake_at_us=engine.clock.now_us() + 60_000_000)

    found = await status(engine)
    assert (found.running, found.queued, found.waiting, found.paused) == (1, 1, 1, 0)
    assert (found.open_failures, found.executions_today, found.success_rate) == (1, 7, 0.75)
    assert found.checklist[-1].done

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
    assert not found.checklist[-1].done
