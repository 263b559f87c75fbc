import pytest

import omium
from omium.errors import BreakerOpen
from tests.sdk.edge import Edge, entered

CALLS = "POST /v1/breakers/calls"


@pytest.fixture
def edge():
    return Edge()


def answer(state, *, allowed=True, retry_after_s=None):
    return 200, {"name": "p", "state": state, "allowed": allowed, "retry_after_s": retry_after_s}


def asked(edge):
    return [(body["succeeded"], body["failed"], body["want_permission"]) for _, _, body in edge.requests]


def make_step(results, **options):
    @omium.step(name="ask", breaker="p", **options)
    def ask():
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    return ask


def test_while_a_breaker_is_closed_calls_pass_without_asking_each_time(edge):
    edge.answers = {CALLS: [answer("closed")]}
    ask = make_step([1, 2, 3])

    with entered(edge.driving()):
        assert [ask(), ask(), ask()] == [1, 2, 3]

    assert asked(edge) == [(0, 0, True)]


def test_where_spending_is_limited_every_call_asks(edge):
    _, closed = answer("closed")
    edge.answers = {CALLS: [(200, {**closed, "limited": True})] * 2}
    ask = make_step([1, 2])

    with entered(edge.driving()):
        assert [ask(), ask()] == [1, 2]

    assert asked(edge) == [(0, 0, True), (1, 0, True)]


def test_what_a_step_has_used_names_its_breaker(edge):
    edge.answers = {CALLS: [answer("closed")]}

    @omium.step(breaker="p")
    def ask():
        omium.record_usage(model="m", input_tokens=7)

    driving = edge.driving()
    with entered(driving):
        ask()

    (usage,) = [each for write in edge.writes for each in write.get("usage", [])]
    assert (usage["breaker"], usage["input_tokens"]) == ("p", 7)


def test_what_was_seen_is_told_when_it_asks_again(edge):
    edge.answers = {CALLS: [answer("closed"), answer("closed")]}
    ask = make_step([1, 2, 3])

    with entered(edge.driving()):
        ask()
        ask()
        edge.clock.advance(6)
        ask()

    assert asked(edge) == [(0, 0, True), (2, 0, True)]


def test_a_failure_of_the_provider_makes_the_next_call_ask(edge):
    edge.answers = {CALLS: [answer("closed"), answer("open", allowed=False, retry_after_s=12.0)]}
    ask = make_step([ConnectionError(), 2])

    with entered(edge.driving()):
        with pytest.raises(ConnectionError):
            ask()
        with pytest.raises(BreakerOpen, match="the next try is in 12 s"):
            ask()

    assert asked(edge) == [(0, 0, True), (0, 1, True)]
    assert edge.of("step.attempt_failed")[-1]["error"]["code"] == "breaker-open"


def test_the_callers_own_mistake_says_nothing_against_the_provider(edge):
    edge.answers = {CALLS: [answer("closed")]}
    ask = make_step([ValueError(), 2])

    with entered(edge.driving()):
        with pytest.raises(ValueError):
            ask()
        ask()

    assert asked(edge) == [(0, 0, True)]


def test_an_open_breaker_is_waited_for_where_the_step_has_a_retry(edge):
    edge.answers = {CALLS: [answer("open", allowed=False, retry_after_s=12.0), answer("half_open")]}
    before_us = edge.clock.boot_us()

    with entered(edge.driving()):
        assert make_step([1], retry=2)() == 1

    assert edge.clock.boot_us() - before_us >= 12_000_000


def test_a_half_open_breaker_is_asked_before_every_call(edge):
    edge.answers = {CALLS: [answer("half_open"), answer("closed")]}
    ask = make_step([1, 2])

    with entered(edge.driving()):
        ask()
        ask()

    assert asked(edge) == [(0, 0, True), (1, 0, True)]


def test_calls_pass_while_the_server_does_not_answer_for_the_breaker(edge):
    edge.answers = {CALLS: [(404, {"code": "not-found", "status": 404})]}

    with entered(edge.driving()):
        assert make_step([1])() == 1


def test_an_effect_that_was_not_let_through_was_not_announced(edge):
    edge.answers = {CALLS: [answer("open", allowed=False, retry_after_s=12.0)]}

    with entered(edge.driving()), pytest.raises(BreakerOpen):
        make_step([1], effect=True)()

    assert edge.types_of() == ["step.attempt_failed"]
