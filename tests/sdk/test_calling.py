"""Binding arguments: what `inspect.Signature` says, without asking it where that is clear."""

import inspect

from hypothesis import given
from hypothesis import strategies as st

from omium.sdk.calling import bind
from omium.sdk.calls import Call


def plain(a, b, c=3, d=4):
    pass


def nothing():
    pass


def varied(a, /, b=2, *rest, c, **more):
    pass


def by_name(*, a, b=2):
    pass


def outcome(ask):
    try:
        return [*ask().items()]
    except TypeError as error:
        return str(error)


@given(
    st.sampled_from([plain, nothing, varied, by_name]),
    st.lists(st.integers(), max_size=5),
    st.dictionaries(st.sampled_from("abcdx"), st.integers(), max_size=4),
)
def test_arguments_are_bound_as_the_call_itself_would(function, args, kwargs):
    def ask_the_signature():
        expected = inspect.signature(function).bind(*args, **kwargs)
        expected.apply_defaults()
        return expected.arguments

    expected = outcome(ask_the_signature)
    assert outcome(lambda: bind(Call(function, tuple(args), kwargs))) == expected
