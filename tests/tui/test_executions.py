"""The list of executions: filters, marks, and several acted on at once, on a real server."""

import contextlib
import json
import sqlite3

import pytest
from textual import events

from omium.models.execution import StartExecution
from omium.sdk.async_client import AsyncClient
from omium.states import Driver
from omium.tui.pages.executions import LOOKED_THROUGH, PAGE, ExecutionsPage
from tests.tui.driving import open_dashboard
from tests.tui.shop import Shop

pytestmark = pytest.mark.xdist_group("executions")  # one server for all of them, in this order

HOSTILE = "\x1b]0;owned\x07[bold red]\u202enightly"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    made = Shop(tmp_path_factory.mktemp("runs"))
    made.run("report", "mon", "tue")
    yield made
    made.close()


def queue(shop, workflow, count=1, **fields):
    """Start executions that no worker takes up; returns their ids."""
    body = {"workflow": workflow, "driver": "worker", "input_digest": "0" * 64, "input": {}} | fields
    return [shop.post("/v1/executions", body)["id"] for _ in range(count)]


async def list_only(driver, text):
    """Type a filter at once."""
    await driver.press("slash")
    driver.app.focused.value = text
    await driver.settle()


def status(shop, execution_id):
    return shop.get(f"/v1/executions/{execution_id}")["status"]


async def test_an_empty_list_says_what_to_do_first(running_server):
    async with open_dashboard(running_server, size=(80, 24), start="executions") as driver:
        driver.expect("Nothing has run yet", "omium run NAME")
        await list_only(driver, "status:failed")
        await driver.press("enter")
        driver.expect("No execution fits the filter")
        driver.expect_not("Nothing has run yet")


async def test_letters_typed_ahead_of_the_filter_line_are_typed_into_it_and_cancel_nothing(shop):
    async with open_dashboard(shop.server, size=(80, 24), start="executions") as driver:
        for key in ("slash", "c", "x"):  # in one burst, as over a slow link; c and x act on the page
            driver.app.post_message(events.Key(key, key if len(key) == 1 else "/"))
        await driver.settle()
        assert driver.app.focused.value == "cx"
        assert not driver.app.screen.is_modal


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_what_matters_is_seen_at_each_size(shop, size):
    async with open_dashboard(shop.server, size=size, start="executions") as driver:
        driver.expect("✗ failed (error)", "report", "STEPS", "STARTED", "z faults only")
        if size[0] == 200:
            driver.expect(shop.newest("report"), "dev")


async def test_filters_are_the_servers_and_words_are_looked_for_in_what_is_there(shop):
    queue(shop, "tagged", tags=["nightly"], business_key="order-7")
    queue(shop, "tagged")
    async with open_dashboard(shop.server, start="executions", size=(160, 40)) as driver:
        await list_only(driver, "workflow:tagged tag:nightly")
        await driver.press("enter")
        driver.expect("1 execution", "order-7 #nightly")
        driver.expect_not("✗ failed")
        await driver.press("at")
        driver.expect("omium executions list --workflow tagged --tag nightly")
        await driver.press("escape", "slash", "escape")
        driver.expect("✗ failed")
        await list_only(driver, "order-7")
        driver.expect("order-7")
        driver.expect_not("✗ failed")


async def test_a_filter_that_cannot_be_read_is_said(shop):
    async with open_dashboard(shop.server, start="executions") as driver:
        await list_only(driver, "since:soon")
        await driver.press("enter")
        driver.expect("! soon is no time; write 30m, 2h")


async def test_z_shows_only_what_failed_and_all_again(shop):
    queue(shop, "standing")
    async with open_dashboard(shop.server, start="executions") as driver:
        driver.expect("standing")
        await driver.press("z")
        driver.expect("status:failed", "✗ failed")
        driver.expect_not("standing")
        await driver.press("z")
        driver.expect("standing")


async def test_several_are_cancelled_behind_their_number(shop):
    ids = queue(shop, "to_cancel", 3)
    async with open_dashboard(shop.server, start="executions") as driver:
        await list_only(driver, "workflow:to_cancel")
        await driver.press("enter", "space", "space", "space")
        driver.expect("3 marked")
        await driver.press("c")
        driver.expect("Cancel 3 executions?", "Type 3 to go on", "That is final")
        await driver.press("2", "enter")
        assert {status(shop, each) for each in ids} == {"queued"}
        await driver.press("backspace", "3", "enter")
        driver.expect("⊘ cancelled")
        driver.expect_not("3 marked")
        assert "3 executions: asked to stop." in driver.notices
    assert {status(shop, each) for each in ids} == {"cancelled"}


async def test_one_is_paused_and_goes_on(shop):
    (wanted,) = queue(shop, "to_pause")
    async with open_dashboard(shop.server, start="executions") as driver:
        await list_only(driver, "workflow:to_pause")
        await driver.press("enter", "s")
        driver.expect("‖ paused")
        assert status(shop, wanted) == "paused"
        await driver.press("u")
        assert status(shop, wanted) == "queued"
        driver.expect("No worker serves to_pause yet", "omium worker PATH.py:to_pause")


