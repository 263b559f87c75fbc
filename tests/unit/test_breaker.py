"""Circuit, progress and spend breakers, and which errors count, without a clock or a database."""

import json
import socket
from dataclasses import replace

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from omium.breaker import (
    Breaker,
    CircuitPolicy,
    Progress,
    Spend,
    SpendLimit,
    Verdict,
    admit,
    call_signature,
    classify,
    force_open,
    is_circling,
    new_breaker,
    note_call,
    note_spend,
    report,
    reset,
    retry_after_us,
)
from omium.errorinfo import describe_exception
from omium.errors import BreakerOpen, DatabaseCorrupt, RateLimited, StepTimeout
from omium.states import BreakerState

S = 1_000_000
T0 = 1_800_000_000 * S
POLICY = CircuitPolicy(window_us=60 * S, min_calls=4, failure_rate=0.5, cooldown_us=30 * S, probes=2)


def run(breaker, *steps):
    """Apply (seconds after T0, succeeded, failed) in turn."""
    for seconds, succeeded, failed in steps:
        breaker = report(breaker, POLICY, T0 + seconds * S, succeeded=succeeded, failed=failed)
    return breaker


def opened(at_s=0):
    return run(new_breaker(POLICY, T0), (at_s, 2, 2))


def test_it_opens_at_the_failure_rate_but_not_before_enough_calls():
    assert run(new_breaker(POLICY, T0), (0, 0, 3)).state is BreakerState.CLOSED
    assert run(new_breaker(POLICY, T0), (0, 0, 3), (1, 0, 1)).state is BreakerState.OPEN
    assert run(new_breaker(POLICY, T0), (0, 3, 2)).state is BreakerState.CLOSED
    assert run(new_breaker(POLICY, T0), (0, 2, 2)).state is BreakerState.OPEN


def test_failures_that_left_the_window_do_not_count():
    assert run(new_breaker(POLICY, T0), (0, 0, 3), (61, 1, 1)).state is BreakerState.CLOSED
    assert run(new_breaker(POLICY, T0), (0, 0, 3), (50, 1, 1)).state is BreakerState.OPEN


def test_a_success_never_opens_it():
    breaker = run(new_breaker(replace(POLICY, min_calls=1), T0), (0, 0, 3))
    assert (
        report(breaker, replace(POLICY, failure_rate=0.01), T0 + S, succeeded=9, failed=0).state
        is BreakerState.CLOSED
    )


def test_an_open_breaker_refuses_until_its_cooldown_has_ended():
    answer = admit(opened(), POLICY, T0 + 10 * S)
    assert (answer.allowed, answer.retry_after_us) == (False, 20 * S)
    assert admit(opened(), POLICY, T0 + 30 * S).allowed


def test_half_open_lets_the_probes_through_and_closes_on_their_success():
    breaker, now = opened(), T0 + 30 * S
    for expected in (True, True, False):
        answer = admit(breaker, POLICY, now)
        breaker = answer.breaker
        assert answer.allowed is expected
    assert breaker.state is BreakerState.HALF_OPEN
    assert answer.retry_after_us == 30 * S

    breaker = run(breaker, (31, 1, 0))
    assert breaker.state is BreakerState.HALF_OPEN
    breaker = run(breaker, (31, 1, 0))
    assert breaker.state is BreakerState.CLOSED
    assert run(breaker, (32, 0, 3)).state is BreakerState.CLOSED  # what was before is forgotten


def test_a_failed_probe_opens_it_again_for_a_whole_cooldown():
    breaker = run(admit(opened(), POLICY, T0 + 30 * S).breaker, (32, 1, 1))
    assert breaker.state is BreakerState.OPEN
    assert admit(breaker, POLICY, T0 + 33 * S).retry_after_us == 29 * S


def test_probes_whose_processes_died_are_given_up_after_a_cooldown():
    breaker = opened()
    for _ in range(2):
        breaker = admit(breaker, POLICY, T0 + 30 * S).breaker
    assert not admit(breaker, POLICY, T0 + 59 * S).allowed
    assert admit(breaker, POLICY, T0 + 60 * S).allowed


def test_late_results_of_calls_from_before_do_not_move_an_open_breaker():
    breaker = run(opened(), (1, 50, 50))
    assert breaker.state is BreakerState.OPEN
    assert breaker.open_until_us == T0 + 30 * S


