"""Text that is safe to show in a terminal.

Owns one function for every string that is not ours: names, messages, outputs of users and models. Control
characters could move the cursor, set the title or paste commands; direction marks could show a text in
another order than it has. Markup is not looked at: pass the result as text, never as markup.
"""

from __future__ import annotations

import re

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
