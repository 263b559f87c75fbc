import pytest

from omium.errors import IdempotencyMismatch, InvalidRequest, NotFound
from omium.server.db.tx import ConstraintViolated, Sql
from omium.server.ledger import funding, lots
from omium.server.ledger.book import About, EntryKind
from tests.ledger.harness import ABOUT


async def test_a_grant_moves_credits_from_the_system_to_the_funds(ledger):
    entry = await ledger.grant(500)

    assert (entry.seq, entry.kind, entry.amount_microcredits, entry.balance_microcredits) == (
        1,
        "grant",
        500,
        500,
    )
    assert await ledger.accounts() == {"funds": 500, "usage": 0, "arrears": 0}
    assert await ledger.accounts("system") == {"grants": -500}
    assert await ledger.problems() == []


async def test_a_payment_that_is_told_twice_is_booked_once(ledger):
    first = await ledger.grant(500, kind=EntryKind.TOPUP, once="stripe:pi_1")
    again = await ledger.grant(500, kind=EntryKind.TOPUP, once="stripe:pi_1")

    assert again == first
    assert len(await ledger.entries()) == 1
    with pytest.raises(IdempotencyMismatch, match="another amount"):
        await ledger.grant(501, kind=EntryKind.TOPUP, once="stripe:pi_1")


async def test_the_same_reference_of_another_tenant_is_another_payment(ledger):
    await ledger.grant(500, once="manual:1")
    await ledger.grant(700, once="manual:1", tenant_id=ledger.other_id)

    assert (await ledger.funds(ledger.other_id)).balance_microcredits == 700


@pytest.mark.parametrize("amount", [0, -1, 10**16 + 1])
async def test_an_entry_moves_a_bounded_amount_above_zero(ledger, amount):
    with pytest.raises(ValueError, match="cannot move"):
        await ledger.grant(amount)
    assert await ledger.funds() is None


async def test_an_adjustment_takes_no_more_than_is_available(ledger):
    await ledger.grant(500)
    await ledger.place("ex:1", 300)

    await ledger.do(funding.adjust, -200, ABOUT)
    with pytest.raises(InvalidRequest, match="more credits than are available"):
        await ledger.do(funding.adjust, -1, ABOUT)
    await ledger.do(funding.adjust, 50, About(note="sorry"))
    assert (await ledger.funds()).balance_microcredits == 350
    assert await ledger.problems() == []


async def test_what_expires_is_what_is_left_of_it_once(ledger):
    end_us = ledger.clock.now_us() + 1
    await ledger.do(funding.fund, EntryKind.GRANT, 400, ABOUT, expires_us=end_us)
    await ledger.grant(100)
    await ledger.place("ex:1", 300)

    assert await ledger.do(lots.end_lots, end_us) == 1
    assert await ledger.do(lots.end_lots, end_us) == 0
    (entry,) = [each for each in await ledger.entries() if each.kind == "expiry"]
    assert entry.amount_microcredits == 200
    assert await ledger.accounts("system") == {"grants": -500, "expiry": 200}


async def test_a_charge_is_refunded_once_by_an_entry_that_names_it(ledger):
    await ledger.grant(500)
    await ledger.spend("none", 120)
    charge = (await ledger.entries())[-1]

    refund = await ledger.do(funding.refund, charge.seq, ABOUT)
    assert (refund.corrects_seq, refund.amount_microcredits) == (charge.seq, 120)
    assert await ledger.do(funding.refund, charge.seq, ABOUT) == refund
    assert await ledger.accounts() == {"funds": 500, "usage": 0, "arrears": 0}
    with pytest.raises(InvalidRequest, match="no charge"):
        await ledger.do(funding.refund, 1, ABOUT)
    with pytest.raises(NotFound, match="no such entry"):
        await ledger.do(funding.refund, 99, ABOUT)


async def test_a_plan_lets_charges_go_below_zero_and_can_be_ended_when_paid(ledger):
    await ledger.grant(100)
    await ledger.do(funding.set_negative, 50, ABOUT)

    await ledger.spend("none", 140)
    assert (await ledger.funds()).balance_microcredits == -40
    with pytest.raises(InvalidRequest, match="top up first"):
        await ledger.do(funding.set_negative, 10, ABOUT)
    await ledger.grant(40)
    await ledger.do(funding.set_negative, 0, ABOUT)
    assert await ledger.problems() == []


async def test_the_journal_cannot_be_changed_or_emptied(ledger):
    await ledger.grant(100)

    for statement in (
        Sql("UPDATE ledger_entries SET amount_microcredits = 1"),
        Sql("DELETE FROM ledger_entries"),
    ):
        with pytest.raises(ConstraintViolated, match="append-only"):
            await ledger.db.write(lambda tx, sql=statement: tx.execute(sql))
    assert [entry.amount_microcredits for entry in await ledger.entries()] == [100]
