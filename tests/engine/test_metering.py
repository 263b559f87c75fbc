"""What executions set aside, are charged, and how they pause when there is nothing left; nothing twice.

The default book: 0.1 credits for an execution, 0.01 for a step; a tranche is ten steps. Every work runs
twice (conftest.py).
"""

from dataclasses import replace

import pytest

from omium.errors import CreditsExhausted, LimitReached, UnknownPrice
from omium.ids import new_id
from omium.models.replay import DecideEffect, ReplayExecution, RollbackExecution
from omium.models.usage import RecordUsage
from omium.server.engine.credit_pauses import CreditPauses
from omium.server.engine.decisions import decide_effect
from omium.server.engine.metering import read_cost
from omium.server.engine.money import list_money_problems
from omium.server.engine.replay_requests import replay
from omium.server.engine.rollback import roll_back
from omium.server.engine.unmetered import end_metering
from omium.server.engine.usage import record_usage
from omium.server.ledger import charges, funding, prices
from omium.server.ledger.book import About
from omium.server.ledger.verify import verify_ledger
from omium.server.store import holds as hold_store
from omium.server.store import key_meters, meters
from omium.server.store import ledger as ledger_store
from omium.states import EffectDecision, ExecutionStatus
from tests.engine.harness import principal
from tests.ledger.harness import Ledger

CREDIT = 1_000_000
EXECUTION = CREDIT // 10
STEP = CREDIT // 100
TRANCHE = 10 * STEP


@pytest.fixture
def money(engine):
    engine.parts = replace(engine.parts, metering=True)
    return Money(engine)


class Money:
    def __init__(self, engine):
        self.engine = engine
        self.tenant_id = engine.who.tenant_id

    async def fund(self, amount):
        await self.engine.fund(amount)

    async def funds(self):
        return await self.engine.read(lambda tx: ledger_store.find_funds(tx, self.tenant_id))

    async def available(self):
        return (await self.funds()).available_microcredits

    async def used(self):
        def read(tx):
            accounts = {row.kind: row for row in ledger_store.list_accounts(tx, self.tenant_id)}
            return accounts["usage"].balance_microcredits

        return await self.engine.read(read)

    async def hold(self, execution_id):
        return await self.engine.read(lambda tx: hold_store.find_open_hold(tx, self.tenant_id, execution_id))

    async def meter(self, execution_id):
        return await self.engine.read(lambda tx: meters.find_meter(tx, execution_id))

    async def charges(self):
        entries = await self.engine.read(
            lambda tx: ledger_store.list_entries_after(tx, self.tenant_id, 0, 1000)
        )
        return [entry for entry in entries if entry.credit_kind == "usage"]

    async def problems(self):
        found = [text async for _, text in verify_ledger(self.engine.db)]
        return found + await list_money_problems(self.engine.db)


def usage(id_, provider="openai", model="gpt-4o", **fields):
    return {"id": id_, "provider": provider, "model": model, "at_us": 1, "input_tokens": 1000} | fields


# ---- beginnings


async def test_without_credits_nothing_begins_and_the_answer_says_how_much_is_missing(engine, money):
    with pytest.raises(CreditsExhausted) as refused:
        await engine.start()
    assert refused.value.title == "You've exhausted your Omium credits; please top up."
    assert refused.value.members == {
        "balance": 0,
        "required": EXECUTION + TRANCHE,
        "limit_source": "tenant",
    }
    with pytest.raises(CreditsExhausted):
        await engine.queue()


async def test_a_start_sets_aside_the_execution_and_ten_steps(engine, money):
    await money.fund(CREDIT)
    run = await engine.start()
    assert (await money.hold(run.id)).held_microcredits == EXECUTION + TRANCHE
    assert await money.available() == CREDIT - EXECUTION - TRANCHE
    assert await money.used() == 0


async def test_what_is_queued_holds_nothing_until_it_is_claimed(engine, money):
    await money.fund(CREDIT)
    id_ = await engine.queue()
    assert await money.hold(id_) is None
    run = await engine.claim()
    assert (await money.hold(run.id)).held_microcredits == EXECUTION + TRANCHE


async def test_the_same_start_twice_sets_aside_once(engine, money):
    await money.fund(CREDIT)
    id_ = new_id("ex", engine.clock.now_us())
    await engine.start(id=id_)
    await engine.start(id=id_)
    assert await money.available() == CREDIT - EXECUTION - TRANCHE


