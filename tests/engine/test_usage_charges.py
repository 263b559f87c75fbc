"""What a usage record shows of its charge: all of it, whatever it was taken from, by which prices."""

from dataclasses import replace

import pytest

from omium.models.usage import RecordUsage
from omium.server.engine.usage import list_usage, record_usage, view_usage

CREDIT = 1_000_000


@pytest.fixture
def metered(engine):
    engine.parts = replace(engine.parts, metering=True)
    return engine


def usage(id_, input_tokens=1_000, **fields):
    return {
        "id": id_,
        "provider": "openai",
        "model": "gpt-4o",
        "at_us": 1,
        "input_tokens": input_tokens,
    } | fields


async def shown(engine, execution_id=None):
    rows = await engine.read(
        lambda tx: list_usage(tx, engine.who.tenant_id, execution_id, before=(2**62, "~"), limit=50)
    )
    return {row.id: view_usage(row) for row in rows}


async def test_a_charge_that_was_taken_from_three_places_is_shown_whole(metered):
    await metered.fund(CREDIT)
    run = await metered.start()
    await run.send(metered.completed("small", usage=[usage("u1", 10)]))
    await run.send(metered.completed("large", usage=[usage("u2", 20_000)]))  # far beyond all that there is

    by_id = await shown(metered, run.id)
    assert by_id["u1"].charged_microcredits == 25_000
    assert by_id["u2"].charged_microcredits == 50 * CREDIT
    assert (await shown(metered))["u2"] == by_id["u2"]


async def test_what_was_free_or_happened_without_metering_has_no_charge(engine):
    run = await engine.start()
    await run.send(engine.completed("step", usage=[usage("unmetered")]))
    engine.parts = replace(engine.parts, metering=True)
    await engine.fund(10 * CREDIT)
    run = await engine.start()
    await run.send(engine.completed("step", usage=[usage("free", provider="ollama")]))

    by_id = await shown(engine)
    assert by_id["unmetered"].charged_microcredits is None
    assert by_id["free"].charged_microcredits is None


async def test_usage_without_an_execution_shows_its_charge_and_its_prices(metered):
    await metered.fund(10 * CREDIT)
    report = RecordUsage(**usage("alone"))
    await metered.write(lambda tx: record_usage(tx, metered.who, [report], metered=True))

    by_id = await shown(metered)
    assert (by_id["alone"].charged_microcredits, by_id["alone"].price_version) == (2_500_000, 0)


async def test_what_was_written_to_a_cache_has_its_own_price(metered):
    await metered.fund(10 * CREDIT)
    cached = {"cached_tokens": 4_000, "cache_write_tokens": 2_000}
    report = RecordUsage(**usage("c", 10_000, provider="anthropic", model="claude-3-haiku", **cached))
    await metered.write(lambda tx: record_usage(tx, metered.who, [report], metered=True))

    shown_usage = (await shown(metered))["c"]
    assert shown_usage.cache_write_tokens == 2_000
    assert shown_usage.charged_microcredits == 4 * 250_000 + 4 * 30_000 + 2 * 300_000
