import asyncio
import contextlib
import datetime as dt

import pytest

from omium.errors import CreditsExhausted
from omium.server.ledger import caps, holds
from omium.server.ledger.caps import period_start_us
from omium.server.ledger.moves import CreditsMoved
from omium.server.store import key_usage

DAY_S = 24 * 60 * 60


async def test_a_hold_moves_nothing_and_takes_from_what_is_available(ledger):
    await ledger.grant(100)
    await ledger.place("ex:1", 60)

    funds = await ledger.funds()
    assert (funds.balance_microcredits, funds.available_microcredits) == (100, 40)
    with pytest.raises(CreditsExhausted, match="exhausted your Omium credits; please top up") as error:
        await ledger.place("ex:2", 41)
    assert error.value.members == {"balance": 40, "required": 41, "limit_source": "tenant"}
    assert len(await ledger.entries()) == 1


async def test_a_tenant_without_credits_is_told_so(ledger):
    with pytest.raises(CreditsExhausted) as error:
        await ledger.place("ex:1", 1)
    assert error.value.members["balance"] == 0


async def test_a_hold_for_the_same_purpose_is_placed_once(ledger):
    await ledger.grant(100)

    first = await ledger.place("ex:1", 60)
    assert await ledger.place("ex:1", 60) == first
    assert (await ledger.funds()).held_microcredits == 60


async def test_what_was_not_spent_is_given_back_once(ledger):
    await ledger.grant(100)
    await ledger.place("ex:1", 60)
    await ledger.spend("ex:1", 25)

    ended = await ledger.resolve("ex:1")
    assert (ended.status, ended.captured_microcredits) == ("captured", 25)
    assert await ledger.resolve("ex:1") is None
    funds = await ledger.funds()
    assert (funds.balance_microcredits, funds.held_microcredits) == (75, 0)
    assert await ledger.problems() == []


async def test_a_hold_that_nothing_was_spent_from_is_released(ledger):
    await ledger.grant(100)
    await ledger.place("ex:1", 60)
    assert (await ledger.resolve("ex:1")).status == "released"
    assert (await ledger.place("ex:1", 100)).held_microcredits == 100


async def test_spending_fills_the_hold_up_again_while_there_are_credits(ledger):
    await ledger.grant(100)
    await ledger.place("ex:1", 40)

    assert (await ledger.spend("ex:1", 30, refill_to_microcredits=40)).held_microcredits == 40
    assert (await ledger.spend("ex:1", 30, refill_to_microcredits=40)).held_microcredits == 40
    assert (await ledger.spend("ex:1", 30, refill_to_microcredits=40)).held_microcredits == 10
    assert (await ledger.funds()).available_microcredits == 0
    assert await ledger.problems() == []


async def test_a_charge_that_is_told_twice_counts_once(ledger):
    await ledger.grant(100)
    await ledger.place("ex:1", 40)
    for _ in range(2):
        assert (await ledger.spend("ex:1", 30, once="usage:u1")).held_microcredits == 10
    assert await ledger.accounts() == {"funds": 70, "usage": 30, "arrears": 0}


async def test_beyond_the_hold_it_takes_what_is_available_then_it_is_owed(ledger):
    await ledger.grant(100)
    await ledger.place("ex:1", 40)
    await ledger.place("ex:2", 30)

    await ledger.spend("ex:1", 90)
    kinds = [(entry.kind, entry.amount_microcredits) for entry in await ledger.entries()]
    assert kinds == [("grant", 100), ("charge", 40), ("overage", 30), ("arrears", 20)]
    assert (await ledger.funds()).owed_microcredits == 20
    assert (await ledger.funds()).held_microcredits == 30  # another's hold is not touched
    assert await ledger.problems() == []


async def test_what_is_owed_blocks_any_beginning_until_it_is_paid(ledger):
    await ledger.grant(10)
    await ledger.spend("none", 25)

    for amount in (0, 1):
        with pytest.raises(CreditsExhausted):
            await ledger.place("ex:1", amount)
    await ledger.grant(14)
    with pytest.raises(CreditsExhausted):
        await ledger.place("ex:1", 0)
    await ledger.grant(3)
    await ledger.place("ex:1", 2)
    assert await ledger.accounts() == {"funds": 2, "usage": 25, "arrears": 0}
    assert await ledger.problems() == []


