"""Links: where one on a page leads.

To a place in the manual, to an address outside of it, or to a file of the repository that the manual does not
carry (the README, decisions). Following one is its reader's: nothing here opens anything.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//")


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the manual, at a heading or, without an anchor, at its beginning."""

    page: str
    anchor: str = ""

    def __str__(self) -> str:
        return f"{self.page}#{self.anchor}" if self.anchor else self.page


@dataclass(frozen=True, slots=True)
class Address:
    """An address outside: shown and copied, opened by nobody but the reader."""

    url: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A file of the repository that is no page of the manual; its path begins at the repository."""

    path: str


Target = Place | Address | Elsewhere


def resolve_link(names: Container[str], page: str, link: str) -> Target:
    """Return where `link`, as it stands on the page named `page`, leads; `names` are those of all pages."""
    if _SCHEME.match(link):
        return Address(link)
    path, _, anchor = link.partition("#")
    anchor = unquote(anchor)
    if not path:
        return Place(page, anchor)
    within = posixpath.normpath(posixpath.join("docs", unquote(path)))
    folder, _, file = within.rpartition("/")
    name = file.removesuffix(".md")
    if folder == "docs" and file.endswith(".md") and name in names:
        return Place(name, anchor)
    return Elsewhere(within)
