"""Every theme's words stand out from what is behind them, and what can be read already stays as it is."""

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from omium.tui.app import THEMES
from omium.tui.legible import make_legible, ratio
from tests.tui.looks import RATIO_MIN


@pytest.mark.parametrize("theme", [each for each in THEMES if not each.startswith("ansi")])
def test_words_and_the_cursors_line_can_be_read_in_each_theme(theme):
    given = BUILTIN_THEMES[theme]
    legible = make_legible({**given.to_color_system().generate(), **given.variables})
    behind = [Color.parse(legible[name]) for name in ("background", "surface", "panel")]
    for name in (
        "foreground",
        "text-success",
        "text-error",
        "text-warning",
        "text-primary",
        "text-secondary",
    ):
        assert min(ratio(Color.parse(legible[name]), each) for each in behind) >= RATIO_MIN, name
    cursor = Color.parse(legible["block-cursor-background"])
    assert ratio(cursor, cursor.blend(cursor.get_contrast_text(1.0), 0.87)) >= RATIO_MIN


def test_what_can_be_read_already_and_a_terminals_own_colours_stay():
    readable = {"background": "#000000", "foreground": "#FFFFFF", "text-error": "#FFAAAA"}
    assert make_legible(readable).items() >= readable.items()
    own = {"background": "ansi_default", "text-error": "ansi_red"}
    assert make_legible(own) == own