# ---- charges


async def test_a_completed_execution_costs_itself_and_its_steps_and_gives_back_the_rest(engine, money):
    await money.fund(CREDIT)
    run = await engine.start()
    for number in range(3):
        await run.step(f"s{number}")
    await run.complete()
    assert await money.used() == EXECUTION + 3 * STEP
    assert await money.available() == CREDIT - EXECUTION - 3 * STEP
    assert await money.hold(run.id) is None
    (charge,) = await money.charges()
    assert (charge.execution_id, charge.api_key_id, charge.note) == (
        run.id,
        engine.who.id,
        "the execution, 3 steps",
    )
    assert await money.problems() == []


async def test_an_execution_that_records_no_step_costs_nothing(engine, money):
    await money.fund(CREDIT)
    run = await engine.start()
    await run.fail()
    assert await money.available() == CREDIT
    assert await money.used() == 0


async def test_a_step_that_is_reported_twice_or_fails_costs_no_more(engine, money):
    await money.fund(CREDIT)
    run = await engine.start()
    await run.step("a")
    await run.step("a")
    await run.fail_step("b", delay_us=1)
    await run.complete()
    assert await money.used() == EXECUTION + STEP


async def test_the_hold_is_filled_up_at_its_end_and_long_runs_are_posted_in_portions(engine, money):
    await money.fund(5 * CREDIT)
    run = await engine.start()
    for number in range(120):
        answer = await run.send(engine.completed(f"s{number}"))
        assert answer.suspend is None
    hold = await money.hold(run.id)
    assert hold.captured_microcredits == EXECUTION + 100 * STEP
    assert hold.held_microcredits == 20 * STEP + TRANCHE
    assert await money.problems() == []
    await run.complete()
    assert await money.used() == EXECUTION + 120 * STEP
    assert await money.problems() == []


async def test_usage_is_charged_whatever_the_outcome_once_and_with_its_facts(engine, money):
    await money.fund(10 * CREDIT)
    run = await engine.start()
    for _ in range(2):
        await run.fail_step("ask", usage=[usage("u1")])
    await run.fail()
    (charge,) = await money.charges()
    assert (charge.path, charge.reference, charge.once) == (None, "u1", "usage:u1")
    assert charge.execution_id == run.id
    assert charge.price_version == 0
    assert await money.used() == charge.amount_microcredits > 0
    assert await money.problems() == []


async def test_usage_of_a_driver_that_was_replaced_is_charged_to_who_started_it(engine, money):
    await money.fund(10 * CREDIT)
    old = await engine.worker_run()
    await engine.expire()
    assert await money.hold(old.id) is None
    await engine.claim()
    await old.write(type="usage.recorded", usage=usage("late"))
    (charge,) = await money.charges()
    assert charge.api_key_id == engine.who.id
    assert await money.problems() == []


async def test_usage_beyond_everything_is_owed_and_blocks_beginnings_until_it_is_paid(engine, money):
    await money.fund(EXECUTION + TRANCHE)
    run = await engine.start()
    answer = await run.send(engine.completed("ask", usage=[usage("u1", input_tokens=20_000)]))
    assert answer.suspend == "credits"
    assert (await money.funds()).owed_microcredits > 0
    await run.suspend("credits")
    with pytest.raises(CreditsExhausted):
        await engine.start()
    await money.fund(100 * CREDIT)
    assert (await money.funds()).owed_microcredits == 0
    await engine.start()
    assert await money.problems() == []


# ---- the end of the credits, and going on


async def test_a_run_out_of_credits_pauses_keeps_what_it_did_and_goes_on_after_a_top_up(engine, money):
    await money.fund(EXECUTION + TRANCHE + 3 * STEP)
    run = await engine.worker_run()
    told = [(await run.send(engine.completed(f"s{number}"))).suspend for number in range(10)]
    assert told == [None] * 9 + ["credits"]
    assert "credits.exhausted" in await engine.event_types(run.id)
    assert (await run.heartbeat()).suspend == "credits"
    await run.suspend("credits")
    row = await engine.row(run.id)
    assert (row.status, row.reason) == ("paused", "credits")
    assert await money.hold(run.id) is None
    assert await money.available() == 3 * STEP

    assert await engine.write(CreditPauses().sweep) == 0
    with pytest.raises(CreditsExhausted):
        await engine.requeue(run.id)
    await money.fund(CREDIT)
    assert await engine.write(CreditPauses().sweep) == 1
    again = await engine.claim()
    assert {record.path for record in again.grant.records} == {f"s{number}" for number in range(10)}
    await again.step("last")
    await again.complete()
    assert await money.used() == EXECUTION + 11 * STEP
    assert await money.problems() == []


