"""Many at once for the last credits: never one too many, never one too few, and each hold ends once.

Everything runs beside each other against one database, SQLite and PostgreSQL: whoever waits, is repeated or
comes in another batch must find the same sum. The control looks first and takes then; it must be caught.
"""

import asyncio
from functools import partial

import pytest

from omium.clock import ManualClock
from omium.errors import CreditsExhausted, StorageBusy
from omium.server.db.open import open_database
from omium.server.ledger import funding, holds
from omium.server.ledger.book import About, EntryKind
from omium.server.ledger.verify import list_ledger_problems
from omium.server.store import holds as hold_store
from omium.server.store import ledger as store
from omium.server.store.tenants import insert_tenant
from tests.ledger.harness import Ledger

CREDIT = 1_000_000
ABOUT = About(actor_id="test")
AT_ONCE = 200


class Bank:
    """A database with one tenant that has credits."""

    def __init__(self, db, clock, tenant_id):
        self.db = db
        self.clock = clock
        self.tenant_id = tenant_id

    async def write(self, work):
        """Run a work, again where too many wait for the database."""
        while True:
            try:
                return await self.db.write(work)
            except StorageBusy:
                await asyncio.sleep(0.01)

    async def funds(self):
        return await self.db.read(lambda tx: store.find_funds(tx, self.tenant_id))


async def with_bank(url, credits_, work):
    clock = ManualClock()
    db = await open_database(url, clock=clock)
    try:
        tenant = await db.write(lambda tx: insert_tenant(tx, "test"))
        amount = credits_ * CREDIT
        await db.write(lambda tx: funding.fund(tx, tenant.id, EntryKind.GRANT, amount, ABOUT))
        await work(Bank(db, clock, tenant.id))
    finally:
        await db.close()


async def each_at_once(calls):
    """Run calls beside each other, so many at a time, and return what they return."""
    found, waiting = [], list(calls)
    while waiting:
        now, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        found += await asyncio.gather(*(call() for call in now))
    return found


async def place(bank, purpose, amount, api_key_id=None):
    """Set credits aside as the product does; False where there are not enough."""
    try:
        await bank.write(lambda tx: holds.place(tx, bank.tenant_id, purpose, amount, api_key_id=api_key_id))
    except CreditsExhausted:
        return False
    return True


async def look_then_place(bank, purpose, amount, api_key_id=None):  # has no cap
    """Set credits aside as one must not: look in one transaction, take in another."""
    funds = await bank.funds()
    await asyncio.sleep(0)
    if funds.available_microcredits < amount:
        return False

    def take(tx):
        store.unreserve(tx, bank.tenant_id, -amount)
        row = hold_store.HoldRow(
            tx.new_id("hd"), bank.tenant_id, purpose, None, None, "open", amount, 0, tx.now_us, None, None
        )
        assert hold_store.insert_hold(tx, row)

    await bank.write(take)
    return True


# ---- holds against the tenant's credits


async def try_holds(gate, bank, place, holds_, credits_):
    placed = await each_at_once(partial(place, bank, f"ex_{number}", CREDIT) for number in range(holds_))
    gate.tried(holds_, "holds")
    gate.lost(abs(sum(placed) - credits_), f"{sum(placed)} of {credits_} credits were set aside")
    funds = await bank.funds()
    gate.lost(int(funds.available_microcredits != 0), f"{funds.available_microcredits} are left")
    if gate.bug is None:
        problems = await list_ledger_problems(bank.db)
        gate.lost(len(problems), "; ".join(problems))


@pytest.mark.gate(
    promise="Of all that begins at once, exactly as much begins as there are credits for",
    fault="ten times as many holds as credits, 200 at once",
)
async def test_ten_thousand_holds_against_a_thousand_credits(gate, tmp_path):
    for number in range(gate.rounds(1, 20)):
        work = partial(try_holds, gate, place=place, holds_=10_000, credits_=1_000)
        await with_bank(str(tmp_path / f"bank{number}.sqlite"), 1_000, work)


