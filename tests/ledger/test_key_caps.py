"""Caps of keys: set late, changed, told of; and what each key has used, whoever adds it up and when."""

import datetime as dt

import pytest

from omium.errors import CreditsExhausted
from omium.server.ledger import caps, holds
from omium.server.ledger.book import About
from omium.server.ledger.caps import KeyNoticeKind
from omium.server.store import key_meters, key_usage
from omium.server.store.key_usage import DAY_US

DAY_S = 86_400
MONTH_S = 40 * DAY_S


async def use(ledger, key, amount, purpose="ex:1"):
    """Begin, spend `amount` and end, as an execution does."""
    await ledger.place(purpose, amount, api_key_id=key)
    about = About(actor_id=key, api_key_id=key)
    await ledger.db.write(lambda tx: holds.spend(tx, ledger.tenant_id, purpose, amount, about))
    await ledger.resolve(purpose)


async def cap(ledger, key, amount, period="total", percent=None):
    await ledger.db.write(
        lambda tx: caps.set_cap(tx, ledger.tenant_id, key, amount, period, soft_cap_percent=percent)
    )


async def sweep(ledger):
    """Return what the sweep tells."""

    def work(tx):
        told = []  # of this run: a work may run twice
        caps.sweep_crossings(tx, lambda _, notice: told.append(notice))
        return told

    return await ledger.db.write(work)


async def spent(ledger, since_us=0):
    return await ledger.db.read(lambda tx: key_usage.sum_spent(tx, ledger.tenant_id, since_us=since_us))


async def roll_up(ledger):
    while await ledger.db.write(caps.sweep_rollups):
        pass


async def test_what_a_key_has_spent_before_counts_when_it_is_capped(ledger):
    await ledger.grant(1_000)
    key = await ledger.capped_key(None)
    await use(ledger, key, 80)

    await cap(ledger, key, 100, "day")
    await use(ledger, key, 20)
    with pytest.raises(CreditsExhausted) as error:
        await ledger.place("ex:2", 1, api_key_id=key)

    assert error.value.members["limit_source"] == "key"


async def test_a_cap_of_a_day_does_not_count_yesterday_and_a_total_one_does(ledger, clock):
    await ledger.grant(1_000)
    key = await ledger.capped_key(100, "day")
    await use(ledger, key, 100)
    clock.advance(DAY_S)

    await use(ledger, key, 60)
    await cap(ledger, key, 161, "total")

    await use(ledger, key, 1)
    with pytest.raises(CreditsExhausted):
        await ledger.place("ex:2", 1, api_key_id=key)


async def test_setting_the_same_cap_again_changes_nothing(ledger):
    await ledger.grant(1_000)
    key = await ledger.capped_key(100)
    await cap(ledger, key, 100, percent=80)
    await use(ledger, key, 90)
    await ledger.place("ex:9", 10, api_key_id=key)
    assert len(await sweep(ledger)) == 1
    before = await ledger.db.read(lambda tx: key_meters.find_cap(tx, key))

    await cap(ledger, key, 100, percent=80)

    assert await ledger.db.read(lambda tx: key_meters.find_cap(tx, key)) == before
    assert await sweep(ledger) == []


async def test_a_soft_cap_warns_once_in_each_period_and_stops_nothing(ledger, clock):
    await ledger.grant(10_000)
    key = await ledger.capped_key(None)
    await cap(ledger, key, 1_000, "day", 80)
    await use(ledger, key, 799)
    assert await sweep(ledger) == []

    await use(ledger, key, 1)
    first, again = await sweep(ledger), await sweep(ledger)
    await use(ledger, key, 100)
    clock.advance(DAY_S)
    await use(ledger, key, 800)
    tomorrow = await sweep(ledger)

    assert [notice.kind for notice in first] == [KeyNoticeKind.SOFT_CAP]
    assert first[0].tenant_id == ledger.tenant_id
    assert (first[0].api_key_id, again) == (key, [])
    assert "80 %" in first[0].text
    assert [notice.kind for notice in tomorrow] == [KeyNoticeKind.SOFT_CAP]
    assert tomorrow[0].once != first[0].once


async def test_a_cap_that_is_reached_is_told_of_too(ledger):
    await ledger.grant(10_000)
    key = await ledger.capped_key(None)
    await cap(ledger, key, 100, percent=50)
    await use(ledger, key, 100)

    kinds = [notice.kind for notice in await sweep(ledger)]

    assert kinds == [KeyNoticeKind.SOFT_CAP, KeyNoticeKind.CAP_REACHED]


async def test_a_raised_cap_warns_anew(ledger):
    await ledger.grant(10_000)
    key = await ledger.capped_key(None)
    await cap(ledger, key, 100, percent=50)
    await use(ledger, key, 60)
    assert len(await sweep(ledger)) == 1

    await cap(ledger, key, 200, percent=50)
    assert await sweep(ledger) == []
    await use(ledger, key, 40)

    assert len(await sweep(ledger)) == 1


async def test_whoever_dies_while_telling_has_told_nobody(ledger):
    await ledger.grant(10_000)
    key = await ledger.capped_key(None)
    await cap(ledger, key, 100, percent=50)
    await use(ledger, key, 60)

    def die(_tx, _notice):
        raise MemoryError

    with pytest.raises(MemoryError):
        await ledger.db.write(lambda tx: caps.sweep_crossings(tx, die))

    assert len(await sweep(ledger)) == 1


async def test_the_largest_cap_overflows_nothing(ledger):
    key = await ledger.capped_key(None)
    await cap(ledger, key, 10**16, percent=99)
    assert await sweep(ledger) == []


async def test_sums_are_the_same_before_during_and_after_they_are_added_up(ledger, clock):
    await ledger.grant(10_000)
    one, two = await ledger.capped_key(None), await ledger.capped_key(None)
    await use(ledger, one, 10)
    await roll_up(ledger)
    clock.advance(DAY_S)
    await use(ledger, one, 5)
    await use(ledger, two, 3)

    before = await spent(ledger)
    today_us = (clock.now_us() // DAY_US) * DAY_US
    since = await spent(ledger, today_us)
    await roll_up(ledger)

    assert before == await spent(ledger) == {one: 15, two: 3}
    assert since == await spent(ledger, today_us) == {one: 5, two: 3}
    assert await ledger.db.read(lambda tx: key_usage.sum_spent(tx, ledger.other_id)) == {}


async def test_adding_up_in_small_portions_counts_every_entry_once(ledger, monkeypatch):
    await ledger.grant(10_000)
    key = await ledger.capped_key(None)
    monkeypatch.setattr(caps, "ROLLUP_ENTRIES", 2)
    for _ in range(5):
        await use(ledger, key, 1)
        assert await spent(ledger) == {key: (await spent(ledger))[key]}
    seen = set()
    while await ledger.db.write(caps.sweep_rollups):
        seen.add((await spent(ledger))[key])
    assert seen == {5}
    assert await ledger.db.write(caps.sweep_rollups) == 0


async def test_a_day_is_one_of_utc(ledger, clock):
    await ledger.grant(10_000)
    key = await ledger.capped_key(None)
    await use(ledger, key, 7)
    day = (dt.datetime.fromtimestamp(clock.now_us() / 1e6, dt.UTC).date() - dt.date(1970, 1, 1)).days

    for _ in range(2):
        found = await ledger.db.read(
            lambda tx: key_usage.list_spending(tx, ledger.tenant_id, key, day - 1, day)
        )
        assert [(each.day, each.spent_microcredits) for each in found] == [(day, 7)]
        await roll_up(ledger)
