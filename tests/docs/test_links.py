"""Every link of the documentation leads somewhere, and every page can be reached."""

import pytest

from tests.docs.pages import PAGES, ROOT, list_anchors, list_links, page_name


def find_broken(page, text):
    """Return the links of a page that lead to no file or no heading, or out of the repository."""
    broken = []
    for link in list_links(text):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        inside = target.exists() and target.is_relative_to(ROOT)
        if not inside or (anchor and anchor not in list_anchors(target.read_text() if path else text)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_leads_somewhere(page):
    assert find_broken(page, page.read_text()) == []


def test_every_page_of_the_documentation_is_in_its_index():
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in list_links(index.read_text())}
    missing = [page.name for page in sorted(ROOT.glob("docs/*.md")) if page != index and page not in linked]

    assert missing == [], "add a row to docs/index.md"


def test_a_dead_link_and_a_dead_anchor_are_found():
    text = "# One\n[a](#one) [b](#two) [c](docs/none.md) [d](README.md#nowhere) `[e](f.md)`\n"

    assert find_broken(ROOT / "README.md", text) == ["#two", "docs/none.md", "README.md#nowhere"]
