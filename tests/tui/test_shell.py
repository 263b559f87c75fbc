"""The dashboard's shell: going about, help, palette, `:`, a lost server, rights."""

from tests.tui.driving import open_dashboard


async def test_the_first_page_says_where_we_are_and_who(running_server):
    async with open_dashboard(running_server) as driver:
        driver.expect("1 Overview", "8 Docs", "test/dev", "● live")


async def test_eighty_columns_hold_the_names_of_all_eight_pages(running_server):
    async with open_dashboard(running_server, size=(80, 24)) as driver:
        driver.expect("1Overview", "4Automation", "8Docs")


async def test_the_footer_shows_whole_keys_at_every_width_and_in_every_theme(running_server):
    whole = "⏎ open space mark / filter z faults only f follow"
    async with open_dashboard(running_server, size=(60, 24), start="executions") as driver:

        async def expect(keys):
            await driver.until("? help")
            await driver.settle()
            shown, _, rest = driver.lines[-1].partition("? help")
            assert (shown.rstrip(), rest) == (keys, "")

        await expect(whole)
        await driver.pilot.resize_terminal(80, 24)
        await expect(f"{whole} d diff")
        driver.app.theme = "textual-light"
        await expect(f"{whole} d diff")
        await driver.pilot.resize_terminal(60, 24)
        await expect(whole)


async def test_help_lists_the_keys_and_escape_closes_it(running_server):
    async with open_dashboard(running_server) as driver:
        await driver.press("question_mark")
        driver.expect("Say what each key does here.", "Quit the dashboard")
        await driver.press("escape")
        driver.expect_not("Say what each key does here.")


async def test_escape_never_quits(running_server):
    async with open_dashboard(running_server) as driver:
        await driver.press("escape", "escape")
        driver.expect("● live")


async def test_a_server_that_dies_is_waited_for(running_server):
    async with open_dashboard(running_server) as driver:
        running_server.kill()
        await driver.until("The server is away")
        running_server.restart()
        await driver.until("● live")
        driver.expect_not("The server is away")
