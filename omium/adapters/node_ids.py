"""Node ids: names that people wrote, as ids of a spec's nodes, each once.

Owns how a name becomes an id; what is named is each adapter's own. Loads no framework.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

ID_CHARACTERS_MAX: Final = 80
"""Of the 100 that a node's id may have: there must be room for a number."""
_OTHER: Final = re.compile(r"[^A-Za-z0-9_]+")
_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


def make_ids(names: Iterable[str], *, otherwise: str) -> list[str]:
    """Return an id for each name: its letters and digits, with `-2`, `-3` for names that came before."""
    taken: dict[str, None] = {}
    for name in names:
        wanted = make_id(name) or otherwise
        id_, number = wanted, 1
        while id_ in taken:
            number += 1
            id_ = f"{wanted}-{number}"
        taken[id_] = None
    return list(taken)


def make_id(text: str) -> str:
    """Return `text` as an id, or an empty text where nothing of it can stand in one.

    A name that is an id already stays as it is: `write_report`, `Draft-2`.
    """
    if _ID.fullmatch(text) and len(text) <= ID_CHARACTERS_MAX:
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _OTHER.sub("-", plain).strip("-").lower()[:ID_CHARACTERS_MAX].rstrip("-")
