"""Usage records: each counts once, for the execution that it belongs to."""

import pytest

from omium.clock import ManualClock
from omium.errors import NotFound
from omium.models.usage import RecordUsage
from omium.server.db.open import open_database
from omium.server.engine.usage import insert_usage, list_usage, record_usage, sum_usage, view_usage
from tests.engine.rows import make_rows


@pytest.fixture
async def rows(database_url):
    clock = ManualClock()
    db = await open_database(database_url, clock=clock)
    yield await make_rows(db, clock)
    await db.close()


def usage(id_, **more):
    return RecordUsage(**{"id": id_, "at_us": 1, "input_tokens": 10, "output_tokens": 5} | more)


async def total(rows, execution):
    return await rows.db.read(lambda tx: sum_usage(tx, rows.tenant_id, execution.id))


async def test_the_same_id_counts_once_also_with_other_numbers(rows):
    execution = await rows.start()
    first = await rows.write(lambda tx: insert_usage(tx, execution, rows.principal, usage("a")))
    second = await rows.write(
        lambda tx: insert_usage(tx, execution, rows.principal, usage("a", input_tokens=99))
    )

    assert (first, second) == (True, False)
    assert (await total(rows, execution)).input_tokens == 10


async def test_sums_are_in_all_and_by_model(rows):
    execution = await rows.start()
    records = [
        usage("a", execution_id=execution.id, provider="local", model="small", reported_cost_microusd=7),
        usage(
            "b",
            execution_id=execution.id,
            provider="local",
            model="small",
            cached_tokens=3,
            cache_write_tokens=4,
        ),
        usage("c", execution_id=execution.id, provider="local", model="large", reasoning_tokens=2, calls=4),
        usage("d", execution_id=execution.id),
    ]
    assert await rows.write(lambda tx: record_usage(tx, rows.principal, records)) == 4

    found = await total(rows, execution)
    assert (found.input_tokens, found.output_tokens, found.calls) == (40, 20, 7)
    assert (found.cached_tokens, found.reasoning_tokens, found.reported_cost_microusd) == (3, 2, 7)
    assert found.cache_write_tokens == found.by_model["local/small"]["cache_write_tokens"] == 4
    assert {model: sums["input_tokens"] for model, sums in found.by_model.items()} == {
        "local/small": 20,
        "local/large": 10,
        "unknown": 10,
    }


async def test_an_execution_of_nobody_or_of_another_tenant_is_not_found_and_nothing_is_recorded(rows):
    execution = await rows.start()
    records = [usage("a", execution_id=execution.id), usage("b", execution_id="ex_unknown")]
    with pytest.raises(NotFound):
        await rows.write(lambda tx: record_usage(tx, rows.principal, records))

    assert (await total(rows, execution)).calls == 0


async def test_usage_outside_an_execution_is_recorded(rows):
    assert await rows.write(lambda tx: record_usage(tx, rows.principal, [usage("a")])) == 1


async def test_records_are_listed_in_pages_the_newest_first(rows):
    execution = await rows.start()
    records = [usage(f"u{i}", execution_id=execution.id, at_us=i // 2) for i in range(5)]
    await rows.write(lambda tx: record_usage(tx, rows.principal, [*records, usage("elsewhere")]))

    async def page(execution_id, before=(2**62, "~")):
        return await rows.db.read(
            lambda tx: list_usage(tx, rows.tenant_id, execution_id, before=before, limit=3)
        )

    first = await page(execution.id)
    rest = await page(execution.id, (first[-1].at_us, first[-1].id))
    assert [view_usage(row).id for row in [*first, *rest]] == ["u4", "u3", "u2", "u1", "u0"]
    assert "elsewhere" in [row.id for row in [*await page(None), *await page(None, (1, "u2"))]]
