"""JSON values to look at: what folds, what is searched, and that size does not matter."""

import asyncio
import json
import time

from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from omium.tui.widgets.json_rows import AT_FIRST, CHUNK, Rows, search
from omium.tui.widgets.json_view import JsonView

ORDER = {
    "id": 7,
    "items": [{"name": "pen", "price": 1.5}, {"name": "ink", "price": 4}],
    "note": None,
    "ok": True,
}
LONG = "first line\n" + "word " * 2_000


class Viewer(App[None]):
    def __init__(self, value) -> None:
        super().__init__()
        self.value = value

    def compose(self) -> ComposeResult:
        yield JsonView()

    def on_mount(self) -> None:
        self.view.show(self.value)
        self.view.focus()

    @property
    def view(self) -> JsonView:
        return self.query_one(JsonView)

    @property
    def lines(self) -> list[str]:
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]


async def test_a_small_value_is_seen_whole():
    async with Viewer(ORDER).run_test(size=(60, 20)) as pilot:
        text = "\n".join(pilot.app.lines)
        for words in ("id: 7", 'name: "pen"', "price: 1.5", "note: null", "ok: true", "2 items"):
            assert words in text


async def test_enter_folds_what_the_cursor_is_on_and_unfolds_it():
    async with Viewer(ORDER).run_test(size=(80, 20)) as pilot:
        await pilot.press("j", "j", "enter")
        assert "\n".join(pilot.app.lines).count("pen") == 0
        assert "[{…}, {…}]  2 items" in "\n".join(pilot.app.lines)
        await pilot.press("enter")
        assert "pen" in "\n".join(pilot.app.lines)


async def test_left_goes_to_what_is_around_and_folds_it():
    async with Viewer(ORDER).run_test(size=(80, 20)) as pilot:
        await pilot.press("G", "k", "k", "left")
        assert pilot.app.view.pointed_text.startswith("{")
        await pilot.press("left", "left", "left", "left")
        assert pilot.app.view.cursor == 0


async def test_a_long_text_unfolds_into_lines():
    async with Viewer({"prompt": LONG}).run_test(size=(120, 30)) as pilot:
        assert f"{len(LONG):,} characters" in "\n".join(pilot.app.lines)
        await pilot.press("j", "enter")
        assert "│ first line" in "\n".join(pilot.app.lines)


async def test_the_words_that_are_searched_for_are_unfolded_to():
    value = {"many": [{"deep": {"name": f"item {at}"}} for at in range(3_000)]}
    async with Viewer(value).run_test(size=(80, 20)) as pilot:
        view = pilot.app.view
        view.filter_words = "item 2999"
        await pilot.app.workers.wait_for_complete()
        assert view.found == [("many", 2999, "deep", "name")]
        assert json.loads(view.pointed_text) == "item 2999"
        view.filter_words = "item 100"
        await pilot.app.workers.wait_for_complete()
        await pilot.press("n")
        assert json.loads(view.pointed_text) == "item 1000"
        await pilot.press("N")
        assert json.loads(view.pointed_text) == "item 100"


async def test_the_same_value_again_leaves_what_is_unfolded():
    async with Viewer(ORDER).run_test(size=(80, 20)) as pilot:
        await pilot.press("j", "j", "enter")
        pilot.app.view.show(json.loads(json.dumps(ORDER)))
        await pilot.pause()
        assert "2 items" in "\n".join(pilot.app.lines)
        assert pilot.app.view.cursor == 2


async def test_hostile_strings_are_shown_without_what_a_terminal_obeys():
    value = {"\x1b]0;title\x07[red]": "\x1b[31m\u202eevil[/]\n\x9b2J", "ok\r": "\x1b]52;c;aGk=\x07" * 200}
    async with Viewer(value).run_test(size=(80, 20)) as pilot:
        await pilot.press("j", "enter", "G", "enter")
        text = "\n".join(pilot.app.lines)
        assert "[red]" in text
        assert not any((ord(each) < 32 and each != "\n") or "\x7f" <= each <= "\x9f" for each in text)
        assert "\u202e" not in text


async def test_megabytes_are_shown_without_walking_through_them():
    """Against the value's own size: showing it and unfolding costs less than writing it as JSON once."""
    value = {"rows": [{"name": f"row {at}", "text": "x" * 40, "list": [at] * 5} for at in range(60_000)]}
    started = time.process_time()
    text = json.dumps(value)
    written_s = time.process_time() - started
    assert len(text) > 4_000_000
    costs = []
    for _ in range(3):
        started = time.process_time()
        rows = Rows(value)
        rows.unfold(1)
        rows.reveal(("rows", 1_500, "list", 3))
        costs.append(time.process_time() - started)
    assert len(rows.rows) < 5_000
    assert min(costs) < written_s


def test_a_list_gives_its_items_a_chunk_at_a_time():
    rows = Rows(list(range(CHUNK * 2 + 5)))
    assert (len(rows.rows), rows.rows[-1].left) == (1 + CHUNK + 1, CHUNK + 5)
    rows.unfold(len(rows.rows) - 1)
    assert rows.rows[-1].left == 5
    rows.unfold(len(rows.rows) - 1)
    assert [row.value for row in rows.rows[1:]] == list(range(CHUNK * 2 + 5))


def test_a_list_of_exactly_one_chunk_has_no_way_to_more():
    assert Rows(list(range(CHUNK))).rows[-1].more is None


def test_outer_members_are_unfolded_first():
    rows = Rows({f"part {at}": {"inner": list(range(40))} for at in range(AT_FIRST // 2)})
    assert sum(row.depth == 1 for row in rows.rows) == AT_FIRST // 2


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=300)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=5)
)


@given(VALUES, st.text(min_size=1, max_size=2))
def test_each_place_that_is_found_can_be_revealed(value, words):
    for path in search(value, words):
        if path is not None:
            rows = Rows(value)
            at = rows.reveal(path)
            assert rows.rows[at].path == path
            wanted = value
            for part in path:
                wanted = wanted[part]
            assert rows.rows[at].value is wanted


@given(VALUES, st.data())
def test_folding_takes_away_what_unfolding_brought(value, data):
    rows = Rows(value)
    at = data.draw(st.integers(0, len(rows.rows) - 1))
    if rows.rows[at].opened or not rows.rows[at].folds:
        return
    before = list(rows.rows)
    rows.unfold(at)
    rows.fold(at)
    assert rows.rows == before


@given(st.text(max_size=2_000))
def test_the_lines_of_a_text_are_all_of_it(text):
    rows = Rows(text)
    rows.unfold(0)
    shown = "".join(row.value for row in rows.rows if row.text_line)
    if rows.rows[0].opened and rows.rows[-1].more is None:
        assert shown.replace(" ", "") == text.replace("\n", "").replace(" ", "")


async def test_a_search_gives_way_to_keys():
    """It is not done in one go: something else of the event loop runs between two looks."""
    async with Viewer([f"x{at}" for at in range(30_000)]).run_test(size=(80, 20)) as pilot:
        turns = 0
        view = pilot.app.view
        view.filter_words = "nowhere"
        while view.workers:
            await asyncio.sleep(0)
            turns += 1
            if all(worker.is_finished for worker in view.workers):
                break
        assert turns > 3
