"""Reading the documentation in a terminal: the same in the dashboard's page 8 and in `omium docs`."""

from contextlib import asynccontextmanager

import pytest

from omium.manual import Manual, Place
from omium.tui.actions import Action
from omium.tui.docs_app import DocsApp, DocsScreen
from omium.tui.pages.docs import READING, DocsPage
from tests.tui.driving import Driver, open_dashboard

INDEX = """# The index

## Group one

| page | for |
|---|---|
| [first.md](first.md) | the first |
| [second.md](second.md) | the second |

A link [outside](https://example.com/x) and one to [the repository](../README.md).
"""
FIRST = """# First page

It has `code`, **bold** words and a [link](second.md#the-end) to the other one.

```console
$ omium serve
listening
```

| field | for |
|---|---|
| `one` | a cell |

```python
print("second block")
```
"""
SECOND = "# Second page\n\n" + "A line that fills.\n\n" * 60 + "## The end\n\nzebra\n\n" + "more\n\n" * 60


@pytest.fixture
def manual(tmp_path):
    for name, text in {"index": INDEX, "first": FIRST, "second": SECOND}.items():
        (tmp_path / f"{name}.md").write_text(text)
    return Manual.open(tmp_path)


@asynccontextmanager
async def open_docs(manual, place="index", *, size=(120, 40)):
    page, _, anchor = place.partition("#")
    app = DocsApp(manual, Place(page, anchor))
    copied, said = [], []
    app.copy_to_clipboard = copied.append  # the terminal's end of it
    app.notify = lambda message, **_: said.append(message)  # what is shown is gone after a few seconds
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        driver.copied, driver.said = copied, said
        await driver.settle()
        yield driver


async def test_a_page_is_shown_with_its_headings_text_code_and_tables(manual):
    async with open_docs(manual, "first") as driver:
        driver.expect("First page", "It has code, bold words", "$ omium serve", "field", "a cell")
        driver.expect_not("`code`", "**bold**", "|---|", "```")


async def test_the_list_of_pages_has_groups_titles_and_headings_of_the_page_that_is_read(manual):
    async with open_docs(manual, "second") as driver:
        driver.expect("Group one", "First page", "Second page", "The end")


async def test_a_small_terminal_has_the_text_alone_until_the_list_is_asked_for(manual):
    async with open_docs(manual, "first", size=(80, 24)) as driver:
        driver.expect_not("Group one")
        await driver.press("o")
        driver.expect("Group one", "It has code")
        await driver.press("o")
        driver.expect_not("Group one")


async def test_it_begins_at_the_heading_that_was_asked_for(manual):
    async with open_docs(manual, "second#the-end") as driver:
        assert driver.lines[0].endswith("The end")
        driver.expect("zebra")


async def test_links_are_followed_and_the_way_back_leads_to_the_same_line(manual):
    async with open_docs(manual, "first") as driver:
        await driver.press("l")
        driver.expect("→ second#the-end")
        await driver.press("enter")
        assert driver.lines[0].endswith("The end")
        await driver.press("j", "j")
        await driver.press("left_square_bracket")
        driver.expect("First page", "a cell")
        await driver.press("right_square_bracket")
        driver.expect("zebra")
        assert driver.app.screen.reader.sheet.scroll_offset.y == driver.app.screen.reader.visits[1].line
        await driver.press("escape")
        driver.expect("a cell")


async def test_escape_where_nothing_was_read_before_does_nothing(manual):
    async with open_docs(manual, "first") as driver:
        await driver.press("escape", "escape", "left_square_bracket", "right_square_bracket")
        driver.expect("First page")


async def test_a_new_way_forgets_the_one_that_was_taken_back(manual):
    async with open_docs(manual, "first") as driver:
        reader = driver.app.screen.reader
        reader.go(Place("second"))
        reader.back()
        reader.go(Place("index"))
        assert [str(visit.place) for visit in reader.visits] == ["first", "index"]
        assert not reader.back(1)


