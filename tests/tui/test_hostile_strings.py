"""Whatever a tenant can name or write, on every page: no terminal obeys any of it, and nothing breaks.

The short form looks at each page and each of its tabs once. The whole matrix opens what they list and shows
their command lines, at three sizes and with a text of a million characters: `make dashboard-matrix`.
"""

import unicodedata

import pytest
from textual.widgets import TabbedContent

from tests.tui.driving import open_dashboard
from tests.tui.gallery import PLACES, Gallery
from tests.tui.looks import SIZES

pytestmark = [
    pytest.mark.xdist_group("hostile_strings"),  # one server for all of them, in this order
    pytest.mark.timeout(1_800),
]

NAME = "[red]{}[/]\x1b]0;owned\x07\x1b[31m[@click=app.exit]\u202egnp 漢字 e\u0301\u0301 \u009b2J\u200b"
TEXT = NAME.replace("{}", "text") + "\r\n\x1bc"


def pytest_generate_tests(metafunc):
    if "size" in metafunc.fixturenames:
        sizes = SIZES if metafunc.config.option.torture else [(100, 30)]
        metafunc.parametrize("size", sizes, ids=[f"{width}x{height}" for width, height in sizes])


@pytest.fixture(scope="module")
def torture(request):
    return request.config.option.torture


@pytest.fixture(scope="module")
def gallery(tmp_path_factory, torture):
    text = TEXT + "x" * (1_000_000 if torture else 200_000)
    made = Gallery(tmp_path_factory.mktemp("hostile"), name=NAME, text=text)
    yield made
    made.close()


def check(driver, where):
    app = driver.app
    assert app._exception is None, where
    assert app.title == "Omium", where
    for number, strip in enumerate(app.screen._compositor.render_strips()):
        obeyed = [each for each in strip.text if unicodedata.category(each) == "Cc" or each in "\u202e\u2066"]
        assert not obeyed, f"{where}, line {number}: {obeyed} in {strip.text!r}"
        assert strip.cell_length == app.size.width, f"{where}, line {number}: {strip.text!r}"
        for segment in strip:
            assert "@click" not in (segment.style.meta if segment.style else {}), f"{where}, line {number}"


async def look(driver, gallery, place, whole):
    """Look at a place and at each of its tabs; with `whole`, also at what its list points at."""
    await place.go(driver, gallery)
    check(driver, place.name)
    seen = driver.text
    tabs = driver.app.screen.query(TabbedContent)
    for pane in tabs.first().query("TabPane") if tabs else ():
        tabs.first().active = str(pane.id)
        await driver.settle()
        check(driver, f"{place.name}, {pane.id}")
        seen += driver.text
    if whole:
        await driver.press("at")
        check(driver, f"{place.name}, as command")
        await driver.press("escape")
        if place.id_of is None:
            await driver.press("enter")
            check(driver, f"{place.name}, opened")
    return seen


async def test_no_page_obeys_what_strangers_wrote(gallery, size, torture):
    seen = ""
    async with open_dashboard(gallery.server, size=size) as driver:
        for place in PLACES:
            if place.name != "docs":  # nobody else writes on that
                seen += await look(driver, gallery, place, torture)
    for word in ("press", "whole", "asks", "morning", "paid", "push", "laptop", "tell me", "Bea", "openai"):
        assert f"[red]{word}" in seen, f"{word} was not seen, so nothing was tried with it"
