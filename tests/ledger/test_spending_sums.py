"""What was charged, over time: the same before, between and after sweeps, and as the journal has it."""

from omium.server.analytics import summing
from omium.server.analytics.queries import analyse_usage
from omium.server.analytics.verify import list_sum_problems
from omium.server.db.tx import Sql
from omium.server.ledger import holds
from omium.server.ledger.book import About
from omium.server.store.sum_reading import Window
from omium.server.store.sums import DAY_US


async def use(ledger, key, amount, purpose):
    await ledger.place(purpose, amount, api_key_id=key)
    about = About(actor_id=key, api_key_id=key)
    await ledger.db.write(lambda tx: holds.spend(tx, ledger.tenant_id, purpose, amount, about))
    await ledger.resolve(purpose)


async def spent(ledger, clock):
    until_us = clock.now_us() + 2 * DAY_US
    window = Window(ledger.tenant_id, "key", 0, until_us - until_us % DAY_US, DAY_US)
    found = await ledger.db.read(lambda tx: analyse_usage(tx, window, 10))
    figures = {group.value: group.figures.spent_microcredits for group in found.groups}
    return found.total.spent_microcredits, figures, len(found.points)


async def test_charges_are_summed_once_whenever_a_sweep_comes(ledger, clock):
    await ledger.grant(1_000)
    first, second = await ledger.capped_key(None), await ledger.capped_key(None)
    await use(ledger, first, 100, "ex:1")
    await ledger.db.write(summing.sum_spending)
    clock.advance(86_400)
    await use(ledger, second, 40, "ex:2")
    await use(ledger, first, 7, "ex:3")

    before = await spent(ledger, clock)
    while await ledger.db.write(summing.sum_spending):
        pass

    assert before == await spent(ledger, clock) == (147, {first: 107, second: 40}, 3)
    assert await list_sum_problems(ledger.db) == []


async def test_a_sum_that_the_journal_does_not_bear_out_is_told(ledger, clock):
    await ledger.grant(1_000)
    key = await ledger.capped_key(None)
    await use(ledger, key, 100, "ex:1")
    while await ledger.db.write(summing.sum_spending):
        pass
    await ledger.db.write(
        lambda tx: tx.execute(Sql("UPDATE usage_sums SET spent_microcredits = spent_microcredits + 1"))
    )
    (problem,) = await list_sum_problems(ledger.db)
    assert "101 micro-credits" in problem
