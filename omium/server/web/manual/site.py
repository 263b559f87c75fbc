"""The site: which pages there are, each made once, when it is first asked for.

A page is found by its name among those that there are; no name is a path. Pages only change with the package,
so their ETag is that of their bytes, and whoever has one asks only whether it is still good.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from html import escape

from omium.manual import Address, Manual, PageUnknown, search
from omium.manual.pages import INDEX
from omium.manual.searching import mark_words
from omium.server.web.manual import CSS, HTML
from omium.server.web.manual.frame import STYLE, Entry, Frame, list_hits
from omium.server.web.manual.markup import ROOT, address_of, to_html
from omium.server.web.manual.reference import TYPES, ApiReference


@dataclass(frozen=True, slots=True)
class Document:
    """A page as it is sent."""

    body: bytes
    etag: str
    media_type: str = HTML


class Site:
    """The documentation of this installation; `describe` returns the OpenAPI document as JSON."""

    def __init__(self, describe: Callable[[], bytes]) -> None:
        self._describe = describe
        self._made: dict[str, Document] = {}
        self.style = _document(STYLE, CSS)

    @cached_property
    def manual(self) -> Manual:
        """The pages."""
        return Manual.open()

    @cached_property
    def _reference(self) -> ApiReference:
        return ApiReference(json.loads(self._describe()))

    @cached_property
    def _frame(self) -> Frame:
        groups = [
            (group, [Entry(f"{ROOT}/{page.name}", page.title) for page in pages])
            for group, pages in self.manual.list_groups()
        ]
        return Frame(groups)

    @cached_property
    def _api_frame(self) -> Frame:
        entries = [Entry(f"{ROOT}/api", "All endpoints")]
        entries += [Entry(f"{ROOT}/api/{tag}", tag.capitalize()) for tag in self._reference.tags]
        entries.append(Entry(f"{ROOT}/api/{TYPES}", "Types"))
        return Frame([("API", entries), ("Documentation", [Entry(ROOT, "All pages")])])

    def find_page(self, name: str) -> Document | None:
        """Return a page of the manual."""
        page = self.manual.find_page(name)
        if page is None:
            return None

        def make() -> bytes:
            body, headings = to_html(page.text, lambda link: self.manual.resolve_link(page.name, link))
            address = ROOT if page.name == INDEX else f"{ROOT}/{page.name}"
            return self._frame.put_around(body, title=page.title, address=address, headings=headings)

        return self._make(name, make)

    def find_api(self, section: str) -> Document | None:
        """Return a page of the API reference: a tag, `types`, or the list of all endpoints under no name."""
        if section not in {"", TYPES, *self._reference.tags}:
            return None

        def make() -> bytes:
            match section:
                case "":
                    text = self._reference.write_index()
                case "types":
                    text = self._reference.write_types()
                case _:
                    text = self._reference.write_tag(section)
            body, headings = to_html(text, Address)
            address = f"{ROOT}/api/{section}" if section else f"{ROOT}/api"
            title = f"API: {section}" if section else "API"
            return self._api_frame.put_around(body, title=title, address=address, headings=headings)

        return self._make(f"api/{section}", make)

    def find_address(self, name: str) -> str | None:
        """Return the address of what `name` means to a person, such as `keys.md` or an error's code."""
        try:
            return address_of(self.manual.get_place(name))
        except PageUnknown:
            return None

    def answer_search(self, asked: str) -> Document:
        """Return what is found for some words; not kept."""
        hits = search(self.manual, asked)
        found = (
            (
                hit.place,
                hit.title if hit.heading == hit.title else f"{hit.title}: {hit.heading}",
                mark_words(hit.excerpt, asked),
            )
            for hit in hits
        )
        if hits:
            body = f"<h1>{escape(asked)}</h1>{list_hits(found)}"
        elif asked.strip():
            body = f"<h1>{escape(asked)}</h1><p>Nothing in the documentation has these words.</p>"
        else:
            body = "<h1>Search</h1><p>Type some words above.</p>"
        return _document(self._frame.put_around(body, title=asked or "Search", address="", asked=asked))

    def answer_unknown(self, name: str) -> Document:
        """Return the page that says that there is no such page, and what was perhaps meant."""
        near = self.manual.list_nearest(name[:200])
        links = "".join(f'<li><a href="{ROOT}/{escape(each)}">{escape(each)}</a></li>' for each in near)
        meant = f"<p>The nearest:</p><ul>{links}</ul>" if near else ""
        said = f"The documentation has no page “{escape(name[:200])}”."
        body = f"<h1>There is no such page</h1><p>{said}</p>{meant}"
        return _document(self._frame.put_around(body, title="There is no such page", address=""))

    def _make(self, key: str, make: Callable[[], bytes]) -> Document:
        document = self._made.get(key)
        if document is None:  # twice at once makes the same twice
            document = self._made[key] = _document(make())
        return document


def _document(body: bytes, media_type: str = HTML) -> Document:
    return Document(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', media_type)
