"""An execution is written into one file from the dashboard, and looked at in it again, without a server."""

import re

import pytest
from textual.widgets import Checkbox, Input

from omium.bundle import BundleClient, open_bundle, write_bundle
from omium.sdk.async_client import AsyncClient
from omium.tui import bundling
from omium.tui.app import DashboardApp
from tests.bundle.recorded import HOSTILE, record
from tests.serverfixture import open_app_client, test_settings
from tests.tui.driving import Driver
from tests.tui.flows import open_bare
from tests.tui.shop import Shop

pytestmark = pytest.mark.xdist_group("bundling")  # one server for all of them, in this order


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    made = Shop(tmp_path_factory.mktemp("shop"))
    made.run("report", "mon")
    yield made
    made.close()


async def test_a_bundle_is_written_where_it_is_said_and_its_digest_is_shown(shop, tmp_path):
    source = shop.newest("report")
    async with open_bare(shop.server, size=(80, 24)) as (driver, page):
        bundling.bundle(page, source)
        await driver.settle()
        driver.expect("Write it into one file", "Secrets are masked")
        field = driver.app.screen.query_one("#field-file", Input)
        assert field.value.endswith(f"{source}.omium")

        field.value = str(tmp_path / "nowhere" / "made.omium")
        await driver.press("ctrl+s")
        driver.expect("There is no folder")
        field.value = str(tmp_path / "made.omium")
        await driver.press("ctrl+s")
        driver.expect("The bundle is written", "SHA-256", "1 execution")

    with open_bundle(tmp_path / "made.omium") as made:
        assert made.manifest.execution_id == source
        assert made.manifest.with_values


async def test_what_stands_there_is_overwritten_only_after_a_yes(shop, tmp_path):
    path = tmp_path / "made.omium"
    path.write_text("precious")
    async with open_bare(shop.server) as (driver, page):
        for keys, written in ((("enter",), False), (("shift+tab", "enter"), True)):
            bundling.bundle(page, shop.newest("report"))
            await driver.settle()
            driver.app.screen.query_one("#field-file", Input).value = str(path)
            driver.app.screen.query_one("#field-bare", Checkbox).value = True
            await driver.press("ctrl+s")
            driver.expect("Overwrite made.omium?")
            await driver.press(*keys)
            assert (path.read_bytes()[:2] == b"PK") is written

    with open_bundle(path) as made:
        assert not made.manifest.with_values


async def test_what_goes_wrong_is_said_and_leaves_no_file(shop, tmp_path):
    async with open_bare(shop.server) as (driver, page):
        bundling.bundle(page, "ex_00000000000000000000000000")
        await driver.settle()
        driver.app.screen.query_one("#field-file", Input).value = str(tmp_path / "made.omium")
        await driver.press("ctrl+s")
        driver.expect("No bundle was written", "ex_00000000000000000000000000")

    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


async def test_a_bundle_opens_in_the_same_screens_without_a_server_and_nothing_can_be_changed(shop, tmp_path):
    source = shop.newest("report")
    async with AsyncClient(shop.server.base_url, shop.server.api_key) as client:
        made = await write_bundle(client, source, tmp_path / "made.omium")
    app = DashboardApp(lambda: BundleClient(open_bundle(made.path)), offline=True, start=source)
    async with app.run_test(size=(110, 34)) as pilot:
        driver = Driver(app, pilot)
        await driver.settle()
        driver.expect(source, "✗ failed", "a file, read only", "add_up")
        for _ in range(9):  # every tab of it
            await driver.press("right_square_bracket")
        await driver.press("r", "p", "b", "c", "u")
        assert not app.screen.is_modal
        driver.expect_not("Next:")  # it would name keys that do nothing here
        await driver.press("at")
        driver.expect("omium bundle open", "--execution")
        assert str(made.path) in re.sub(r"[│\s]", "", driver.text), "over as many lines as it needs"
        await driver.press("escape", "4", "at")
        driver.expect("There is no command that shows this of a bundle")
        await driver.press("escape", "colon", *"billing", "enter")
        assert driver.notices == [
            "A bundle holds no billing. It has: executions, failures, automation, docs."
        ]
        app.clear_notifications()
        await driver.press("3", "z")
        driver.expect("add_up", "this is for looking only")
        await driver.press("at")
        driver.expect("omium bundle open", "--plain")
        assert driver.notices == []


async def test_what_a_stranger_put_into_a_bundle_stays_text(tmp_path):
    async with open_app_client(test_settings(tmp_path)) as served:
        recorded = await record(served, hostile=HOSTILE)
        async with recorded.client() as client:
            made = await write_bundle(client, recorded.id, tmp_path / "hostile.omium", with_children=True)
    app = DashboardApp(lambda: BundleClient(open_bundle(made.path)), offline=True, start=recorded.id)
    async with app.run_test(size=(110, 34)) as pilot:
        driver = Driver(app, pilot)
        await driver.settle()
        for _ in range(9):
            driver.expect("nonsense", "red")
            assert not {"\x1b", "\x07", "\u202e", "\x85"} & set(driver.text)
            await driver.press("right_square_bracket")
        await driver.press("3", "z", "enter")
        driver.expect("nonsense")
        assert not {"\x1b", "\x07", "\u202e", "\x85"} & set(driver.text)
        assert app.is_running