async def test_an_address_outside_is_shown_and_copied_and_never_opened(manual, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda *args, **_: opened.append(args))
    async with open_docs(manual) as driver:
        driver.app.screen.reader.follow("https://example.com/x")
        await driver.settle()
        assert driver.copied == driver.said == ["https://example.com/x"]
    assert opened == []


async def test_no_link_of_the_terminal_is_drawn_which_would_open_outside(manual):
    async with open_docs(manual) as driver:
        sheet = driver.app.screen.reader.sheet
        segments = [each for y in range(sheet.size.height) for each in sheet.render_line(y)]
        assert any("outside" in each.text for each in segments)
        assert [each for each in segments if each.style is not None and each.style.link] == []


async def test_a_file_that_the_manual_has_not_is_named(manual):
    async with open_docs(manual) as driver:
        driver.app.screen.reader.follow("../README.md")
        await driver.settle()
        assert "README.md is in Omium's repository, not in the documentation inside." in driver.said


async def test_y_copies_the_first_code_that_is_seen_or_what_the_cursor_is_on(manual):
    async with open_docs(manual, "first") as driver:
        await driver.press("y")
        await driver.press("l", "y")
        await driver.press("l", "l", "y")
        await driver.press("h", "y")
    assert driver.copied == [
        "$ omium serve\nlistening",
        "second#the-end",
        'print("second block")',
        "$ omium serve\nlistening",
    ]


async def test_y_without_code_in_sight_says_so(manual):
    async with open_docs(manual, "second") as driver:
        await driver.press("y")
        assert driver.said == ["There is no code here to copy."]


async def test_a_search_shows_what_is_found_while_it_is_typed_and_enter_opens_it(manual):
    async with open_docs(manual, "first") as driver:
        await driver.press("slash")
        await driver.type("zebr")
        driver.expect("Second page: The end", "zebra")
        await driver.press("enter")
        assert driver.lines[0].endswith("The end")
        await driver.press("escape")
        driver.expect("First page", "a cell")


async def test_a_search_is_left_with_escape_and_its_hits_are_reached_by_the_arrow(manual):
    async with open_docs(manual, "first") as driver:
        await driver.press("slash")
        await driver.type("page")
        await driver.press("down", "down", "enter")
        assert driver.app.screen.reader.place.page != "first"
        await driver.press("slash", "escape")
        assert not driver.app.screen.reader.searching


async def test_words_that_are_nowhere_are_said_to_be_nowhere(manual):
    async with open_docs(manual) as driver:
        await driver.press("slash")
        await driver.type("[/qqqq]")
        driver.expect("Nothing in the documentation has these words.")
        await driver.press("enter")
        assert driver.app.screen.reader.searching


async def test_n_goes_through_the_places_of_the_words(manual):
    async with open_docs(manual, "second", size=(100, 20)) as driver:
        driver.app.screen.reader.go(Place("second"), words="fills")
        await driver.settle()
        await driver.press("G")
        bottom = driver.app.screen.reader.sheet.scroll_offset.y
        await driver.press("N")
        found = driver.app.screen.reader.sheet.scroll_offset.y
        assert 0 < found < bottom
        driver.expect("fills")
        await driver.press("N")
        assert driver.app.screen.reader.sheet.scroll_offset.y < found
        await driver.press("G", "n")
        assert any("nowhere further" in notice for notice in driver.said)


async def test_keys_of_movement_scroll(manual):
    async with open_docs(manual, "second", size=(100, 20)) as driver:
        sheet = driver.app.screen.reader.sheet
        await driver.press("j", "j", "k")
        assert sheet.scroll_offset.y == 1
        await driver.press("space")
        assert sheet.scroll_offset.y == 1 + sheet.size.height - 2
        await driver.press("ctrl+u")
        assert sheet.scroll_offset.y < sheet.size.height
        await driver.press("ctrl+d", "G")
        assert sheet.scroll_offset.y == sheet.max_scroll_y
        await driver.press("g")
        assert sheet.scroll_offset.y == 0


