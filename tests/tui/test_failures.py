"""The inbox: what each failure answers at once, and what is done about one, several, or a whole group."""

import json

import pytest
from textual.widgets import TextArea

from omium.models.execution import Execution
from omium.models.failure import FailureDetail
from omium.states import Driver, ExecutionStatus, FailureStatus
from omium.tui.failure_text import Next, say_next
from tests.tui.driving import open_dashboard
from tests.tui.shop import DELIVERY, PRICING, Shop

pytestmark = pytest.mark.xdist_group("failures")  # one server for all of them, in this order

HOSTILE = "\x1b]0;owned\x07[bold]x[/bold]\u202egnp.exe"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    made = Shop(tmp_path_factory.mktemp("shop"))
    yield made
    made.close()


@pytest.fixture
def own_shop(tmp_path):
    made = Shop(tmp_path)
    yield made
    made.close()


async def go_to_failures(driver, *words):
    await driver.press("3")
    for word in words:
        await driver.until(word)


async def point_at(driver, failure_id):
    driver.app.screen.query_one("#failures").point_at(failure_id)
    await driver.until(" Next ")
    await driver.settle()


async def test_an_empty_inbox_says_what_will_stand_there(running_server):
    async with open_dashboard(running_server, size=(80, 24)) as driver:
        await go_to_failures(driver, "Nothing is open.")
        driver.expect("a approve", "z faults only")
        driver.expect_not("r replay", "p patch", "b rollback", "v resolve")
        await driver.press("z")
        driver.expect("Nothing has failed yet.")
        await driver.press("at")
        driver.expect("omium failures list --all")


async def test_eighty_by_twenty_four_answers_everything_without_scrolling(shop):
    shop.run("sale", "ann")
    async with open_dashboard(shop.server, size=(80, 24)) as driver:
        await go_to_failures(driver, "Effects")
        driver.expect(
            "The step pay of sale may or may not have done its effect",
            "1 time, 1 open",
            "This is the root",
            "not safe: Nobody knows whether pay happened",
            "charge ✓ done, pay ? unknown",
            "0.11 credits charged",
            "Changed",
            "Say what became of the effect",
        )
        assert len(driver.lines) == 24


async def test_the_tabs_of_a_failure_hold_what_is_recorded_of_it(shop):
    shop.run("report", "mon")
    async with open_dashboard(shop.server, size=(80, 24), start=shop.failure("report")) as driver:
        seen = []
        for words in (
            ("Retry     ✓ safe", "Tries     1 try: gave up", "Mend the cause, then replay it"),
            ("load_rows", "✓ completed", "add_up", "✗ failed"),
            ("ValueError: invalid literal", "in add_up"),
            ('"a;1"', '"b;"'),
            ("It gave nothing: it failed.",),
            ("It saved no state",),
            ("It wrote nothing.",),
            ("charge", "-0.11", "the execution, 1 step"),
            ("try 1 of add_up", "gave up"),
            (shop.newest("report"), "✗ open"),
        ):
            await driver.until(words[0])
            driver.expect(*words)
            driver.expect_not("omium/sdk/")
            seen.append(words)
            await driver.press("right_square_bracket")
        assert len(seen) == 10


async def test_wide_screens_hold_groups_steps_and_tabs_side_by_side(shop):
    shop.run("sale", "bob")
    async with open_dashboard(shop.server, size=(200, 60)) as driver:
        await go_to_failures(driver, "ConnectionError: the bank did not answer")
        await point_at(driver, shop.failure("sale"))
        await driver.until("? unknown")
        driver.expect("WHAT", "Error Input Output", "in pay")


async def test_a_failure_that_is_not_there_says_so(running_server):
    gone = "fl_01mcc5rm00ngqz8ctbd9ygs3xh"
    async with open_dashboard(running_server, size=(80, 24), start=gone) as driver:
        await driver.until(f"There is no failure {gone}")
        driver.expect_not("Loading …")


async def test_a_failure_opens_its_execution_and_comes_back(shop):
    shop.run("report", "tue")
    async with open_dashboard(shop.server, start=shop.failure("report")) as driver:
        await driver.until("Mend the cause")
        await driver.press("x")
        driver.expect("Write it into one file")
        await driver.press("escape", "o")
        await driver.until(f"Executions / {shop.newest('report')}")


