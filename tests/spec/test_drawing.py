"""Graphs as people see them: every line can be followed, and nothing is wider than the screen."""

import random
from itertools import pairwise

import pytest

from omium.safetext import width_of
from omium.spec.document import Body
from omium.spec.drawing.diagram import make_diagram
from omium.spec.drawing.mermaid import draw_mermaid
from omium.spec.drawing.terminal import draw_terminal

TURNS = {
    "│": {(1, 0): (1, 0), (-1, 0): (-1, 0)},
    "┊": {(1, 0): (1, 0), (-1, 0): (-1, 0)},
    "─": {(0, 1): (0, 1), (0, -1): (0, -1)},
    "┄": {(0, 1): (0, 1), (0, -1): (0, -1)},
    "┌": {(-1, 0): (0, 1), (0, -1): (1, 0)},
    "┐": {(-1, 0): (0, -1), (0, 1): (1, 0)},
    "└": {(1, 0): (0, 1), (0, -1): (-1, 0)},
    "┘": {(1, 0): (0, -1), (0, 1): (-1, 0)},
}


def node(node_id, type_="function", **fields):
    return {"id": node_id, "type": type_, **fields}


def edge(source, target, **fields):
    return {"from": source, "to": target, **fields}


def body(nodes, edges, **fields):
    return Body.model_validate({"nodes": nodes, "edges": edges, **fields})


def random_body(seed):
    """Return a workflow with loops, nested and crossing, and lines that pass rows."""
    chance = random.Random(seed)
    ids = [f"n{at}" for at in range(chance.randint(1, 12))]
    found = {}
    for at, each in enumerate(ids[1:], start=1):
        found[ids[chance.randrange(at)], each] = edge(ids[chance.randrange(at)], each)
    for _ in range(chance.randint(0, len(ids))):
        source, target = chance.choice(ids), chance.choice(ids)
        found[source, target] = edge(source, target, kind=chance.choice(["control", "control", "context"]))
    return body([node(each) for each in ids], list(found.values()))


def follow(lines):
    """Return (source, target) of every line of a drawing, as a finger on the paper would find them."""
    grid = {(row, at): each for row, line in enumerate(lines) for at, each in enumerate(line)}

    def title(row, column, step):
        """Return the name in the box whose border is at (row, column)."""
        row += step
        while grid[row, column] not in "│║" or grid.get((row, column + 1)) != " ":
            column -= 1
        text = lines[row][column + 1 :]
        return text[: text.index(grid[row, column])].strip()

    found = []
    for (row, column), each in sorted(grid.items()):
        if each != "┬":
            continue
        source = title(row, column, -2)
        at, heading = (row + 1, column), (1, 0)
        for _ in range(10_000):
            sign = grid[at]
            if sign == "▼":
                break
            if sign != "┼" and not sign.isalnum():
                heading = TURNS[sign][heading]
            at = (at[0] + heading[0], at[1] + heading[1])
        found.append((source, title(at[0] + 1, at[1], 1)))
    return sorted(found)


@pytest.mark.parametrize("seed", range(150))
def test_every_line_leads_from_its_box_to_its_box(seed):
    drawn = random_body(seed)
    lines = draw_terminal(drawn, 1_000).splitlines()
    end = lines.index("") if "" in lines else len(lines)
    assert follow(lines[:end]) == sorted((each.source, each.target) for each in drawn.edges)


@pytest.mark.parametrize("width", [20, 33, 60, 80, 100, 140])
@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_wider_than_the_screen(seed, width):
    assert max(map(width_of, draw_terminal(random_body(seed), width).splitlines())) <= width


def test_a_chain_is_straight():
    drawn = draw_terminal(body([node("a"), node("b")], [edge("a", "b")]), 80)
    assert drawn.splitlines() == [
        "┌───────────┐",
        "│ a         │",
        "│ function  │",
        "└─────┬─────┘",
        "      │",
        "      ▼",
        "┌───────────┐",
        "│ b         │",
        "│ function  │",
        "└───────────┘",
    ]


def test_a_loop_runs_back_at_the_right_and_says_how_often():
    drawn = draw_terminal(
        body(
            [node("write", start=True), node("good", "decision")],
            [edge("write", "good"), edge("good", "write", when={"expr": "output.score < 1.0"})],
            loops={"write": {"max_iterations": 5}},
        ),
        80,
    )
    assert "╔" in drawn
    assert drawn.endswith("1  good ↺ write: when output.score < 1.0, again, at most 5 times")
    assert follow(drawn.splitlines()[:-2]) == [("good", "write"), ("write", "good")]


def test_wide_characters_keep_the_borders_in_line():
    drawn = draw_terminal(body([node("a", name="研究中心の仕事")], []), 80).splitlines()
    assert {width_of(line) for line in drawn} == {width_of(drawn[0])}


def test_a_terminal_that_is_too_narrow_gets_an_outline():
    fan = body([node("a"), *(node(f"to{at}") for at in range(9))], [edge("a", f"to{at}") for at in range(9)])
    drawn = draw_terminal(fan, 40)
    assert "┌" not in drawn
    assert drawn.splitlines()[:2] == ["a  (function)", "  → to0"]


def test_what_each_item_of_a_map_goes_through_is_drawn_below():
    inner = {"nodes": [node("one"), node("two")], "edges": [edge("one", "two")]}
    drawn = draw_terminal(body([node("each", "map", body=inner)], []), 80)
    assert "Each item of each:" in drawn
    assert "  │ two       │" in drawn


def test_the_order_of_the_file_changes_no_drawing():
    drawn = random_body(7)
    turned = Body.model_validate(
        {
            "nodes": [each.form() for each in drawn.nodes[::-1]],
            "edges": [each.form() for each in drawn.edges[::-1]],
        }
    )
    assert draw_terminal(turned, 100) == draw_terminal(drawn, 100)


def test_a_thousand_nodes_are_an_outline():
    ids = [f"n{at}" for at in range(1_000)]
    chain = body([node(each) for each in ids], [edge(a, b) for a, b in pairwise(ids)])
    assert draw_terminal(chain, 80).splitlines()[:3] == ["n0  (function)", "  → n1", "n1  (function)"]
    assert len(make_diagram(chain).lines) == 999


def test_names_are_made_safe_for_a_terminal():
    assert "\x1b" not in draw_terminal(body([node("a", name="\x1b[31mred")], []), 80)


def test_mermaid_has_every_node_and_edge_and_no_word_ends_a_label():
    drawn = draw_mermaid(
        body(
            [node("end", name='say "hi"] --> x', start=True), node("if", "decision")],
            [edge("end", "if"), edge("if", "end", when={"expr": 'output.a == "b|c"'})],
        )
    )
    lines = drawn.splitlines()
    assert lines[0] == "flowchart TD"
    assert lines[1] == '  n0["say #34;hi#34;#93; --#62; x<br/><small>function</small>"]'
    assert "  n0 --> n1" in lines
    assert any(line.startswith('  n1 -->|"when output.a == #34;b#124;c#34;, again"| n0') for line in lines)


def test_mermaid_frames_the_body_of_a_map():
    inner = {"nodes": [node("one")], "edges": []}
    drawn = draw_mermaid(body([node("each", "map", body=inner)], []))
    assert '  subgraph n0_body["Each item of each"]' in drawn
    assert '    n0_0["one<br/><small>function</small>"]' in drawn
