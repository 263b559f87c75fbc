"""Breakers shared through the database: N processes count together and share the probes."""

import asyncio
from dataclasses import replace

import pytest

from omium.errors import NotFound
from omium.models.breaker import BreakerCall, BreakerPolicy, SetBreaker
from omium.server.engine.breakers import get_breaker, report_calls, set_breaker, view_breaker
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
