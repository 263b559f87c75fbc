"""A payment is booked once, as what was asked for, whatever a provider tells, how often, in which order."""

import asyncio
import itertools

import pytest

from omium.errors import IdempotencyMismatch, IllegalTransition, NotFound, NoticeTooEarly
from omium.server.ledger import holds
from omium.server.ledger.book import About
from omium.server.ledger.verify import list_ledger_problems
from omium.server.payments import orders
from omium.server.payments.provider import Checkout, Notice, NoticeKind

CREDIT = 1_000_000
ABOUT = About("key_operator")
NUMBERS = itertools.count()


class Shop:
    """A tenant that has ordered $20 of credits at a provider."""

    def __init__(self, ledger, row):
        self.ledger = ledger
        self.row = row

    async def hear(self, kind, *, notice_id=None, **fields):
        """Let the provider tell something of the payment; returns what followed."""
        told = {
            "payment_id": self.row.id,
            "tenant_id": self.row.tenant_id,
            "payment_ref": "pi_1",
            "currency": "usd",
        }
        if kind in (NoticeKind.PAID, NoticeKind.FAILED, NoticeKind.EXPIRED):
            told |= {"provider_ref": "cs_1", "amount_minor": 2_000}
        notice = Notice(notice_id or f"evt_{next(NUMBERS)}", kind, **{**told, **fields})
        return await self.ledger.db.write(lambda tx: orders.receive(tx, "stripe", notice))

    async def payment(self):
        return await self.ledger.db.read(lambda tx: orders.get_payment(tx, self.row.tenant_id, self.row.id))

    async def credits(self):
        funds = await self.ledger.funds()
        return 0 if funds is None else (funds.balance_microcredits - funds.owed_microcredits) // CREDIT


async def place(ledger, reference="INV-1", *, provider="stripe", minor=2_000):
    return await ledger.do(
        orders.place,
        provider,
        reference,
        amount_microcredits=minor * 10 * CREDIT,
        amount_minor=minor,
        actor_id="key_a",
    )


@pytest.fixture
async def shop(ledger):
    row = await place(ledger)
    await ledger.db.write(lambda tx: orders.opened(tx, row, Checkout("cs_1", "https://pay.example/1")))
    yield Shop(ledger, row)
    assert await list_ledger_problems(ledger.db) == []


async def test_a_payment_that_was_made_is_booked_as_a_top_up(shop):
    assert await shop.hear(NoticeKind.PAID) == orders.BOOKED

    payment = await shop.payment()
    assert (payment.status, payment.payment_ref) == ("paid", "pi_1")
    (entry,) = await shop.ledger.entries()
    assert (entry.kind, entry.reference, entry.seq) == ("topup", "pi_1", payment.entry_seq)
    assert await shop.credits() == 20_000


async def test_a_notice_that_is_told_twice_counts_once(shop):
    await shop.hear(NoticeKind.PAID, notice_id="evt_a")

    assert await shop.hear(NoticeKind.PAID, notice_id="evt_a") == orders.KNOWN
    assert await shop.hear(NoticeKind.PAID, notice_id="evt_b") == orders.KNOWN
    assert await shop.credits() == 20_000


async def test_notices_that_come_at_once_book_once(shop):
    await asyncio.gather(*(shop.hear(NoticeKind.PAID, notice_id=f"evt_{n % 3}x") for n in range(9)))

    assert await shop.credits() == 20_000


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"amount_minor": 1_999}, "1999 was paid instead of 2000"),
        ({"amount_minor": 20_000}, "instead of 2000"),
        ({"amount_minor": None}, "None was paid"),
        ({"currency": "jpy"}, "in jpy, not in usd"),
        ({"currency": None}, "not in usd"),
        ({"provider_ref": "cs_2"}, "another checkout"),
        ({"tenant_id": "tn_other"}, "another tenant"),
    ],
)
async def test_what_does_not_fit_books_nothing_and_waits_for_a_person(shop, wrong, words):
    outcome = await shop.hear(NoticeKind.PAID, **wrong)

    assert outcome.startswith(orders.REFUSED)
    assert words in outcome
    payment = await shop.payment()
    assert payment.status == "review"
    assert words in payment.note
    assert await shop.credits() == 0


