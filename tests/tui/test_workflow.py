"""The detail of a workflow: graph, document, versions, runs; started, edited, compared, restored, tagged."""

import pytest

from omium.bundle import BundleClient, open_bundle, write_bundle
from omium.sdk.async_client import AsyncClient
from omium.tui.app import DashboardApp
from tests.spec.whole import flow, whole, with_change
from tests.tui.automation import Office, fill, to_tab
from tests.tui.driving import Driver, open_dashboard

pytestmark = pytest.mark.xdist_group("workflow")  # one server for all of them, in this order


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    made = Office(tmp_path_factory.mktemp("workflow"))
    yield made
    made.close()


def open_workflow(office, name, **chosen):
    """Open the detail of a workflow by its id."""
    found = office.get(f"/v1/workflows/{name}")
    return open_dashboard(office.server, start=found["id"], **chosen)


INPUTS = {
    "type": "object",
    "properties": {
        "topic": {"type": "string", "description": "What it is about", "minLength": 2},
        "tone": {"enum": ["dry", "lively"], "default": "dry"},
        "pages": {"type": "integer", "minimum": 1, "default": 3},
        "draft": {"type": "boolean"},
        "sources": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["topic"],
    "additionalProperties": False,
}


async def test_graph_node_document_and_versions_are_seen_in_eighty_columns(office):
    name = "seen"
    office.save(with_change(("/name", name)))
    office.save(
        with_change(("/name", name), ("/nodes/1/parameters/description", "Write it on {topic},\nshortly")),
        note="shorter",
    )
    async with open_workflow(office, name, size=(80, 24)) as driver:
        driver.expect(f"Automation / {name}", "version 2", "never run", "│ find ")
        await driver.press("j")
        driver.expect("draft  agent_task", "Agent        writer", "Retry        3 attempts")
        await driver.press("enter")
        driver.expect('"agent": "writer"')
        await driver.press("escape", "right_square_bracket")
        driver.expect('description: "Everything once"')
        await driver.press("y")
        assert driver.app.clipboard.startswith('{\n  "omium": "0",\n  "name": "seen')
        await driver.press("right_square_bracket")
        driver.expect("shorter", "Version Tags")
        await driver.press("d")
        driver.expect(f"{name} from version 1 to version 2", "~ node draft", "+shortly")
        await driver.press("escape", "j", "enter")
        driver.expect(f"{name}@1", "not the active one, which is 2")
        await driver.press("at")
        driver.expect(f"omium workflows graph {name}@1")


async def test_it_is_started_with_a_form_made_from_its_inputs(office):
    office.save(flow("ab", name="essay", inputs=INPUTS))
    async with open_workflow(office, "essay") as driver:
        await driver.press("s")
        driver.expect("Start essay", "It runs in dev.", "the price book asks at least", "What it is about")
        await driver.press("ctrl+s")
        driver.expect("This is needed.")
        await fill(
            driver, inputs__0="x", inputs__2="0", inputs__3="[1]", max_steps="7", tags="nightly, urgent"
        )
        await driver.press("ctrl+s")
        driver.expect("shorter than 2 characters")
        wrong = [
            each.render().plain for each in driver.app.screen.query(".form-wrong") if each.render().plain
        ]
        assert len(wrong) == 3, wrong
        await fill(driver, inputs__0="tea", inputs__1="true", inputs__2="4", inputs__3='["a", "b"]')
        office.post("/v1/workflows/essay/archive")
        await driver.press("ctrl+s")
        driver.expect("Start essay", "archived")  # refused, and asked again as it was typed
        assert driver.app.screen.query_one("#field-inputs-0").value == "tea"
        office.post("/v1/workflows/essay/unarchive")
        await driver.press("ctrl+s")
        await driver.until("Executions /")
        assert driver.notices[-1] == "essay is started."
        (run,) = office.get("/v1/executions?workflow=essay")["items"]
        detail = office.get(f"/v1/executions/{run['id']}")
        assert detail["input"] == {
            "topic": "tea", "tone": "dry", "pages": 4, "draft": True, "sources": ["a", "b"],
        }  # fmt: skip
        assert detail["tags"] == ["nightly", "urgent"]
        await driver.press("4")
        await to_tab(driver, "Runs")
        driver.expect(run["id"])


async def test_a_node_is_changed_in_a_form_and_the_change_is_shown_before_it_is_saved(office):
    office.save(with_change(("/name", "formed")))
    async with open_workflow(office, "formed") as driver:
        await driver.press("j", "m")
        driver.expect("Change draft", "Description", "Write on {topic}")
        await fill(
            driver, prompt__0="Write on {topic} in {style}", retry__max_attempts="5", timeout_s="",
            concurrency__limit="9", agent__goal="Please everybody", checkpoint="never",
        )  # fmt: skip
        await driver.press("ctrl+s")
        await driver.until("nothing can be saved")
        driver.expect("{style}")  # the form is right, the document is not: said in place
        area = driver.app.screen.query_one("#document")
        area.load_text(area.text.replace(" in {style}", " at once"))
        await driver.until("✓ Valid, 8 nodes")
        await driver.press("ctrl+s")
        driver.expect(
            "Save formed as version 2?", "~ agent writer", "/goal", "/retry/max_attempts: nothing → 5",
            "/timeout_s: 120.0 → nothing", "/concurrency/limit: 4 → 9",
            "/checkpoint/enabled: nothing → false",
        )  # fmt: skip
        await driver.press("ctrl+s")
        assert driver.notices[-1] == "formed is version 2."
        driver.expect("Automation / formed", "version 2")
    node = next(
        each
        for each in office.get("/v1/workflows/formed/versions/2")["document"]["nodes"]
        if each["id"] == "draft"
    )
    assert node["parameters"]["description"] == "Write on {topic} at once"
    assert node["retry"] == {"max_attempts": 5, "retry_on": ["TimeoutError", 429, "5xx"]}
    assert "timeout_s" not in node


async def test_somebody_else_who_saved_meanwhile_is_not_overwritten_unseen(office):
    office.save(flow("ab", name="shared"))
    async with open_workflow(office, "shared") as driver:
        await driver.press("E")
        area = driver.app.screen.query_one("#document")
        area.load_text(area.text.replace('"handler": "h"', '"handler": "mine"', 1))
        await driver.press("ctrl+s")
        driver.expect("Save shared as version 2?")
        office.save(flow("abc"[:2], "bc", name="shared"))
        await driver.press("ctrl+s")
        driver.expect('"handler": "mine"', "✗")
        await driver.press("ctrl+s")
        driver.expect("Version 2 was saved meanwhile; you began with 1", "- node c", "Save all the same")
        await driver.press("escape")
        assert office.get("/v1/workflows/shared")["version"] == 2
        await driver.press("ctrl+s", "ctrl+s")
        assert driver.notices[-1] == "shared is version 3."


async def test_the_document_is_edited_in_ones_own_editor(office, tmp_path, monkeypatch):
    office.save(flow("ab", name="edited"))
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\nsed -i "s/handler\\": \\"h\\"/handler\\": \\"typed\\"/" "$1"\n')
    script.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(script))
    async with open_workflow(office, "edited") as driver:
        await driver.press("e")
        assert driver.notices[-1] == "This terminal cannot be left for an editor."
        monkeypatch.setattr(type(driver.app._driver), "can_suspend", True)  # as a terminal's can
        await driver.press("e")
        await driver.until("✓ Valid, 2 nodes")
        driver.expect('"handler": "typed"')
        await driver.press("ctrl+s")
        driver.expect('/parameters/handler: "h" → "typed"')
        await driver.press("escape")
        monkeypatch.setenv("VISUAL", "/nowhere/editor")
        await driver.press("f4")
        assert "Cannot start /nowhere/editor" in driver.notices[-1]
        monkeypatch.setenv("VISUAL", "false")
        await driver.press("f4")
        assert driver.notices[-1] == "false ended with 1; nothing was changed."
        driver.expect('"handler": "typed"')


