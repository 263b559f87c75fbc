"""Breakers shared through the database: N processes count together and share the probes."""

import asyncio
from dataclasses import replace

import pytest

from omium.errors import NotFound
from omium.models.breaker import BreakerCall, BreakerLimits, BreakerPolicy, SetBreaker
from omium.models.usage import RecordUsage
from omium.server.engine.breakers import get_breaker, report_calls, set_breaker, set_limits, view_breaker
from omium.server.engine.usage import record_usage
from omium.server.store import breakers as store
from omium.states import Environment

POLICY = BreakerPolicy(window_s=60, min_calls=4, failure_rate=0.5, cooldown_s=30, probes=2)


async def tell(engine, *, ask=False, who=None, **counts):
    call = BreakerCall(name="provider", policy=POLICY, want_permission=ask, **counts)
    return await engine.write(lambda tx: report_calls(tx, who or engine.who, call))


async def open_it(engine):
    for _ in range(4):
        answer = await tell(engine, failed=1)
    return answer


async def test_reports_of_several_processes_are_counted_together(engine):
    answers = await asyncio.gather(*(tell(engine, failed=1) for _ in range(4)))

    assert sorted(answer.state for answer in answers) == ["closed", "closed", "closed", "open"]
    shown = await engine.read(lambda tx: get_breaker(tx, engine.who, "provider"))
    assert (shown.state, shown.calls, shown.failures, shown.retry_after_s) == ("open", 4, 4, 30)


async def test_an_open_breaker_lets_nothing_pass_until_its_cooldown(engine):
    await open_it(engine)
    answer = await tell(engine, ask=True)
    assert (answer.allowed, answer.retry_after_s) == (False, 30)

    engine.clock.advance(seconds=20)
    assert (await tell(engine, ask=True)).retry_after_s == 10


async def test_of_all_processes_that_ask_at_once_only_the_probes_pass(engine):
    await open_it(engine)
    engine.clock.advance(seconds=31)
    answers = await asyncio.gather(*(tell(engine, ask=True) for _ in range(8)))

    assert sum(answer.allowed for answer in answers) == 2
    assert {answer.state for answer in answers} == {"half_open"}
    await asyncio.gather(*(tell(engine, succeeded=1) for _ in range(2)))
    assert (await tell(engine, ask=True)).state == "closed"


async def test_a_failed_probe_opens_it_again(engine):
    await open_it(engine)
    engine.clock.advance(seconds=31)
    assert (await tell(engine, ask=True)).allowed
    assert (await tell(engine, failed=1)).state == "open"
    assert not (await tell(engine, ask=True)).allowed


async def test_a_report_alone_takes_no_probe(engine):
    await open_it(engine)
    engine.clock.advance(seconds=31)
    assert (await tell(engine, succeeded=1)).state == "open"
    assert (await tell(engine, ask=True)).allowed


@pytest.mark.parametrize("state", ["open", "closed"])
async def test_it_is_opened_and_reset_by_hand(engine, state):
    await (open_it(engine) if state == "closed" else tell(engine, succeeded=1))
    command = SetBreaker(state=state, reason="maintenance")
    shown = await engine.write(lambda tx: set_breaker(tx, engine.who, "provider", command))

    assert (shown.state, shown.retry_after_s) == (state, None)
    engine.clock.advance(seconds=1000)
    assert (await tell(engine, ask=True)).allowed == (state == "closed")


async def test_a_breaker_can_be_opened_before_anyone_has_used_it(engine):
    await engine.write(lambda tx: set_breaker(tx, engine.who, "provider", SetBreaker(state="open")))
    assert not (await tell(engine, ask=True)).allowed


async def test_another_environment_or_tenant_has_its_own(engine):
    await open_it(engine)
    for who in (
        replace(engine.who, environment=Environment.PROD),
        engine.stranger,
    ):
        with pytest.raises(NotFound):
            await engine.read(lambda tx, who=who: get_breaker(tx, who, "provider"))
        assert (await tell(engine, ask=True, who=who)).allowed


async def test_they_are_listed_by_environment_and_name(engine):
    await tell(engine, succeeded=3)
    rows = await engine.read(lambda tx: store.list_breakers(tx, engine.who.tenant_id, limit=10))
    (shown,) = [view_breaker(row, engine.clock.now_us()) for row in rows]

    assert (shown.name, shown.environment, shown.calls, shown.failures) == ("provider", "dev", 3, 0)
    assert shown.policy["min_calls"] == 4
    assert (
        await engine.read(
            lambda tx: store.list_breakers(tx, engine.who.tenant_id, after=("dev", "provider"), limit=10)
        )
        == []
    )


