"""Sizes: what is said to be small is small, and what JSON has no form for is refused, also in itself."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omium.errors import Unserialisable
from omium.jsonvalue import INLINE_BYTES, canonical_bytes, encode, is_surely_small, json_bytes

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
LONG = st.builds(str.__mul__, st.sampled_from(["\x01", "\u2028", "a"]), st.integers(1, 12_000))
TREES = st.recursive(
    SCALARS | LONG,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=20),
    max_leaves=30,
)


@settings(max_examples=100, deadline=None)
@given(TREES)
def test_what_is_said_to_be_small_is_small(value):
    form = encode(value)

    if is_surely_small(form):
        assert len(json_bytes(form)) < INLINE_BYTES


@pytest.mark.parametrize(
    ("value", "small"),
    [({"text": "x" * 500}, True), ("x" * INLINE_BYTES, False), ([0] * 1000, False), ({"a": [[[]]]}, True)],
)
def test_the_usual_is_small_and_the_large_is_measured(value, small):
    assert is_surely_small(value) is small


@settings(max_examples=100, deadline=None)
@given(TREES)
def test_bytes_are_what_the_standard_librarys_encoder_writes(value):
    form = encode(value)

    assert json_bytes(form) == json.dumps(form, ensure_ascii=False, separators=(",", ":")).encode()
    canonical = json.dumps(form, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    assert canonical_bytes(form) == canonical.encode()


def test_a_value_that_contains_itself_is_refused():
    value = []
    value.append(value)
    with pytest.raises(Unserialisable):
        json_bytes(value)