async def test_the_step_that_failed_is_found_behind_many_others(shop):
    shop.run("many", 150)
    async with open_dashboard(shop.server, start=shop.failure("many")) as driver:
        await driver.until("look#150")
        driver.expect("✗ failed", "ValueError: the last one")
        await driver.press("right_square_bracket")
        driver.expect("number: 149")


async def test_what_changed_since_the_last_success_is_named_and_compared(shop):
    shop.run("divide", 5, 0)
    async with open_dashboard(shop.server, size=(80, 24), start=shop.failure("divide")) as driver:
        await driver.until("the inputs number since ex_")
        await driver.press("d")
        await driver.until("divide, failed")
        driver.expect("- input.number: 5", "+ input.number: 0")


async def test_what_a_group_says_is_made_safe(own_shop):
    own_shop.file.write_text(
        "import omium, sys\n\n@omium.step\ndef say(text):\n    raise ValueError(text)\n\n"
        f"@omium.workflow\ndef hostile():\n    say({HOSTILE!r})\n\n"
        "try:\n    hostile()\nexcept ValueError:\n    pass\n"
    )
    own_shop.run("hostile")
    for size in ((80, 24), (200, 60)):
        async with open_dashboard(own_shop.server, size=size) as driver:
            await go_to_failures(driver, "[bold]x[/bold]")
            await driver.press("enter")
            await driver.until("Failures / fl_")
            assert "\x1b" not in driver.text
            assert "\u202e" not in driver.text
            assert "\x07" not in driver.text


async def test_ignoring_asks_for_a_reason_and_takes_a_condition(shop):
    shop.run("report", "wed")
    failure = shop.failure("report")
    async with open_dashboard(shop.server, size=(80, 24)) as driver:
        await go_to_failures(driver, "add_up")
        await point_at(driver, failure)
        await driver.press("i", "ctrl+s")
        driver.expect("This is needed.")
        screen = driver.app.screen
        screen.query_one("#field-reason").value = "known"
        screen.query_one("#field-until").value = "soon"
        await driver.press("ctrl+s")
        driver.expect("such as 12h")
        screen.query_one("#field-until").value = "3d"
        screen.query_one("#field-until_count").value = "10"
        await driver.press("ctrl+s")
        assert driver.notices[-1] == "report: add_up is ignored."
        driver.expect_not("✗ open       add_up")
        await driver.press("z")
        await driver.until("- ignored")
    found = shop.get(f"/v1/failures/{failure}")
    assert (found["status"], found["ignored_reason"], found["ignored_count_left"]) == ("ignored", "known", 10)
    assert found["ignored_until_us"] is not None
    shop.post(f"/v1/failures/{failure}/resolve")


async def test_several_marked_are_resolved_after_their_number_was_typed(own_shop):
    own_shop.run("report", "mon")
    own_shop.run("sale", "ann")
    async with open_dashboard(own_shop.server) as driver:
        await go_to_failures(driver, "2 failures")
        await driver.press("g", "space", "space")
        driver.expect("2 marked")
        await driver.press("v", "ctrl+s")
        driver.expect("Resolve 2 failures?", "Type 2 to go on.")
        await driver.press("enter")
        await driver.type("2")
        await driver.press("enter")
        await driver.until("Nothing is open.")
        assert driver.notices[-1] == "2 failures: each is resolved."


async def test_a_key_that_may_not_touch_the_workflow_is_told_so_and_nothing_is_lost(shop):
    shop.run("report", "thu")
    key = shop.post(
        "/v1/keys", {"name": "sales only", "scopes": ["read", "run", "operate"], "workflows": ["sale"]}
    )["api_key"]
    async with open_dashboard(shop.server, api_key=key) as driver:
        await go_to_failures(driver, "WHAT")
        await point_at(driver, shop.failure("report"))
        await driver.press("R")
        await driver.until("Replay 1 execution of 1 failure?")
        await driver.press("shift+tab", "enter")
        await driver.until_said("report")
        driver.expect("add_up")
    assert shop.get(f"/v1/failures/{shop.failure('report')}")["status"] == "open"


