"""Who is not logged in is asked for a server and a log-in, key or invitation; nothing typed is lost."""

import pytest
from textual import events

from omium.config import Settings, load_settings
from omium.sdk.async_client import AsyncClient
from omium.tui.app import DashboardApp
from tests.tui.driving import Driver, open_dashboard


@pytest.fixture
async def stranger(running_server, monkeypatch):
    monkeypatch.setenv("OMIUM_BASE_URL", running_server.base_url)
    app = DashboardApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot)
        await driver.settle()
        yield driver


async def choose_way(driver, way):
    driver.app.screen.query_one("#way").value = way
    await driver.settle()


async def fill(driver, **values):
    for name, value in values.items():
        driver.app.screen.query_one(f"#{name}").value = value
    await driver.press("ctrl+s")


async def test_a_pasted_key_is_checked_kept_and_opens_the_dashboard(stranger, running_server):
    await choose_way(stranger, "Paste an API key")
    await fill(stranger, key=running_server.api_key)
    await stranger.until("● live")
    assert load_settings().api_key == running_server.api_key


async def test_half_a_key_is_refused_before_the_server_is_asked(stranger):
    await choose_way(stranger, "Paste an API key")
    await fill(stranger, key="om_dev_half")
    stranger.expect("not copied whole")
    assert load_settings(new_profile=True).api_key is None


async def test_a_wrong_password_says_so_and_keeps_what_was_typed(stranger):
    await fill(stranger, user="ada", password="never set this one")
    assert stranger.app.screen.query_one("#user").value == "ada"
    assert str(stranger.app.screen.query_one("#outcome").render()) not in ("", "Asking the server …")


async def test_a_server_that_is_not_there_says_how_to_start_one(stranger):
    await fill(stranger, server="http://127.0.0.1:9", user="ada", password="a long pass phrase")
    await stranger.until("omium serve")


async def test_escape_stays_and_does_not_quit(stranger):
    await stranger.press("escape")
    stranger.expect("which server")


async def test_the_first_user_of_a_fresh_server_signs_up_with_its_token(make_running_server, monkeypatch):
    server = make_running_server()
    monkeypatch.setenv("OMIUM_BASE_URL", server.base_url)
    monkeypatch.setenv("OMIUM_DATA_DIR", str(server.data))
    app = DashboardApp(None)
    async with app.run_test(size=(100, 40)) as pilot:
        driver = Driver(app, pilot)
        await driver.settle()
        driver.expect("Begin on a fresh server")
        await fill(
            driver, user="ada", password="a long pass phrase", again="a long pass phrase", tenant="acme"
        )
        await driver.until("acme/dev")


async def test_a_session_that_ends_asks_again_and_goes_on_where_it_was(running_server):
    async with open_dashboard(running_server) as driver:
        async with AsyncClient(running_server.base_url, running_server.api_key) as client:
            who = await client.get_whoami()
            await client.revoke_key(who.api_key_id)
        await driver.press("ctrl+r")
        await driver.until("which server, and as whom?")


async def test_in_a_browser_who_logs_in_again_stays_with_the_server_and_how_it_is_trusted(running_server):
    settings = Settings(base_url=running_server.base_url, api_key=running_server.api_key, effect_wait_s=7.0)
    app = DashboardApp(lambda: AsyncClient(settings=settings), in_browser=True)
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot)
        await driver.until("● live")
        former = app.link
        app.ask_whereto("")
        await driver.settle()
        await choose_way(driver, "Paste an API key")
        await fill(driver, key=running_server.api_key)
        await driver.until("● live")
        assert app.link is not former
        assert app.link.client.settings == settings


async def test_a_burst_of_keys_goes_into_the_fields_that_it_was_meant_for(stranger):
    driver = stranger.app._driver
    assert driver is not None
    for key in ["a", "tab", "b", "tab", "c", "shift+tab", "d"]:
        character = key if len(key) == 1 else None
        driver.process_message(events.Key(key, character))
    await stranger.settle()
    assert [stranger.app.screen.query_one(f"#{name}").value for name in ("user", "password", "tenant")] == [
        "a", "d" , "c",
    ]  # fmt: skip
