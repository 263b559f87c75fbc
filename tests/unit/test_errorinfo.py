"""Exceptions as data: bounded, complete enough to understand them, and never a further failure."""

import json
import sys
from email.utils import formatdate
from types import SimpleNamespace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.errorinfo import ErrorInfo, describe_exception, read_facts
from omium.errors import RateLimited


class ProviderError(RuntimeError):
    def __init__(self, message, **facts):
        super().__init__(message)
        vars(self).update(facts)


def caught(function, *arguments):
    try:
        function(*arguments)
    except BaseException as error:  # whatever it is
        return error
    raise AssertionError("nothing was raised")


def fail(message="boom", **facts):
    raise ProviderError(message, **facts)


def parse(text):
    json.loads(text)


def round_trip(info):
    return ErrorInfo.from_json(json.loads(json.dumps(info.to_json())))


def test_an_exception_is_described_with_its_type_message_and_frames():
    info = describe_exception(caught(fail, "no luck"))
    assert (info.type, info.message) == ("ProviderError", "no luck")
    assert info.qualified_type == f"{__name__}.ProviderError"
    assert info.bases == ("RuntimeError",)
    assert [(frame.function, frame.own) for frame in info.frames] == [("caught", True), ("fail", True)]
    assert info.frames[-1].line > 0
    assert "no luck" in info.traceback
    assert round_trip(info) == info


def test_frames_of_libraries_are_not_the_users_own():
    info = describe_exception(caught(parse, "{"))
    assert info.frames[-1].module == "json.decoder"
    assert [frame.function for frame in info.frames if frame.own] == ["caught", "parse"]
    assert not any(frame.own for frame in describe_exception(caught(httpx.URL, 5)).frames[1:])


def test_code_status_and_retry_after_are_found_where_clients_put_them():
    cases = [
        (ProviderError("x", code="rate_limit", status_code=429), ("rate_limit", 429, None)),
        (
            ProviderError("x", response=SimpleNamespace(status_code=503, headers={"retry-after": "7"})),
            ("", 503, 7.0),
        ),
        (
            ProviderError("x", response=SimpleNamespace(status=500, headers={"retry-after-ms": "1500"})),
            ("", 500, 1.5),
        ),
        (ProviderError("x", code=404), ("404", 404, None)),
        (ProviderError("x", code=1), ("1", None, None)),
        (RateLimited("x", retry_after_s=3), ("rate-limited", 429, 3.0)),
        (ProviderError("x", retry_after=-1, status_code=True), ("", None, None)),
        (ProviderError("x", retry_after=float("nan")), ("", None, None)),
        (ProviderError("x", retry_after="soon", headers=5), ("", None, None)),
        (ProviderError("x", retry_after=1e300), ("", None, 7 * 86_400.0)),
    ]
    for error, expected in cases:
        facts = read_facts(error)
        assert (facts.code, facts.status, facts.retry_after_s) == expected
        assert read_facts(describe_exception(error).to_json()) == facts


def test_a_retry_after_with_a_date_is_measured_from_now():
    response = httpx.Response(503, headers={"Retry-After": formatdate(1_800_000_060, usegmt=True)})
    error = ProviderError("x", response=response)
    assert read_facts(error, now_us=1_800_000_000_000_000).retry_after_s == 60
    assert read_facts(error, now_us=1_800_000_100_000_000).retry_after_s == 0
    assert read_facts(ProviderError("x", headers={"Retry-After": "Xyz, 99 Foo"})).retry_after_s is None


def test_causes_and_contexts_are_followed_within_bounds_and_circles_end():
    error = first = ProviderError("0")
    for number in range(1, 10):
        error.__cause__ = ProviderError(str(number))
        error = error.__cause__
    error.__cause__ = first
    assert [cause.message for cause in describe_exception(first).causes] == ["1", "2", "3", "4", "5"]

    left, right = ProviderError("left"), ProviderError("right")
    left.__cause__, right.__cause__ = right, left
    assert [cause.message for cause in describe_exception(left).causes] == ["right"]

    hidden = ProviderError("x")
    hidden.__context__, hidden.__suppress_context__ = KeyError("a"), True
    assert describe_exception(hidden).causes == ()


def test_a_group_shows_its_first_members():
    group = ExceptionGroup(
        "many", [ProviderError(str(number)) for number in range(9)] + [ExceptionGroup("in", [KeyError(1)])]
    )
    info = describe_exception(group)
    assert [each.message for each in info.exceptions] == ["0", "1", "2", "3", "4"]
    assert round_trip(info) == info


def test_a_deep_recursion_keeps_both_ends():
    def recurse():
        recurse()

    info = describe_exception(caught(recurse))
    assert info.type == "RecursionError"
    assert (len(info.frames), info.frames[0].function) == (40, "caught")
    assert len(json.dumps(info.to_json())) < 32 * 1024


class Hostile(Exception):
    def __str__(self):
        raise ValueError("no message for you")

    @property
    def code(self):
        raise KeyError("no code either")

    @property
    def response(self):
        return self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(name)


def test_an_exception_that_misbehaves_is_still_described():
    info = describe_exception(caught(lambda: (_ for _ in ()).throw(Hostile())))
    assert info.type == "Hostile"
    assert "ValueError" in info.message
    assert json.dumps(info.to_json())


def test_everything_is_bounded_and_is_json():
    error = ProviderError("\ud800\x00" + "x" * 100_000, code="c" * 10_000)
    for _ in range(100):
        error.add_note("n" * 10_000)
    error.__cause__ = ExceptionGroup("g", [ProviderError("y" * 100_000)] * 50)
    text = json.dumps(describe_exception(error).to_json(), ensure_ascii=False).encode()
    assert len(text) < 64 * 1024
    assert b"\\u0000" not in text


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)
NAMES = [*ErrorInfo.__slots__, "line"]


@given(
    st.recursive(
        st.dictionaries(st.sampled_from(NAMES), anything),
        lambda e: st.dictionaries(st.sampled_from(NAMES), e | st.lists(e)),
    )
)
def test_json_from_anywhere_is_read_within_bounds(form):
    info = ErrorInfo.from_json(form)
    assert round_trip(info) == info
    assert read_facts(form).names


@pytest.mark.parametrize("depth", [10, 5_000])
def test_deeply_nested_json_is_cut_off(depth):
    form = {}
    for _ in range(depth):
        form = {"causes": [form]}
    assert sys.getrecursionlimit() > len(repr(ErrorInfo.from_json(form)).split("causes"))
