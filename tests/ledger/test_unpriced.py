"""Usage that waits for a price, without the engine: what a sweep charges once the book knows the model."""

from types import SimpleNamespace

import pytest

from omium.pricing.default import default_text
from omium.server.ledger import charges, price_versions
from omium.server.ledger.price_versions import Proposal
from omium.server.store import meters
from omium.server.store.meters import UnpricedRow
from omium.server.store.usage import UsageRow, insert_usage


@pytest.fixture
async def priced(ledger):
    """A book that knows every model, so that what waits since version 0 has a price."""
    await ledger.db.write(lambda tx: price_versions.save(tx, Proposal(default_text(), 1_000, "us_test")))


async def wait_for_price(ledger, usage_id, execution_id):
    def work(tx):
        report = UsageRow(
            tenant_id=ledger.tenant_id,
            id=usage_id,
            execution_id=execution_id,
            path="ask",
            attempt=1,
            environment="dev",
            workflow="w",
            api_key_id="ak_test",
            provider="openai",
            model="gpt-4o",
            input_tokens=1_000,
            output_tokens=0,
            cached_tokens=0,
            cache_write_tokens=0,
            reasoning_tokens=0,
            calls=1,
            reported_cost_microusd=None,
            at_us=tx.now_us,
        )
        insert_usage(tx, report)
        meters.insert_unpriced(tx, UnpricedRow(ledger.tenant_id, usage_id, execution_id, 0, tx.now_us))

    await ledger.db.write(work)


async def test_usage_of_an_execution_that_retention_has_removed_is_charged_once(ledger, priced):
    await ledger.grant(10**9)
    await wait_for_price(ledger, "u1", "ex_gone")
    await wait_for_price(ledger, "u2", None)

    assert await ledger.db.write(charges.sweep_unpriced) == 2
    assert await ledger.db.write(charges.sweep_unpriced) == 0
    told = [(each.reference, each.execution_id) for each in await ledger.entries() if each.kind == "charge"]
    assert sorted(told) == [("u1", "ex_gone"), ("u2", None)]
    assert await ledger.problems() == []


async def test_all_that_waits_of_an_execution_is_charged_however_much_it_is(ledger, priced):
    await ledger.grant(10**9)
    for number in range(charges.PORTION + 1):
        await wait_for_price(ledger, f"u{number}", "ex_one")

    removed = SimpleNamespace(id="ex_one", tenant_id=ledger.tenant_id, workflow="w")
    assert await ledger.db.write(lambda tx: charges.charge_late(tx, removed)) is None
    assert await ledger.db.read(lambda tx: meters.list_unpriced(tx, "ex_one", 1)) == []
