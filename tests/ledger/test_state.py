"""How credits stand: low is told once per crossing, and the rate of spending is that of the last week."""

from omium.server.ledger import state
from omium.server.ledger.state import credits_state

DAY_S = 86_400
DAY_US = DAY_S * 1_000_000


class Told:
    def __init__(self, ledger):
        self.ledger = ledger
        self.told = []

    async def sweep(self):
        """Run the sweep and return whom it told of, and whether that one is low."""
        told = []

        def work(tx):
            told.clear()
            state.sweep_low(tx, 50, lambda _, tenant_id, now: told.append((tenant_id, now.is_low)))

        await self.ledger.db.write(work)
        return list(told)


async def state_of(ledger):
    return await ledger.db.read(lambda tx: credits_state(tx, ledger.tenant_id))


async def burn_of(ledger):
    return await ledger.db.read(
        lambda tx: state.burn(tx, ledger.tenant_id, credits_state(tx, ledger.tenant_id))
    )


async def test_a_tenant_without_credits_has_a_state(ledger):
    now = await state_of(ledger)

    assert (now.balance_microcredits, now.available_microcredits, now.is_exhausted) == (0, 0, True)


async def test_a_crossing_is_told_once_in_each_direction(ledger):
    told, tenant = Told(ledger), ledger.tenant_id
    await ledger.grant(1_000)
    assert await told.sweep() == []

    await ledger.spend("none", 899)
    assert await told.sweep() == []
    await ledger.place("ex:1", 1)  # what is set aside is not available
    assert await told.sweep() == [(tenant, True)]
    assert await told.sweep() == []
    await ledger.grant(1_000)
    assert await told.sweep() == [(tenant, False)]
    assert await told.sweep() == []


async def test_the_threshold_is_a_share_of_the_last_top_up_or_an_amount(ledger):
    await ledger.grant(1_000)
    assert (await state_of(ledger)).threshold_microcredits == 100

    await ledger.do(state.choose_threshold, 300, None)
    assert (await state_of(ledger)).threshold_microcredits == 300
    await ledger.do(state.choose_threshold, None, 50)
    now = await state_of(ledger)
    assert (now.threshold_microcredits, now.low_percent) == (500, 50)
    assert (await ledger.db.read(lambda tx: credits_state(tx, ledger.other_id))).threshold_microcredits == 0


async def test_a_threshold_can_be_chosen_before_the_first_credits(ledger):
    await ledger.do(state.choose_threshold, 300, None)
    await ledger.grant(200)

    assert (await state_of(ledger)).is_low


async def test_the_first_days_spending_counts_as_a_days(ledger):
    await ledger.grant(1_000)
    await ledger.spend("none", 100)

    burn = await burn_of(ledger)

    assert burn.microcredits_per_day == 100
    assert burn.empty_us == ledger.clock.now_us() + 9 * DAY_US


async def test_what_was_spent_before_the_first_mark_counts(ledger):
    await ledger.grant(1_000)
    await ledger.spend("none", 100)
    await ledger.db.write(state.sweep_usage_marks)
    assert (await burn_of(ledger)).microcredits_per_day == 100

    ledger.clock.advance(2 * DAY_S)
    assert (await burn_of(ledger)).microcredits_per_day == 50


async def test_the_rate_is_that_of_the_last_week(ledger):
    await ledger.grant(10_000)
    for _ in range(20):
        await ledger.db.write(state.sweep_usage_marks)
        await ledger.spend("none", 200)
        ledger.clock.advance(DAY_S)
    assert (await burn_of(ledger)).microcredits_per_day == 200

    await ledger.db.write(state.sweep_usage_marks)
    ledger.clock.advance(30 * DAY_S)
    await ledger.db.write(state.sweep_usage_marks)
    assert await burn_of(ledger) == state.Burn(0, None)


async def test_marks_are_made_once_an_hour_and_only_while_something_is_spent(ledger):
    await ledger.grant(10_000)
    await ledger.spend("none", 1)
    assert await ledger.db.write(state.sweep_usage_marks) == 1
    await ledger.spend("none", 1)
    assert await ledger.db.write(state.sweep_usage_marks) == 0
    ledger.clock.advance(3_601)
    assert await ledger.db.write(state.sweep_usage_marks) == 1
    ledger.clock.advance(3_601)
    assert await ledger.db.write(state.sweep_usage_marks) == 0


async def test_without_spending_credits_last_for_ever(ledger):
    await ledger.grant(1_000)

    assert await burn_of(ledger) == state.Burn(0, None)
