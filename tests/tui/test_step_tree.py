"""The tree and the timeline of steps: what they show, and that ten thousand cost no more than a screen."""

from textual.app import App, ComposeResult

from omium.models.execution import Step
from omium.tui.step_loading import ALL, AT_FIRST, StepReading
from omium.tui.widgets.step_rows import StepBook
from omium.tui.widgets.step_tree import StepTree
from omium.tui.widgets.timeline import Timeline


def make_step(key, at=0, status="completed", **chosen):
    fields = {
        "key": key,
        "name": key.rpartition("/")[2],
        "occurrence": 1,
        "explicit_key": False,
        "kind": "step",
        "generation": 0,
        "epoch": 1,
        "status": status,
        "attempt": 1,
        "interruptions": 0,
        "input_digest": "0" * 64,
        "comparable": "full",
        "started_at_us": at,
        "ended_at_us": at + 50,
        "completed_seq": at,
    }
    return Step(**fields | chosen)


def many(count):
    return [make_step(f"part{number // 500}/item#{number}", number * 100) for number in range(count)]


class Counted(StepTree):
    drawn = 0

    def pieces(self, at, width):
        self.drawn += 1
        return super().pieces(at, width)


class Trees(App[None]):
    def __init__(self, steps):
        super().__init__()
        self.book = StepBook()
        self.book.put(steps)

    def compose(self) -> ComposeResult:
        yield Counted(self.book)
        yield Timeline(self.book)

    def on_mount(self):
        self.query_one(StepTree).redraw()
        self.query_one(Timeline).show(self.query_one(StepTree).keys, 0, 1_000_000)
        self.query_one(StepTree).focus()


async def test_a_key_among_ten_thousand_steps_draws_no_more_than_the_screen():
    async with Trees(many(10_000)).run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        tree = pilot.app.query_one(Counted)
        assert tree.row_count == 10_000 + 20 + 1
        before = tree.drawn
        await pilot.press("j")
        await pilot.pause()
        assert tree.drawn - before <= 4, "the row that the cursor leaves, and the one it comes to"
        before = tree.drawn
        await pilot.press("G")
        await pilot.pause()
        assert tree.cursor == 10_020
        assert tree.drawn - before <= 3 * 40


async def test_folding_finding_and_faults():
    steps = [*many(6), make_step("part0/bad", 700, "failed", error={"type": "E", "message": "no paper"})]
    async with Trees(steps).run_test(size=(100, 40)) as pilot:
        tree = pilot.app.query_one(StepTree)
        await pilot.press("j", "left")
        assert tree.keys == ["", "part0"]
        await pilot.press("right")
        assert len(tree.keys) == 9
        tree.filter_words = "paper"
        assert tree.keys == ["", "part0", "part0/bad"]
        tree.filter_words = ""
        tree.book.only_faults = True
        tree.redraw()
        assert tree.keys == ["", "part0", "part0/bad"]


def test_rows_are_in_the_order_in_which_steps_began_and_what_is_around_them_comes_first():
    book = StepBook()
    book.put([make_step("b", 20), make_step("a/y", 12), make_step("a/x", 11), make_step("a", 10)])
    book.put_running(["b/z"])
    assert book.keys() == ["", "a", "a/x", "a/y", "b", "b/z"]
    assert book.row("b/z").running


def test_what_is_superseded_gives_way_to_what_counts():
    book = StepBook()
    book.put([make_step("a", 1, generation=1), make_step("a", 0, superseded_seq=9)])
    assert book.steps["a"].superseded_seq is None
    book.put([make_step("a", 0, superseded_seq=9)])
    assert book.steps["a"].generation == 1


class Detail:
    def __init__(self, steps=(), following=None, running=(), ended_us=None):
        self.steps, self.steps_next = list(steps), following
        self.running_steps, self.ended_at_us = list(running), ended_us


class Reply:
    def __init__(self, items, following):
        self.items, self.next = items, following


def test_steps_are_read_as_far_as_they_are_looked_at():
    steps = many(2_000)
    reading = StepReading(StepBook())
    assert reading.take_detail(Detail(steps[:100], "c1")) == "c1"
    assert reading.take("c1", Reply(steps[100:300], "c2")) is None, "300 are enough at first"
    assert len(reading.book.steps) == AT_FIRST
    assert reading.want(500) == "c2"
    assert reading.take("c2", Reply(steps[300:500], "c3")) is None
    assert reading.want(ALL) == "c3"
    assert reading.take("c3", Reply(steps[500:], None)) is None


def test_what_is_new_comes_with_the_last_page_and_what_was_missed_with_all():
    steps = many(150)
    reading = StepReading(StepBook())
    reading.take_detail(Detail(steps[:100], "c1", running=["slow"]))
    reading.take("c1", Reply(steps[100:], None))
    assert reading.take_detail(Detail(steps[:100], "c1", running=["slow"])) == "c1", "the last page again"
    assert reading.take_detail(Detail(steps[:100], "c1")) == "c1", "slow has ended: all again"
    assert reading.take_detail(Detail(steps[:100], "c1", ended_us=5)) == "c1", "once more when it has ended"


async def test_a_timeline_draws_bars_and_can_be_looked_at_nearer():
    steps = [make_step("a", 0, ended_at_us=500_000), make_step("b", 500_000, ended_at_us=1_000_000)]
    async with Trees(steps).run_test(size=(100, 40)) as pilot:
        timeline = pilot.app.query_one(Timeline)

        def bar(at):
            return timeline.pieces(at, 100)[2][0]

        assert bar(0).startswith("█")
        assert bar(1).startswith(" ")
        assert abs(bar(0).count("█") - bar(1).count("█")) <= 1
        whole = bar(1).count("█")
        timeline.focus()
        await pilot.press("j", "plus")
        assert bar(1).count("█") > whole
        assert timeline.window_us == (500_000, 1_000_000) or timeline.window_us[0] >= 375_000
        await pilot.press("minus")
        assert bar(1).count("█") == whole