async def test_a_local_run_stays_paused_until_somebody_goes_on_with_it(engine, money):
    await money.fund(EXECUTION + TRANCHE)
    run = await engine.start()
    for number in range(10):
        await run.step(f"s{number}")
    await run.suspend("credits")
    with pytest.raises(CreditsExhausted):
        await engine.resume(run.id)
    await money.fund(CREDIT)
    assert await engine.write(CreditPauses().sweep) == 0
    assert (await engine.row(run.id)).status == ExecutionStatus.PAUSED
    again = await engine.resume(run.id)
    await again.complete()
    assert await money.used() == EXECUTION + 10 * STEP


async def test_a_claim_pauses_what_there_are_no_credits_for_and_takes_it_up_later(engine, money):
    await money.fund(EXECUTION + TRANCHE)
    queued = {await engine.queue(), await engine.queue()}
    (second,) = queued - {(await engine.claim()).id}
    assert (await engine.ask()).grants == []
    row = await engine.row(second)
    assert (row.status, row.reason) == ("paused", "credits")
    await money.fund(CREDIT)
    assert await engine.write(CreditPauses().sweep) == 1
    assert (await engine.claim()).id == second


async def test_a_portion_that_cannot_go_on_does_not_hide_what_was_paused_after_it(engine, money, capped):
    await money.fund(EXECUTION + TRANCHE)
    for who in (capped, capped, None):
        await engine.queue(who=who)
        engine.clock.advance(seconds=1)  # so that ids are in this order
    await engine.claim()
    assert (await engine.ask()).grants == []
    await money.fund(CREDIT)

    pauses = CreditPauses(looked_at=1)
    assert await engine.write(pauses.sweep) == 0  # beyond the cap of its key
    assert await engine.write(pauses.sweep) == 1
    assert await engine.write(pauses.sweep) == 0  # the end
    assert await engine.write(pauses.sweep) == 0
    assert (await engine.claim()).grant.execution.started_by == engine.who.id


async def test_usage_without_a_price_holds_up_its_own_execution_only(engine, money, refusing):
    await money.fund(2 * (EXECUTION + TRANCHE))
    run = await engine.worker_run()
    engine.clock.advance(seconds=1)
    later = await engine.queue()
    await run.send(engine.completed("ask", usage=[usage("u1", model="nobody-knows-it")]))
    await engine.start()  # the last credits
    assert (await engine.ask()).grants == []
    await run.suspend("credits")
    await money.fund(CREDIT)

    assert await engine.write(CreditPauses().sweep) == 1
    assert (await engine.claim()).id == later


async def test_a_worker_that_asks_for_one_execution_is_told_402(engine, money):
    await money.fund(EXECUTION + TRANCHE)
    id_ = await engine.queue()
    await engine.start()
    with pytest.raises(CreditsExhausted):
        await engine.ask(execution_id=id_)
    assert (await engine.row(id_)).status == ExecutionStatus.QUEUED


async def test_what_began_while_the_server_was_away_is_taken_and_told_to_stop(engine, money):
    offline = {"durability": "relaxed", "started_at_us": engine.clock.now_us()}
    run = await engine.start(**offline)
    answer = await run.send(engine.completed("a"))
    assert answer.results[0].problem is None
    assert answer.suspend == "credits"
    await run.suspend("credits")
    assert (await money.funds()).owed_microcredits == EXECUTION + STEP
    assert await money.problems() == []
    with pytest.raises(CreditsExhausted):
        await engine.start(**offline | {"durability": "strict"})


async def test_a_limit_does_not_refuse_what_began_while_the_server_was_away(engine, money):
    await money.fund(CREDIT)
    offline = {"durability": "relaxed", "started_at_us": engine.clock.now_us()}
    run = await engine.start(**offline, limits={"max_microcredits": EXECUTION})
    answer = await run.send(engine.completed("a"))
    assert (answer.results[0].problem, answer.suspend) == (None, "limit")
    await run.suspend("limit")
    assert await money.used() == EXECUTION + STEP
    assert await money.problems() == []


