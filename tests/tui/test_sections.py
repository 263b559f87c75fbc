"""The pages Server and Settings: lists as tabs, each with its own actions."""

import httpx
import pytest

from tests.serverfixture import IN_CLEAR
from tests.tui.driving import open_dashboard

HOSTILE = "\x1b]0;owned\x07[red]bold[/]\u202egnp"


@pytest.fixture
def post(running_server):
    def post(path, body, method="POST"):
        reply = httpx.request(
            method,
            running_server.base_url + path,
            json=body,
            headers={**running_server.headers, "idempotency-key": path},
            timeout=60,
            verify=IN_CLEAR,
        )
        assert reply.status_code < 300, reply.text
        return reply.json()

    return post


async def to_section(driver, name):
    driver.app.screen.query_one("#sections").active = f"tab-{name}"
    await driver.settle()


async def fill(driver, **values):
    for name, value in values.items():
        driver.app.screen.query_one(f"#field-{name}").value = value
    await driver.press("ctrl+s")


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_empty_lists_say_what_to_do_first(running_server, size):
    async with open_dashboard(running_server, size=size) as driver:
        await driver.press("9")
        driver.expect("omium worker PATH.py", "Omium ")
        await driver.press("right_square_bracket")
        driver.expect("they come with @omium.step(breaker=…)")
        await driver.press("0")
        await to_section(driver, "secrets")
        driver.expect("+ sets one")


async def test_a_secret_is_set_listed_and_deleted_after_asking(running_server):
    async with open_dashboard(running_server) as driver:
        await driver.press("0")
        await to_section(driver, "secrets")
        await driver.press("plus")
        await driver.type("OPENAI_KEY")
        driver.app.screen.query_one("#field-value").value = "sk-never-shown"
        await driver.press("ctrl+s")
        driver.expect("OPENAI_KEY")
        driver.expect_not("sk-never-shown")
        await driver.press("minus")
        driver.expect("Delete OPENAI_KEY?")
        await driver.press("escape")
        driver.expect("OPENAI_KEY")
        await driver.press("minus", "shift+tab", "enter")
        driver.expect("+ sets one")
        await driver.press("L")
        driver.expect("Set secret OPENAI_KEY", "Delete OPENAI_KEY")


async def test_several_are_removed_only_after_their_number_was_typed(running_server, post):
    for name in ("A_ONE", "B_TWO"):
        post(f"/v1/secrets/{name}", {"value": "x", "environment": "dev"}, "PUT")
    async with open_dashboard(running_server) as driver:
        await driver.press("0")
        await to_section(driver, "secrets")
        await driver.press("space", "space", "minus")
        driver.expect("Type 2 to go on.")
        await driver.press("enter")
        driver.expect("Type 2 to go on.")
        await driver.press("2", "enter")
        driver.expect("+ sets one")


async def test_an_invitation_is_shown_once_and_whom_it_is_for_cannot_harm_the_terminal(running_server):
    async with open_dashboard(running_server) as driver:
        await driver.press("0")
        await to_section(driver, "invitations")
        await driver.press("plus")
        driver.app.screen.query_one("#field-note").value = HOSTILE
        await driver.press("ctrl+s")
        driver.expect("It is shown this once")
        await driver.press("escape")
        driver.expect("[red]bold[/]")
        assert "\x1b" not in driver.text
        assert "\u202e" not in driver.text


async def test_what_was_done_stands_in_the_audit_log_which_can_be_verified(running_server, post):
    post("/v1/secrets/A_ONE", {"value": "x", "environment": "dev"}, "PUT")
    async with open_dashboard(running_server, size=(160, 40)) as driver:
        await driver.press("0")
        await to_section(driver, "audit")
        driver.expect("secret.set", "A_ONE")
        await driver.press("v")
        assert "whole up to entry" in driver.notices[-1]


async def test_a_breaker_is_opened_after_asking_limited_and_reset(running_server, post):
    post("/v1/breakers/calls", {"name": "openai", "succeeded": 3})
    async with open_dashboard(running_server) as driver:
        await driver.press("9")
        await to_section(driver, "breakers")
        driver.expect("openai", "✓ closed")
        await driver.press("h", "shift+tab", "enter")
        driver.expect("✗ open (by hand)")
        await driver.press("r")
        driver.expect("✓ closed")
        await driver.press("m")
        driver.app.screen.query_one("#field-tokens").value = "0"
        await driver.press("ctrl+s")
        driver.expect("A whole number above zero, or nothing.")
        driver.app.screen.query_one("#field-tokens").value = "200000"
        await driver.press("ctrl+s")
        driver.expect("0 of 200,000 tokens")


async def test_reading_only_offers_nothing_that_changes(running_server, post):
    post("/v1/secrets/A_ONE", {"value": "x", "environment": "dev"}, "PUT")
    async with open_dashboard(running_server, read_only=True) as driver:
        await driver.press("0")
        await to_section(driver, "secrets")
        await driver.press("plus", "minus")
        driver.expect("A_ONE", "read only")
        driver.expect_not("Set a secret", "Delete A_ONE?")


async def test_what_is_stored_can_be_verified(running_server):
    async with open_dashboard(running_server) as driver:
        await driver.press("9", "v")
        assert "passed" in driver.notices[-1]


async def test_how_long_executions_are_kept_is_set_and_keeping_less_is_confirmed(running_server):
    async with open_dashboard(running_server, size=(80, 24), start="settings") as driver:
        await driver.press("K")
        driver.expect("Keep executions for so many days", "for ever")
        await fill(driver, completed="", failed="nine")
        driver.expect("Days from 1 to 36,500")
        await fill(driver, failed="90")
        await driver.until_said("It is set.")
        await driver.press("K")
        await fill(driver, completed="7")
        driver.expect("Keep less than before?", "for good")
        await driver.press("shift+tab", "enter")
        await driver.press("K")
        assert driver.app.screen.query_one("#field-completed").value == "7"
