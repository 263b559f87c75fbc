"""What stands around a page: where to search, the list of pages, the page's outline, where to go next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from omium import __version__
from omium.manual import Heading, Place
from omium.server.web.manual.markup import ROOT, address_of

STYLE: Final = Path(__file__).with_name("style.css").read_bytes()
OUTLINE_MAX: Final = 60
"""Longer outlines leave the deeper headings out."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line in the list of pages."""

    address: str
    title: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The site's own part of every page: its list of pages, by group."""

    groups: Sequence[tuple[str, Sequence[Entry]]]

    def put_around(
        self,
        body: str,
        *,
        title: str,
        address: str,
        headings: Sequence[Heading] = (),
        asked: str = "",
    ) -> bytes:
        """Return the whole page; `body` is HTML, everything else is text."""
        page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)} · Omium</title>
<link rel="stylesheet" href="{ROOT}/style.css">
</head>
<body>
<a class="skip" href="#site-text">To the text</a>
<header>
<a class="home" href="{ROOT}">Omium <small>{escape(__version__)}</small></a>
<a href="{ROOT}">Documentation</a>
<a href="{ROOT}/api">API</a>
<a class="to-pages" href="#site-pages">Pages</a>
<form action="{ROOT}/search" method="get" role="search">
<input type="search" name="q" value="{escape(asked)}" aria-label="Words" placeholder="Search" maxlength="200">
<button>Search</button>
</form>
</header>
<div class="columns">
<main id="site-text">
{body}
{self._neighbours(address)}
</main>
{_outline(headings)}
<nav id="site-pages" aria-label="Pages">
{self._pages(address)}
</nav>
</div>
</body>
</html>
"""
        return page.encode()

    def _pages(self, current: str) -> str:
        parts = []
        for group, entries in self.groups:
            links = "".join(f"<li>{_link(entry, current)}</li>" for entry in entries)
            parts.append(f"<h2>{escape(group)}</h2><ul>{links}</ul>")
        return "\n".join(parts)

    def _neighbours(self, current: str) -> str:
        entries = [entry for _, group in self.groups for entry in group]
        at = next((number for number, entry in enumerate(entries) if entry.address == current), None)
        if at is None:
            return ""
        parts = []
        if at > 0:
            before = entries[at - 1]
            parts.append(f'<a rel="prev" href="{escape(before.address)}">← {escape(before.title)}</a>')
        if at + 1 < len(entries):
            after = entries[at + 1]
            parts.append(f'<a rel="next" href="{escape(after.address)}">{escape(after.title)} →</a>')
        return f'<nav class="neighbours" aria-label="Next to this">{" ".join(parts)}</nav>'


def list_hits(hits: Iterable[tuple[Place, str, Iterable[tuple[str, bool]]]]) -> str:
    """Return what a search found as HTML: place, title, excerpt in pieces with those that were looked for."""
    parts = []
    for place, title, pieces in hits:
        excerpt = "".join(f"<mark>{escape(piece)}</mark>" if hit else escape(piece) for piece, hit in pieces)
        link = f'<a href="{escape(address_of(place))}">{escape(title)}</a>'
        parts.append(f"<li>{link} <small>{escape(str(place))}</small><p>{excerpt}</p></li>")
    return f'<ol class="hits">{"".join(parts)}</ol>'


def _link(entry: Entry, current: str) -> str:
    here = ' aria-current="page"' if entry.address == current else ""
    return f'<a href="{escape(entry.address)}"{here}>{escape(entry.title)}</a>'


def _outline(headings: Sequence[Heading]) -> str:
    shown = [heading for heading in headings if heading.level in {2, 3}]
    if len(shown) > OUTLINE_MAX:
        shown = [heading for heading in shown if heading.level == 2]
    if len(shown) < 2:
        return '<nav class="outline"></nav>'
    links = "".join(
        f'<li class="level-{each.level}"><a href="#{escape(each.anchor)}">{escape(each.text)}</a></li>'
        for each in shown
    )
    return f'<nav class="outline" aria-label="On this page"><h2>On this page</h2><ul>{links}</ul></nav>'