async def test_a_replay_begins_with_credits_only_and_pays_for_what_it_runs_anew(engine, money, key_file):
    await money.fund(EXECUTION + TRANCHE)
    run = await engine.start()
    await run.step("a")
    await run.fail("b")
    command = ReplayExecution(id=new_id("ex", engine.clock.now_us()))
    with pytest.raises(CreditsExhausted):
        await replay(engine.parts, key_file, engine.who, run.id, command)
    await money.fund(CREDIT)
    started = await replay(engine.parts, key_file, engine.who, run.id, command)
    again = await engine.claim()
    assert again.id == started.execution.id
    before = await money.used()
    await again.step("b")
    await again.complete()
    assert await money.used() == before + EXECUTION + STEP
    assert await money.problems() == []


async def test_nothing_is_held_while_it_waits_and_the_way_out_holds_again(engine, money):
    await money.fund(CREDIT)
    run = await engine.worker_run()
    await run.step("a")
    await run.wait()
    assert await money.available() == CREDIT - EXECUTION - STEP
    await engine.advance(3601)
    again = await engine.claim()
    assert (await money.hold(run.id)).held_microcredits == TRANCHE
    await again.complete()
    assert await money.available() == CREDIT - EXECUTION - STEP


async def test_a_lost_driver_gives_its_hold_back_and_one_that_returns_is_let_in(engine, money):
    await money.fund(EXECUTION + TRANCHE)
    run = await engine.start()
    await run.step("a")
    await engine.expire()
    assert await money.hold(run.id) is None
    assert await money.available() == TRANCHE - STEP
    answer = await run.send(engine.completed("b"))
    assert answer.results[0].problem is None
    assert answer.suspend == "credits"
    await run.suspend("credits")
    assert await money.used() == EXECUTION + 2 * STEP
    assert await money.problems() == []


async def test_a_cancel_gives_the_hold_back(engine, money):
    await money.fund(CREDIT)
    run = await engine.start()
    await run.step("a")
    await engine.cancel(run.id)
    await run.suspend("cancel")
    assert await money.available() == CREDIT - EXECUTION - STEP
    assert await money.problems() == []


async def test_resuming_a_failed_execution_does_not_pay_for_its_steps_again(engine, money):
    await money.fund(CREDIT)
    run = await engine.start()
    await run.step("a")
    await run.fail("b")
    again = await engine.resume(run.id)
    await again.step("b")
    await again.complete()
    assert await money.used() == EXECUTION + 2 * STEP


async def test_a_rollback_can_be_gone_through_without_credits(engine, money):
    await money.fund(EXECUTION + TRANCHE)
    run = await engine.start()
    await run.effect("pay", compensate="refund")
    await run.fail()
    command = RollbackExecution(to_seq=1, reason="no")
    await engine.write(lambda tx: roll_back(tx, engine.who, run.id, command))
    await engine.write(
        lambda tx: funding.adjust(tx, money.tenant_id, -(TRANCHE - STEP), About(actor_id="test"))
    )
    undo = await engine.claim()
    assert undo.grant.compensations
    await undo.write(type="compensation.ended", position=0)
    assert await money.problems() == []


# ---- caps and limits


async def test_a_key_spends_no_more_than_its_cap_and_the_answer_names_the_key(engine, money, capped):
    await money.fund(CREDIT)
    await engine.start(who=capped)
    with pytest.raises(CreditsExhausted) as refused:
        await engine.start(who=capped)
    assert refused.value.members["limit_source"] == "key"
    assert refused.value.members["balance"] == 3 * STEP
    assert "exhausted your Omium credits" in refused.value.detail
    with pytest.raises(CreditsExhausted):
        await engine.queue(who=capped)
    await engine.start()
    assert await money.problems() == []


async def test_a_hold_is_not_filled_up_beyond_the_cap_of_the_key(engine, money, capped):
    await money.fund(CREDIT)
    run = await engine.start(who=capped)
    told = [(await run.send(engine.completed(f"s{number}"))).suspend for number in range(10)]
    assert told[-1] == "credits"
    await run.suspend("credits")
    assert await money.available() == CREDIT - EXECUTION - 10 * STEP