async def test_a_hold_that_comes_back_pays_what_is_owed_first(ledger):
    await ledger.grant(100)
    await ledger.place("ex:1", 90)
    await ledger.spend("none", 40)
    assert (await ledger.funds()).owed_microcredits == 30

    await ledger.resolve("ex:1")
    funds = await ledger.funds()
    assert (funds.owed_microcredits, funds.available_microcredits) == (0, 60)
    assert await ledger.problems() == []


async def test_a_hold_expires_and_is_given_back_once(ledger, clock):
    await ledger.grant(100)
    await ledger.place("task:1", 60, ttl_us=5_000_000)
    await ledger.place("task:2", 10)

    assert await ledger.db.write(lambda tx: holds.expire_due(tx, 10)) == 0
    clock.advance(6)
    assert await ledger.db.write(lambda tx: holds.expire_due(tx, 10)) == 1
    assert await ledger.db.write(lambda tx: holds.expire_due(tx, 10)) == 0
    assert (await ledger.funds()).held_microcredits == 10
    assert (await ledger.spend("task:1", 60)).held_microcredits == 0  # late: charged from what is available
    assert await ledger.accounts() == {"funds": 40, "usage": 60, "arrears": 0}


async def test_another_tenants_hold_is_not_there(ledger):
    await ledger.grant(100)
    await ledger.place("ex:1", 60)
    assert await ledger.db.write(lambda tx: holds.resolve(tx, ledger.other_id, "ex:1")) is None
    assert (await ledger.funds()).held_microcredits == 60


# ---- caps of keys


async def test_a_key_spends_no_more_than_its_cap(ledger):
    await ledger.grant(1_000)
    key = await ledger.capped_key(100)
    await ledger.place("ex:1", 70, api_key_id=key)

    with pytest.raises(CreditsExhausted, match="spend cap") as error:
        await ledger.place("ex:2", 31, api_key_id=key)
    assert error.value.members == {"balance": 30, "required": 31, "limit_source": "key"}
    assert (await ledger.funds()).held_microcredits == 70  # what the tenant had set aside went with it
    await ledger.resolve("ex:1")
    await ledger.place("ex:2", 100, api_key_id=key)


async def test_what_a_keys_cap_refuses_sets_nothing_aside_for_whoever_goes_on(ledger):
    await ledger.grant(1000)
    key = await ledger.capped_key(100)

    def work(tx):
        with contextlib.suppress(CreditsExhausted):
            holds.place(tx, ledger.tenant_id, "ex:1", 101, api_key_id=key)

    await ledger.db.write(work)
    assert (await ledger.funds()).held_microcredits == 0
    assert await ledger.problems() == []


async def test_a_hold_is_not_filled_up_beyond_the_keys_cap(ledger):
    await ledger.grant(1_000)
    key = await ledger.capped_key(100)
    await ledger.place("ex:1", 40, api_key_id=key)

    assert (await ledger.spend("ex:1", 40, refill_to_microcredits=40)).held_microcredits == 40
    assert (await ledger.spend("ex:1", 40, refill_to_microcredits=40)).held_microcredits == 0
    assert (await ledger.spend("ex:1", 50, refill_to_microcredits=40)).held_microcredits == 0
    with pytest.raises(CreditsExhausted, match="spend cap"):  # what it spent beyond counts
        await ledger.place("ex:2", 1, api_key_id=key)


async def test_a_new_day_begins_with_the_whole_cap(ledger, clock):
    await ledger.grant(1_000)
    key = await ledger.capped_key(100, "day")
    await ledger.place("ex:1", 100, api_key_id=key)

    clock.advance(DAY_S)
    await ledger.place("ex:2", 60, api_key_id=key)
    await ledger.spend("ex:1", 100)  # counts for the day of its hold
    await ledger.place("ex:3", 40, api_key_id=key)
    with pytest.raises(CreditsExhausted):
        await ledger.place("ex:4", 1, api_key_id=key)