async def test_what_does_not_fit_leaves_a_payment_that_was_booked_alone(shop):
    await shop.hear(NoticeKind.PAID)
    await shop.hear(NoticeKind.PAID, amount_minor=1)

    assert (await shop.payment()).status == "paid"
    assert await shop.credits() == 20_000


async def test_one_movement_of_money_pays_one_payment(shop):
    other = Shop(shop.ledger, await place(shop.ledger, "INV-2"))
    await shop.hear(NoticeKind.PAID)

    assert (await other.hear(NoticeKind.PAID, provider_ref="cs_2")).startswith(orders.REFUSED)
    assert await shop.credits() == 20_000


async def test_what_is_nobodys_is_told_to_nobody(shop):
    for fields in (
        {"payment_id": "py_unknown"},
        {"payment_id": None, "provider_ref": None, "payment_ref": None},
    ):
        assert await shop.hear(NoticeKind.PAID, **fields) == orders.NOT_OURS
    assert await shop.hear(NoticeKind.OTHER) == orders.NOT_OURS
    assert (await shop.payment()).status == "pending"


async def test_a_checkout_that_ended_here_and_was_paid_there_is_booked(shop):
    assert await shop.hear(NoticeKind.EXPIRED) == orders.NOTED
    assert (await shop.payment()).status == "expired"

    assert await shop.hear(NoticeKind.PAID) == orders.BOOKED
    assert await shop.hear(NoticeKind.EXPIRED) == orders.KNOWN
    assert (await shop.payment()).status == "paid"


async def test_the_payment_may_be_told_before_its_checkout_is_known(ledger):
    row = await place(ledger)
    shop = Shop(ledger, row)
    await shop.hear(NoticeKind.PAID)
    await ledger.db.write(lambda tx: orders.opened(tx, row, Checkout("cs_1", "https://pay.example/1")))

    payment = await shop.payment()
    assert (payment.status, payment.checkout_url) == ("paid", "https://pay.example/1")
    assert await shop.credits() == 20_000


@pytest.mark.parametrize("order", list(itertools.permutations(["paid", "part", "whole"])))
async def test_refunds_come_in_any_order_and_take_the_last_sum_back(shop, order):
    told = {
        "paid": lambda: shop.hear(NoticeKind.PAID),
        "part": lambda: shop.hear(NoticeKind.REFUNDED, amount_minor=500),
        "whole": lambda: shop.hear(NoticeKind.REFUNDED, amount_minor=1_250),
    }
    for name in order:
        await told[name]()

    assert (await shop.payment()).refunded_minor == 1_250
    assert await shop.credits() == 7_500


async def test_a_refund_of_what_was_spent_is_owed(shop):
    await shop.hear(NoticeKind.PAID)
    await shop.ledger.spend("none", 15_000 * CREDIT)
    await shop.hear(NoticeKind.REFUNDED, amount_minor=2_000)

    funds = await shop.ledger.funds()
    assert funds.available_microcredits == 0
    assert funds.owed_microcredits == 15_000 * CREDIT


@pytest.mark.parametrize("wrong", [{"amount_minor": 2_001}, {"amount_minor": 0}, {"currency": "eur"}])
async def test_a_refund_that_does_not_fit_takes_nothing_back(shop, wrong):
    await shop.hear(NoticeKind.PAID)

    outcome = await shop.hear(NoticeKind.REFUNDED, **{"amount_minor": 100, **wrong})

    assert outcome.startswith(orders.REFUSED)
    assert await shop.credits() == 20_000


