"""The manual has every page of docs/, in the order of its index, and finds one by what a person types."""

import subprocess
import sys

import pytest

from omium.errors import OmiumError
from omium.manual import Address, Elsewhere, Manual, PageUnknown, Place
from omium.manual.pages import find_folder
from tests.docs.pages import ROOT, list_links

MANUAL = Manual.open()
NAMES = [page.name for page in MANUAL.pages]


def write_manual(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text)
    return Manual.open(folder)


def test_it_has_every_page_and_none_of_the_decisions():
    assert find_folder() == ROOT / "docs"
    assert sorted(NAMES) == sorted(path.stem for path in ROOT.glob("docs/*.md"))
    assert NAMES[0] == "index"


def test_every_page_has_a_title_a_group_and_what_it_is_for():
    assert [page.name for page in MANUAL.pages[1:] if not (page.title and page.group and page.about)] == []
    assert [page.name for page in MANUAL.pages if "<!--" in page.text.replace("`<!--", "")] == []


def test_pages_stand_in_the_order_and_the_groups_of_the_index(tmp_path):
    manual = write_manual(
        tmp_path,
        index="# Docs\n\n## First\n\n| page | for |\n|---|---|\n| [b.md](b.md) | *the* `b` |\n"
        "| [c.md](c.md) | c |\n\n## Then\n\n| [a.md](a.md) | a |\n| [decisions/](decisions/x.md) | no |\n",
        a="# A\n",
        b="no heading\n",
        c="# The [c](x.md) `page`\n",
        forgotten="# F\n",
    )

    assert [(page.name, page.title, page.group, page.about) for page in manual.pages] == [
        ("index", "Docs", "", "what there is to read"),
        ("b", "b", "First", "the b"),
        ("c", "The c page", "First", "c"),
        ("a", "A", "Then", "a"),
        ("forgotten", "F", "", ""),
    ]
    assert [(group, len(pages)) for group, pages in manual.list_groups()] == [
        ("First", 2),
        ("Then", 1),
        ("", 1),
    ]


def test_a_link_that_shows_a_file_shows_the_pages_title(tmp_path):
    manual = write_manual(
        tmp_path,
        index="# Docs\n\n[a.md](a.md) [a.md](a.md#x) [b.md](a.md) [c.md](c.md) `[d.md]`\n",
        a="# The A\n",
    )

    assert manual.get_page("index").text == (
        "# Docs\n\n[The A](a.md) [The A](a.md#x) [b.md](a.md) [c](c.md) `[d.md]`\n"
    )


def test_a_folder_without_an_index_is_no_manual(tmp_path):
    with pytest.raises(OmiumError, match=r"index\.md is missing"):
        Manual.open(tmp_path)


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ("keys", "keys"),
        ("KEYS", "keys"),
        ("keys.md", "keys"),
        ("docs/keys.md#short-lived-tokens", "keys#short-lived-tokens"),
        ("", "index"),
        ("Conditions", "expressions"),
        ("lease-lost", "errors#lease-lost"),
        ("omium run", "cli#omium-run"),
        ("credits topup", "cli#omium-credits-topup"),
        ("GET /v1/executions", "http#get-v1executions"),
    ],
)
def test_a_page_is_found_by_what_a_person_calls_it(asked, place):
    assert str(MANUAL.get_place(asked)) == place


@pytest.mark.parametrize(
    ("asked", "near"),
    [("keyz", "keys"), ("replay", "replay-and-rollback"), ("bakups", "operations#backups")],
)
def test_an_unknown_page_names_the_nearest(asked, near):
    assert near in MANUAL.list_nearest(asked)


def test_a_name_that_is_like_nothing_names_no_other():
    with pytest.raises(PageUnknown, match=r"no page 'zzzzzz' in the documentation\. All: omium docs --list"):
        MANUAL.get_page("zzzzzz")


@pytest.mark.parametrize("name", ["../README", "decisions/README", "/etc/passwd", "keys/../keys", "%2e%2e"])
def test_no_name_leads_out_of_the_folder(name):
    with pytest.raises(PageUnknown):
        MANUAL.get_page(name)


def test_a_part_ends_where_a_heading_as_high_begins(tmp_path):
    manual = write_manual(tmp_path, index="# T\n\na\n\n## One\n\nb\n\n### Two\n\nc\n\n## Three\n\nd\n")

    page = manual.get_page("index")
    assert page.cut_out("one") == "## One\n\nb\n\n### Two\n\nc\n"
    assert page.cut_out("two") == "### Two\n\nc\n"
    assert page.cut_out("none") == page.text


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("billing.md", Place("billing")),
        ("billing.md#holds", Place("billing", "holds")),
        ("#scopes", Place("keys", "scopes")),
        ("#%C3%BCber", Place("keys", "über")),
        ("../docs/billing.md", Place("billing")),
        ("../README.md", Elsewhere("README.md")),
        ("decisions/README.md", Elsewhere("docs/decisions/README.md")),
        ("none.md", Elsewhere("docs/none.md")),
        ("../../../etc/passwd", Elsewhere("../../etc/passwd")),
        ("https://example.com/keys.md", Address("https://example.com/keys.md")),
        ("//example.com/x", Address("//example.com/x")),
        ("javascript:alert(1)", Address("javascript:alert(1)")),
    ],
)
def test_a_link_leads_to_a_place_an_address_or_a_file_elsewhere(link, target):
    assert MANUAL.resolve_link("keys", link) == target


@pytest.mark.parametrize("page", MANUAL.pages, ids=lambda page: page.name)
def test_every_place_that_a_page_links_to_is_there(page):
    for link in list_links(page.text):
        target = MANUAL.resolve_link(page.name, link)
        if isinstance(target, Place) and target.anchor:
            assert MANUAL.get_page(target.page).find_heading(target.anchor), link


def test_other_commands_do_not_load_it():
    code = """
import importlib, sys
from omium.cli.commands import COMMANDS
for place in COMMANDS:
    for each in (place, *place.more):
        importlib.import_module(each.module)
print([name for name in sys.modules if name.startswith("omium.manual")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
