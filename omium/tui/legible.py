"""A theme's colours, changed as little as it takes to read everything that is written in them.

Themes choose colours for their looks: some of their words stand out from what is behind them by half of what
WCAG 2 asks. Colours of the terminal's own palette (`ansi_…`) are left as they are: nobody knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from textual.color import BLACK, WHITE, Color

RATIO_MIN: Final = 4.6
"""What WCAG 2 asks of text is 4.5; what is rounded on the way to the screen is not to fall below it."""
_WORDS: Final = (
    "text-success", "text-error", "text-warning", "text-primary", "text-secondary", "text-accent",
    "footer-key-foreground",
)  # fmt: skip
DIM: Final = "text-dim"
"""Name of the variable for what matters less: dimming by the terminal goes below what can be read."""
_BEHIND: Final = ("background", "surface", "panel")
_FOCUSED: Final = 0.05
"""How much of the foreground is mixed into the background of a list that has the focus."""
_DIMMED: Final = 0.35
_CURSOR_TEXT: Final = 0.87
"""How much of black or white the words on the cursor's line have."""
_STEPS: Final = 40


def make_legible(variables: Mapping[str, str]) -> dict[str, str]:
    """Return a theme's variables with words that stand out, and a cursor that words stand out from."""
    wanted = (*_WORDS, *_BEHIND, "foreground", "block-cursor-background")
    given = {name: variables.get(name, "") for name in wanted}
    found = {name: Color.parse(value) for name, value in given.items() if value.startswith("#")}
    behind = [found[name] for name in _BEHIND if name in found]
    foreground, cursor = found.get("foreground"), found.get("block-cursor-background")
    if not behind or foreground is None:
        return dict(variables)
    away = behind[0].get_contrast_text(1.0)
    foreground = foreground.blend(away, 0.5)
    behind += [each.blend(foreground, _FOCUSED) for each in behind]
    changed = {
        "foreground": foreground.hex,
        DIM: _move(foreground.blend(behind[0], _DIMMED), away, behind).hex,
    }
    for name in _WORDS:
        if name in found:
            changed[name] = _move(found[name], away, behind).hex
    if cursor is not None:
        changed["block-cursor-background"] = _dim(cursor).hex
    return {**variables, **changed}


def ratio(one: Color, other: Color) -> float:
    """Return the contrast of two colours after WCAG 2: 1 to 21."""
    darker, brighter = sorted((_luminance(one), _luminance(other)))
    return (brighter + 0.05) / (darker + 0.05)


def _move(colour: Color, away: Color, behind: list[Color]) -> Color:
    """Return `colour` with as much of `away` as it takes to stand out from all that is behind it."""
    for step in range(_STEPS):
        moved = colour.blend(away, step / _STEPS)
        if all(ratio(moved, each) >= RATIO_MIN for each in behind):
            return moved
    return away


def _dim(cursor: Color) -> Color:
    """Return a cursor's colour, further from that of the words on it."""
    text = cursor.get_contrast_text(1.0)
    away = BLACK if text == WHITE else WHITE
    for step in range(_STEPS):
        moved = cursor.blend(away, step / _STEPS)
        if ratio(moved, moved.blend(text, _CURSOR_TEXT)) >= RATIO_MIN:
            return moved
    return away


def _luminance(colour: Color) -> float:
    channels = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized
    )
    red, green, blue = channels
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