# ---- spending


async def limit(engine, **limits):
    return await engine.write(
        lambda tx: set_limits(tx, engine.who, "provider", BreakerLimits.model_validate(limits))
    )


async def spend(engine, tokens, id_="us_1", **fields):
    spent = {"id": id_, "breaker": "provider", "input_tokens": tokens - 1, "output_tokens": 1, "at_us": 1}
    usage = RecordUsage.model_validate(spent | fields)
    await engine.write(lambda tx: record_usage(tx, engine.who, [usage], metered=engine.parts.metering))


async def look(engine):
    return await engine.read(lambda tx: get_breaker(tx, engine.who, "provider"))


async def test_a_reached_limit_of_tokens_lets_nothing_pass_until_the_minute_has_gone_by(engine):
    await limit(engine, tokens_per_minute=100)
    await spend(engine, 60)
    assert (await tell(engine, ask=True)).allowed
    await spend(engine, 60, "us_2")

    answer = await tell(engine, ask=True)
    assert (answer.allowed, answer.state, answer.because, answer.limited) == (False, "open", "tokens", True)
    assert 50 < answer.retry_after_s <= 65
    engine.clock.advance(seconds=answer.retry_after_s)
    assert (await tell(engine, ask=True)).allowed
    assert (await look(engine)).because is None


async def test_usage_that_is_reported_twice_counts_once(engine):
    await limit(engine, tokens_per_minute=100)
    await spend(engine, 60)
    await spend(engine, 60)

    assert (await look(engine)).tokens == 60
    assert (await tell(engine, ask=True)).allowed


async def test_what_is_charged_counts_against_a_limit_of_credits(engine):
    engine.parts = replace(engine.parts, metering=True)
    await engine.fund(1_000_000_000)
    await limit(engine, microcredits_per_minute=1_000)
    await spend(engine, 1_000, provider="openai", model="gpt-4o")

    shown = await look(engine)
    assert (shown.state, shown.because, shown.microcredits_per_minute) == ("open", "credits", 1_000)
    assert shown.microcredits > 1_000


async def test_of_two_limits_the_lower_one_holds(engine):
    await limit(engine, tokens_per_minute=100)
    policy = POLICY.model_copy(update={"tokens_per_minute": 40})
    call = BreakerCall(name="provider", policy=policy)
    await engine.write(lambda tx: report_calls(tx, engine.who, call))
    assert (await look(engine)).tokens_per_minute == 40

    await tell(engine)  # by somebody whose policy says nothing of spending
    assert (await look(engine)).tokens_per_minute == 100


async def test_a_call_without_a_policy_keeps_the_one_that_is_there(engine):
    await tell(engine, succeeded=1)
    await engine.write(lambda tx: report_calls(tx, engine.who, BreakerCall(name="provider", succeeded=1)))

    assert (await look(engine)).policy["min_calls"] == POLICY.min_calls


async def test_a_limit_that_is_reached_takes_no_probe(engine):
    await open_it(engine)
    await limit(engine, tokens_per_minute=10)
    engine.clock.advance(seconds=25)
    await spend(engine, 20)
    engine.clock.advance(seconds=6)  # the cooldown is over, the minute is not
    assert (await tell(engine, ask=True)).because == "tokens"

    await limit(engine)
    answers = [await tell(engine, ask=True) for _ in range(3)]
    assert [answer.allowed for answer in answers] == [True, True, False]


async def test_a_reset_forgets_what_was_spent_and_keeps_the_limit(engine):
    await limit(engine, tokens_per_minute=10)
    await spend(engine, 20)
    await engine.write(lambda tx: set_breaker(tx, engine.who, "provider", SetBreaker(state="closed")))

    shown = await look(engine)
    assert (shown.state, shown.tokens, shown.tokens_per_minute) == ("closed", 0, 10)


async def test_without_a_limit_usage_costs_a_breaker_no_write(engine):
    await tell(engine, succeeded=1)
    before = await look(engine)
    engine.clock.advance(seconds=1)
    await spend(engine, 20)

    assert (await look(engine)).updated_at_us == before.updated_at_us
