"""Plans renew once a period, whatever the clock does and whoever sweeps."""

import asyncio
import datetime as dt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omium.clock import ManualClock
from omium.errors import InvalidRequest, NotFound
from omium.server.db.open import open_database
from omium.server.ledger import lots, plans
from omium.server.ledger.periods import period_start_us
from omium.server.store import plans as store
from omium.server.store.plans import PlanRow
from tests.ledger.harness import ABOUT, open_ledger

DAY_S = 86_400


def plan(name, monthly, *, negative=0, rolls_over=0, is_open=1):
    return PlanRow(name, name, "39.00", monthly, negative, rolls_over, is_open, 0)


async def define(ledger, *rows):
    for row in rows:
        await ledger.db.write(lambda tx, row=row: store.put_plan(tx, row))


async def choose(ledger, name, *, at_once=False, is_operator=True):
    return await ledger.do(plans.choose_plan, name, ABOUT, at_once=at_once, is_operator=is_operator)


async def cancel(ledger, *, at_once=False, is_operator=True):
    return await ledger.do(plans.cancel_plan, ABOUT, at_once=at_once, is_operator=is_operator)


async def sweep(ledger):
    done = 0
    while await ledger.db.write(plans.sweep_plans):
        done += 1
        assert done < 1_000, "a sweep that never ends"
    await ledger.db.write(lambda tx: lots.sweep_lots(tx, 100))
    return done


async def own(ledger):
    return await ledger.db.read(lambda tx: store.find_subscription(tx, ledger.tenant_id))


async def grants(ledger):
    return [entry for entry in await ledger.entries() if entry.kind == "plan-grant"]


async def balance(ledger):
    return (await ledger.funds()).balance_microcredits


async def test_a_plan_gives_its_credits_at_once_and_again_each_month(ledger):
    await define(ledger, plan("steady", 1_000, rolls_over=1))
    begun = await choose(ledger, "steady")

    assert await balance(ledger) == 1_000
    ledger.clock.advance(27 * DAY_S)
    assert await sweep(ledger) == 0
    ledger.clock.advance(5 * DAY_S)
    assert await sweep(ledger) == 1
    assert await sweep(ledger) == 0

    assert await balance(ledger) == 2_000
    assert (await own(ledger)).period_start_us == begun.period_end_us
    assert await ledger.problems() == []


async def test_unused_credits_end_with_the_month_unless_the_plan_lets_them_stay(ledger):
    await define(ledger, plan("fresh", 1_000))
    await ledger.grant(50)
    await choose(ledger, "fresh")
    await ledger.spend("none", 300)

    ledger.clock.advance(32 * DAY_S)
    await sweep(ledger)

    assert await balance(ledger) == 1_050
    assert [entry.amount_microcredits for entry in await ledger.entries() if entry.kind == "expiry"] == [700]


async def test_a_server_that_was_away_for_months_books_each_of_them_once(ledger):
    await define(ledger, plan("steady", 1_000, rolls_over=1))
    await choose(ledger, "steady")

    ledger.clock.advance(100 * DAY_S)
    assert await sweep(ledger) == 3
    assert len(await grants(ledger)) == 4
    assert len({entry.once for entry in await grants(ledger)}) == 4


async def test_a_plan_of_the_31st_renews_on_the_31st_again(ledger):
    await define(ledger, plan("steady", 1_000, rolls_over=1))
    ledger.clock.advance((us_of(2027, 1, 31) - ledger.clock.now_us()) / 1_000_000)
    await choose(ledger, "steady")
    for _ in range(3):
        ledger.clock.advance(31 * DAY_S)
        await sweep(ledger)

    days = [entry.once.rpartition(":")[2] for entry in await grants(ledger)]
    assert days == ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]


def us_of(year, month, day):
    return (dt.datetime(year, month, day, tzinfo=dt.UTC) - EPOCH) // dt.timedelta(microseconds=1)


async def test_two_servers_that_sweep_at_once_renew_once(ledger, database_url, clock):
    await define(ledger, plan("steady", 1_000, rolls_over=1))
    await choose(ledger, "steady")
    clock.advance(32 * DAY_S)
    shared = database_url.startswith("postgresql://")  # a file belongs to one server
    second = await open_database(database_url, clock=clock) if shared else None
    try:
        servers = [ledger.db, second or ledger.db]
        await asyncio.gather(*(servers[n % 2].write(plans.sweep_plans) for n in range(8)))
    finally:
        if second is not None:
            await second.close()

    assert len(await grants(ledger)) == 2
    assert await ledger.problems() == []


async def test_choosing_the_plan_that_one_has_changes_nothing(ledger):
    await define(ledger, plan("steady", 1_000))
    first = await choose(ledger, "steady")

    assert await choose(ledger, "steady") == first
    assert await choose(ledger, "steady", at_once=True) == first
    assert await balance(ledger) == 1_000


