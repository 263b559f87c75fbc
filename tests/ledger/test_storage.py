"""What checkpoints take is charged once for each day, whoever measures it, and however often."""

import asyncio

import pytest

from omium.server.background.storing import StorageMeter
from omium.server.db.tx import Sql
from omium.server.ledger import price_versions
from omium.server.ledger.price_versions import Proposal
from omium.server.ledger.storage import DAY_US, book_day, day_of
from omium.server.store import storage as store

GIB = 2**30
BOOK = "[work]\ncheckpoint_gib_month = 30\n"
PER_GIB = 1_000_000
"""Micro-credits for a GiB and a day."""
KEEP = Sql("""
    INSERT INTO payloads (tenant_id, address, encoding, body, size_bytes, refs, created_us)
    VALUES (:tenant_id, :address, 'raw', :body, 3, :refs, 1)
""")


@pytest.fixture
async def priced(ledger):
    await ledger.db.write(lambda tx: price_versions.save(tx, Proposal(BOOK, 1_000, "us_test")))
    return ledger


async def keep(ledger, tenant_id, body, *, refs=1):
    address = f"{len(body)}-{refs}"
    await ledger.db.write(
        lambda tx: tx.execute(KEEP, tenant_id=tenant_id, address=address, body=body, refs=refs)
    )


async def days(ledger):
    rows = await ledger.db.read(lambda tx: store.find_newest(tx, ledger.tenant_id))
    return rows.day, rows.stored_bytes, rows.charged_microcredits


async def charged(ledger):
    return [(e.reference, e.amount_microcredits) for e in await ledger.entries() if e.credit_kind == "usage"]


async def test_a_day_is_charged_once_however_often_it_is_measured(priced):
    await priced.grant(100 * PER_GIB)
    assert await priced.do(book_day, "2026-11-23", 3 * GIB, metered=True)
    assert not await priced.do(book_day, "2026-11-23", 5 * GIB, metered=True)
    assert await priced.do(book_day, "2026-11-24", GIB // 2, metered=True)

    assert await charged(priced) == [
        ("storage:2026-11-23", 3 * PER_GIB),
        ("storage:2026-11-24", PER_GIB // 2),
    ]
    assert [e.price_version for e in await priced.entries() if e.kind == "charge"] == [1, 1]
    assert await days(priced) == ("2026-11-24", GIB // 2, PER_GIB // 2)
    assert await priced.problems() == []


async def test_what_there_is_not_enough_for_is_owed(priced):
    await priced.grant(PER_GIB)
    await priced.do(book_day, "2026-11-23", 3 * GIB, metered=True)

    assert (await priced.funds()).owed_microcredits == 2 * PER_GIB
    assert await priced.problems() == []


@pytest.mark.parametrize("why", ["free", "unmetered"])
async def test_what_costs_nothing_is_noted_and_not_charged(ledger, why):
    if why == "unmetered":
        await ledger.db.write(lambda tx: price_versions.save(tx, Proposal(BOOK, 1_000, "us_test")))
    assert await ledger.do(book_day, "2026-11-23", GIB, metered=why == "free")

    assert await days(ledger) == ("2026-11-23", GIB, 0)
    assert await ledger.funds() is None
    assert await ledger.problems() == []


async def test_a_deleted_tenant_is_not_charged(priced):
    await priced.db.write(lambda tx: tx.execute(Sql("UPDATE tenants SET deleted_us = 1")))
    assert not await priced.do(book_day, "2026-11-23", GIB, metered=True)
    assert await priced.funds() is None


async def test_each_day_is_measured_once_and_values_that_nothing_refers_to_are_free(priced, clock):
    await keep(priced, priced.tenant_id, b"123")
    await keep(priced, priced.tenant_id, b"12345", refs=0)
    await keep(priced, priced.other_id, b"1234567")
    meter = StorageMeter(priced.db, metered=True)
    today = day_of(clock.now_us())

    assert await meter.run_once() == 2
    assert await days(priced) == (today, 3, 1)  # rounded up to a micro-credit
    await keep(priced, priced.tenant_id, b"1234")
    assert await meter.run_once() == 0
    clock.advance(DAY_US / 1_000_000)
    assert await meter.run_once() == 2
    assert await days(priced) == (day_of(clock.now_us()), 7, 1)
    assert await priced.problems() == []


async def test_a_server_that_died_halfway_and_another_one_leave_one_charge(priced, clock):
    await priced.grant(PER_GIB)
    for tenant_id in (priced.tenant_id, priced.other_id):
        await keep(priced, tenant_id, b"123")
    today = day_of(clock.now_us())
    await priced.do(book_day, today, 3, metered=True)  # and died: the other tenant is not noted, nor the pass

    meters = [StorageMeter(priced.db, metered=True) for _ in range(2)]
    assert sum(await asyncio.gather(*(meter.run_once() for meter in meters))) == 1
    assert await charged(priced) == [(f"storage:{today}", 1)]
    assert await priced.problems() == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE storage_days SET charged_microcredits = charged_microcredits + 1",
        "DELETE FROM storage_days",
    ],
)
async def test_a_changed_day_is_found(priced, change):
    await priced.grant(2 * PER_GIB)
    await priced.do(book_day, "2026-11-23", 3 * GIB, metered=True)  # paid for two thirds, the rest is owed
    assert await priced.problems() == []
    await priced.db.write(lambda tx: tx.execute(Sql(change)))

    assert any("was kept on" in text for text in await priced.problems())