async def test_what_the_server_refuses_of_several_is_said_and_the_others_are_done(shop):
    gone, stays = queue(shop, "half", 2)
    async with open_dashboard(shop.server, start="executions") as driver:
        await list_only(driver, "workflow:half")
        await driver.press("enter", "space", "space")
        page = driver.app.screen
        assert isinstance(page, ExecutionsPage)
        shop.post(f"/v1/executions/{gone}/cancel")
        await driver.press("s")
        await driver.press("2", "enter")
        assert status(shop, stays) == "paused"
        assert any(note.startswith(gone) for note in driver.notices), driver.notices


async def test_ids_and_json_are_copied(shop):
    (wanted,) = queue(shop, "to_copy")
    async with open_dashboard(shop.server, start="executions") as driver:
        await list_only(driver, "workflow:to_copy")
        await driver.press("enter", "y")
        assert driver.app.clipboard == wanted
        await driver.press("Y")
        assert json.loads(driver.app.clipboard)["id"] == wanted


async def test_news_come_by_themselves_and_follow_stays_at_the_newest(shop):
    queue(shop, "before")
    async with open_dashboard(shop.server, start="executions") as driver:
        await driver.press("G", "f")
        driver.expect("following")
        queue(shop, "by_itself")
        await driver.until("by_itself")
        page = driver.app.screen
        assert page.listing.pointed.workflow == "by_itself"


async def test_hostile_names_do_nothing(shop):
    queue(shop, "tags_of_a_stranger", tags=["[red]\u202e[/]"])
    shop.post(
        "/v1/executions",
        {"workflow": HOSTILE, "driver": "worker", "input_digest": "0" * 64, "input": {}},
    )
    async with open_dashboard(shop.server, start="executions", size=(160, 30)) as driver:
        driver.expect("]0;owned[bold red]nightly", "#[red][/]")
        assert "\x1b" not in driver.text
        assert "\u202e" not in driver.text
        await driver.press("y", "c")
        driver.expect("Cancel ex_")


async def test_reading_only_hides_what_changes_something(shop):
    async with open_dashboard(shop.server, start="executions", read_only=True) as driver:
        driver.expect_not("r replay", "c cancel", "u resume")
        await driver.press("c", "u", "s", "r")
        assert driver.notices == []


async def test_two_that_are_marked_are_compared(shop):
    shop.run("report", "fri", "sat")
    async with open_dashboard(shop.server, start="executions", size=(100, 30)) as driver:
        await list_only(driver, "workflow:report")
        await driver.press("enter", "d")
        assert "Mark two" in driver.notices[-1]
        await driver.press("space", "space", "d")
        driver.expect("1 step differs of 2", '- input.day: "fri"', '+ input.day: "sat"', "another input")
        await driver.press("z")
        driver.expect("only those are listed")
        await driver.press("at")
        driver.expect("omium executions diff ex_")


async def test_a_server_that_is_lost_in_the_middle_is_said_and_nothing_is_lost(make_running_server):
    server = make_running_server()
    server.bootstrap()
    async with open_dashboard(server, start="executions") as driver:
        await list_only(driver, "status:failed")
        server.kill()
        await driver.press("enter")
        await driver.until("The server is away")
        driver.expect("status:failed")
        server.restart()
        await driver.until("● live")
        await driver.until("No execution fits the filter")


def copy_rows(server, execution_id, count):
    """Put copies of an execution into the database, older than it: what would take minutes over HTTP."""
    with contextlib.closing(sqlite3.connect(server.data / "omium.sqlite", timeout=60)) as db:
        names = [row[1] for row in db.execute("PRAGMA table_info(executions)")]
        own = "printf('ex_%026d', k.n)"
        chosen = {"id": own, "lineage_root": own, "created_us": "created_us - k.n * 1000"}
        values = ", ".join(chosen.get(name, name) for name in names)
        db.execute(
            f"WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < {count})"
            f" INSERT INTO executions ({', '.join(names)}) SELECT {values} FROM executions, k WHERE id = ?",
            (execution_id,),
        )
        db.commit()


async def test_a_long_list_never_loads_whole_also_where_words_are_not_in_it(running_server):
    async with AsyncClient(running_server.base_url, running_server.api_key) as client:
        started = await client.start_execution(
            StartExecution(workflow="many", driver=Driver.WORKER, input_digest="0" * 64)
        )
    copy_rows(running_server, started.id, 3_000)
    async with open_dashboard(running_server, start="executions") as driver:
        page = driver.app.screen
        assert len(page.listing.items) == PAGE
        driver.expect("100 executions, more below")
        await driver.press("G")
        assert len(page.listing.items) == 2 * PAGE
        await list_only(driver, "nowhere")
        assert len(page.listing.items) == LOOKED_THROUGH
        await driver.press("enter")
        driver.expect("0 fit of the newest 1,000; m looks further")
        await driver.press("m")
        assert len(page.listing.items) == LOOKED_THROUGH + PAGE
