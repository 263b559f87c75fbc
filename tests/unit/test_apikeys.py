"""The text form of API keys: made, taken apart, mistyped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.apikeys import make_api_key, split_api_key
from omium.ids import new_id

KEY_ID = new_id("ak", 1_800_000_000_000_000)
FIXED = make_api_key("dev", KEY_ID)


def test_a_key_says_its_environment_and_id_and_comes_apart_again():
    made = make_api_key("staging", KEY_ID)
    assert made.token.startswith(f"om_staging_{KEY_ID[3:]}_")
    assert split_api_key(made.token) == made
    assert (made.environment, made.key_id, len(made.secret)) == ("staging", KEY_ID, 30)


def test_no_two_keys_have_the_same_secret_and_none_shows_it():
    assert len({make_api_key("dev", KEY_ID).secret for _ in range(100)}) == 100
    assert FIXED.secret not in repr(FIXED)


@given(st.integers(0, len(FIXED.token) - 1), st.characters())
def test_a_changed_character_is_noticed_without_a_query(at, character):
    mistyped = FIXED.token[:at] + character + FIXED.token[at + 1 :]
    assert (split_api_key(mistyped) is not None) == (mistyped == FIXED.token)


@given(st.integers(0, len(FIXED.token) - 2))
def test_swapped_neighbours_are_noticed(at):
    token = FIXED.token
    swapped = token[:at] + token[at + 1] + token[at] + token[at + 2 :]
    assert (split_api_key(swapped) is not None) == (swapped == token)


@pytest.mark.parametrize(
    "text", ["", "om_", "sk-123", FIXED.token[:-1], FIXED.token + "a", FIXED.token + "\n", "é" * 70]
)
def test_what_is_no_key_is_none(text):
    assert split_api_key(text) is None


def test_a_key_is_not_made_for_an_impossible_environment_or_id():
    for environment, key_id in (
        ("Dev", KEY_ID),
        ("", KEY_ID),
        ("dev", "ak_short"),
        ("dev", "tn" + KEY_ID[2:]),
    ):
        with pytest.raises(ValueError, match="do not make"):
            make_api_key(environment, key_id)