async def test_a_page_is_chosen_from_the_list(manual):
    async with open_docs(manual, "first") as driver:
        await driver.press("shift+tab")
        assert driver.app.screen.reader.contents.has_focus
        await driver.press("j", "enter")
        driver.expect("A line that fills.")


async def test_a_click_on_a_link_follows_it(manual):
    async with open_docs(manual, "first") as driver:
        y = next(number for number, line in enumerate(driver.lines) if "It has code" in line)
        await driver.pilot.click(offset=(driver.lines[y].index("link"), y))
        await driver.settle()
        driver.expect("zebra")


async def test_another_height_moves_nothing(manual):
    async with open_docs(manual, "second", size=(100, 30)) as driver:
        await driver.press("j", "j", "j")
        await driver.pilot.resize_terminal(100, 20)
        await driver.settle()
        assert driver.app.screen.reader.sheet.scroll_offset.y == 3


async def test_another_width_sets_the_page_anew_at_the_same_heading(manual):
    async with open_docs(manual, "second#the-end", size=(120, 30)) as driver:
        await driver.pilot.resize_terminal(70, 30)
        await driver.settle()
        assert driver.lines[0].strip() == "The end"


async def test_every_key_of_the_reader_has_what_it_does_and_a_sentence():
    for screen in (DocsScreen, DocsPage):
        for action in screen.ACTIONS:
            assert isinstance(action, Action)
            assert hasattr(screen, f"action_{action.name}") or action.name == "focus_next", action.name
            assert action.help.endswith(".")


def test_the_page_about_the_documentation_names_every_key_of_the_reader():
    page = Manual.open().get_page("documentation").text
    table = page[page.index("| key | does |") :].partition("\n\n")[0]

    assert [
        action.name
        for action in READING
        if action.name != "select_cursor" and f"`{action.keys_text.split()[0]}`" not in table
    ] == []


@pytest.mark.parametrize("theme", ["textual-light", "ansi-dark", "ansi-light"])
async def test_another_theme_is_drawn_and_the_place_is_kept(manual, theme):
    async with open_docs(manual, "second#the-end") as driver:
        driver.app.theme = theme
        await driver.settle()
        assert driver.lines[0].endswith("The end")


async def test_the_help_of_the_reader_lists_its_keys(manual):
    async with open_docs(manual) as driver:
        await driver.press("question_mark")
        driver.expect("Search all pages", "One screen down.")
        await driver.press("escape", "T", "q")
    assert driver.app.return_code == 0


async def test_the_longest_page_is_there_at_once_and_complete_in_the_end():
    async with open_docs(Manual.open(), "cli") as driver:
        sheet = driver.app.screen.reader.sheet
        driver.expect("Everything that a person does")
        assert sheet.complete
        assert sheet.heading_anchor == "the-command-line"


async def test_the_dashboard_has_it_as_page_eight(running_server):
    async with open_dashboard(running_server) as driver:
        await driver.press("8")
        driver.expect("Docs › Documentation", "Agents of a framework", "ten minutes: killed and resumed")
        driver.app.screen.show_place(Place("keys", "caps"))
        await driver.settle()
        driver.expect("Docs › API keys › Caps")
        await driver.press("at")
        driver.expect("omium docs keys#caps")
        await driver.press("escape", "question_mark")
        driver.expect(*(action.help for action in READING[:3]))


async def test_in_the_dashboard_escape_goes_back_within_what_was_read_and_stays(running_server):
    async with open_dashboard(running_server, start="docs") as driver:
        await driver.press("l", "enter")
        driver.expect("Docs › Quickstart")
        await driver.press("escape", "escape", "escape")
        driver.expect("Docs › Documentation")