async def test_a_cap_can_be_lowered_raised_and_taken_away(ledger):
    await ledger.grant(1_000)
    key = await ledger.capped_key(100)
    await ledger.place("ex:1", 80, api_key_id=key)

    async def cap(amount, period="total"):
        await ledger.db.write(lambda tx: caps.set_cap(tx, ledger.tenant_id, key, amount, period))

    await cap(50)
    with pytest.raises(CreditsExhausted) as error:
        await ledger.place("ex:2", 1, api_key_id=key)
    assert error.value.members["balance"] == 0
    await cap(100)
    await ledger.place("ex:2", 20, api_key_id=key)
    await cap(None)
    await ledger.place("ex:3", 200, api_key_id=key)
    await cap(10, "day")  # another sort of period counts anew
    await ledger.place("ex:4", 10, api_key_id=key)
    await cap(10, "total")
    for purpose in ("ex:1", "ex:2", "ex:3", "ex:4"):
        await ledger.resolve(purpose)
    assert await ledger.problems() == []


@pytest.mark.parametrize(
    ("period", "start"), [("total", None), ("day", (2026, 11, 22)), ("month", (2026, 11, 1))]
)
def test_periods_begin_at_midnight_utc(period, start):
    now = dt.datetime(2026, 11, 22, 23, 59, 59, 999_999, tzinfo=dt.UTC)
    expected = 0 if start is None else int(dt.datetime(*start, tzinfo=dt.UTC).timestamp()) * 1_000_000
    assert period_start_us(period, int(now.timestamp()) * 1_000_000 + 999_999) == expected


# ---- many at once


async def test_many_holds_at_once_take_exactly_what_there_is(ledger):
    await ledger.grant(100)

    async def try_to_place(number):
        try:
            await ledger.place(f"ex:{number}", 3)
        except CreditsExhausted:
            return 0
        return 3

    taken = sum(await asyncio.gather(*(try_to_place(number) for number in range(200))))
    assert taken == 99
    assert (await ledger.funds()).held_microcredits == 99


async def test_spend_resolve_and_expire_at_once_settle_each_hold_once(ledger, clock):
    await ledger.grant(10_000)
    for number in range(40):
        await ledger.place(f"ex:{number}", 100, ttl_us=1)
    clock.advance(1)

    async def race(number):
        await asyncio.gather(
            ledger.spend(f"ex:{number}", 60, once=f"u:{number}"),
            ledger.resolve(f"ex:{number}"),
            ledger.db.write(lambda tx: holds.expire_due(tx, 3)),
            ledger.spend(f"ex:{number}", 60, once=f"u:{number}"),
        )

    await asyncio.gather(*(race(number) for number in range(40)))
    while await ledger.db.write(lambda tx: holds.expire_due(tx, 100)):
        pass
    assert await ledger.accounts() == {"funds": 10_000 - 40 * 60, "usage": 40 * 60, "arrears": 0}
    assert (await ledger.funds()).held_microcredits == 0
    assert await ledger.problems() == []


class Listening:
    """A transaction that also keeps what is to be told after it."""

    def __init__(self, tx):
        self.tx = tx
        self.told = []

    def after_commit(self, told):
        self.told.append(told)

    def __getattr__(self, name):
        return getattr(self.tx, name)


@pytest.mark.parametrize(("cap", "enlarged"), [(None, True), (1_000, True), (150, False)])
async def test_a_hold_that_grows_tells_that_credits_moved_and_one_that_may_not_says_nothing(
    ledger, cap, enlarged
):
    await ledger.grant(1_000)
    key = None if cap is None else await ledger.capped_key(cap)
    await ledger.place("ex:1", 100, api_key_id=key)

    def work(tx):
        listening = Listening(tx)
        hold = holds.enlarge(listening, ledger.tenant_id, "ex:1", 100)
        return hold is not None, listening.told

    assert await ledger.db.write(work) == (enlarged, [CreditsMoved(ledger.tenant_id)] if enlarged else [])
    assert (await ledger.funds()).available_microcredits == (800 if enlarged else 900)


async def test_the_tenant_that_is_furthest_behind_is_added_up_first(ledger):
    await ledger.grant(1)
    for _ in range(3):
        await ledger.grant(1, tenant_id=ledger.other_id)

    found = []
    while (behind := await ledger.db.read(key_usage.find_behind)) is not None:
        found.append(behind.tenant_id)
        await ledger.db.write(caps.sweep_rollups)

    assert found == [ledger.other_id, ledger.tenant_id]