def test_a_clock_that_is_stepped_back_keeps_it_open_for_one_cooldown_at_most():
    answer = admit(opened(), POLICY, T0 - 86_400 * S)
    assert answer.retry_after_us == POLICY.cooldown_us
    assert admit(answer.breaker, POLICY, T0 - 86_400 * S + 30 * S).allowed

    probing = opened()
    for _ in range(2):
        probing = admit(probing, POLICY, T0 + 30 * S).breaker
    answer = admit(probing, POLICY, T0 - 86_400 * S)
    assert not answer.allowed
    assert admit(answer.breaker, POLICY, T0 - 86_400 * S + 30 * S).allowed


def test_a_clock_that_is_stepped_back_loses_no_count():
    assert run(new_breaker(POLICY, T0), (0, 0, 3), (-20, 0, 0), (54, 0, 1)).state is BreakerState.OPEN


def test_opened_by_hand_it_stays_open_until_it_is_reset():
    breaker = force_open(new_breaker(POLICY, T0), T0)
    answer = admit(run(breaker, (1, 5, 0)), POLICY, T0 + 10**6 * S)
    assert (answer.allowed, answer.retry_after_us) == (False, None)
    assert admit(reset(POLICY, T0), POLICY, T0).allowed


def test_another_policy_takes_effect_at_once():
    breaker = run(new_breaker(POLICY, T0), (0, 0, 3))
    short = replace(POLICY, window_us=6 * S)
    assert (
        report(breaker, short, T0, succeeded=0, failed=1).state is BreakerState.CLOSED
    )  # counting starts anew
    assert admit(opened(), replace(POLICY, cooldown_us=5 * S), T0).retry_after_us == 5 * S


class CircuitMachine(RuleBasedStateMachine):
    """Any order of calls, reports, waits, clock steps and restarts: bounded, never stuck, never lying."""

    def __init__(self):
        super().__init__()
        self.now_us = T0
        self.breaker = new_breaker(POLICY, T0)
        self.out = 0

    @rule(seconds=st.integers(-100, 100))
    def wait(self, seconds):
        self.now_us += seconds * S

    @rule()
    def call(self):
        answer = admit(self.breaker, POLICY, self.now_us)
        assert answer.allowed or answer.retry_after_us in range(1, POLICY.cooldown_us + 1)
        if answer.breaker.state is BreakerState.HALF_OPEN:
            assert answer.breaker.probes_started <= POLICY.probes
        self.breaker, self.out = answer.breaker, self.out + answer.allowed

    @rule(succeeded=st.integers(0, 3), failed=st.integers(0, 3))
    def finish(self, succeeded, failed):
        before = self.breaker.state
        self.breaker = report(self.breaker, POLICY, self.now_us, succeeded=succeeded, failed=failed)
        if before is not BreakerState.OPEN and not failed:
            assert self.breaker.state is not BreakerState.OPEN
        if before is BreakerState.HALF_OPEN and failed:
            assert self.breaker.state is BreakerState.OPEN

    @invariant()
    def survives_its_row_and_stays_small(self):
        text = json.dumps(self.breaker.to_json())
        assert Breaker.from_json(json.loads(text)) == self.breaker
        assert len(text) < 1000

    @invariant()
    def is_never_stuck(self):
        breaker, now_us = self.breaker, self.now_us
        for _ in range(2):
            answer = admit(breaker, POLICY, now_us)
            breaker, now_us = answer.breaker, now_us + (answer.retry_after_us or 0)
        assert admit(breaker, POLICY, now_us).allowed or answer.allowed


TestCircuit = CircuitMachine.TestCase
TestCircuit.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"state": "ajar"},
        {**opened().to_json(), "calls": {"amounts": [1]}},
        {**opened().to_json(), "state": "x"},
    ],
)
def test_a_damaged_row_is_reported(form):
    with pytest.raises(DatabaseCorrupt):
        Breaker.from_json(form)


# ------------------------------------------------------------------------------------------------- progress


def circle(*calls, repeats=3):
    progress = Progress()
    for call in calls:
        progress = note_call(progress, call_signature(call, {}), repeats=repeats)
    assert Progress.from_json(json.loads(json.dumps(progress.to_json()))) == progress
    return is_circling(progress, repeats=repeats)


def test_the_same_call_again_and_again_is_circling():
    assert not circle(*"aa")
    assert circle(*"aaa")
    assert circle(*"abaca")
    assert not circle(*"abacda")
    assert not circle(*"abcde")
    assert not circle(*"aaab")  # the newest call is another: it has moved on
    assert not circle()


