"""Every key of every page and every detail is pressed: nothing breaks, and `esc` leads back.

The short form presses the key of each action once, at sizes that take turns, and in a read-only dashboard
what would change something at some places. The whole matrix is each key at each place, in each of its tabs
and widgets, at each size, read-only or not: `make dashboard-matrix`.
"""

import itertools

import pytest
from textual.widgets import Input, TabbedContent, TextArea

from omium.tui.pages.sections import SectionsPage
from omium.tui.pages.workflow import WorkflowPage
from tests.tui.driving import open_dashboard
from tests.tui.gallery import PLACES, Gallery
from tests.tui.looks import SIZES

pytestmark = [
    pytest.mark.xdist_group("keys_pressed"),  # one server for all of them, in this order
    pytest.mark.timeout(1_800),
]

ESCAPES_MAX = 6


WHOLE = [*itertools.product(PLACES, SIZES, (False, True))]
SHORT = [(PLACES[-1], SIZES[1], False)]


def pytest_generate_tests(metafunc):
    if "read_only" in metafunc.fixturenames:
        cases = WHOLE if metafunc.config.option.torture else SHORT
        ids = [f"{place.name}-{size[0]}x{size[1]}{'-read-only' * only}" for place, size, only in cases]
        metafunc.parametrize(("place", "size", "read_only"), cases, ids=ids)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    made = Gallery(tmp_path_factory.mktemp("gallery"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDITOR", "true")


class Presser:
    """Presses keys at one place, and finds back to it."""

    def __init__(self, driver, gallery, place):
        self.driver, self.gallery, self.place = driver, gallery, place
        self.app = driver.app

    async def go(self):
        await self.place.go(self.driver, self.gallery)
        self.check(self.place.name)

    async def press_everything(self):
        """Press each key of the page, of what belongs to each tab, and of the widgets there."""
        known = set()
        for action in self.app.screen.ACTIONS:
            await self.press(action)
        for tab in self.tabs() or [None]:
            await self.show(tab)
            page = self.app.screen
            if tab is not None and isinstance(page, SectionsPage | WorkflowPage):
                for action in page.ACTIONS:
                    if action.changes and page.check_action(action.name, ()):
                        await self.press(action, tab)
            for widget in self.widgets():
                for action in widget.ACTIONS:
                    if (type(widget), action.key) not in known:  # one key does the same in all of a kind
                        known.add((type(widget), action.key))
                        if widget.is_attached and widget.focusable:
                            widget.focus()
                        await self.press(action, tab)

    async def press(self, action, tab=None):
        for key in action.key.split(","):
            await self.press_key(key, tab)

    async def press_key(self, key, tab=None):
        """Press a key, and leave by `esc` whatever it opened."""
        page = self.app.screen
        where = f"{key} on {self.place.name}{f', {tab}' if tab else ''} at {self.app.size}"
        await self.driver.press(key)
        self.check(where)
        for _ in range(ESCAPES_MAX):
            if self.app.screen is page and not isinstance(self.app.focused, Input | TextArea):
                break
            if page not in self.app.screen_stack:  # another page, or the detail was left
                await self.go()
                page = self.app.screen
                continue
            await self.driver.press("escape")
            self.check(f"esc after {where}")
        assert self.app.screen is page, f"no way back after {where}:\n{self.driver.text}"
        await self.show(tab)

    def tabs(self):
        found = self.app.screen.query(TabbedContent)
        return [pane.id for pane in found.first().query("TabPane")] if found else []

    async def show(self, tab):
        if tab is not None and (tabs := self.app.screen.query_one(TabbedContent)).active != tab:
            tabs.active = tab
            await self.driver.settle()

    def widgets(self):
        """Return the widgets with keys that are seen, one of each kind."""
        seen = [each for each in self.app.screen.query("*") if hasattr(each, "ACTIONS") and each.focusable]
        return list({type(each): each for each in seen if each.is_on_screen}.values())

    def check(self, where):
        assert self.app._exception is None, where
        assert not self.app._exit, f"{where} ended the dashboard"
        for words in (self.driver.text, *self.driver.notices):
            assert "/omium/tui/" not in words, f"{where}:\n{words}"


def changed(driver):
    return [each.what for each in driver.app.own_log if not each.what.startswith("Verify ")]


async def test_no_key_breaks_anything_and_esc_leads_back(gallery):
    pressed = set()
    async with open_dashboard(gallery.server, size=SIZES[0]) as driver:
        for place, size in zip(PLACES, itertools.cycle(SIZES), strict=False):
            await driver.pilot.resize_terminal(*size)
            presser = Presser(driver, gallery, place)
            await presser.go()
            for action in driver.app.screen.ACTIONS:
                method = getattr(type(driver.app.screen), f"action_{action.name}", action.name)
                if method not in pressed:  # one page does that as another does
                    pressed.add(method)
                    await presser.press_key(action.key.split(",")[0])


async def test_no_key_changes_anything_in_a_read_only_dashboard(gallery):
    async with open_dashboard(gallery.server, size=SIZES[1], read_only=True) as driver:
        for place in PLACES:
            if place.name in {"failures", "keys", "settings", "execution"}:
                presser = Presser(driver, gallery, place)
                await presser.go()
                for action in driver.app.screen.ACTIONS:
                    if action.changes:
                        await presser.press(action)
        assert changed(driver) == []


async def test_every_key_in_every_tab_and_widget(gallery, place, size, read_only):
    async with open_dashboard(gallery.server, size=size, read_only=read_only) as driver:
        presser = Presser(driver, gallery, place)
        await presser.go()
        await presser.press_everything()
        assert changed(driver) == [] or not read_only
