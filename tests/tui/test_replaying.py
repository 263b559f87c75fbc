"""Replay, patch, rollback and resume as flows of dialogs, on executions that really failed."""

import json

import pytest
from textual.drivers.headless_driver import HeadlessDriver
from textual.widgets import TextArea

from omium.tui import replaying, rolling_back
from tests.sdk.served import wait_until
from tests.tui.flows import open_bare
from tests.tui.shop import WRITES, Shop

pytestmark = pytest.mark.xdist_group("replaying")  # one server for all of them, in this order


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    made = Shop(tmp_path_factory.mktemp("shop"))
    yield made
    made.close()


async def write(driver, value):
    """Put a value into the editor that is open, and take it."""
    driver.app.screen.query_one(TextArea).text = json.dumps(value)
    await driver.press("ctrl+s")


async def test_the_plan_comes_first_and_enter_starts_the_replay(shop):
    shop.run("report", "mon")
    source = shop.newest("report")
    async with open_bare(shop.server, size=(80, 24)) as (driver, page):
        replaying.replay(page, source)
        await driver.settle()
        driver.expect("1 reused · 1 run again · 0 blocked", "credits", "add_up", "it failed", "A forecast")
        assert shop.newest("report") == source, "nothing has begun"
        await driver.press("enter")
        driver.expect("No worker serves report yet", "omium worker", "Run it here")
    started = shop.get(f"/v1/executions/{shop.newest('report')}")
    assert (started["replay_of"], started["status"]) == (source, "queued")


async def test_a_patched_output_is_checked_while_it_is_typed_and_shown_in_the_plan(shop):
    shop.run("report", "tue")
    async with open_bare(shop.server) as (driver, page):
        replaying.patch(page, shop.newest("report"), "load_rows")
        await driver.settle()
        driver.expect("Output of load_rows", 'Input day  "tue"', "it failed: say what it should have given")
        await driver.press("enter")
        editor = driver.app.screen.query_one(TextArea)
        assert json.loads(editor.text) == ["a;1", "b;"]
        editor.text = '["a;1",'
        await driver.settle()
        driver.expect("The text ends where a value should be")
        await driver.press("ctrl+s")
        driver.expect("What load_rows gives")
        await write(driver, ["a;1", "b;2"])
        driver.expect("Changed: output load_rows", "✓ reuse (edited)")
        await driver.press("enter")
    steps = {step["key"]: step for step in shop.get(f"/v1/executions/{shop.newest('report')}")["steps"]}
    assert steps["load_rows"]["output"] == ["a;1", "b;2"]


async def test_a_prompt_is_patched_as_a_new_version_that_the_replay_runs_on(shop):
    source = shop.start(WRITES)
    wait_until(lambda: shop.get(f"/v1/executions/{source}")["status"] == "failed")
    async with open_bare(shop.server) as (driver, page):
        replaying.patch(page, source, "draft")
        await driver.settle()
        driver.expect("Prompt of draft", "as a new version of the workflow")
        await driver.press("j", "enter")
        editor = driver.app.screen.query_one(TextArea)
        assert editor.text == "Write badly."
        editor.text = "Write well."
        await driver.press("ctrl+s")
        driver.expect("on version 2", "↻ rerun")
        await driver.press("enter")
        driver.expect("The server itself goes on with it.")
    document = shop.get("/v1/workflows/writes/versions/2")["document"]
    assert document["nodes"][0]["parameters"]["prompt"] == "Write well."
    assert shop.get(f"/v1/executions/{shop.newest('writes')}")["version"] == 2


async def test_a_value_is_edited_in_the_users_own_editor(shop, monkeypatch, tmp_path):
    script = tmp_path / "editor.sh"
    script.write_text('#!/bin/sh\nprintf \'["a;1", "b;5"]\\n\' > "$1"\n')
    script.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(script))
    monkeypatch.setattr(HeadlessDriver, "can_suspend", property(lambda _: True))  # as a terminal's
    shop.run("report", "sun")
    async with open_bare(shop.server) as (driver, page):
        replaying.patch(page, shop.newest("report"), "load_rows")
        await driver.settle()
        await driver.press("enter", "ctrl+e")
        driver.expect('["a;1", "b;5"]')
        await driver.press("ctrl+s")
        driver.expect("Changed: output load_rows")


