"""The documentation for browsers: pages, search, API reference. No part of the API: no key, no OpenAPI entry.

They are declared like endpoints, so Host, limits and metrics are as everywhere, and listed in `PAGES`, which
`omium.server.routes.list_pages` gives to the application beside the endpoints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote

from pydantic import Field

from omium.models.wire import Command
from omium.server.web.endpoint import Answer, Call, endpoint
from omium.server.web.manual import CSS, HTML

if TYPE_CHECKING:
    from omium.server.web.manual.site import Document, Site

_HEADERS: Final = {
    "cache-control": "no-cache",  # kept, and asked for again with its ETag
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
}


class DocsSearch(Command):
    """What a browser's form sends."""

    q: Annotated[str, Field(max_length=200)] = ""
    """The words to look for."""


@endpoint(
    "GET", "/docs", scope=None, media_type=HTML, summary="Show the documentation's index", tags=("docs",)
)
async def show_index(call: Call[None]) -> Answer:
    return await _answer(call, lambda site: site.find_page("index"))


@endpoint("GET", "/docs/", scope=None, media_type=HTML, summary="Lead to the documentation", tags=("docs",))
async def lead_to_index(_call: Call[None]) -> Answer:
    return _redirect("/docs")


@endpoint("GET", "/docs/style.css", scope=None, media_type=CSS, summary="Give the stylesheet", tags=("docs",))
async def show_style(call: Call[None]) -> Answer:
    return await _answer(call, lambda site: site.style)


@endpoint(
    "GET",
    "/docs/search",
    scope=None,
    query=DocsSearch,
    media_type=HTML,
    summary="Search the documentation",
    tags=("docs",),
)
async def show_search(call: Call[None, DocsSearch]) -> Answer:
    return await _answer(call, lambda site: site.answer_search(call.query.q))


@endpoint("GET", "/docs/api", scope=None, media_type=HTML, summary="List all endpoints", tags=("docs",))
async def show_api(call: Call[None]) -> Answer:
    return await _answer(call, lambda site: site.find_api(""))


@endpoint("GET", "/docs/api/", scope=None, media_type=HTML, summary="Lead to all endpoints", tags=("docs",))
async def lead_to_api(_call: Call[None]) -> Answer:
    return _redirect("/docs/api")


@endpoint(
    "GET", "/docs/api/{section}", scope=None, media_type=HTML, summary="Show some endpoints", tags=("docs",)
)
async def show_api_section(call: Call[None]) -> Answer:
    return await _answer(call, lambda site: site.find_api(call.path["section"]), call.path["section"])


@endpoint("GET", "/docs/{page}", scope=None, media_type=HTML, summary="Show a page", tags=("docs",))
async def show_page(call: Call[None]) -> Answer:
    name = call.path["page"]
    site = await asyncio.to_thread(call.server.open_site)
    if site.manual.find_page(name) is None:
        address = await asyncio.to_thread(site.find_address, name)
        if address is not None:
            return _redirect(address)
    return await _answer(call, lambda site: site.find_page(name), name)


async def _answer(call: Call, find: Callable[[Site], Document | None], name: str = "") -> Answer:
    """Answer with a page, made in a thread where it's the first time; 304 to whoever has it, 404 for none."""
    site = await asyncio.to_thread(call.server.open_site)
    document = await asyncio.to_thread(find, site)
    if document is None:
        unknown = await asyncio.to_thread(site.answer_unknown, name)
        return Answer(unknown.body, 404, _HEADERS, unknown.media_type)
    headers = {**_HEADERS, "etag": document.etag}
    if _has(call.headers.get("if-none-match", ""), document.etag):
        return Answer(b"", 304, headers, document.media_type)
    return Answer(document.body, 200, headers, document.media_type)


def _has(named: str, etag: str) -> bool:
    return any(each.strip().removeprefix("W/") in {etag, "*"} for each in named.split(","))


def _redirect(address: str) -> Answer:
    return Answer(b"", 308, {**_HEADERS, "location": quote(address, safe="/#")}, HTML)


PAGES: Final = [
    show_index,
    lead_to_index,
    show_style,
    show_search,
    show_api,
    lead_to_api,
    show_api_section,
    show_page,
]