async def test_another_plan_follows_when_the_month_ends(ledger):
    await define(ledger, plan("small", 100), plan("large", 1_000, negative=50))
    await choose(ledger, "small")
    changed = await choose(ledger, "large")

    assert (changed.plan, changed.next_plan) == ("small", "large")
    assert await balance(ledger) == 100
    ledger.clock.advance(32 * DAY_S)
    await sweep(ledger)
    assert (await own(ledger)).plan == "large"
    assert await balance(ledger) == 1_000
    assert (await ledger.funds()).floor_microcredits == -50


async def test_an_operator_changes_a_plan_at_once_and_a_months_credits_begin_again(ledger):
    await define(ledger, plan("small", 100), plan("large", 1_000))
    await choose(ledger, "small")
    await ledger.spend("none", 30)
    ledger.clock.advance(10 * DAY_S)

    changed = await choose(ledger, "large", at_once=True)

    assert changed.period_start_us == ledger.clock.now_us()
    assert await balance(ledger) == 1_000  # the 70 that were left ended


async def test_a_change_at_once_ends_no_grant_that_was_to_end_this_month(ledger):
    from omium.server.ledger import funding
    from omium.server.ledger.book import EntryKind

    await define(ledger, plan("small", 100), plan("large", 1_000))
    await choose(ledger, "small")
    soon_us = ledger.clock.now_us() + 5 * DAY_S * 1_000_000
    await ledger.do(funding.fund, EntryKind.GRANT, 40, ABOUT, expires_us=soon_us)

    await choose(ledger, "large", at_once=True)

    assert await balance(ledger) == 1_040


async def test_only_the_operator_gives_a_plan_that_is_not_open_or_changes_one_at_once(ledger):
    await define(ledger, plan("open", 100), plan("closed", 1_000, is_open=0))
    with pytest.raises(InvalidRequest, match="given by the server's operator"):
        await choose(ledger, "closed", is_operator=False)
    await choose(ledger, "open", is_operator=False)
    with pytest.raises(InvalidRequest, match="at once"):
        await cancel(ledger, at_once=True, is_operator=False)
    with pytest.raises(NotFound, match="no plan named"):
        await choose(ledger, "unknown")


async def test_a_month_is_not_had_twice_by_ending_a_plan_and_choosing_it_again(ledger):
    await define(ledger, plan("open", 100, rolls_over=1))
    await choose(ledger, "open", is_operator=False)
    for _ in range(3):
        ended = await cancel(ledger, is_operator=False)
        assert ended.next_plan is None
        again = await choose(ledger, "open", is_operator=False)
        assert again.next_plan == "open"

    assert await balance(ledger) == 100


async def test_a_cancelled_plan_ends_with_its_month_and_what_is_used_below_zero_is_owed(ledger):
    await define(ledger, plan("team", 100, negative=50))
    await choose(ledger, "team")
    await cancel(ledger)
    await ledger.spend("none", 130)

    ledger.clock.advance(32 * DAY_S)
    await sweep(ledger)

    assert await own(ledger) is None
    funds = await ledger.funds()
    assert (funds.balance_microcredits, funds.floor_microcredits, funds.owed_microcredits) == (0, 0, 30)
    assert await ledger.problems() == []
    ledger.clock.advance(64 * DAY_S)
    assert await sweep(ledger) == 0


async def test_a_changed_plan_counts_from_the_next_month_on(ledger):
    await define(ledger, plan("steady", 100, rolls_over=1))
    await choose(ledger, "steady")
    await define(ledger, plan("steady", 300, rolls_over=1))

    assert await balance(ledger) == 100
    ledger.clock.advance(32 * DAY_S)
    await sweep(ledger)
    assert await balance(ledger) == 400


async def run_renewals(folder, anchor_us, steps):
    clock = ManualClock(now_us=anchor_us)
    async with open_ledger(str(folder / "omium.sqlite"), clock) as ledger:
        await define(ledger, plan("steady", 7, rolls_over=1))
        await choose(ledger, "steady")
        latest_us = anchor_us
        for step_s in steps:
            if step_s < 0:
                clock.step_wall(max(step_s, (anchor_us - clock.now_us()) / 1_000_000))
            else:
                clock.advance(step_s)
            latest_us = max(latest_us, clock.now_us())
            await sweep(ledger)
        # The months that have begun by the latest time that any sweep saw, the first one included.
        begun = 1
        while period_start_us(anchor_us, begun) <= latest_us:
            begun += 1
        booked = await grants(ledger)
        assert len(booked) == begun
        assert len({entry.once for entry in booked}) == begun
        assert await balance(ledger) == 7 * begun
        now = await own(ledger)
        assert now.period_start_us == period_start_us(anchor_us, begun - 1)
        assert now.period_end_us == period_start_us(anchor_us, begun)
        assert await ledger.problems() == []


EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
FROM_US = us_of(2024, 1, 28)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    anchor_us=st.integers(FROM_US, FROM_US + 70 * DAY_S * 1_000_000),
    steps=st.lists(st.integers(-40 * DAY_S, 120 * DAY_S), min_size=1, max_size=6),
)
def test_any_clock_gives_each_month_once(anchor_us, steps, tmp_path_factory):
    asyncio.run(run_renewals(tmp_path_factory.mktemp("plans"), anchor_us, steps))
