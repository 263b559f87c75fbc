"""Markdown to HTML: headings with the manual's anchors, links within the site, everything else escaped.

Raw HTML is shown as text, an image by its words, and a link to anything but http, https and mailto is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from omium.manual import Address, Elsewhere, Place, Target
from omium.manual.outline import Heading, read_headings
from omium.manual.pages import INDEX

ROOT: Final = "/docs"
_OUTSIDE: Final = ("https://", "http://", "mailto:")
_PARSER: Final = MarkdownIt("commonmark", {"html": False}).enable("table")

Resolve = Callable[[str], Target]


def to_html(markdown: str, resolve: Resolve) -> tuple[str, tuple[Heading, ...]]:
    """Return `markdown` as HTML with its headings; `resolve` says where its links lead."""
    headings = read_headings(markdown)
    anchors = {heading.line: heading.anchor for heading in headings}
    tokens = list(_rewrite(_PARSER.parse(markdown), anchors, resolve))
    return str(_PARSER.renderer.render(tokens, _PARSER.options, {})), headings


def address_of(place: Place) -> str:
    """Return the address of a place on this server."""
    path = ROOT if place.page == INDEX else f"{ROOT}/{place.page}"
    return f"{path}#{place.anchor}" if place.anchor else path


def _rewrite(tokens: Sequence[Token], anchors: dict[int, str], resolve: Resolve) -> Iterator[Token]:
    anchor = ""
    for token in tokens:
        if token.type == "heading_open" and token.map is not None:
            anchor = anchors.get(token.map[0], "")
            token.attrSet("id", anchor)
        elif token.type == "heading_close":
            anchor = ""
        elif token.type == "inline":
            token.children = _rewrite_inline(token.children or [], resolve)
            if anchor:
                link = f' <a class="anchor" href="#{escape(anchor)}" aria-label="Link to this">#</a>'
                token.children.append(_raw(link))
        if token.type == "table_open":
            yield _raw('<div class="table">\n')
        yield token
        if token.type == "table_close":
            yield _raw("</div>\n")


def _rewrite_inline(children: Sequence[Token], resolve: Resolve) -> list[Token]:
    made: list[Token] = []
    opened: list[str] = []
    for token in children:
        if token.type == "link_open":
            _lead(token, resolve(str(token.attrs.get("href", ""))))
            opened.append(token.tag)
        elif token.type == "link_close":
            token.tag = opened.pop()
        made.append(Token("text", "", 0, content=token.content) if token.type == "image" else token)
    return made


def _lead(token: Token, target: Target) -> None:
    """Make a link lead to `target`, or be words where there is nothing to be led to."""
    match target:
        case Place():
            token.attrs = {"href": address_of(target)}
        case Address(url) if url.lower().startswith(_OUTSIDE):
            token.attrs = {"href": url, "class": "outside", "rel": "noreferrer noopener external"}
        case Address(url) if url.startswith("/") and not url.startswith("//"):
            token.attrs = {"href": url}
        case Elsewhere(path):
            token.tag, token.attrs = "span", {"class": "elsewhere", "title": f"{path}, in the repository"}
        case _:
            token.tag, token.attrs = "span", {}


def _raw(html: str) -> Token:
    return Token("html_block", "", 0, content=html)
