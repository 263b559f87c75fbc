"""Every page at every size looks as it is stored, in any theme; all of it can be read.

pytest tests/tui/test_snapshots.py --snapshot-update      stores what is seen: then read the difference
"""

import asyncio
import difflib
import time

import pytest

from tests.tui import looks
from tests.tui.gallery import PLACES, Gallery

pytestmark = [
    pytest.mark.xdist_group("snapshots"),  # one server for all of them
    pytest.mark.timeout(600),
]
_DAY_S = 86_400


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    made = Gallery(tmp_path_factory.mktemp("snapshots"))
    try:
        made.rest()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def dark(gallery, request):
    """What is seen at each size in the dark theme; stored, if that is asked for."""
    day = time.time() // _DAY_S
    views = asyncio.run(looks.look_around(gallery, *looks.SIZES, theme="textual-dark"))
    if time.time() // _DAY_S != day:
        pytest.skip("it became another day meanwhile, so what was today's is yesterday's")
    if request.config.getoption("--snapshot-update", default=False):
        looks.store(views)
    return views


@pytest.fixture(scope="module")
def light(gallery):
    return asyncio.run(looks.look_around(gallery, looks.SIZES[0], theme="textual-light"))


def difference(wanted, found, name):
    return "\n".join(difflib.unified_diff(wanted, found, f"{name}, stored", f"{name}, seen", lineterm=""))


NAMES = [looks.name_of(place, size) for place in PLACES for size in looks.SIZES]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_looks_as_stored(dark, name):
    found = difference(looks.stored(name), dark[name].lines, name)
    assert not found, (
        f"{found}\n\nIf that is wanted: pytest {__name__.replace('.', '/')}.py --snapshot-update"
    )


def test_nothing_is_stored_that_is_no_page():
    assert sorted(path.stem for path in looks.SNAPSHOTS.glob("*.txt")) == sorted(NAMES)


def test_the_light_theme_changes_no_text(dark, light):
    found = [difference(dark[name].lines, view.lines, name) for name, view in light.items()]
    assert not any(found), "\n".join(filter(None, found))


def test_every_word_stands_out_from_what_is_behind_it(dark, light):
    found = {f"{name} dark, {each}" for name, view in dark.items() for each in view.faint}
    found |= {f"{name} light, {each}" for name, view in light.items() for each in view.faint}
    assert not found, "\n".join(sorted(found))


async def test_no_color_sends_no_colour_and_changes_no_text_and_the_cursor_is_still_seen(
    gallery, dark, monkeypatch
):
    monkeypatch.setenv("NO_COLOR", "1")
    async with looks.open_still(gallery, size=looks.SIZES[0]) as driver:
        for place in PLACES:
            await place.go(driver, gallery)
            name = looks.name_of(place, looks.SIZES[0])
            found = difference(dark[name].lines, await looks.rest(driver, place, dark[name].lines), name)
            assert not found, found
            for number, text, style in looks.segments(driver):
                sent = [each for each in (style.color, style.bgcolor) if each and not each.is_default]
                assert not sent, f"{place.name}, line {number}: {text!r} in {style}"
        await PLACES[1].go(driver, gallery)
        pointed = [text for _, text, style in looks.segments(driver) if style.reverse]
        assert any("unserved" in text for text in pointed), pointed