async def test_exhausted_credits_leave_the_plan_open_and_stop_a_group(own_shop):
    own_shop.run("report", "mon")
    own_shop.run("sale", "ann")
    balance = own_shop.get("/v1/credits")["credits"]
    own_shop.post("/v1/credits/adjustments", {"credits": -balance, "reason": "spent"})
    own_shop.work()
    async with open_dashboard(own_shop.server) as driver:
        await go_to_failures(driver, "add_up")
        await point_at(driver, own_shop.failure("report"))
        await driver.press("r", "enter")
        driver.expect("You've exhausted your Omium credits; please top up.", "Replay ex_", "Start (enter)")
        await driver.press("escape", "R", "shift+tab", "enter")
        assert "exhausted your Omium credits" in driver.notices[-1]
        await driver.until("stopped (You've exhausted your Omium credits")
    assert own_shop.get(f"/v1/failures/{own_shop.failure('report')}")["open_count"] == 1


async def test_a_server_that_goes_away_leaves_what_is_shown_and_says_so(own_shop):
    own_shop.run("report", "mon")
    async with open_dashboard(own_shop.server) as driver:
        await go_to_failures(driver, "Mend the cause")
        own_shop.server.kill()
        await driver.press("v", "ctrl+s")
        await driver.until("The server is away")
        driver.expect("add_up")
        own_shop.server.restart()
        await driver.until("● live")
        await driver.press("v", "ctrl+s")
        await driver.until("Nothing is open.")


async def test_read_only_shows_failures_and_changes_nothing(shop):
    shop.run("report", "fri")
    async with open_dashboard(shop.server, read_only=True) as driver:
        await go_to_failures(driver, "add_up")
        driver.expect_not("r replay", "resolve")
        await driver.press("v", "i", "R")
        driver.expect("add_up")
        assert driver.notices == []


async def test_the_morning_after(own_shop):
    """Twelve failures in three groups: the root is found, the cause mended, a value patched."""
    own_shop.post("/v1/workflows", {"document": PRICING})
    own_shop.work()
    for number in range(1, 5):
        own_shop.start(DELIVERY, number=number)
    own_shop.run("report", "mon", "tue", "wed", "thu")
    async with open_dashboard(own_shop.server, size=(120, 40)) as driver:
        await go_to_failures(driver, "3 failures · 12 open executions")

        # the root: what failed in the deliveries is a cascade of the prices
        await point_at(driver, own_shop.failure("delivery"))
        await driver.until("A cascade of")
        driver.expect("go to the cause")
        await driver.press("t")
        await driver.until("The step price of pricing failed with KeyError")
        driver.expect("This is the root", "4 times, 4 open")

        # it is mended, and the group replayed
        own_shop.mend()
        await driver.press("r")
        driver.expect("All 4")
        await driver.press("j", "enter")
        driver.expect("Replay 4 executions of 1 failure?")
        await driver.type("4")
        await driver.press("enter")
        driver.expect("launched", "The server replays the group")
        await driver.until("done: 4 launched, 0 to go")
        driver.expect("↻ replayed")

        # the reports read a bad row: each begins with what it should have been
        await driver.press("escape")
        await point_at(driver, own_shop.failure("report"))
        await driver.press("p")
        driver.expect("Output of add_up", "Output of load_rows")
        await driver.press("enter")
        driver.app.screen.query_one(TextArea).text = "3"
        await driver.press("ctrl+s")
        await driver.press("j", "enter")
        driver.expect("Each begins with the edited value of output add_up.")
        await driver.type("4")
        await driver.press("enter")
        await driver.until("1 failure · 4 open executions")
    found = own_shop.get("/v1/executions?workflow=report&status=completed")["items"]
    assert len(found) in range(1, 5)
    outputs = {json.dumps(own_shop.get(f"/v1/executions/{each['id']}")["output"]) for each in found}
    assert outputs == {"3"}


def test_of_what_omium_did_not_run_the_next_thing_is_the_servers_words_and_no_key_that_is_refused():
    detail = FailureDetail.model_construct(
        batch=None,
        status=FailureStatus.OPEN,
        retry_safe=True,
        kind="error",
        cause=None,
        execution=Execution.model_construct(driver=Driver.OBSERVED, status=ExecutionStatus.FAILED),
        next_action="Run it again where it ran.",
    )

    assert say_next(detail) == Next("o", "Run it again where it ran.")
