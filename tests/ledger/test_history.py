"""The journal as people read it: folded, filtered, page by page, each entry once."""

import pytest

from omium.server.ledger import history
from omium.server.ledger.book import About, EntryKind
from omium.server.ledger.history import HistoryFilter, list_history


async def charge(ledger, execution_id, amount, *, key="key_a"):
    from omium.server.ledger import holds

    about = About(actor_id=key, api_key_id=key, execution_id=execution_id)
    await ledger.db.write(lambda tx: holds.spend(tx, ledger.tenant_id, "none", amount, about))


async def read(ledger, limit=50, **wanted):
    """Return every line, page after page."""
    lines, before = [], 2**62
    for _ in range(200):
        page = await ledger.db.read(
            lambda tx, before=before: list_history(
                tx, ledger.tenant_id, HistoryFilter(**wanted), before, limit
            )
        )
        assert len(page.lines) <= limit
        lines += page.lines
        if page.before_seq is None:
            return lines
        before = page.before_seq
    raise AssertionError("pages without end")


def told(lines):
    return [(line.entry.kind, line.microcredits, line.entries) for line in lines]


async def test_small_charges_of_one_execution_are_one_line(ledger):
    await ledger.grant(10**12)
    for _ in range(3):
        await charge(ledger, "ex_1", 10)
        await charge(ledger, "ex_2", 5)
    await charge(ledger, "ex_1", history.LARGE_MICROCREDITS)

    assert told(await read(ledger)) == [
        ("charge", -history.LARGE_MICROCREDITS, 1),
        ("charge", -15, 3),
        ("charge", -30, 3),
        ("grant", 10**12, 1),
    ]
    assert len(await read(ledger, unfolded=True)) == 8


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_every_entry_is_in_one_line_of_one_page(ledger, limit):
    await ledger.grant(1_000)
    for number in range(12):
        await charge(ledger, f"ex_{number % 3}", 10 + number)
        if number % 4 == 0:
            await ledger.grant(5)

    lines = await read(ledger, limit=limit)

    assert sum(line.entries for line in lines) == len(await ledger.entries())
    assert sum(line.microcredits for line in lines) == (await ledger.funds()).balance_microcredits


async def test_a_page_looks_at_a_bounded_number_of_entries(ledger, monkeypatch):
    monkeypatch.setattr(history, "ENTRIES_PER_READ", 4)
    monkeypatch.setattr(history, "ENTRIES_PER_PAGE_MAX", 8)
    await ledger.grant(1_000, kind=EntryKind.TOPUP)
    for _ in range(30):
        await charge(ledger, "ex_1", 1)

    lines = await read(ledger, api_key_id="key_b")
    assert lines == []
    assert told(await read(ledger, kind="topup")) == [("topup", 1_000, 1)]
    assert sum(line.entries for line in await read(ledger)) == 31


async def test_filters_leave_the_others_out(ledger):
    await ledger.grant(1_000)
    await charge(ledger, "ex_1", 10)
    ledger.clock.advance(60)
    between_us = ledger.clock.now_us()
    await charge(ledger, "ex_2", 20, key="key_b")

    assert told(await read(ledger, kind="grant")) == [("grant", 1_000, 1)]
    assert told(await read(ledger, api_key_id="key_b")) == [("charge", -20, 1)]
    assert told(await read(ledger, execution_id="ex_1")) == [("charge", -10, 1)]
    assert told(await read(ledger, from_us=between_us)) == [("charge", -20, 1)]
    assert told(await read(ledger, until_us=between_us)) == [("charge", -10, 1), ("grant", 1_000, 1)]
    assert await read(ledger, execution_id="ex_9") == []


async def test_what_is_owed_and_its_repayment_are_told(ledger):
    await ledger.grant(10)
    await charge(ledger, "ex_1", 30)
    await ledger.grant(100)

    assert told(await read(ledger)) == [
        ("repayment", -20, 1),
        ("grant", 100, 1),
        ("arrears", -30, 2),  # 10 from the balance, 20 owed
        ("grant", 10, 1),
    ]