async def test_a_dispute_takes_the_credits_and_its_end_gives_them_again(shop):
    fields = {"amount_minor": 2_000, "dispute_ref": "dp_1", "payment_id": None, "tenant_id": None}
    with pytest.raises(NoticeTooEarly):
        await shop.hear(NoticeKind.DISPUTE_TAKEN, **fields | {"payment_id": shop.row.id})
    await shop.hear(NoticeKind.PAID)
    with pytest.raises(NoticeTooEarly):
        await shop.hear(NoticeKind.DISPUTE_RETURNED, notice_id="evt_early", **fields)

    await shop.hear(NoticeKind.DISPUTE_TAKEN, **fields)
    await shop.hear(NoticeKind.DISPUTE_TAKEN, **fields)
    assert await shop.credits() == 0
    await shop.hear(NoticeKind.DISPUTE_RETURNED, notice_id="evt_early", **fields)
    await shop.hear(NoticeKind.DISPUTE_RETURNED, **fields)
    assert await shop.credits() == 20_000


async def test_the_same_reference_is_the_same_payment(ledger):
    first = await place(ledger)

    assert (await place(ledger)).id == first.id
    with pytest.raises(IdempotencyMismatch, match="another amount"):
        await place(ledger, minor=3_000)
    assert (await place(ledger, provider="manual")).id != first.id


async def test_an_operator_confirms_a_manual_payment_once(ledger):
    row = await place(ledger, provider="manual")
    await ledger.db.write(lambda tx: orders.wait_for_operator(tx, row))

    paid = await ledger.do(orders.confirm, row.id, ABOUT)
    assert await ledger.do(orders.confirm, row.id, ABOUT) == paid
    (entry,) = await ledger.entries()
    assert (entry.kind, entry.reference, entry.actor_id) == ("topup", "INV-1", "key_operator")
    with pytest.raises(IllegalTransition):
        await ledger.do(orders.cancel, row.id)


async def test_a_cancelled_payment_is_not_confirmed_and_one_of_a_provider_never_by_hand(ledger, shop):
    row = await place(ledger, "INV-3", provider="manual")
    cancelled = await ledger.do(orders.cancel, row.id)
    assert await ledger.do(orders.cancel, row.id) == cancelled
    for payment_id in (row.id, shop.row.id):
        with pytest.raises(IllegalTransition):
            await ledger.do(orders.confirm, payment_id, ABOUT)
    with pytest.raises(IllegalTransition):
        await ledger.do(orders.cancel, shop.row.id)


async def test_another_tenants_payment_is_unknown(ledger, shop):
    for function, arguments in ((orders.confirm, (ABOUT,)), (orders.cancel, ())):
        with pytest.raises(NotFound):
            await ledger.db.write(lambda tx, f=function, a=arguments: f(tx, ledger.other_id, shop.row.id, *a))


async def test_top_ups_and_holds_at_once_lose_nothing(ledger):
    await ledger.grant(10)

    async def top_up(number):
        row = await place(ledger, f"INV-{number}", provider="manual", minor=1_000)
        await ledger.do(orders.confirm, row.id, ABOUT)

    async def hold(number):
        await ledger.place(f"ex:{number}", 1)
        await ledger.db.write(lambda tx: holds.spend(tx, ledger.tenant_id, f"ex:{number}", 1, ABOUT))

    await asyncio.gather(*(top_up(n) for n in range(8)), *(hold(n) for n in range(8)))

    assert (await ledger.funds()).balance_microcredits == 10 - 8 + 8 * 10_000 * CREDIT
    assert await list_ledger_problems(ledger.db) == []


async def test_the_check_finds_a_payment_whose_entry_is_missing(ledger):
    from omium.server.db.tx import Sql

    row = await place(ledger, provider="manual")
    await ledger.do(orders.confirm, row.id, ABOUT)
    wrong = Sql("UPDATE payments SET entry_seq = 99")
    await ledger.db.write(lambda tx: tx.execute(wrong))

    assert any(row.id in text for text in await list_ledger_problems(ledger.db))