async def test_versions_are_restored_tagged_and_untagged(office):
    office.save(flow("ab", name="tagged"))
    office.save(flow("ab", "bc", name="tagged"))
    async with open_workflow(office, "tagged") as driver:
        await to_tab(driver, "Versions")
        await driver.press("j", "plus")
        await fill(driver, tag="prod")
        await driver.press("ctrl+s")
        driver.expect("prod is 1")
        await driver.press("R")
        driver.expect("Make version 1 of tagged the active one (now 2)?", "- node c")
        await driver.press("ctrl+s")
        driver.expect("version 3", "version 1 again")
        driver.app.screen.query_one("#versions").point_at("1")
        await driver.press("minus", "shift+tab", "enter")
        assert driver.notices[-1] == "tagged has no tag prod any more."
        driver.expect_not("prod is 1")


async def test_what_starts_it_by_itself_is_made_beside_it(office):
    office.save(flow("ab", name="alone"))
    async with open_workflow(office, "alone", size=(80, 24)) as driver:
        await to_tab(driver, "Schedules, triggers")
        driver.expect("Nothing starts it by itself.")
        await driver.press("plus", "enter")
        assert driver.app.screen.query_one("#field-workflow").value == "alone"
        office.post("/v1/schedules", {"name": "hourly", "workflow": "alone", "cron": "0 * * * *"})
        await driver.press("escape")
        await driver.until("hourly")
        driver.expect("0 * * * * UTC")
        await driver.press("h")
        driver.expect("‖ paused")


