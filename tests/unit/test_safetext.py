"""What is not ours is shown without anything that a terminal would obey."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.safetext import safe_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("é 漢字 😀 👩\u200d🚀", "é 漢字 😀 👩\u200d🚀"),
        ("\x1b]0;title\x07x", "]0;titlex"),
        ("\x1b[2J\x1b[31mred", "[2J[31mred"),
        ("\x9b31mred", "31mred"),
        ("a\rb\x08c\x7f", "abc"),
        ("abc\u202edcba\u2069", "abcdcba"),
        ("a\nb\tc\u2028d", "abcd"),
        ("x\udc80y", "xy"),
        ("[@click=quit]x[/x]", "[@click=quit]x[/x]"),
        ("", ""),
    ],
)
def test_controls_are_removed_and_everything_else_stays(text, shown):
    assert safe_text(text) == shown


def test_newlines_and_tabs_stay_where_they_are_wanted_but_never_a_carriage_return():
    assert safe_text("a\r\nb\tc\x1b\x00", keep_newlines=True) == "a\nb\tc"


@given(st.text())
def test_no_control_character_of_any_sort_is_left(text):
    shown = safe_text(text)
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in shown)
    assert not any(
        unicodedata.bidirectional(c) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        for c in shown
    )
    assert safe_text(shown) == shown
