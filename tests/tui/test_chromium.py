"""The dashboard in a real browser: the same journey as in a terminal, and nothing from anywhere else."""

import pytest

from tests.tui.journeys.overnight import make_deeds
from tests.tui.journeys.page import open_page
from tests.tui.journeys.script import Journey
from tests.tui.shop import Shop
from tests.tui.test_web import Web

# A browser, a server, a dashboard and a worker: beside nothing else that is as heavy.
pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("journeys")]


def test_the_morning_after_in_a_browser(tmp_path, monkeypatch):
    monkeypatch.setenv("OMIUM_CONFIG_DIR", str(tmp_path / "nobody"))
    shop = Shop(tmp_path)
    environment = {**shop.environment, "HOME": str(tmp_path)}
    journey = Journey(tmp_path, environment, make_deeds(shop), open_page)
    try:
        journey.replay("the_morning_after")
        look_again(journey.terminal)
        log_out_by_its_key(journey.terminal)
        web = Web(shop.server, tmp_path, "--log-in")
        try:
            log_in_by_the_form_and_out_by_the_button(journey.terminal, web.origin, shop.server.api_key)
        finally:
            web.close()
    finally:
        journey.close()
        shop.close()


def look_again(terminal):
    browser = terminal.browser
    browser.evaluate("document.querySelector('.ended a').click()")
    terminal.until("Recent executions")
    terminal.press("3")
    terminal.until("failure")
    terminal.press("?")
    terminal.until("Keys: Failures")
    assert "$EDITOR" not in terminal.text
    asked = {address for address in browser.requests if address.startswith("http")}
    assert {"/".join(address.split("/")[:3]) for address in asked} == {terminal.origin}
    assert browser.complaints == []


def log_out_by_its_key(terminal):
    terminal.press("esc")
    terminal.until_gone("Keys: Failures")
    terminal.press("0")
    terminal.until("Members")
    terminal.press("X")
    terminal.until("Log this browser out?")
    terminal.press("shift+tab", "enter")
    assert terminal.until_ended() == 0
    terminal.browser.evaluate("document.querySelector('.ended a').click()")
    terminal.browser.until_page("opened with the link that was printed")


def log_in_by_the_form_and_out_by_the_button(terminal, origin, api_key):
    browser = terminal.browser
    browser.go(origin)
    browser.until_page("API key")
    browser.evaluate(f"document.querySelector('[name=key]').value = '{api_key}'")
    browser.evaluate("document.querySelector('form button').click()")
    terminal.until("Recent executions")
    terminal.press("q")
    assert terminal.until_ended() == 0
    browser.evaluate("document.querySelector('.ended button').click()")
    browser.until_page("API key")
