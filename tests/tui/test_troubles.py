"""What goes wrong in the middle: a key that is taken away, a server that is slow; the way back from it."""

import asyncio

from omium.errors import ScopeMissing
from omium.models.execution import StartExecution
from omium.models.keys import CreateKey
from omium.sdk.async_client import AsyncClient
from omium.states import Driver
from omium.tui.app import DashboardApp
from omium.tui.pages.start import StartPage
from omium.tui.pages.waiting import WaitingPage
from tests.tui.driving import Driver as Fingers
from tests.tui.driving import open_dashboard


async def test_after_the_key_was_revoked_another_one_goes_on_where_the_page_was(running_server):
    async with AsyncClient(running_server.base_url, running_server.api_key) as owner:
        made = await owner.create_key(CreateKey(name="leaked"))
        async with open_dashboard(running_server, size=(80, 24), api_key=made.api_key) as driver:
            await driver.press("2")
            await owner.revoke_key(made.id)
            await driver.press("ctrl+r")
            await driver.until("which server, and as whom?")
            driver.expect("revoked", "Go on (ctrl+s)", "Quit (ctrl+q)")
            screen = driver.app.screen
            screen.query_one("#way").value = "Paste an API key"
            await driver.settle()
            screen.query_one("#key").value = running_server.api_key
            await driver.press("ctrl+s")
            await driver.until("● live")
            await driver.settle()
            driver.expect(" Executions ", "Nothing has run yet")
            driver.expect_not("which server")


async def test_news_that_come_faster_than_a_slow_server_answers_do_not_keep_its_answer_away(
    running_server, monkeypatch
):
    monkeypatch.setattr("omium.tui.pages.page.NEWS_EVERY_S", 0.01)
    async with open_dashboard(running_server, start="executions") as driver:
        page, asked, shown = driver.app.screen, [], []
        answered = asyncio.Event()

        async def ask():
            asked.append("?")
            await answered.wait()
            return "answer"

        page.load = lambda: page.fetch(ask, shown.append)
        page.load()
        for _ in range(20):
            page.news_arrived(frozenset({"ex_01m83q8sbs13vq324mj9pzana0"}))
            await driver.pilot.pause(0.02)
        assert (asked, shown) == (["?"], [])
        answered.set()
        while len(asked) < 2:  # what came meanwhile is asked for then
            await driver.pilot.pause(0.01)
        assert shown[0] == "answer"


async def test_where_not_every_key_has_room_the_last_line_still_says_how_to_see_them_all(running_server):
    async with open_dashboard(running_server, size=(80, 24)) as driver:
        for page in "2368":
            await driver.press(page)
            assert driver.lines[-1].endswith("? help"), driver.text


async def test_plain_pages_and_forms_draw_no_lines_around_anything(running_server):
    async with open_dashboard(running_server, size=(80, 24), plain=True, start="failures") as driver:
        assert not set("─│▔▁▊▎") & set(driver.text), driver.text
        await driver.press("6", "plus")
        driver.expect("New API key")
        assert not set("─│▔▁▊▎━╸╺") & set(driver.text), driver.text


async def test_a_list_without_marks_offers_none(running_server):
    async with open_dashboard(running_server, start="analytics") as driver:
        driver.expect("⏎ open", "w export")
        driver.expect_not("space mark")
        await driver.press("question_mark")
        driver.expect_not("Mark the line")


async def test_the_button_that_cancels_an_execution_does_not_read_as_leaving_the_question(running_server):
    async with AsyncClient(running_server.base_url, running_server.api_key) as client:
        await client.start_execution(
            StartExecution(workflow="nightly", driver=Driver.WORKER, input_digest="0" * 64, input={})
        )
    async with open_dashboard(running_server, start="executions") as driver:
        await driver.until("queued")
        await driver.press("c")
        driver.expect(" Cancel it ", " No ")
        await driver.press("enter")
        driver.expect("queued")


async def test_the_page_of_figures_is_found_again_on_the_tab_where_it_was_left(running_server):
    async with open_dashboard(running_server, start="analytics") as driver:
        await driver.press("right_square_bracket", "right_square_bracket")
        driver.expect("Analytics / savings")
        await driver.press("6", "5")
        driver.expect("Analytics / savings", "Steps that did not run again")


async def test_an_execution_that_is_not_there_says_so_instead_of_loading_for_ever(running_server):
    async with open_dashboard(running_server, start="ex_01m83q8sbs13vq324mj9pzana0") as driver:
        await driver.until("Executions / ex_01m83q8sbs13vq324mj9pzana0")
        await driver.settle()
        driver.expect_not("Loading")
        driver.expect("no execution")


class MayNotRead(AsyncClient):
    """A client whose key may hear of news and look at nothing."""

    async def _refused(self, *_, **__):
        raise ScopeMissing("This needs the scope read; create a key that has it with `omium keys create`.")

    get_status = list_executions = list_failures = list_approvals = get_schedule = _refused
    analyze_usage = get_credits = list_schedule_fires = _refused


async def test_a_page_that_may_not_be_read_says_which_scope_is_missing_and_how_to_get_on(running_server):
    app = DashboardApp(lambda: MayNotRead(running_server.base_url, running_server.api_key))
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Fingers(app, pilot)
        await driver.settle()
        for page in ("1", "2", "3", "5"):
            await driver.press(page)
            driver.expect("This needs the scope read", "omium init", "ctrl+r asks again")
            driver.expect_not("Loading …")
        for detail in (WaitingPage(), StartPage("sc_01m83q8sbs13vq324mj9pzana0")):
            await app.push_screen(detail)
            await driver.settle()
            driver.expect("This needs the scope read", "ctrl+r asks again")
            driver.expect_not("Loading …")
