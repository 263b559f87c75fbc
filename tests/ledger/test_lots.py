"""Credits with an end: what ends is what nobody has spent, and the lots that end first are spent first."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omium.clock import ManualClock
from omium.server.ledger import funding, lots
from omium.server.ledger.book import EntryKind
from tests.ledger.harness import ABOUT, open_ledger

DAY_US = 86_400 * 1_000_000


async def grant_until(ledger, amount, days, *, kind=EntryKind.GRANT):
    expires_us = ledger.clock.now_us() + days * DAY_US
    return await ledger.do(funding.fund, kind, amount, ABOUT, expires_us=expires_us)


async def sweep(ledger):
    return await ledger.db.write(lambda tx: lots.sweep_lots(tx, lots.SWEEP_ROWS))


async def balance(ledger):
    return (await ledger.funds()).balance_microcredits


def days(ledger, count):
    ledger.clock.advance(count * 86_400)


async def test_what_is_left_at_the_end_is_taken_back_once(ledger):
    granted = await grant_until(ledger, 100, 10)
    await ledger.grant(50)
    await ledger.spend("none", 30)

    days(ledger, 9)
    assert await sweep(ledger) == 0
    days(ledger, 1)
    assert await sweep(ledger) == 1
    assert await sweep(ledger) == 0

    assert await balance(ledger) == 50
    (expired,) = [entry for entry in await ledger.entries() if entry.kind == "expiry"]
    assert (expired.amount_microcredits, expired.corrects_seq) == (70, granted.seq)
    assert await ledger.problems() == []


async def test_the_credits_that_end_first_are_spent_first(ledger):
    await grant_until(ledger, 100, 20)
    await grant_until(ledger, 100, 10)
    await ledger.spend("none", 130)

    days(ledger, 10)
    await sweep(ledger)
    assert await balance(ledger) == 70  # the earlier lot was spent whole
    days(ledger, 10)
    await sweep(ledger)
    assert await balance(ledger) == 0


async def test_what_was_spent_before_a_lot_came_is_not_taken_from_it(ledger):
    await ledger.grant(500)
    await ledger.spend("none", 200)
    await grant_until(ledger, 100, 1)

    days(ledger, 1)
    await sweep(ledger)

    assert await balance(ledger) == 300


async def test_a_refund_is_spent_before_any_lot(ledger):
    await ledger.grant(500)
    await ledger.spend("none", 80)
    charge = (await ledger.entries())[-1]
    await grant_until(ledger, 100, 1)
    await ledger.do(funding.refund, charge.seq, ABOUT)
    await ledger.grant(1)  # settles
    await ledger.spend("none", 80)

    days(ledger, 1)
    await sweep(ledger)

    assert await balance(ledger) == 421  # the whole lot ended


async def test_credits_that_only_fill_a_debt_are_spent(ledger):
    await ledger.grant(10)
    await ledger.spend("none", 60)  # 50 are owed now
    await grant_until(ledger, 100, 1)
    await ledger.grant(100)

    days(ledger, 1)
    await sweep(ledger)

    assert await balance(ledger) == 100
    assert await ledger.problems() == []


async def test_credits_that_fill_a_balance_below_zero_are_spent(ledger):
    await ledger.do(funding.set_negative, 50, ABOUT)
    await ledger.spend("none", 40)
    await grant_until(ledger, 100, 1)
    await ledger.grant(100)

    days(ledger, 1)
    await sweep(ledger)

    assert await balance(ledger) == 100


async def test_what_running_work_has_set_aside_is_spared(ledger):
    await grant_until(ledger, 100, 1)
    await ledger.place("ex:1", 60)

    days(ledger, 1)
    await sweep(ledger)
    await ledger.resolve("ex:1")

    assert await balance(ledger) == 60
    assert await sweep(ledger) == 0


async def test_another_tenants_lots_are_its_own(ledger):
    await grant_until(ledger, 100, 1)
    await ledger.grant(100, tenant_id=ledger.other_id)

    days(ledger, 1)
    await sweep(ledger)

    assert (await ledger.funds(ledger.other_id)).balance_microcredits == 100
    assert await balance(ledger) == 0


async def test_what_a_refunded_payment_had_bought_is_taken_back_or_owed(ledger):
    await ledger.grant(100)
    await ledger.spend("none", 70)

    await ledger.do(funding.take_back, 100, ABOUT, once="refunded:1")
    await ledger.do(funding.take_back, 100, ABOUT, once="refunded:1")

    funds = await ledger.funds()
    assert (funds.balance_microcredits, funds.owed_microcredits) == (0, 70)
    await ledger.do(funding.give_again, 100, ABOUT, once="won:1")
    await ledger.do(funding.give_again, 100, ABOUT, once="won:1")
    funds = await ledger.funds()
    assert (funds.balance_microcredits, funds.owed_microcredits) == (30, 0)
    assert await ledger.problems() == []


async def test_the_end_of_a_negative_makes_a_debt_of_what_is_in_use(ledger):
    await ledger.do(funding.set_negative, 100, ABOUT)
    await ledger.spend("none", 30)
    await ledger.place("ex:1", 20)

    await ledger.do(funding.end_negative, 0, ABOUT)
    funds = await ledger.funds()
    assert (funds.available_microcredits, funds.owed_microcredits) == (0, 50)
    await ledger.resolve("ex:1")

    funds = await ledger.funds()
    assert (funds.balance_microcredits, funds.owed_microcredits) == (0, 30)
    assert await ledger.problems() == []


# Beside a model that counts each lot down at once, which the ledger only does when it settles.

OPERATIONS = st.one_of(
    st.tuples(st.just("grant"), st.integers(1, 100), st.none()),
    st.tuples(st.just("lot"), st.integers(1, 100), st.integers(1, 9)),
    st.tuples(st.just("spend"), st.integers(1, 120), st.none()),
    st.tuples(st.just("days"), st.integers(1, 5), st.none()),
)


class Model:
    def __init__(self):
        self.today, self.free, self.lots = 0, 0, []

    @property
    def balance(self):
        return self.free + sum(left for _, _, left in self.lots)

    def spend(self, amount):
        remaining = []
        for end, number, left in sorted(self.lots):
            taken = min(amount, left)
            amount -= taken
            remaining.append((end, number, left - taken))
        self.lots = remaining
        self.free -= amount

    def wait(self, count):
        self.today += count
        self.lots = [lot for lot in self.lots if lot[0] > self.today]


async def run(folder, history):
    clock = ManualClock()
    async with open_ledger(str(folder / "omium.sqlite"), clock) as ledger:
        model = Model()
        await ledger.grant(1)
        model.free = 1
        for number, (name, amount, end) in enumerate(history):
            match name:
                case "grant":
                    await ledger.grant(amount)
                    model.free += amount
                case "lot":
                    await grant_until(ledger, amount, end)
                    model.lots.append((model.today + end, number, amount))
                case "spend" if amount <= model.balance:
                    await ledger.spend("none", amount)
                    model.spend(amount)
                case "days":
                    days(ledger, amount)
                    await sweep(ledger)
                    model.wait(amount)
            assert await balance(ledger) == model.balance
        assert await ledger.problems() == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(history=st.lists(OPERATIONS, min_size=6, max_size=25))
def test_any_history_ends_what_a_model_says(history, tmp_path_factory):
    asyncio.run(run(tmp_path_factory.mktemp("lots"), history))
