"""Overview, analytics, keys and billing: what was used, who may spend it, and where it came from."""

import httpx
import pytest

from tests.serverfixture import IN_CLEAR
from tests.tui.driving import open_dashboard
from tests.tui.shop import Shop

pytestmark = pytest.mark.xdist_group("money")  # one server for all of them, in this order

SIZES = [(80, 24), (200, 60)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    made = Shop(tmp_path_factory.mktemp("shop"))
    made.run("report", "monday", "tuesday")
    yield made
    made.close()


async def fill(driver, **values):
    for name, value in values.items():
        driver.app.screen.query_one(f"#field-{name}").value = value
    await driver.press("ctrl+s")


async def confirm(driver):
    await driver.press("shift+tab", "enter")


@pytest.mark.parametrize("size", SIZES)
async def test_the_overview_says_what_there_is_what_runs_and_what_failed(shop, size):
    async with open_dashboard(shop.server, size=size) as driver:
        driver.expect("credits", "2 executions", "1 open", "✗ failed", "report")
        await driver.press("enter")
        driver.expect("Executions / ex_")
        await driver.press("escape")
        driver.expect("Recent executions")
        await driver.press("enter", "1")
        driver.expect("Recent executions")


async def test_the_overview_of_a_fresh_tenant_says_what_comes_first(running_server):
    async with open_dashboard(running_server, size=(80, 24)) as driver:
        driver.expect("Get started", "run your first workflow", "python my_agents.py", "Nothing ran yet")


@pytest.mark.parametrize("size", SIZES)
async def test_analytics_show_what_ran_failed_and_was_saved(shop, size):
    async with open_dashboard(shop.server, size=size) as driver:
        await driver.press("5")
        driver.expect("2 executions, 0.0% completed", "report", "⏎ open")
        await driver.press("enter")
        driver.expect("Automation / report")
        await driver.press("escape", "b")
        driver.expect_not("⏎ open")  # a key has no page of its own
        await driver.press("right_square_bracket")
        driver.expect("failures by type", "ValueError")
        await driver.press("b")
        driver.expect("failures by")
        await driver.press("right_square_bracket")
        driver.expect("0 steps did not run again")
        await driver.press("at")
        driver.expect("omium analytics savings --by workflow --since 7d")


async def test_a_time_is_chosen_and_the_table_is_copied_as_csv(shop):
    async with open_dashboard(shop.server) as driver:
        await driver.press("5", "t")
        await fill(driver, range="30 days")
        driver.expect("The last 30 days")
        await driver.press("w")
        driver.expect("value,name,", "report,")


async def test_plots_are_words_for_those_who_do_not_see_them(shop):
    async with open_dashboard(shop.server, plain=True) as driver:
        await driver.press("5")
        driver.expect("Executions: completed: highest 0", "failed: highest 2")
        assert not set(driver.text) & set("█▞▄╭│")


async def test_a_key_is_made_shown_once_capped_rotated_and_revoked(running_server):
    async with open_dashboard(running_server) as driver:
        await driver.press("6", "plus")
        await fill(driver, name="my-laptop", cap="20", period="month")
        driver.expect("shown this once", "om_dev_", "omium init --base-url")
        await driver.press("escape")
        driver.expect("my-laptop", "$0.00 of $20.00/month")
        await driver.press("o")
        await fill(driver, grace="an hour")
        driver.expect("om_dev_")
        await driver.press("escape", "m")
        await fill(driver, cap="2.50")
        driver.expect("$0.00 of $2.50/month")
        await driver.press("minus")
        driver.expect("Revoke my-laptop?")
        await confirm(driver)
        driver.expect_not("my-laptop")
        await driver.press("right_square_bracket")
        driver.expect("my-laptop", "⊘ revoked")


async def test_a_cap_that_is_no_amount_is_said_beside_its_field_and_nothing_is_lost(running_server):
    async with open_dashboard(running_server) as driver:
        await driver.press("6", "plus")
        await fill(driver, name="my-laptop", cap="lots")
        driver.expect("Dollars above zero, such as 20 or 2.50.", "my-laptop")


async def test_what_a_key_has_used_is_shown_by_day(shop):
    async with open_dashboard(shop.server) as driver:
        await driver.press("6", "u")
        driver.expect("Usage of owner", "2 executions")


@pytest.mark.parametrize("size", SIZES)
async def test_credits_are_bought_and_the_history_tells_it(running_server, size):
    async with open_dashboard(running_server, size=size) as driver:
        await driver.press("7")
        driver.expect("1,000 credits a dollar", "grant")
        await driver.press("plus")
        await fill(driver, preset="another amount", usd="5")
        driver.expect("Dollars from 10 on")
        await fill(driver, usd="25")
        driver.expect("35,000 credits", "topup")
        await driver.press("right_square_bracket")
        driver.expect("25.00", "paid")


async def test_when_credits_are_low_is_said_with_what_to_do(running_server):
    async with open_dashboard(running_server) as driver:
        await driver.press("7", "w")
        await fill(driver, credits="50000")
        driver.expect("Credits are low. + tops up.")
        await driver.press("1")
        driver.expect("Credits are low: 7, then + tops up.")


async def test_reading_only_offers_no_purchase_and_no_key(running_server):
    async with open_dashboard(running_server, read_only=True) as driver:
        await driver.press("7", "plus")
        driver.expect_not("Top up")
        await driver.press("6", "plus")
        driver.expect_not("New API key")


def make_looking_key(server):
    reply = httpx.post(
        f"{server.base_url}/v1/keys",
        json={"name": "looks", "scopes": ["read"]},
        headers={**server.headers, "idempotency-key": "looks"},
        verify=IN_CLEAR,
        timeout=60,
    )
    return reply.json()["api_key"]


async def test_a_key_without_the_right_is_offered_nothing_and_told_so_in_words(running_server):
    async with open_dashboard(running_server, api_key=make_looking_key(running_server)) as driver:
        await driver.press("7", "plus")
        driver.expect_not("Top up")
        await driver.press("6", "plus")
        driver.expect("looks", "owner")
        driver.expect_not("New API key")


async def test_what_a_call_costs_is_looked_up(running_server):
    async with open_dashboard(running_server, size=(80, 24), start="billing") as driver:
        await driver.press("l")
        await fill(driver, model="nobody/heard-of-it", input="1000000", output="0")
        driver.expect("heard-of-it: ", "credits", "By the default price")
