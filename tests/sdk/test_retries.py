"""Delays between tries: slept through where they are short, given back by a worker where they are long."""

import asyncio

import pytest

import omium
from omium.errors import Waits
from omium.sdk import runner
from omium.sdk.calls import Call
from omium.sdk.driving import LONG_DELAY_S
from omium.sdk.registry import find_workflow
from tests.sdk.edge import Edge, entered, record

LONG = omium.RetryPolicy(max_attempts=3, initial_delay_s=100, max_delay_s=100, multiplier=1, jitter=False)


@pytest.fixture
def edge():
    return Edge()


def make_flaky(errors, policy=LONG):
    @omium.step(name="flaky", retry=policy)
    def flaky():
        if errors:
            raise errors.pop(0)
        return "ok"

    return flaky


def drive(edge, function, driving):
    return runner.drive(
        edge.session(), driving, find_workflow(omium.workflow(name="w")(function)), Call(function)
    )


def test_a_worker_gives_an_execution_back_while_a_long_delay_lasts(edge):
    driving = edge.driving(on_worker=True)
    began_us = edge.clock.now_us()

    with pytest.raises(Waits) as caught:
        drive(edge, make_flaky([ValueError()]), driving)

    assert edge.types_of() == ["step.attempt_failed", "execution.waits"]
    waits = edge.writes[-1]
    assert (waits["reason"], waits["detail"]) == ("retry", {"step": "flaky"})
    assert waits["wake_at_us"] == began_us + 100_000_000
    assert caught.value.reason == "retry"
    assert edge.clock.now_us() - began_us < 5_000_000


def test_a_script_sleeps_through_it(edge):
    assert drive(edge, make_flaky([ValueError()]), edge.driving()) == "ok"


def test_a_worker_sleeps_through_a_short_one(edge):
    policy = omium.RetryPolicy(max_attempts=3, initial_delay_s=LONG_DELAY_S, jitter=False)

    assert drive(edge, make_flaky([ValueError()], policy), edge.driving(on_worker=True)) == "ok"


def test_the_tries_of_former_claims_count(edge):
    edge.answers = {
        "GET /v1/executions/ex_1/attempts?limit=200&path=flaky": [
            (200, {"items": [attempt(1), attempt(2, None), attempt(3), attempt(4)]})
        ]
    }
    known = record("flaky", digest_of_nothing(edge), status="retrying", attempt=4)

    with pytest.raises(ValueError, match="the last"):
        drive(edge, make_flaky([ValueError("the last"), ValueError()]), edge.driving([known], on_worker=True))

    assert [(write["attempt"], write["delay_us"]) for write in edge.of("step.attempt_failed")] == [(5, None)]


def test_a_key_that_may_not_look_gets_rather_too_few_tries_than_endless_ones(edge):
    refused = (403, {"code": "scope-missing", "detail": "no"})
    edge.answers = {"GET /v1/executions/ex_1/attempts?limit=200&path=flaky": [refused]}
    known = record("flaky", digest_of_nothing(edge), status="retrying", attempt=2)

    with pytest.raises(ValueError, match="the last"):
        drive(edge, make_flaky([ValueError("the last")]), edge.driving([known], on_worker=True))


def test_a_person_who_resumes_gives_a_fresh_budget(edge):
    known = record("flaky", digest_of_nothing(edge), status="retrying", attempt=2)

    assert drive(edge, make_flaky([ValueError(), ValueError()]), edge.driving([known])) == "ok"


async def test_what_runs_beside_a_long_delay_ends_first(edge):
    flaky = omium.step(name="flaky", retry=LONG)(failing)
    ended = []

    @omium.step
    async def beside(n):
        for _ in range(20):
            await asyncio.sleep(0)
        ended.append(n)

    async def flow():
        await asyncio.gather(flaky(), *(beside(n) for n in range(3)))

    workflow = find_workflow(omium.workflow(name="w")(flow))
    with pytest.raises(Waits):
        await runner.adrive(edge.session(), edge.driving(on_worker=True), workflow, Call(flow))

    assert sorted(ended) == [0, 1, 2]
    assert edge.types_of()[-1] == "execution.waits"


async def test_of_several_delays_the_last_one_wakes_it(edge):
    one = omium.step(name="one", retry=LONG)(failing)
    two = omium.step(
        name="two",
        retry=omium.RetryPolicy(max_attempts=2, initial_delay_s=500, max_delay_s=500, jitter=False),
    )(failing)
    began_us = edge.clock.now_us()

    async def flow():
        await asyncio.gather(one(), two())

    workflow = find_workflow(omium.workflow(name="w")(flow))
    with pytest.raises(Waits):
        await runner.adrive(edge.session(), edge.driving(on_worker=True), workflow, Call(flow))

    assert edge.writes[-1]["wake_at_us"] >= began_us + 500_000_000


async def failing():
    raise ValueError("not yet")


def attempt(number, delay_us=100_000_000):
    return {"key": "flaky", "generation": 1, "attempt": number, "delay_us": delay_us}


def digest_of_nothing(edge):
    """The digest of the input of a step without parameters."""
    with entered(Edge().driving()):
        probe = Edge()
    with entered(probe.driving()):
        omium.step(name="probe")(lambda: 1)()
    return probe.writes[0]["input_digest"]
