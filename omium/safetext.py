"""Text that is safe to show in a terminal.

Owns one function for every string that is not ours: names, messages, outputs of users and models; and how
wide a text is there (a Chinese character takes two columns, an accent none). Control
characters could move the cursor, set the title or paste commands; direction marks could show a text in
another order than it has. Markup is not looked at: pass the result as text, never as markup.
"""

from __future__ import annotations

import re
import unicodedata

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(
    f"[\x00-\x1f\x7f-\x9f{_BIDI}\u2028\u2029\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_UNSAFE_BUT_LAYOUT = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))


def safe_text(text: str, *, keep_newlines: bool = False) -> str:
    """Return `text` without what a terminal would obey: C0, C1, DEL, direction marks, lone surrogates, tags.

    With `keep_newlines`, line feeds and tabs stay (a carriage return never does: it would overwrite the
    line).
    """
    if text.isascii() and text.isprintable():
        return text
    return (_UNSAFE_BUT_LAYOUT if keep_newlines else _UNSAFE).sub("", text)


def spreadsheet_text(text: str) -> str:
    """Return `text`, safe, so that a spreadsheet takes it for a text and never for a formula."""
    safe = safe_text(text)
    return f"'{safe}" if safe.startswith(("=", "+", "-", "@")) else safe


def width_of(text: str) -> int:
    """Return how many columns `text` takes."""
    return len(text) if text.isascii() else sum(map(_width_of, text))


def split_at(text: str, width: int) -> tuple[str, str]:
    """Split `text` behind at most `width` columns."""
    taken = 0
    for at, character in enumerate(text):
        taken += _width_of(character)
        if taken > width:
            return text[:at], text[at:]
    return text, ""


def cut_text(text: str, width: int) -> str:
    """Return `text` with at most `width` columns, ending in `…` if something is missing."""
    if width_of(text) <= width:
        return text
    return f"{split_at(text, width - 1)[0].rstrip()}…" if width > 1 else "…"[:width]


def _width_of(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
