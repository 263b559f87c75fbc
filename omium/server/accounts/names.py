"""Names of people: an e-mail address or a user name, in the form in which it is stored and compared."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from omium.errors import InvalidRequest

_NAME: Final = re.compile(r"[\w.+@-]{1,254}")


def normalise_name(text: str) -> str:
    """Return the name as it is compared: `Ada@Example.org` and `ada@example.org` are the same person.

    Raises `InvalidRequest` for one that has spaces, control characters, or is too long.
    """
    folded = unicodedata.normalize("NFKC", text.strip()).casefold()
    name = unicodedata.normalize("NFKC", folded)
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            "A user is named by an e-mail address, or 1 to 254 letters, digits and . _ + - @.",
            errors=[{"pointer": "/user", "detail": "has other characters, or is too long"}],
        )
    return name
