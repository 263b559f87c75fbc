"""The page Automation: workflows, schedules, triggers, webhooks; and importing a document."""

import json

import pytest

from tests.spec.whole import flow, whole, with_change
from tests.tui.automation import HOSTILE, Office, fill, paste, to_tab
from tests.tui.driving import open_dashboard

pytestmark = pytest.mark.xdist_group("automation")  # one server for all of them, in this order


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    made = Office(tmp_path_factory.mktemp("automation"))
    yield made
    made.close()


def open_page(office, **chosen):
    return open_dashboard(office.server, start="automation", **chosen)


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_empty_lists_say_what_to_do_first(running_server, size):
    async with open_dashboard(running_server, size=size, start="automation") as driver:
        driver.expect("No workflows yet.", "omium export PATH.py", "I   imports one")
        for tab, words in (
            ("Schedules", "+ makes one: a workflow, when it starts"),
            ("Triggers", "+ makes one: for a signed webhook"),
            ("Webhooks", "+ makes one: nodes that call"),
        ):
            await to_tab(driver, tab)
            driver.expect(words)


async def test_a_pasted_document_is_checked_compared_and_saved(office):
    async with open_page(office) as driver:
        await driver.press("I")
        driver.expect("Paste a workflow's JSON here")
        await paste(driver, with_change(("/name", "pasted")))
        await driver.until("✓ Valid, 8 nodes")
        await driver.press("ctrl+s")
        driver.expect("Save pasted as version 1?", "pasted is a new workflow.")
        await driver.press("tab")
        await driver.type("why not")
        await driver.press("ctrl+s")
        driver.expect("Automation / pasted", "version 1", "│ find ")
        assert driver.notices == ["pasted is version 1."]
        version = office.get("/v1/workflows/pasted/versions/1")
        assert version["note"] == "why not"


async def test_every_problem_is_said_with_its_line_and_jumped_to(office):
    broken = with_change(
        ("/name", "broken"), ("/nodes/0/tool", "serch"), ("/edges/2/when/expr", "nodes.draft.output. <")
    )
    async with open_page(office) as driver:
        await driver.press("I")
        await paste(driver, broken)
        await driver.until("problems; nothing can be saved")
        lines = json.dumps(broken, indent=2).splitlines()
        tool_line = next(at for at, line in enumerate(lines) if '"serch"' in line)
        await driver.until(f" {tool_line + 1} problem")
        driver.expect("/nodes/0/tool", "Did you mean search?")
        area = driver.app.screen.query_one("#document")
        area.move_cursor((0, 0))
        await driver.press("ctrl+n")
        assert area.cursor_location[0] == tool_line
        driver.expect('"tool": "serch"')
        await driver.press("ctrl+n")
        assert '"expr"' in lines[area.cursor_location[0]]
        await driver.press("ctrl+s")
        driver.expect_not("Save broken as version")
        assert office.call("GET", "/v1/workflows/broken").status_code == 404


async def test_what_is_no_json_is_said_where_it_breaks_and_nothing_typed_is_lost(office):
    async with open_page(office, size=(80, 24)) as driver:
        await driver.press("I")
        await paste(driver, '{\n "omium": "0",\n "name": oops\n}')
        await driver.until("1 problem; nothing can be saved")
        await driver.until("    3 problem")
        await driver.press("ctrl+s", "escape")
        driver.expect("Leave without saving?")
        await driver.press("escape")
        driver.expect('"name": oops')
        await driver.press("escape", "shift+tab", "enter")
        driver.expect("Workflows", "Schedules")


async def test_a_document_is_read_from_a_file_but_not_in_the_browser(office, tmp_path):
    file = tmp_path / "flow.json"
    file.write_text(json.dumps(flow("ab", name="from-file")))
    async with open_page(office) as driver:
        await driver.press("I", "ctrl+o")
        await fill(driver, file=str(tmp_path / "none.json"))
        await driver.press("ctrl+s")
        assert "No such file" in driver.notices[-1]
        await driver.press("ctrl+o")
        await fill(driver, file=str(file))
        await driver.press("ctrl+s")
        await driver.until("✓ Valid, 2 nodes")
    async with open_page(office, in_browser=True) as driver:
        await driver.press("I", "ctrl+o", "f4")
        driver.expect("Paste a workflow's JSON here")
        driver.expect_not("Read a document from a file", "open a file", "f4")


async def test_an_empty_workflow_begins_with_a_document_that_is_valid(office):
    async with open_page(office) as driver:
        await driver.press("plus")
        await driver.type("greeting")
        await driver.press("enter")
        await driver.until("✓ Valid, 1 node")
        driver.expect('"name": "greeting"')


async def test_workflows_are_filtered_archived_and_found_again(office):
    office.save(flow("ab", name="old-one", description="Does old things"))
    office.save(flow("ab", name="other-one"))
    async with open_page(office) as driver:
        await driver.press("slash")
        await driver.type("old-one")
        await driver.press("enter")
        driver.expect_not("other-one")
        await driver.press("A")
        driver.expect("Archive old-one?", "what runs goes on")
        await driver.press("shift+tab", "enter")
        assert driver.notices[-1] == "old-one is archived; A takes it back."
        driver.expect_not("1 archived")
        await driver.press("w")
        driver.expect("1 archived")
        await driver.press("at")
        driver.expect("omium workflows list --archived", "omium workflows show old-one")
        await driver.press("escape", "A")
        assert driver.notices[-1] == "old-one is in use, with version 1."


