"""What stands in place of `Loading …` where the server refused: its own sentence, and how to get on."""

from __future__ import annotations

from typing import Final

from omium.errors import OmiumError, Problem
from omium.tui.content import safe_lines

FORBIDDEN: Final = 403
OTHER_KEY: Final = (
    "Other pages may be open to this key: their names are above. With another key or as somebody else:\n"
    "  omium init    takes an API key      omium login    takes a name and a password\n"
    "ctrl+r asks again, once the key or the role was given more."
)


def refused_text(error: OmiumError) -> str:
    """Return why nothing is shown, made safe; of what may not be looked at, how it may be."""
    sentence = safe_lines(str(error))
    if isinstance(error, Problem) and error.status == FORBIDDEN:
        return f"{sentence}\n\n{OTHER_KEY}"
    return f"{sentence}\n\nctrl+r asks again."
