"""Logging out of the browser version: everything that the browser has open ends, here and on the server."""

import pytest

from omium.config import Settings
from omium.folders import bootstrap_token_file
from omium.models.people import LogIn, SignUp
from omium.sdk.async_client import AsyncClient
from omium.sdk.sync_client import Client
from tests.migrated import put_sqlite
from tests.sdk.served import wait_until
from tests.serverfixture import RunningServer
from tests.tui.driving import open_dashboard
from tests.tui.served_web import press, read_to_the_end, read_until, serve_web

pytestmark = pytest.mark.xdist_group("web_leaving")  # one server for all of them

PASSWORD = "a long pass phrase"
SHIFT_TAB, ENTER = "\x1b[Z", "\r"
FORM = {"user": "ada", "password": PASSWORD}


@pytest.fixture(scope="module")
def adas_server(tmp_path_factory):
    """A server of which ada is the first user."""
    data = tmp_path_factory.mktemp("server") / "data"
    put_sqlite(data / "omium.sqlite")
    server = RunningServer(data, {"OMIUM_BALLAST_BYTES": "0"})
    file = bootstrap_token_file(data)
    wait_until(file.exists)
    with Client(server.base_url, "") as nobody:
        token = file.read_text().strip()
        nobody.sign_up(SignUp(user="ada", password=PASSWORD, token=token, tenant="acme"))
    yield server
    server.kill()


@pytest.fixture
async def ada(adas_server):
    """A client with a session of hers; others are those of browsers."""
    async with AsyncClient(adas_server.base_url, "") as nobody:
        session = await nobody.log_in(LogIn(user="ada", password=PASSWORD))
    async with AsyncClient(adas_server.base_url, session.session_token) as client:
        await client.revoke_other_sessions()
        yield client


async def count_sessions(client):
    return len((await client.list_sessions()).items)


async def test_logging_out_on_the_page_of_settings_ends_all_dashboards_and_the_session(ada):
    settings = Settings(base_url=ada.settings.base_url)
    async with serve_web(settings, logs_in=True) as web:
        assert (await web.ask("POST", "/login", FORM)).status == 303
        assert await count_sessions(ada) == 2
        first, second = await web.open_socket(), await web.open_socket()
        await read_until(first, b"Recent executions")
        await read_until(second, b"Recent executions")
        await press(first, "0")
        await read_until(first, b"Members")
        await press(first, "X")
        await read_until(first, b"Log this browser out?")
        await press(first, SHIFT_TAB + ENTER)
        await read_to_the_end(first)
        await read_to_the_end(second)
        assert 'name="password"' in (await web.ask("GET", "/")).text
    assert await count_sessions(ada) == 1  # it was waited for when serving ended


async def test_logging_out_by_the_button_of_the_page_ends_the_session_and_the_cookie(ada):
    async with serve_web(Settings(base_url=ada.settings.base_url), logs_in=True) as web:
        await web.ask("POST", "/login", FORM)
        kept = dict(web.cookies)
        assert len(kept) == 1
        assert (await web.ask("POST", "/logout")).status == 303
        assert web.cookies == {}
        web.cookies |= kept  # as one who has stolen it
        assert 'name="password"' in (await web.ask("GET", "/")).text
    assert await count_sessions(ada) == 1


async def test_logging_in_anew_ends_what_the_browser_had(ada):
    async with serve_web(Settings(base_url=ada.settings.base_url), logs_in=True) as web:
        await web.ask("POST", "/login", FORM)
        await web.ask("POST", "/login", FORM)
    assert await count_sessions(ada) == 2


async def test_logging_out_leaves_a_key_and_a_session_of_the_profile_as_they_were(ada):
    async with serve_web(ada.settings) as web:
        assert (await web.ask("GET", web.dashboard.new_link())).status == 303
        assert (await web.ask("GET", "/")).status == 200
        assert (await web.ask("POST", "/logout")).status == 303
        assert (await web.ask("GET", "/")).status == 403
    assert await count_sessions(ada) == 1


async def test_another_page_logs_nobody_out(ada):
    async with serve_web(ada.settings) as web:
        await web.ask("GET", web.dashboard.new_link())
        assert (await web.ask("POST", "/logout", Origin="http://evil.example")).status == 403
        assert (await web.ask("GET", "/")).status == 200


async def test_in_a_terminal_nobody_is_offered_to_log_out(ada, adas_server):
    async with open_dashboard(adas_server, api_key=ada.settings.api_key, start="settings") as driver:
        driver.expect_not("log out")
        await driver.press("X")
        driver.expect_not("Log this browser out?")