async def test_names_that_a_terminal_would_obey_are_harmless_in_lists_and_details(office):
    office.save(flow("ab", name=f"bad{HOSTILE}", description=HOSTILE))
    office.post("/v1/schedules", {"name": HOSTILE, "workflow": "x", "cron": "0 9 * * *"})
    async with open_page(office, size=(200, 60)) as driver:
        driver.expect("bad", "[red]bold[/]")
        await driver.press("slash")
        await driver.type("[red]")
        await driver.press("enter", "enter")
        driver.expect("Automation / bad", "│ a ")
        await driver.press("E")
        await driver.until("✓ Valid, 2 nodes")
        await driver.press("escape", "escape")
        await to_tab(driver, "Schedules")
        driver.expect("[red]bold[/]")
        await driver.press("enter")
        driver.expect("Name", "[red]bold[/]")
        assert "\x1b" not in driver.text
        assert "\u202e" not in driver.text


async def test_a_schedule_is_made_paused_run_and_deleted(office):
    office.save(flow("ab", name="report"))
    async with open_page(office) as driver:
        await to_tab(driver, "Schedules")
        await driver.press("plus")
        await fill(driver, name="morning", workflow="report", cron="never", timezone="Europe/Berlin")
        await driver.press("ctrl+s")
        driver.expect("! ", "A new schedule")  # the server's own sentence, and what was typed
        assert driver.app.screen.query_one("#field-name").value == "morning"
        await fill(driver, cron="0 9 * * MON-FRI", input='{"a": 1}')
        await driver.press("ctrl+s")
        driver.expect("morning", "✓ active", "0 9 * * MON-FRI Europe/Berlin")
        driver.app.screen.query_one("#list-schedules").point_at(
            next(each["id"] for each in office.get("/v1/schedules")["items"] if each["name"] == "morning")
        )
        await driver.press("h")
        driver.expect("‖ paused")
        await driver.press("enter")
        driver.expect("Automation / Schedules / morning", "when it is resumed", "It has not come to start")
        await driver.press("h")
        driver.expect("Europe/Berlin", "active")
        await driver.press("s")
        await driver.until("Executions /")
        await driver.press("4")
        driver.expect("What became of its times", "started")
        await driver.press("minus")
        driver.expect("Delete morning?")
        await driver.press("shift+tab", "enter")
        driver.expect_not("morning")
        names = [each["name"] for each in office.get("/v1/schedules")["items"]]
        assert "morning" not in names


async def test_a_secret_of_a_trigger_is_shown_once_and_rotated(office):
    async with open_page(office) as driver:
        await to_tab(driver, "Triggers")
        await driver.press("plus")
        await fill(driver, name="orders", workflow="report", inputs='{"id": {"$from": "body.id"}}')
        await driver.press("ctrl+s")
        driver.expect("The signing secret of orders", "the only time", "waits for POST")
        secret = next(line.strip("│ ") for line in driver.lines if "whsec_" in line)
        await driver.press("y", "escape")
        assert driver.app.clipboard == secret
        driver.expect("orders", "POST /")
        driver.expect_not(secret)
        await driver.press("o")
        driver.expect("Give orders another signing secret?")
        await driver.press("shift+tab", "enter")
        driver.expect("The signing secret of orders")
        driver.expect_not(secret)
        await driver.press("escape", "enter")
        driver.expect("Automation / Triggers / orders", "POST /", "It has not come to start")


async def test_webhooks_are_made_tested_and_deleted(office):
    async with open_page(office) as driver:
        await to_tab(driver, "Webhooks")
        await driver.press("plus")
        await fill(driver, url="https://tools.example.com/omium", handlers="enrich, publish")
        await driver.press("ctrl+s")
        driver.expect("The signing secret of enrich, publish")
        await driver.press("escape", "enter")
        driver.expect("Pushes to   https://tools.example.com", "at most 8")
        await driver.press("escape", "minus", "shift+tab", "enter")
        driver.expect("No webhook yet.")


async def test_reading_alone_offers_nothing_that_changes(office):
    office.save(whole())
    async with open_page(office, read_only=True) as driver:
        driver.expect_not("I import", "s start", "+ new", "A archive")
        await driver.press("I", "s", "plus", "A")
        driver.expect("Workflows", "Schedules")
    async with open_page(office, api_key=office.key("read")) as driver:
        driver.expect_not("I import", "s start", "A archive")


async def test_a_lost_server_in_the_middle_of_a_save_loses_nothing(running_server):
    async with open_dashboard(running_server, start="automation") as driver:
        await driver.press("I")
        await paste(driver, flow("ab", name="kept"))
        await driver.until("✓ Valid, 2 nodes")
        running_server.kill()
        await driver.press("ctrl+s")
        await driver.until("The server is away")
        driver.expect('"name": "kept"')
        running_server.restart()
        await driver.until("● live")
        await driver.press("ctrl+s")
        driver.expect("Save kept as version 1?")
