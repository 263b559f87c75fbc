"""The line that a list is filtered by."""

from textual import events
from textual.app import App, ComposeResult

from omium.tui.content import cell
from omium.tui.widgets.filter import FilterBar
from omium.tui.widgets.listing import Column, Listing

FRUIT = ["apple", "apple pie", "banana", "cherry"]


class Fruit(App[None]):
    CSS = "Listing { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []

    def compose(self) -> ComposeResult:
        yield FilterBar("#fruit", words_of=lambda text: text.replace("server:side", ""))
        yield Listing([Column("FRUIT", cell)], str, id="fruit")

    def on_mount(self) -> None:
        self.query_one(Listing).show(FRUIT, None)
        self.query_one(FilterBar).open()

    def on_filter_bar_kept(self, event: FilterBar.Kept) -> None:
        self.kept.append(event.text)

    @property
    def shown(self) -> list[str]:
        return self.query_one(Listing).shown_items


async def test_the_list_narrows_while_it_is_typed_and_enter_keeps_it():
    async with Fruit().run_test() as pilot:
        await pilot.press(*"app")
        assert pilot.app.shown == ["apple", "apple pie"]
        assert pilot.app.kept == []
        await pilot.press("enter")
        assert isinstance(pilot.app.focused, Listing)
        assert pilot.app.kept == ["app"]
        assert pilot.app.query_one(FilterBar).display


async def test_escape_shows_all_again_and_hides_the_line():
    async with Fruit().run_test() as pilot:
        await pilot.press(*"cherry", "enter")
        pilot.app.query_one(FilterBar).open()
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert pilot.app.shown == FRUIT
        assert pilot.app.kept == ["cherry", ""]
        assert not pilot.app.query_one(FilterBar).display


async def test_words_for_the_server_are_not_looked_for_in_the_list():
    async with Fruit().run_test() as pilot:
        await pilot.press(*"server:side ban")
        assert pilot.app.shown == ["banana"]


async def test_what_the_filter_hides_is_not_chosen_though_it_is_marked():
    async with Fruit().run_test() as pilot:
        listing = pilot.app.query_one(Listing)
        await pilot.press("enter", "space", "space", "space")
        assert listing.chosen == ["apple", "apple pie", "banana"]
        listing.filter_words = "pie"
        assert listing.chosen == ["apple pie"]
        assert listing.marks_text == "3 marked, 2 of them hidden and left out"
        listing.filter_words = "cherry"
        assert listing.chosen == ["cherry"]  # the cursor is on it
        listing.filter_words = ""
        assert listing.marks_text == "3 marked"


async def test_a_list_that_the_filter_has_emptied_says_so():
    async with Fruit().run_test() as pilot:
        await pilot.press(*"kiwi", "enter")
        lines = [strip.text for strip in pilot.app.screen._compositor.render_strips()]
        assert any("0 of 4 fit; / and then esc shows all." in line for line in lines)


async def test_a_line_that_is_left_empty_goes_away():
    async with Fruit().run_test() as pilot:
        await pilot.press("enter")
        await pilot.pause()
        assert pilot.app.kept == []
        assert not pilot.app.query_one(FilterBar).display


async def test_keys_typed_ahead_of_the_end_of_typing_are_the_lists():
    async with Fruit().run_test() as pilot:
        for key in ("a", "p", "p", "enter", "j"):  # in one burst, as over a slow link
            pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await pilot.pause()
        assert pilot.app.kept == ["app"]
        assert pilot.app.query_one(Listing).pointed == "apple pie"


async def test_keys_typed_ahead_of_escape_go_to_the_whole_list():
    async with Fruit().run_test() as pilot:
        for key in ("c", "escape", "k"):
            pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await pilot.pause()
        assert pilot.app.shown == FRUIT
        assert pilot.app.query_one(Listing).pointed == "banana"
