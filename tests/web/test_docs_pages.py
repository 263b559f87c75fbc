"""`/docs`: the documentation as pages of the server, for everybody, without a script or a foreign address."""

import functools
import html.parser
import re
from urllib.parse import unquote

import pytest

from omium.manual import Manual
from omium.server.routes import list_endpoints, list_pages
from omium.server.web.manual.markup import to_html
from omium.server.web.manual.reference import TYPES
from omium.server.web.manual.site import Site
from omium.server.web.openapi import build_openapi

MANUAL = Manual.open()
SITE = Site(lambda: build_openapi(list_endpoints()))
FIXED = {"api", "search", "style.css"}


class Page(html.parser.HTMLParser):
    """What a browser would find: tags with their attributes, ids, text."""

    VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def each(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def ids(self):
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]


def list_addresses():
    return [
        "/docs",
        *(f"/docs/{page.name}" for page in MANUAL.pages),
        "/docs/api",
        *(f"/docs/api/{tag}" for tag in SITE._reference.tags),
        f"/docs/api/{TYPES}",
        "/docs/search?q=spend+cap",
    ]


@functools.cache
def read_page(address):
    """Return the page at an address, read as a browser does; it asserts that tags are closed in order."""
    _, _, *names = address.split("/")
    if names[:1] == ["api"]:
        document = SITE.find_api(names[1] if names[1:] else "")
    else:
        document = SITE.find_page(names[0] if names else "index")
    return Page(document.body.decode())


@pytest.fixture
def nobody(app_client):
    app_client.server.open_site = lambda: SITE  # the same, made already
    return app_client.as_nobody()


async def test_a_servers_own_pages_are_made_of_its_own_description(app_client):
    reply = await app_client.as_nobody().get("/docs/api/keys")

    assert reply.content == SITE.find_api("keys").body


async def test_every_page_of_the_manual_and_of_the_api_is_given_to_everybody(nobody):
    for address in list_addresses():
        reply = await nobody.get(address)
        assert reply.status_code == 200, address
        assert reply.headers["content-type"] == "text/html; charset=utf-8"


async def test_nothing_but_the_own_stylesheet_may_be_loaded_and_nothing_run(nobody):
    for address in ["/docs", "/docs/keys", "/docs/api/keys", "/docs/search?q=x", "/docs/none-such"]:
        headers = (await nobody.get(address)).headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none';"
            " frame-ancestors 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("address", [each for each in list_addresses() if "?" not in each])
def test_a_page_has_no_script_no_style_of_its_own_and_no_asset_from_elsewhere(address):
    page = read_page(address)

    forbidden = {
        "script",
        "style",
        "img",
        "iframe",
        "object",
        "embed",
        "svg",
        "base",
        "font",
        "audio",
        "video",
    }
    assert [tag for tag, _ in page.tags if tag in forbidden] == []
    assert [link["href"] for link in page.each("link")] == ["/docs/style.css"]
    assert [
        (tag, name)
        for tag, each in page.tags
        for name in each
        if name.startswith("on") or name in {"style", "src"}
    ] == []
    assert len(page.each("h1")) == 1
    assert len(page.ids) == len(set(page.ids))


def test_every_link_within_the_site_leads_to_a_page_and_a_heading_that_are_there():
    pages = {address: read_page(address) for address in list_addresses() if "?" not in address}
    broken = []
    for address, page in pages.items():
        for link in page.each("a"):
            path, _, anchor = link["href"].partition("#")
            if path == "/openapi.json" or link.get("class") == "outside":
                continue
            target = pages.get(path or address)
            if target is None or (anchor and unquote(anchor) not in target.ids):
                broken.append((address, link["href"]))

    assert broken == []


def test_links_outside_are_told_apart_and_tell_nobody_where_they_were_found():
    outside = [
        link for page in MANUAL.pages for link in read_page(f"/docs/{page.name}").each("a")
        if not link["href"].startswith(("/", "#"))
    ]  # fmt: skip

    assert outside
    assert {link["class"] for link in outside} == {"outside"}
    assert {link["rel"] for link in outside} == {"noreferrer noopener external"}


async def test_whoever_has_a_page_is_told_that_it_is_still_good(nobody):
    for address in ["/docs", "/docs/keys", "/docs/api", "/docs/style.css"]:
        first = await nobody.get(address)
        assert first.headers["cache-control"] == "no-cache"
        etag = first.headers["etag"]
        for named in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            again = await nobody.get(address, headers={"If-None-Match": named})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
            assert "content-length" not in again.headers
        assert (await nobody.get(address, headers={"If-None-Match": '"other"'})).content == first.content


def test_a_page_is_made_once():
    made = Site(lambda: build_openapi(list_endpoints()))

    assert made.find_page("keys") is made.find_page("keys")
    assert made.find_api("") is made.find_api("")


async def test_head_is_answered_and_nothing_else_but_get(nobody):
    head = await nobody.request("HEAD", "/docs/keys")
    assert (head.status_code, head.headers["etag"]) == (200, (await nobody.get("/docs/keys")).headers["etag"])
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        refused = await nobody.request(method, "/docs/keys")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET")