async def test_a_workflow_that_is_only_code_says_so_and_shows_its_runs(office):
    run = office.post(
        "/v1/executions",
        {"workflow": "pure/code", "driver": "worker", "input_digest": "0" * 64, "input": {}},
    )
    async with open_dashboard(office.server, start="automation") as driver:
        await driver.press("slash")
        await driver.type("pure")
        await driver.press("enter", "s")
        driver.expect("pure/code")
        await driver.press("escape", "enter")
        driver.expect("pure/code")
        assert run["id"]


async def test_a_workflow_that_is_not_there_is_said_and_nothing_breaks(office):
    async with open_dashboard(office.server, start="wf_" + "0" * 26) as driver:
        driver.expect("Automation / wf_000")
        driver.expect_not("Loading")
        await driver.press("s", "m", "e", "E", "A", "y", "right_square_bracket")
        driver.expect("Automation / wf_000")


async def test_a_graph_in_plain_mode_has_no_boxes(office):
    office.save(whole())
    async with open_workflow(office, "whole", plain=True) as driver:
        driver.expect("find  (tool_call · search)")
        driver.expect_not("┌", "│")


async def test_a_bundle_shows_its_workflow_and_offers_nothing_that_changes_it(office, tmp_path):
    office.save(flow("ab", name="bundled"))
    start = {"workflow": "bundled", "driver": "worker", "input_digest": "0" * 64, "input": {}}
    run = office.post("/v1/executions", start)
    async with AsyncClient(office.server.base_url, office.server.api_key) as client:
        made = await write_bundle(client, run["id"], tmp_path / "made.omium")
    app = DashboardApp(
        lambda: BundleClient(open_bundle(made.path)), offline=True, in_browser=False, start="automation"
    )
    async with app.run_test(size=(120, 40)) as pilot:
        driver = Driver(app, pilot)
        await driver.settle()
        driver.expect("bundled", "a file, read only")
        await driver.press("enter")
        driver.expect("Automation / bundled", "│ a ")
        await to_tab(driver, "Versions")
        driver.expect("Version Tags")
        await to_tab(driver, "Runs")
        driver.expect(run["id"])
        await to_tab(driver, "Schedules, triggers")
        await driver.press("s", "m", "E", "A", "plus")
        driver.expect("Automation / bundled")
        driver.expect_not("s start", "E edit here")
