"""The canonical form: one text for equal values, taken from what was written already where that is it."""

from hypothesis import given
from hypothesis import strategies as st

from omium.jsonvalue import canonical_bytes, canonical_of, json_bytes

TEXTS = st.text(alphabet='ab":,{}\\é', max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_what_was_written_already_is_used_only_where_it_is_canonical(value):
    assert canonical_of(value, json_bytes(value)) == canonical_bytes(value)


def test_one_key_needs_no_second_writing():
    body = json_bytes({"text": "x"})

    assert canonical_of({"text": "x"}, body) is body
