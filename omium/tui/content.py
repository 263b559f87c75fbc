"""Cells: what comes from outside, made safe, as text with a style of the theme.

Every string that is not ours goes through `safe`: what a terminal would obey is taken out, and nothing is
read as markup. Colours are named after their meaning and looked up in the theme when they are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.style import Style
from rich.text import Text

from omium.safetext import cut_text, safe_text
from omium.tui.legible import DIM
from omium.words import state_text

CELL_LENGTH_MAX: Final = 1_000
TEXT_LENGTH_MAX: Final = 100_000
"""A text is laid out whole before a line of it is seen: a megabyte would take seconds."""
_BREAKS: Final = str.maketrans(dict.fromkeys("\t\n\v\f\r\x85\u2028\u2029", " "))
TONES: Final[Mapping[str, str]] = {
    "green": "text-success", "red": "text-error", "yellow": "text-warning", "blue": "text-primary",
    "cyan": "text-secondary", "magenta": "text-accent", "dim": DIM, "bold": "foreground",
}  # fmt: skip
"""Style of `omium.words` to variable of the theme."""


def safe(text: object, *, length_max: int = CELL_LENGTH_MAX) -> str:
    """Return `text` on one line, cut, without what a terminal would obey."""
    plain = str(text)[: length_max + 1]
    return cut_text(safe_text(plain.translate(_BREAKS)), length_max)


def safe_lines(text: str) -> str:
    """Return `text` with its lines, without what a terminal would obey; of a huge one, its beginning."""
    plain = safe_text(text[:TEXT_LENGTH_MAX], keep_newlines=True)
    more = len(text) - TEXT_LENGTH_MAX
    return f"{plain}\n… {more:,} more characters" if more > 0 else plain


def cell(text: object, tone: str = "") -> Text:
    """Return a text from anywhere as a cell; `tone` is a word of `TONES`, or none."""
    return Text(safe(text), tone, no_wrap=True, overflow="ellipsis", end="")


def state(name: str, note: str = "") -> Text:
    """Return a state as glyph and word, such as `✗ failed (driver-lost)`: never colour alone."""
    words, tone = state_text(name, note)
    return cell(words, tone)


def right(text: object, tone: str = "") -> Text:
    """Return a number as a cell, at the right."""
    made = cell(text, tone)
    made.justify = "right"
    return made


def paint(text: Text, variables: Mapping[str, str]) -> Text:
    """Return `text` with its tones in the colours of a theme (`App.theme_variables`)."""
    painted = text.copy()
    if isinstance(text.style, str):
        painted.style = tone_style(text.style, variables)
    painted.spans = [
        span._replace(style=tone_style(span.style, variables)) if isinstance(span.style, str) else span
        for span in text.spans
    ]
    return painted


def tone_style(tone: str, variables: Mapping[str, str]) -> Style:
    """Return the style of a tone in a theme."""
    if tone == "dim" and DIM not in variables:  # the terminal's own colours, or none
        return Style(dim=True)
    if tone not in TONES:
        return Style.parse(tone)
    colour = variables.get(TONES[tone], "")
    return Style(color=_plain(colour), bold=tone in {"bold", "red"})


def _plain(colour: str) -> str | None:
    """Return a colour that Rich knows: `#rrggbb`, without Textual's share of opacity."""
    if colour.startswith("ansi_"):
        return colour.removeprefix("ansi_")
    return colour[:7] if colour.startswith("#") else None
