"""Decisions of people: effects with an unknown outcome, approvals, signals, and the list of what waits."""

import pytest

from omium.tui import deciding, rolling_back
from tests.tui.driving import open_dashboard
from tests.tui.flows import open_bare
from tests.tui.shop import ASKS, Shop

pytestmark = pytest.mark.xdist_group("deciding")  # one server for all of them, in this order


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    made = Shop(tmp_path_factory.mktemp("shop"))
    yield made
    made.close()


def fill(driver, **values):
    for name, value in values.items():
        driver.app.screen.query_one(f"#field-{name}").value = value


async def test_what_waits_is_listed_and_answered_from_there(shop):
    execution = shop.start(ASKS)
    shop.run("sale", "ann")
    async with open_dashboard(shop.server, size=(80, 24)) as driver:
        await driver.press("3")
        await driver.until("Say what became of the effect")
        await driver.press("a")
        driver.expect("Did pay happen?")
        await driver.press("escape")
        from omium.tui.pages.waiting import WaitingPage

        await driver.app.push_screen(WaitingPage())
        await driver.settle()
        driver.expect("2 things to decide", "Send it?", "Did pay happen?")
        await driver.press("g", "enter")
        driver.expect("one waits for a person", "Send it?")
        fill(driver, decision="approved", comment="read and fine")
        await driver.press("ctrl+s")
        assert driver.notices[-1].startswith("one is approved")
        driver.expect("1 thing to decide")
    events = shop.get(f"/v1/executions/{execution}/events?limit=200")["items"]
    decided = [each["data"] for each in events if each["type"] == "approval.decided"]
    assert decided[0]["comment"] == "read and fine"


async def test_an_approval_that_somebody_else_decided_meanwhile_says_so(shop):
    execution = shop.start(ASKS)
    async with open_bare(shop.server) as (driver, page):
        deciding.approve(page, execution)
        await driver.settle()
        shop.post(f"/v1/executions/{execution}/approvals", {"path": "one", "decision": "rejected"})
        fill(driver, decision="approved")
        await driver.press("ctrl+s")
        assert "decided" in driver.notices[-1]


async def test_a_signal_says_who_has_taken_it(shop):
    execution = shop.start(ASKS)
    async with open_bare(shop.server) as (driver, page):
        deciding.send_signal(page, execution)
        await driver.settle()
        fill(driver, name="paid")
        driver.app.screen.query_one("#field-payload").text = '{"amount": '
        await driver.press("ctrl+s")
        driver.expect("Signal to")
        driver.app.screen.query_one("#field-payload").text = '{"amount": 90}'
        await driver.press("ctrl+s")
        assert driver.notices[-1] == "paid has taken it."


async def test_an_unknown_effect_is_confirmed_with_what_it_gave(shop):
    shop.run("sale", "bob")
    execution = shop.newest("sale")
    async with open_bare(shop.server, size=(80, 24)) as (driver, page):
        deciding.decide_effect(page, execution)
        await driver.settle()
        driver.expect("Did pay happen?", '"customer": "bob"')
        fill(driver, decision="confirm", output='{"paid": ')
        await driver.press("ctrl+s")
        driver.expect("Did pay happen?")
        fill(driver, output='{"paid": "bob"}', reason="seen at the bank")
        await driver.press("ctrl+s")
        driver.expect("pay: it happened, and is not done again", "Go on")
        await driver.press("enter")
        driver.expect("No worker serves sale yet")
    assert shop.get(f"/v1/executions/{execution}")["status"] == "queued"


async def test_a_redo_warns_that_it_may_happen_twice(shop):
    shop.run("sale", "cid")
    execution = shop.newest("sale")
    async with open_bare(shop.server) as (driver, page):
        deciding.decide_effect(page, execution)
        await driver.settle()
        fill(driver, decision="redo")
        await driver.press("ctrl+s")
        driver.expect("Do pay again?", "If it did happen, it happens twice.")
        await driver.press("enter")  # the question begins at No
        effects = shop.get(f"/v1/executions/{execution}/effects")["items"]
        assert [each["decided_by"] for each in effects if each["key"] == "pay"] == [None]
        deciding.decide_effect(page, execution)
        await driver.settle()
        fill(driver, decision="redo")
        await driver.press("ctrl+s", "shift+tab", "enter")
        driver.expect("pay: it did not happen, and is done again")


async def test_compensations_that_are_left_are_skipped_with_a_reason(shop):
    shop.run("sale", "dan")
    execution = shop.newest("sale")
    effects = shop.get(f"/v1/executions/{execution}/effects")["items"]
    unknown = next(each for each in effects if each["key"] == "pay")
    path = f"/v1/executions/{execution}/effects/{unknown['effect_key']}/decide"
    shop.post(path, {"decision": "skip", "reason": "never asked for"})
    async with open_bare(shop.server, size=(80, 24)) as (driver, page):
        rolling_back.roll_back(page, execution, step="charge")
        await driver.settle()
        driver.expect("Compensated    charge")
        await driver.press("enter", "shift+tab", "enter")
        driver.expect("1 compensation first (charge)")
        await driver.press("enter")
        rolling_back.skip_compensations(page, execution)
        await driver.settle()
        driver.expect("Leave 1 compensation out", "charge  (pending)")
        fill(driver, reason="refunded by hand")
        await driver.press("ctrl+s", "shift+tab", "enter")
        assert driver.notices[-1] == "Nothing more is undone."
    left = shop.get(f"/v1/executions/{execution}/compensations")["items"]
    assert [each["status"] for each in left] == ["skipped"]