@pytest.mark.gate(
    promise="Of all that begins at once, exactly as much begins as there are credits for",
    fault="ten times as many holds as credits, 200 at once",
)
async def test_ten_times_as_many_holds_as_credits_on_postgres(gate, postgres_url):
    holds_ = gate.rounds(2_000, 20_000)
    work = partial(try_holds, gate, place=place, holds_=holds_, credits_=holds_ // 10)
    await with_bank(postgres_url, holds_ // 10, work)


@pytest.mark.planted(
    bug="It looks what is there, and takes it then",
    gate="test_ten_thousand_holds_against_a_thousand_credits",
)
async def test_the_gate_catches_a_look_before_the_hold(trial, tmp_path):
    work = partial(try_holds, trial, place=look_then_place, holds_=1_000, credits_=100)
    await with_bank(str(tmp_path / "bank.sqlite"), 100, work)


@pytest.mark.planted(
    bug="It looks what is there, and takes it then",
    gate="test_ten_times_as_many_holds_as_credits_on_postgres",
)
async def test_the_gate_catches_a_look_before_the_hold_on_postgres(trial, postgres_url):
    work = partial(try_holds, trial, place=look_then_place, holds_=1_000, credits_=100)
    await with_bank(postgres_url, 100, work)


# ---- one hold, and everybody who ends it


async def try_endings(gate, bank, races):
    amount = 5 * CREDIT

    async def race(number):
        purpose = f"ex_{number}"
        await bank.write(lambda tx: holds.place(tx, bank.tenant_id, purpose, amount, ttl_us=1))
        once = f"charge {number}"
        calls = [
            lambda tx: holds.spend(tx, bank.tenant_id, purpose, CREDIT, ABOUT, once=once),
            lambda tx: holds.spend(tx, bank.tenant_id, purpose, CREDIT, ABOUT, once=once),
            lambda tx: holds.resolve(tx, bank.tenant_id, purpose),
            lambda tx: holds.resolve(tx, bank.tenant_id, purpose),
            lambda tx: holds.expire_due(tx, 1_000),
        ]
        gate.random.shuffle(calls)
        await asyncio.gather(*(bank.write(call) for call in calls))

    bank.clock.advance(1)
    for first in range(0, races, 50):
        await asyncio.gather(*(race(number) for number in range(first, min(first + 50, races))))
    gate.tried(races, "races for the end of a hold")
    funds = await bank.funds()
    accounts = await bank.db.read(lambda tx: store.list_accounts(tx, bank.tenant_id))
    (used,) = [row.balance_microcredits for row in accounts if row.kind == "usage"]
    gate.lost(int(funds.held_microcredits != 0), f"{funds.held_microcredits} are still held")
    gate.lost(abs(used - races * CREDIT) // CREDIT, f"{used} were charged for {races} charges")
    problems = await list_ledger_problems(bank.db)
    gate.lost(len(problems), "; ".join(problems))


@pytest.mark.gate(
    promise="A hold ends once, and what was charged is charged once",
    fault="capture, release and expiry of one hold at once, each said twice",
)
async def test_captures_releases_and_expiries_that_race(gate, tmp_path):
    races = gate.rounds(200, 2_000)
    await with_bank(str(tmp_path / "bank.sqlite"), 100_000, partial(try_endings, gate, races=races))


@pytest.mark.gate(
    promise="A hold ends once, and what was charged is charged once",
    fault="capture, release and expiry of one hold at once, each said twice",
)
async def test_captures_releases_and_expiries_that_race_on_postgres(gate, postgres_url):
    races = gate.rounds(50, 2_000)
    await with_bank(postgres_url, 100_000, partial(try_endings, gate, races=races))


@pytest.mark.planted(
    bug="A charge that is said twice is taken for two", gate="test_captures_releases_and_expiries_that_race"
)
async def test_the_gate_catches_charges_without_a_name(trial, tmp_path, monkeypatch):
    forget_names_of_charges(monkeypatch)
    await with_bank(str(tmp_path / "bank.sqlite"), 100_000, partial(try_endings, trial, races=20))


@pytest.mark.planted(
    bug="A charge that is said twice is taken for two",
    gate="test_captures_releases_and_expiries_that_race_on_postgres",
)
async def test_the_gate_catches_charges_without_a_name_on_postgres(trial, postgres_url, monkeypatch):
    forget_names_of_charges(monkeypatch)
    await with_bank(postgres_url, 100_000, partial(try_endings, trial, races=20))


def forget_names_of_charges(monkeypatch):
    spend = holds.spend

    def spend_anew(*about, once):
        assert once
        return spend(*about)

    monkeypatch.setattr(holds, "spend", spend_anew)


# ---- caps of keys


async def try_caps(gate, bank, place, keys, cap):
    ledger = Ledger(bank.db, bank.clock, bank.tenant_id, "")
    ids = [await ledger.capped_key(cap * CREDIT) for _ in range(keys)]
    calls = [
        partial(place, bank, f"{key} {number}", CREDIT, api_key_id=key)
        for number in range(cap * 3)
        for key in ids
    ]
    gate.random.shuffle(calls)
    placed = await each_at_once(calls)
    gate.tried(len(calls), "holds of capped keys")
    gate.lost(abs(sum(placed) - keys * cap), f"{sum(placed)} credits within caps of {keys * cap} in all")


@pytest.mark.gate(
    promise="No key begins more than its cap, whatever its neighbours do",
    fault="keys with a cap that all begin three times as much at once",
)
async def test_keys_that_race_for_their_caps(gate, tmp_path):
    work = partial(try_caps, gate, place=place, keys=gate.rounds(8, 80), cap=20)
    await with_bank(str(tmp_path / "bank.sqlite"), 100_000, work)


@pytest.mark.gate(
    promise="No key begins more than its cap, whatever its neighbours do",
    fault="keys with a cap that all begin three times as much at once",
)
async def test_keys_that_race_for_their_caps_on_postgres(gate, postgres_url):
    work = partial(try_caps, gate, place=place, keys=gate.rounds(4, 40), cap=20)
    await with_bank(postgres_url, 100_000, work)


@pytest.mark.planted(bug="It asks the tenant's credits only", gate="test_keys_that_race_for_their_caps")
async def test_the_gate_catches_a_hold_that_forgets_the_cap(trial, tmp_path):
    work = partial(try_caps, trial, place=look_then_place, keys=4, cap=20)
    await with_bank(str(tmp_path / "bank.sqlite"), 100_000, work)


@pytest.mark.planted(
    bug="It asks the tenant's credits only", gate="test_keys_that_race_for_their_caps_on_postgres"
)
async def test_the_gate_catches_a_hold_that_forgets_the_cap_on_postgres(trial, postgres_url):
    work = partial(try_caps, trial, place=look_then_place, keys=4, cap=20)
    await with_bank(postgres_url, 100_000, work)
