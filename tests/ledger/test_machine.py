"""The ledger beside a model of it that anybody can read: any history gives the same funds, holds and debts.

Every work runs twice (tests/db/twice.py): what a database repeats must not count double.
"""

import asyncio
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omium.clock import ManualClock
from omium.errors import CreditsExhausted, InvalidRequest
from omium.server.ledger import funding, holds, price_versions
from omium.server.ledger.price_versions import Proposal
from omium.server.ledger.storage import book_day
from tests.ledger.harness import ABOUT, open_ledger

PURPOSES = st.sampled_from(["a", "b", "c"])
SMALL = st.integers(0, 60)
OPERATIONS = st.one_of(
    st.tuples(st.just("grant"), st.integers(1, 120), st.none()),
    st.tuples(st.just("place"), SMALL, PURPOSES),
    st.tuples(st.just("place-capped"), SMALL, PURPOSES),
    st.tuples(st.just("spend"), SMALL, PURPOSES),
    st.tuples(st.just("spend-and-refill"), SMALL, PURPOSES),
    st.tuples(st.just("resolve"), st.none(), PURPOSES),
    st.tuples(st.just("negative"), st.integers(0, 50), st.none()),
    st.tuples(st.just("adjust"), st.integers(-40, 40).filter(bool), st.none()),
    st.tuples(st.just("refund"), st.none(), st.none()),
    st.tuples(st.just("keep"), SMALL.filter(bool), st.sampled_from(["2026-11-23", "2026-11-24"])),
)
START = 100
CAP = 70
REFILL = 30
BOOK = "[work]\ncheckpoint_gib_month = 0.00003\n"
"""A micro-credit for a GiB and a day."""


@dataclass
class Hold:
    held: int
    capped: bool


@dataclass
class Model:
    balance: int = 0
    negative: int = 0
    owed: int = 0
    spent: int = 0
    key_spent: int = 0
    holds: dict[str, Hold] = field(default_factory=dict)
    refunded: bool = False
    days: set[str] = field(default_factory=set)

    @property
    def available(self):
        return self.balance + self.negative - sum(hold.held for hold in self.holds.values())

    @property
    def key_left(self):
        return CAP - self.key_spent - sum(hold.held for hold in self.holds.values() if hold.capped)

    def repay(self):
        paid = max(0, min(self.owed, self.available))
        self.owed -= paid
        self.balance -= paid

    def place(self, purpose, amount, capped):
        """Return whether work may begin."""
        if purpose in self.holds:
            return True
        if self.owed or amount > max(0, self.available) or (capped and amount > self.key_left):
            return False
        self.holds[purpose] = Hold(amount, capped)
        return True

    def spend(self, purpose, amount, refill_to):
        hold = self.holds.get(purpose)
        from_hold = min(amount, hold.held) if hold else 0
        if hold:
            hold.held -= from_hold
        self.balance -= from_hold
        rest = amount - from_hold
        paid = max(0, min(rest, self.available))
        self.balance -= paid
        self.owed += rest - paid
        self.spent += amount
        if hold is None:
            return
        if hold.capped:
            self.key_spent += amount
        wanted = max(0, refill_to - hold.held)
        if not self.owed and wanted <= self.available and (not hold.capped or wanted <= self.key_left):
            hold.held += wanted


async def set_prices(ledger):
    await ledger.db.write(lambda tx: price_versions.save(tx, Proposal(BOOK, 1_000, "us_test")))


async def apply(ledger, model, key, name, amount, purpose):
    match name:
        case "grant":
            await ledger.grant(amount)
            model.balance += amount
        case "place" | "place-capped":
            capped = name == "place-capped"
            try:
                await ledger.place(purpose, amount, api_key_id=key if capped else None)
                placed = True
            except CreditsExhausted:
                placed = False
            assert placed == model.place(purpose, amount, capped)
        case "spend" | "spend-and-refill":
            refill_to = REFILL if name == "spend-and-refill" else 0
            told = await ledger.spend(purpose, amount, refill_to_microcredits=refill_to)
            model.spend(purpose, amount, refill_to)
            assert told.held_microcredits == (model.holds[purpose].held if purpose in model.holds else 0)
        case "resolve":
            ended = await ledger.resolve(purpose)
            assert (ended is not None) == (model.holds.pop(purpose, None) is not None)
        case "negative":
            refused = -amount > -model.negative and model.available - model.negative + amount < 0
            await expect(ledger.do(funding.set_negative, amount, ABOUT), refused)
            if not refused:
                model.negative = amount
        case "adjust":
            refused = amount < 0 and model.available < -amount
            await expect(ledger.do(funding.adjust, amount, ABOUT), refused)
            if not refused:
                model.balance += amount
        case "keep":
            fresh = purpose not in model.days
            gibibytes = amount * 2**30
            assert await ledger.do(book_day, purpose, gibibytes, metered=True) == fresh
            if fresh:
                model.days.add(purpose)
                model.spend(None, amount, 0)
        case "refund":
            charges = [entry for entry in await ledger.entries() if entry.credit_kind == "usage"]
            if charges and not model.refunded:
                await ledger.do(funding.refund, charges[0].seq, ABOUT)
                model.balance += charges[0].amount_microcredits
                model.spent -= charges[0].amount_microcredits
                model.refunded = True
    model.repay()


async def expect(work, refused):
    try:
        await work
    except InvalidRequest:
        assert refused
    else:
        assert not refused


async def check(ledger, model):
    funds = await ledger.funds()
    if funds is None:
        return
    assert funds.balance_microcredits == model.balance
    assert funds.available_microcredits == model.available
    assert funds.owed_microcredits == model.owed
    assert (await ledger.accounts())["usage"] == model.spent
    assert not (model.owed and model.available > 0)
    assert await ledger.problems() == []


async def run(folder, history):
    clock = ManualClock()
    async with open_ledger(str(folder / "omium.sqlite"), clock) as ledger:
        model = Model()
        await set_prices(ledger)
        key = await ledger.capped_key(CAP)
        await apply(ledger, model, key, "grant", START, None)
        for name, amount, purpose in history:
            await apply(ledger, model, key, name, amount, purpose)
            await check(ledger, model)
        clock.advance(1)
        await ledger.db.write(lambda tx: holds.expire_due(tx, 10))  # none has a time of its own
        await check(ledger, model)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(history=st.lists(OPERATIONS, min_size=8, max_size=40))
def test_any_history_gives_what_the_model_says(history, tmp_path_factory):
    asyncio.run(run(tmp_path_factory.mktemp("ledger"), history))
