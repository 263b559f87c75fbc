"""Whether an attempt is followed by another, and after how long."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.errorinfo import describe_exception
from omium.errors import ConfigError
from omium.retry import RETRY_AFTER_CAP_S, RetryPolicy, may_retry, next_delay_s


class ProviderError(RuntimeError):
    def __init__(self, message="x", **facts):
        super().__init__(message)
        vars(self).update(facts)


class Overloaded(ProviderError):
    pass


def delay(policy, attempt, error=None, draw=1.0, **more):
    return next_delay_s(policy, attempt, error or ProviderError(), random=lambda: draw, **more)


def test_delays_double_up_to_the_cap_and_end_with_the_last_attempt():
    policy = RetryPolicy(max_attempts=8, initial_delay_s=1, multiplier=2, max_delay_s=10, jitter=False)
    assert [delay(policy, attempt) for attempt in range(1, 10)] == [1, 2, 4, 8, 10, 10, 10, None, None]
    assert delay(RetryPolicy(max_attempts=1), 1) is None


def test_full_jitter_draws_from_zero_to_the_delay():
    policy = RetryPolicy(initial_delay_s=4)
    assert [delay(policy, 1, draw=draw) for draw in (0.0, 0.25, 0.999)] == [0, 1, 3.996]


@given(
    st.builds(
        RetryPolicy,
        max_attempts=st.integers(1, 1000),
        initial_delay_s=st.floats(0, 1e5),
        multiplier=st.floats(1, 1e5),
        max_delay_s=st.floats(0, 1e5),
        jitter=st.booleans(),
    ),
    st.integers(1, 2**40),
    st.floats(0, 0.999),
)
def test_a_delay_is_never_negative_nor_above_the_cap(policy, attempt, draw):
    found = delay(policy, attempt, draw=draw)
    assert (found is None) == (attempt >= policy.max_attempts)
    assert found is None or 0 <= found <= policy.max_delay_s


def test_a_providers_retry_after_wins_within_an_hour():
    policy = RetryPolicy(max_delay_s=10, jitter=False)
    asked = ProviderError(retry_after=30)
    assert delay(policy, 1, asked, draw=0.0) == 30
    assert 30 < delay(policy, 1, asked, draw=0.9) <= 33
    assert delay(policy, 1, ProviderError(retry_after=86_400), draw=0.0) == RETRY_AFTER_CAP_S
    assert delay(policy, 1, asked, draw=0.0, retry_after_s=5) == 5
    assert delay(policy, 1, ProviderError(retry_after=0)) == 1  # "at once" would be a tight loop
    assert delay(policy, 3, asked) is None


RULES = [
    (ProviderError, True),
    (RuntimeError, True),
    (Exception, True),
    (ValueError, False),
    ("Overloaded", True),
    ("ProviderError", True),
    (f"{__name__}.Overloaded", True),
    ("other.Overloaded", False),
    ("overloaded_error", True),
    ("Overload", False),
    (529, True),
    ("529", True),
    ("5xx", True),
    ("4xx", False),
    (500, False),
]


@pytest.mark.parametrize(("rule", "expected"), RULES, ids=str)
def test_rules_match_classes_names_codes_and_statuses_alike_for_exceptions_and_their_json(rule, expected):
    error = Overloaded("busy", code="overloaded_error", status_code=529)
    recorded = json.loads(json.dumps(describe_exception(error).to_json()))
    for subject in (error, recorded):
        assert may_retry(RetryPolicy(retry_on=(rule,)), subject) == expected
        assert may_retry(RetryPolicy(give_up_on=(rule,)), subject) == (not expected)
        assert not may_retry(RetryPolicy(retry_on=(rule,), give_up_on=(rule,)), subject)


def test_an_error_without_a_code_does_not_match_an_empty_one():
    assert not may_retry(RetryPolicy(retry_on=("x",)), ProviderError(code=""))


def test_what_is_no_exception_is_never_retried():
    policy = RetryPolicy(retry_on=(BaseException,))
    for error in (KeyboardInterrupt(), asyncio.CancelledError(), SystemExit(1), GeneratorExit()):
        assert not may_retry(policy, error)
        assert delay(policy, 1, error) is None


def test_a_group_is_retried_only_if_each_member_would_be():
    policy = RetryPolicy(retry_on=(Overloaded,))
    assert may_retry(policy, ExceptionGroup("g", [Overloaded(), ExceptionGroup("h", [Overloaded()])]))
    assert not may_retry(policy, ExceptionGroup("g", [Overloaded(), ValueError()]))
    assert not may_retry(policy, BaseExceptionGroup("g", [Overloaded(), KeyboardInterrupt()]))


def test_a_policy_survives_json():
    policy = RetryPolicy(max_attempts=5, jitter=False, retry_on=[Overloaded, "x", 429], give_up_on=ValueError)
    assert policy.retry_on == (Overloaded, "x", 429)
    form = json.loads(json.dumps(policy.to_json()))
    assert form["retry_on"] == [f"{__name__}.Overloaded", "x", 429]
    assert form["give_up_on"] == ["ValueError"]
    assert RetryPolicy.from_json(form).to_json() == form
    assert RetryPolicy.from_json({}) == RetryPolicy()
    assert may_retry(RetryPolicy.from_json(form), Overloaded())


@pytest.mark.parametrize(
    "form",
    [
        {"max_attempts": 0},
        {"max_attempts": 1.5},
        {"max_attempts": True},
        {"initial_delay_s": -1},
        {"initial_delay_s": float("nan")},
        {"initial_delay_s": "1"},
        {"multiplier": 0.5},
        {"max_delay_s": float("inf")},
        {"jitter": 1},
        {"retry_on": [int]},
        {"retry_on": [""]},
        {"retry_on": [1000]},
        {"give_up_on": [None]},
        {"attempts": 3},
    ],
    ids=str,
)
def test_a_policy_that_makes_no_sense_is_refused_with_a_sentence(form):
    with pytest.raises(ConfigError, match=r"\.$"):
        RetryPolicy.from_json(form)