def test_a_signature_is_the_tool_and_its_arguments_in_any_order():
    assert call_signature("t", {"a": 1, "b": 2}) == call_signature("t", {"b": 2, "a": 1})
    signatures = {
        call_signature("t", {"a": 1}),
        call_signature("u", {"a": 1}),
        call_signature("t", {"a": "1"}),
        call_signature("t", []),
    }
    assert len(signatures) == 4


@given(st.lists(st.sampled_from("ab"), max_size=300))
def test_the_memory_of_calls_is_bounded(calls):
    progress = Progress()
    for call in calls:
        progress = note_call(progress, call)
    assert len(progress.recent) <= 7


# ---------------------------------------------------------------------------------------------------- spend

LIMIT = SpendLimit(1000)


def test_spending_waits_when_the_minute_is_used_up():
    spend = note_spend(None, LIMIT, 600, T0)
    assert retry_after_us(spend, LIMIT, T0) == 0
    assert retry_after_us(spend, LIMIT, T0, amount=400) == 0
    assert retry_after_us(spend, LIMIT, T0, amount=401) > 0
    spend = note_spend(spend, LIMIT, 700, T0 + 10 * S)  # it happened, so it counts
    wait_us = retry_after_us(spend, LIMIT, T0 + 10 * S)
    assert 40 * S < wait_us <= 50 * S
    assert retry_after_us(spend, LIMIT, T0 + 10 * S + wait_us) == 0
    assert retry_after_us(None, LIMIT, T0, amount=10**9) == 0


def test_an_amount_above_the_limit_waits_for_an_empty_window_and_passes():
    spend = note_spend(None, LIMIT, 1, T0)
    wait_us = retry_after_us(spend, LIMIT, T0, amount=5000)
    assert 0 < wait_us <= 60 * S
    assert retry_after_us(spend, LIMIT, T0 + wait_us, amount=5000) == 0


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 30 * S), st.integers(0, 800)), max_size=30), st.integers(0, 1200))
def test_waiting_as_told_is_enough_and_no_window_admits_more_than_the_limit_and_one_amount(spending, amount):
    spend, now_us, admitted = None, T0, []
    for gap_us, each in spending:
        now_us += gap_us
        wait_us = retry_after_us(spend, LIMIT, now_us, amount=each)
        assert 0 <= wait_us <= 60 * S
        now_us += wait_us
        assert retry_after_us(spend, LIMIT, now_us, amount=each) == 0
        spend = note_spend(spend, LIMIT, each, now_us)
        assert Spend.from_json(json.loads(json.dumps(spend.to_json()))) == spend
        admitted.append((now_us, each))
    for end_us, _ in admitted:
        assert sum(each for at_us, each in admitted if end_us - 55 * S < at_us <= end_us) <= LIMIT.amount
    assert retry_after_us(spend, LIMIT, now_us + 60 * S, amount=amount) == 0


# -------------------------------------------------------------------------------------------------- verdict


class APIConnectionError(Exception):
    pass


class RateLimitError(Exception):
    pass


class BadRequestError(Exception):
    status_code = 400


class InternalServerError(Exception):
    status_code = 500


class QuotaError(Exception):
    status_code = 429


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionResetError(),
        BrokenPipeError(),
        socket.gaierror(),
        StepTimeout("x"),
        APIConnectionError(),
        RateLimitError(),
        InternalServerError(),
        QuotaError(),
        httpx.ReadTimeout("x"),
        httpx.ConnectError("x"),
        httpx.PoolTimeout("x"),
        httpx.RemoteProtocolError("x"),
        httpx.HTTPStatusError("x", request=httpx.Request("GET", "http://h"), response=httpx.Response(503)),
        ExceptionGroup("g", [ValueError(), TimeoutError()]),
    ],
    ids=repr,
)
def test_what_speaks_against_the_provider_counts(error):
    assert classify(error) is Verdict.FAILED
    if not isinstance(error, ExceptionGroup):
        assert classify(json.loads(json.dumps(describe_exception(error).to_json()))) is Verdict.FAILED


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Timeout"),
        KeyError("x"),
        BadRequestError(),
        FileNotFoundError(),
        BreakerOpen("x"),
        RateLimited("Omium's own limit"),
        httpx.HTTPStatusError("x", request=httpx.Request("GET", "http://h"), response=httpx.Response(404)),
        httpx.InvalidURL("x"),
        ExceptionGroup("g", [ValueError()]),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_the_callers_own_mistakes_never_count(error):
    assert classify(error) is Verdict.IGNORED
    assert classify(json.loads(json.dumps(describe_exception(error).to_json()))) is Verdict.IGNORED