HOSTILE = (
    "..%2fREADME", "%2e%2e", "..%2f..%2fetc%2fpasswd", "decisions%2f001-distribution-name", "keys%00",
    "keys%2fkeys", "__init__", "style", "%ff", "a" * 3000, "<script>alert(1)</script>", "%3Cb%3E%22", "x",
)  # fmt: skip


async def test_no_name_leads_out_of_the_manual(nobody):
    for path in [f"{base}/{name}" for name in HOSTILE for base in ("/docs", "/docs/api")]:
        reply = await nobody.get(path)
        assert reply.status_code == 404, path
        assert "<script>" not in reply.text
        assert "<b>" not in reply.text


async def test_an_unknown_page_is_a_page_that_names_the_nearest(nobody):
    reply = await nobody.get("/docs/keyz")

    assert reply.status_code == 404
    assert "/docs/keys" in [link["href"] for link in Page(reply.text).each("a")]
    assert "no page “keyz”" in reply.text


async def test_other_names_of_a_page_lead_to_it(nobody):
    for asked, address in {
        "/docs/": "/docs",
        "/docs/api/": "/docs/api",
        "/docs/keys.md": "/docs/keys",
        "/docs/lease-lost": "/docs/errors#lease-lost",
    }.items():
        reply = await nobody.get(asked)
        assert (reply.status_code, reply.headers["location"]) == (308, address)


async def test_a_search_shows_places_with_the_words_marked_and_what_was_asked_as_text(nobody):
    found = Page((await nobody.get("/docs/search?q=spend+cap")).text)
    assert "/docs/keys#caps" in [link["href"] for link in found.each("a")]
    assert found.each("mark")

    hostile = (await nobody.get("/docs/search?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")).text
    assert "<script" not in hostile
    assert Page(hostile).each("input")[0]["value"] == '"><script>alert(1)</script>'

    assert "Nothing in the documentation" in (await nobody.get("/docs/search?q=qqqqqq")).text
    assert "Type some words" in (await nobody.get("/docs/search")).text
    assert (await nobody.get(f"/docs/search?q={'a' * 201}")).status_code == 400


def test_html_in_markdown_is_text_and_a_dangerous_link_is_none():
    text = (
        "# <b>Bold</b>\n\n<script>alert(1)</script>\n\n<img src=x onerror=y>\n\n![pic](https://x.example/p.png)\n\n"
        "[a](javascript:alert(1)) [b](data:text/html,x) [c](//evil.example) [d](https://x.example/?a=1&b='\"<)\n\n"
        "`<i>` [e](keys.md#caps) [f](../README.md)\n\n| <u> |\n|---|\n| </table><script> |\n"
    )
    made, _ = to_html(text, lambda link: MANUAL.resolve_link("index", link))
    page = Page(f"<main>{made}</main>")

    assert {tag for tag, _ in page.tags} <= {
        "main", "h1", "p", "a", "span", "code", "div", "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    links = [link["href"] for link in page.each("a")]
    assert [link for link in links if not link.startswith("#")] == [
        "https://x.example/?a=1&b='%22%3C",
        "/docs/keys#caps",
    ]
    assert "<script>alert(1)</script>" in page.text
    assert "pic" in page.text


def test_the_reference_has_every_endpoint_with_its_scope_parameters_body_answers_and_errors():
    for tag in SITE._reference.tags:
        text = SITE._reference.write_tag(tag)
        for endpoint in list_endpoints():
            if (endpoint.tags[:1] or ("other",))[0] != tag:
                continue
            section = text.partition(f"## {endpoint.method} {endpoint.path}\n")[2].partition("\n## ")[0]
            assert section.startswith(f"\n{endpoint.summary}. "), endpoint.name
            shown = "no key" if endpoint.is_public else endpoint.scope.value if endpoint.scope else "any key"
            assert re.search(rf"\| scope \| [`*]{shown}[`*] \|", section)
            for name in endpoint.path_parameters:
                assert f"| `{name}` | path |" in section
            for name in endpoint.query.model_fields if endpoint.query else ():
                assert f"| `{name}` | query |" in section
            for name in endpoint.body.model_fields if endpoint.body else ():
                assert f"| `{name}` |" in section
            assert f"| `{endpoint.status}` | " in section
            for problem in endpoint.problems:
                assert f"[{problem.code}](/docs/errors#{problem.code})" in section


def test_no_page_has_a_name_that_something_else_of_the_site_has():
    assert FIXED & {page.name for page in MANUAL.pages} == set()
    assert TYPES not in SITE._reference.tags


def test_pages_are_no_part_of_the_api():
    assert {page.path for page in list_pages()} & {endpoint.path for endpoint in list_endpoints()} == set()
    assert all(page.is_public and page.method == "GET" for page in list_pages())
    assert all(page.path == "/docs" or page.path.startswith("/docs/") for page in list_pages())


async def test_another_host_is_refused_as_everywhere(nobody):
    reply = await nobody.get("/docs", headers={"Host": "evil.example"})

    assert reply.status_code == 403


async def test_light_and_dark_follow_the_readers_system(nobody):
    reply = await nobody.get("/docs/style.css")

    assert reply.headers["content-type"] == "text/css; charset=utf-8"
    assert "prefers-color-scheme: dark" in reply.text
    assert "url(" not in reply.text
    assert "@import" not in reply.text
