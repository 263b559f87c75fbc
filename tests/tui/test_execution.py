"""The page of one execution: its steps, the panes beside them, what is done to it, and that it is live."""

import asyncio
import json
import sys

import pytest

from omium.bundle import BundleClient, open_bundle, write_bundle
from omium.sdk.async_client import AsyncClient
from omium.tui.app import DashboardApp
from omium.tui.pages.execution import ExecutionPage
from omium.tui.widgets.json_view import JsonView
from tests import preloaded
from tests.tui.driving import Driver, open_dashboard
from tests.tui.shop import Shop

pytestmark = pytest.mark.xdist_group("execution")  # one server for all of them, in this order

CODE = """
import logging, sys, time
from pathlib import Path

import omium

GATE = Path(__file__).with_name("gate")
TRIED = []


@omium.step
def fetch(number):
    print("fetching", number)
    time.sleep(0.02)
    logging.getLogger("agent").warning("slow \\x1b[31m[bold]answer")
    return {"number": number, "text": "lorem " * 3_000}


@omium.step
def gather(count):
    return [fetch(number)["number"] for number in range(count)]


@omium.step(retry=2)
def summarise(pages):
    omium.record_usage(model="m-1", provider="test", input_tokens=1200, output_tokens=300)
    if not TRIED:
        TRIED.append(True)
        raise ConnectionError("try again")
    return {"summary": f"{len(pages)} pages"}


@omium.step(effect=True, compensate="unsend")
def send(text):
    return {"message_id": "m-1"}


def unsend(inputs, output, effect_key):
    return None


@omium.step
def publish(text):
    raise RuntimeError("there is no printer \\x1b]0;owned\\x07[red]")


@omium.step
def wait():
    while not GATE.exists():
        time.sleep(0.02)
    return "open"


@omium.workflow
def research(topic):
    pages = gather(3)
    omium.checkpoint("gathered", {"pages": len(pages)})
    found = summarise(pages)
    send(found["summary"])
    publish(found["summary"])


@omium.workflow
def gated(topic):
    first = fetch(1)
    return wait()


if __name__ == "__main__":
    for argument in sys.argv[2:]:
        try:
            globals()[sys.argv[1]](argument)
        except RuntimeError as error:
            print(error)
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    made = Shop(tmp_path_factory.mktemp("execution"))
    made.file.write_text(CODE)
    made.run("research", "topic")
    yield made
    made.close()


def open_newest(shop, workflow="research", **chosen):
    return open_dashboard(shop.server, start=shop.newest(workflow), **chosen)


async def go_to(driver, tab):
    page = driver.app.screen
    assert isinstance(page, ExecutionPage)
    page.go_to_tab(tab)
    await driver.settle()


async def test_the_steps_are_a_tree_with_what_matters_on_each_row(shop):
    async with open_newest(shop, size=(160, 40)) as driver:
        driver.expect("✗ failed (error)", "RuntimeError: there is no printer", "Next: u goes on from there")
        driver.expect("▾ gather", "    fetch#2 ✓ completed", "⚑ done", "2 x", "publish ✗ failed")
        assert "\x1b" not in driver.text
        await driver.press("j", "space")
        driver.expect("▸ gather (3)")
        driver.expect_not("fetch#2")
        await driver.press("z")
        driver.expect("faults only", "publish")
        driver.expect_not("summarise")


async def test_what_a_step_took_and_gave_is_beside_it_and_long_outputs_come_whole(shop):
    async with open_newest(shop, size=(160, 40)) as driver:
        driver.expect('error: "RuntimeError: there is no printer', 'topic: "topic"')
        await driver.press("j", "j")
        driver.expect("number: 0", "18,000 characters")
        await driver.press("Y")
        assert json.loads(driver.app.clipboard)["key"] == "gather/fetch"
        await driver.press("y")
        assert driver.app.clipboard == shop.newest("research")


async def test_each_pane_shows_its_part(shop):
    async with open_newest(shop, size=(160, 40)) as driver:
        for tab, words in {
            "timeline": ("✓ gather", "✗ publish"),
            "events": ("execution.started", "checkpoint.saved", "execution.failed"),
            "checkpoints": ("gathered", "11 B"),
            "logs": ("fetching 0", "agent: slow [31m[bold]answer"),
            "tries": ("ConnectionError: try again", "summarise"),
            "effects": ("side effect", "✓ done", "undone by unsend"),
            "cost": ("test m-1", "1,200 tokens in, 300 out"),
            "family": ("It has no parent, no children and no replays",),
        }.items():
            await go_to(driver, tab)
            driver.expect(*words)
        await go_to(driver, "checkpoints")
        await driver.press("enter")
        driver.expect("State of gathered", "pages: 3")
        await driver.press("escape")
        await go_to(driver, "logs")
        page = driver.app.screen
        page.step_tree.focus()
        page.step_tree.point_at("publish")
        await driver.until("Nothing was captured")


async def test_eighty_columns_show_the_steps_or_a_pane(shop):
    async with open_newest(shop, size=(80, 24)) as driver:
        driver.expect("Steps  Data", "Family", "▾ gather", "publish ✗ failed", "b goes back")
        await driver.press("G", "enter")
        driver.expect('error: "RuntimeError:')
        driver.expect_not("▾ gather")
        await driver.press("escape")
        driver.expect("▾ gather")
        await driver.press("right_square_bracket", "right_square_bracket")
        driver.expect("✓ gather", "✗ publish")
        assert any(bar in driver.text for bar in "▏▎▍▌▋▊▉█")
        await driver.press("escape", "escape")
        driver.expect("WORKFLOW")


async def test_words_are_looked_for_in_what_has_the_focus(shop):
    async with open_newest(shop, size=(160, 40)) as driver:
        await driver.press("slash")
        driver.app.focused.value = "printer"
        await driver.settle()
        driver.expect("publish ✗ failed")
        driver.expect_not("summarise ✓")
        await driver.press("escape")
        await go_to(driver, "data")
        await driver.press("slash")
        driver.app.focused.value = "no printer"
        await driver.press("enter")
        view = driver.app.screen.query_one(JsonView)
        assert view.found[0] == ("error",)
        await driver.press("n")
        assert "printer" in view.pointed_text


async def test_an_execution_that_is_under_way_is_live(shop):
    process = preloaded.Popen(
        [sys.executable, str(shop.file), "gated", "x"], cwd=shop.folder, env=shop.environment
    )
    try:
        while not shop.get("/v1/executions?workflow=gated")["items"]:
            assert process.poll() is None
            await asyncio.sleep(0.1)
        async with open_newest(shop, "gated", size=(120, 30)) as driver:
            await driver.until("▶ running")
            await driver.until("fetch ✓ completed")
            await go_to(driver, "events")
            driver.expect("execution.started")
            driver.expect_not("u resume", "b rollback")
            (shop.folder / "gate").touch()
            await driver.until("✓ completed · gated")
            await driver.until("execution.completed")
            await driver.until("wait ✓ completed")
    finally:
        (shop.folder / "gate").touch()
        process.wait(timeout=60)


async def test_what_can_be_done_is_done(shop):
    body = {"workflow": "nobody", "driver": "worker", "input_digest": "0" * 64, "input": {}}
    wanted = shop.post("/v1/executions", body)["id"]
    async with open_dashboard(shop.server, start=wanted, size=(120, 30)) as driver:
        driver.expect("… queued", "No worker serves it. Start one: omium worker PATH.py:nobody")
        await driver.press("s")
        driver.expect("‖ paused (operator)", "Somebody paused it.")
        await driver.press("c")
        driver.expect(f"Cancel {wanted}?")
        await driver.press("tab", "tab", "escape")
        driver.expect("‖ paused")
        await driver.press("u")
        driver.expect("No worker serves nobody yet")
        await driver.press("escape", "c")
        driver.app.screen.query_one("#yes").press()
        await driver.settle()
        driver.expect("⊘ cancelled")
        await driver.press("at")
        driver.expect(f"omium executions show {wanted}")


async def test_a_replay_is_planned_and_a_comparison_asked_for(shop):
    async with open_newest(shop, size=(120, 40)) as driver:
        await driver.press("r")
        driver.expect("reused", "run again")
        await driver.press("escape", "d")
        driver.expect("Compare it", "The id of another execution")
        driver.app.focused.value = shop.newest("research")
        await driver.press("enter")
        driver.expect("0 steps differ of 7")


async def test_an_execution_that_is_not_there_is_said(shop):
    async with open_dashboard(shop.server, start="ex_01mcc5rm00ngqz8ctbd9ygs3xh") as driver:
        assert any(
            "ex_01mcc5rm00ngqz8ctbd9ygs3xh" in note or "no execution" in note for note in driver.notices
        )
        await driver.press("escape")
        driver.expect("WORKFLOW")


async def test_a_bundle_is_shown_by_the_same_page_without_a_server(shop, tmp_path):
    path = tmp_path / "one.omium"
    wanted = shop.newest("research")
    async with AsyncClient(shop.server.base_url, shop.server.api_key) as client:
        await write_bundle(client, wanted, path)
    app = DashboardApp(lambda: BundleClient(open_bundle(path)), offline=True, start=wanted)
    async with app.run_test(size=(160, 40)) as pilot:
        driver = Driver(app, pilot)
        await driver.settle()
        driver.expect("✗ failed (error)", "gather", "publish ✗ failed", "a file, read only")
        driver.expect_not("r replay", "u resume")
        for tab in ("timeline", "events", "checkpoints", "logs", "tries", "effects", "cost", "family"):
            await go_to(driver, tab)
        assert driver.notices == []
        await go_to(driver, "events")
        driver.expect("execution.failed")
        await driver.press("f")
        await driver.settle()
        driver.expect("execution.failed")
        await driver.press("escape", "escape")
        driver.expect("research", "1 execution")
