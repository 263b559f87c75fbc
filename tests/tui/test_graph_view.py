"""The graph of a workflow: nodes are pointed at, an execution's states stand in them, nothing is cut off."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from textual import on
from textual.app import App

from omium.spec.check import load_spec
from omium.states import ExecutionStatus
from omium.tui.node_states import NodeState, node_path, states_of
from omium.tui.widgets.graph_view import GraphView
from tests.spec.whole import flow, whole


@dataclass
class Told:
    pointed: list = field(default_factory=list)
    chosen: list = field(default_factory=list)


class Stage(App):
    plain = False

    def __init__(self, document, states=None):
        super().__init__()
        self.spec, self.states, self.told = load_spec(document), states, Told()

    def compose(self):
        yield GraphView()

    def on_mount(self):
        self.query_one(GraphView).focus()
        self.query_one(GraphView).show(self.spec, self.states)

    @on(GraphView.Pointed)
    def note_pointed(self, message):
        self.told.pointed.append(message.path)

    @on(GraphView.Chosen)
    def note_chosen(self, message):
        self.told.chosen.append(message.node.id)

    @property
    def text(self):
        return "\n".join(strip.text.rstrip() for strip in self.screen._compositor.render_strips())


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_the_keys_reach_every_node_and_bring_it_into_view(size):
    app = Stage(whole())
    async with app.run_test(size=size) as pilot:
        graph = app.query_one(GraphView)
        seen = [graph.pointed]
        for _ in range(12):
            await pilot.press("j")
            await pilot.pause()
            if graph.pointed != seen[-1]:
                seen.append(graph.pointed)
                assert graph.pointed.rpartition("/")[2] in app.text
        assert seen == ["find", "draft", "choose", "each", "ask", "pause", "publish", "after", "each/sum"]
        await pilot.press("g")
        assert graph.pointed == "find"
        await pilot.press("G", "k")
        assert graph.pointed == "after"


async def test_nodes_side_by_side_are_reached_to_the_left_and_right():
    app = Stage(flow("ab", "ac", "ad", "be", "ce", "de"))
    async with app.run_test(size=(80, 24)) as pilot:
        graph = app.query_one(GraphView)
        await pilot.press("j", "h", "h")
        left = graph.pointed
        await pilot.press("l", "l", "l")
        assert {left, graph.pointed} < {"b", "c", "d"}
        assert left != graph.pointed


async def test_a_state_is_a_glyph_and_a_word_and_moves_no_box():
    app = Stage(whole(), {"find": NodeState("running", 1)})
    async with app.run_test(size=(120, 60)) as pilot:
        await pilot.pause()
        assert "▶ running" in app.text
        before = [line for line in app.text.splitlines() if "draft" in line]
        app.query_one(GraphView).show(
            app.spec, {"find": NodeState("completed", 1), "draft": NodeState("failed", 3)}
        )
        await pilot.pause()
        assert "✓ completed" in app.text
        assert "✗ failed (3)" in app.text
        assert [line for line in app.text.splitlines() if "draft" in line] == before


async def test_enter_and_a_second_click_choose_the_node():
    app = Stage(flow("ab"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "enter")
        await pilot.click(GraphView, offset=(4, 1))
        await pilot.click(GraphView, offset=(4, 1))
        await pilot.pause()
        assert app.told.chosen == ["b", "a"]


async def test_a_graph_that_is_wider_than_the_screen_is_scrolled_and_a_huge_one_is_a_list():
    wide = flow(*(f"a{name}" for name in "bcdefghijklmnop"))
    app = Stage(wide)
    async with app.run_test(size=(80, 24)) as pilot:
        graph = app.query_one(GraphView)
        await pilot.press("j", *("l" * 14))
        await pilot.pause()
        assert graph.virtual_size.width > 80
        assert graph.scroll_offset.x > 0
        assert f"│ {graph.pointed} " in app.text
        graph.show(load_spec(flow(*(_pair(at) for at in range(160)))))
        await pilot.pause()
        assert "n0  (function · h)" in app.text


def _pair(at):
    return {"from": f"n{at}", "to": f"n{at + 1}"}


async def test_plain_mode_lists_the_nodes_without_boxes():
    app = Stage(whole(), {"find": NodeState("completed", 1)})
    app.plain = True
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "find  (✓ completed" in app.text
        assert "┌" not in app.text


async def test_names_that_a_terminal_would_obey_are_harmless():
    document = flow("ab")
    document["nodes"][0]["name"] = "\x1b]0;gone\x07[red]x[/red]\u202e"
    app = Stage(document)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "[red]x[/red]" in app.text
        assert "\x1b" not in app.text
        assert "\u202e" not in app.text


def step(key, status="completed", **fields):
    plain = {"key": key, "name": key, "superseded_seq": None} | fields
    return SimpleNamespace(**plain, status=SimpleNamespace(value=status))


def detail(status, *steps, running=()):
    return SimpleNamespace(status=status, steps=list(steps), running_steps=list(running))


def test_records_are_told_by_node_the_worst_first():
    spec = load_spec(whole())
    found = states_of(
        spec,
        detail(
            ExecutionStatus.RUNNING,
            step("find"),
            step("draft"),
            step("draft#1", "failed"),
            step("each[0]/sum"),
            step("each[1]/sum"),
            running=["choose#1"],
        ),
    )
    assert found["find"] == NodeState("completed", 1)
    assert found["draft"] == NodeState("failed", 2)
    assert found["each/sum"] == NodeState("completed", 2)
    assert found["choose"].word == "running"
    assert found["publish"].word == "not run"


def test_a_node_whose_turn_it_is_is_pending_and_one_for_people_waits():
    spec = load_spec(whole())
    assert states_of(spec, detail(ExecutionStatus.QUEUED))["find"].word == "pending"
    waiting = states_of(spec, detail(ExecutionStatus.WAITING, step("each")))
    assert waiting["ask"].word == "waiting"
    assert states_of(spec, detail(ExecutionStatus.FAILED, step("each")))["ask"].word == "not run"


def test_the_path_of_a_step_leads_to_its_node():
    assert node_path("write") == "write"
    assert node_path("write#2.1") == "write"
    assert node_path("each#2[3]/inner[0]/sum#1") == "each/inner/sum"