async def test_a_plan_that_has_become_stale_is_made_and_shown_again(shop):
    shop.run("report", "wed")
    source = shop.newest("report")
    async with open_bare(shop.server) as (driver, page):
        replaying.replay(page, source)
        await driver.settle()
        shop.post(f"/v1/executions/{source}/rollback", {"to_step": "add_up"})
        await driver.press("enter")
        driver.expect("Something changed since this plan was made")
        assert shop.newest("report") == source
        await driver.press("enter")
        driver.expect("is queued")
    assert shop.newest("report") != source


async def test_an_unknown_effect_blocks_the_replay_until_it_is_decided_in_the_plan(shop):
    shop.run("sale", "ann")
    async with open_bare(shop.server) as (driver, page):
        replaying.replay(page, shop.newest("sale"))
        await driver.settle()
        driver.expect("1 blocked", "Nobody knows whether pay happened, so it cannot start: a decides.")
        await driver.press("a")
        driver.app.screen.query_one("#field-decision").value = "confirm"
        driver.app.screen.query_one("#field-output").value = '{"paid": "ann"}'
        await driver.press("ctrl+s")
        driver.expect("2 reused · 0 run again · 0 blocked", "pay: confirm")
        await driver.press("enter")
        driver.expect("is queued")
    effects = shop.get(f"/v1/executions/{shop.newest('sale')}/effects")["items"]
    assert [each["state"] for each in effects if each["key"] == "pay"] in ([], ["done"])


async def test_a_rollback_shows_what_is_undone_and_asks(shop):
    shop.run("report", "thu")
    source = shop.newest("report")
    async with open_bare(shop.server, size=(80, 24)) as (driver, page):
        rolling_back.roll_back(page, source, step="load_rows")
        await driver.settle()
        driver.expect("before load_rows", "Superseded", "load_rows, add_up", "Compensated    nothing")
        await driver.press("enter")
        driver.expect("Take it back")
        await driver.press("enter")  # the question begins at No
        assert shop.get(f"/v1/executions/{source}")["status"] == "failed"
        await driver.press("enter")
        await driver.press("shift+tab", "enter")
        driver.expect("is paused")
        assert shop.get(f"/v1/executions/{source}")["generation"] == 2
        await driver.press("enter")
        driver.expect("No worker serves report yet")
    assert shop.get(f"/v1/executions/{source}")["status"] == "queued"


async def test_in_a_browser_nothing_is_run_on_the_server_that_shows_it(shop):
    shop.run("report", "sat")
    async with open_bare(shop.server, in_browser=True) as (driver, page):
        replaying.replay(page, shop.newest("report"))
        await driver.settle()
        await driver.press("enter")
        driver.expect("No worker serves report yet", "Look at it")
        driver.expect_not("Run it here")


async def test_what_no_worker_serves_is_run_in_this_terminal(shop, monkeypatch):
    monkeypatch.setattr(HeadlessDriver, "can_suspend", property(lambda _: True))  # as a terminal's
    monkeypatch.setattr("sys.__stdin__", None)
    monkeypatch.chdir(shop.folder)
    shop.run("report", "fri")
    source = shop.newest("report")
    async with open_bare(shop.server) as (driver, page):
        replaying.patch(page, source, "load_rows")
        await driver.settle()
        await driver.press("enter")
        await write(driver, ["a;1", "b;2"])
        await driver.press("enter")
        driver.expect("Run it here")
        await driver.press("enter")
        assert driver.notices[-1] == "It has ended."
    ended = shop.get(f"/v1/executions/{shop.newest('report')}")
    assert (ended["status"], ended["output"]) == ("completed", 3)
