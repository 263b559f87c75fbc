"""Cells: short pieces of text with a style, measured and cut as a terminal shows them.

Owns cutting with `…`, folding, and the few styles that there are; how wide a text is says omium/safetext.py.
Every cell is safe to print: what a terminal would obey is taken out when it is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from omium.safetext import safe_text, split_at, width_of
from omium.words import state_text

CELL_LENGTH_MAX: Final = 1_000  # a longer text is not for a table; --json has all of it
STYLES: Final[Mapping[str, str]] = {
    "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35",
    "cyan": "36",
}  # fmt: skip
_BREAKS: Final = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+ *")


@dataclass(frozen=True, slots=True)
class Cell:
    """A text on one line, and its style (a word of `STYLES`, or none)."""

    text: str
    style: str = ""
    width: int = field(init=False)

    def __post_init__(self) -> None:
        text = self.text[: CELL_LENGTH_MAX + 1]
        if not (text.isascii() and text.isprintable()):
            text = safe_text(_BREAKS.sub(" ", text))
        if len(text) > CELL_LENGTH_MAX:
            text = f"{text[: CELL_LENGTH_MAX - 1]}…"
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "width", width_of(text))

    def cut(self, width: int) -> Cell:
        """Return this cell with at most `width` columns, ending in `…` if something is missing."""
        if self.width <= width:
            return self
        return Cell(
            f"{split_at(self.text, width - 1)[0].rstrip()}…" if width > 1 else "…"[:width], self.style
        )

    def fold(self, width: int) -> Iterator[Cell]:
        """Yield this cell as lines of at most `width` columns, broken between words where there are some."""
        rest = self.text
        while width_of(rest) > width:
            head, left = split_at(rest, max(width, 2))
            at = len(head) if left.startswith(" ") else head.rfind(" ")
            at = len(head) if at <= 0 or at < len(head) // 2 else at
            yield Cell(rest[:at].rstrip(), self.style)
            rest = rest[at:].lstrip()
        yield Cell(rest, self.style)

    def render(self, *, colour: bool) -> str:
        """Return the text, with its style as an escape sequence if `colour`."""
        if not colour or not self.style or not self.text:
            return self.text
        return f"\x1b[{STYLES[self.style]}m{self.text}\x1b[0m"


def to_cell(value: str | Cell) -> Cell:
    """Return `value` as a cell."""
    return value if isinstance(value, Cell) else Cell(value)


def state(name: str, note: str = "") -> Cell:
    """Return a state as glyph and word, such as `✗ failed (driver-lost)`."""
    return Cell(*state_text(name, note))