async def test_a_limit_pauses_before_it_is_passed_and_a_resume_raises_it(engine, money):
    await money.fund(CREDIT)
    run = await engine.start(limits={"max_microcredits": EXECUTION + 4 * STEP})
    told = [(await run.send(engine.completed(f"s{number}"))).suspend for number in range(4)]
    assert told == [None, None, None, "limit"]
    await run.suspend("limit")
    with pytest.raises(LimitReached) as refused:
        await engine.resume(run.id)
    assert "--max-credits" in refused.value.detail
    again = await engine.resume(run.id, max_microcredits=CREDIT)
    await again.step("more")
    await again.complete()
    assert await money.used() == EXECUTION + 5 * STEP


async def test_a_limit_below_one_step_begins_nothing(engine, money):
    await money.fund(CREDIT)
    with pytest.raises(LimitReached):
        await engine.start(limits={"max_microcredits": EXECUTION})


# ---- prices that are not there


async def test_usage_without_a_price_is_recorded_stops_its_execution_and_is_charged_later(
    engine, money, refusing, monkeypatch
):
    await money.fund(100 * CREDIT)
    run = await engine.start()
    answer = await run.send(engine.completed("ask", usage=[usage("u1", model="nobody-knows-it")]))
    assert answer.results[0].problem is None
    assert answer.suspend == "credits"
    await run.suspend("credits")
    with pytest.raises(UnknownPrice) as refused:
        await engine.resume(run.id)
    assert "openai/nobody-knows-it" in refused.value.detail
    monkeypatch.setattr(charges, "find_book", lambda tx: replace(prices.default_book(), version=7))
    assert await engine.write(charges.sweep_unpriced) == 1
    assert await engine.write(charges.sweep_unpriced) == 0
    assert any(charge.price_version == 7 and charge.reference == "u1" for charge in await money.charges())
    await engine.resume(run.id)
    assert await money.problems() == []


async def test_usage_outside_of_executions_is_charged_to_the_key_that_reports_it(engine, money, capped):
    report = RecordUsage(**usage("alone"))
    for _ in range(2):
        await engine.write(lambda tx: record_usage(tx, capped, [report], metered=True))
    (charge,) = await money.charges()
    assert charge.api_key_id == capped.id
    cap = await engine.read(lambda tx: key_meters.find_cap(tx, capped.id))
    assert cap.spent_microcredits == charge.amount_microcredits


async def test_a_server_that_meters_no_more_charges_what_was_done_and_nothing_after_that(engine, money):
    await money.fund(CREDIT)
    run, paused = await engine.start(), await engine.start()
    await run.step("a")
    await paused.suspend("operator")
    await end_metering(engine.db)
    assert await money.available() == CREDIT - EXECUTION - STEP
    await run.step("b")
    await run.complete()
    await engine.resume(paused.id)
    assert await money.available() == CREDIT - EXECUTION - STEP
    assert await money.problems() == []


async def test_without_metering_nothing_is_held_or_charged(engine):
    run = await engine.start()
    await run.step("ask", usage=[usage("u1")])
    await run.complete()
    assert await engine.read(lambda tx: ledger_store.find_funds(tx, engine.who.tenant_id)) is None


@pytest.fixture
async def capped(engine, money):
    """A key with a cap of an execution and thirteen steps."""
    ledger = Ledger(engine.db, engine.clock, money.tenant_id, "")
    return principal(money.tenant_id, await ledger.capped_key(EXECUTION + TRANCHE + 3 * STEP))


@pytest.fixture
def refusing(monkeypatch):
    """A book that refuses what it does not know."""
    book = replace(prices.default_book(), unknown_model="refuse", bundled_models=False, rules=())
    monkeypatch.setattr(charges, "find_book", lambda tx: book)


async def test_an_effect_that_a_person_has_told_of_costs_nothing_and_is_shown_so(money):
    engine = money.engine
    await money.fund(CREDIT)
    run = await engine.start(durability="strict")
    key = (await run.intend("told")).effect_key
    await engine.expire()  # its driver is gone, and nobody knows
    command = DecideEffect(decision=EffectDecision.CONFIRM, reason="looked it up")
    await engine.write(lambda tx: decide_effect(tx, engine.who, run.id, key, command, None))
    run = await engine.resume(run.id)
    assert not (await run.intend("told")).may_call
    await run.effect("reported")
    await run.complete()

    row = await engine.row(run.id)
    cost = await engine.read(lambda tx: read_cost(tx, row))
    assert cost.free_steps == ["told"]
    assert cost.charged_microcredits == EXECUTION + STEP
