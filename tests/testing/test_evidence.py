"""Evidence: what was acknowledged is read back whole, and what contradicts it is named."""

import pytest

from omium.ids import new_id
from omium.testing.evidence import (
    ORDER_BYTES,
    Line,
    Notebook,
    allow,
    count,
    find_wrong_effects,
    gather,
    may_begin,
    read_lines,
)
from omium.testing.scratch import Scratch


@pytest.fixture
def scratch(tmp_path):
    return Scratch(tmp_path)


def write(scratch, *lines):
    with Notebook(scratch.evidence) as notebook:
        for line in lines:
            notebook.write(line)


def test_a_half_written_line_of_a_killed_agent_is_left_out(scratch):
    write(scratch, Line("begun", "o1"), Line("step", "o1", "ex_1", "plan", "aa"))
    with scratch.evidence.open("a") as file:
        file.write('{"kind": "ended", "order":')

    assert [line.kind for line in read_lines(scratch.evidence)] == ["begun", "step"]
    found = gather(scratch)
    assert (found.acknowledged, found.unfinished) == (1, {"o1"})


def test_no_order_writes_less_than_what_one_is_allowed(scratch):
    """So the allowance is a bound on orders, however fast the machine is."""
    name, execution_id = "01234567-0-1", new_id("ex", 0)
    shortest = (
        Line("begun", name),
        Line("step", name, execution_id, "plan", "0" * 16),
        Line("step", name, execution_id, "charge", f"charged-{name}"),
        Line("step", name, execution_id, "ship", "0" * 16),
        Line("ended", name, execution_id),
    )

    write(scratch, *shortest)

    assert count(scratch) == ORDER_BYTES


def test_a_step_that_was_acknowledged_and_ran_again_is_named(scratch):
    first = Line("step", "o1", "ex_1", "plan", "aa")
    write(scratch, first, first, Line("step", "o1", "ex_1", "plan", "bb"))

    assert gather(scratch).rerun == ["ex_1: plan was acknowledged, and ran again"]


def test_effects_that_happened_twice_or_never_are_named(scratch):
    write(scratch, *(Line("ended", name, f"ex_{name}") for name in ("once", "twice", "never")))
    scratch.world.write_text("once\ntwice\ntwice\nbegun-only\n")

    total, doubled, missing = find_wrong_effects(scratch, gather(scratch))

    assert total == 4
    assert doubled == ["the effect of twice happened 2 times"]
    assert missing == ["the effect of never did not happen"]


def test_nothing_written_is_nothing_acknowledged(scratch):
    found = gather(scratch)

    assert (found.acknowledged, found.unfinished) == (0, set())
    assert find_wrong_effects(scratch, found) == (0, [], [])


def write_order(scratch, number):
    order, execution_id, mark = f"a1b2c3d4-7-{number}", "ex_" + "0" * 26, "0123456789abcdef"
    steps = [Line("step", order, execution_id, step, mark) for step in ("plan", "charge", "ship")]
    write(scratch, Line("begun", order), *steps, Line("ended", order, execution_id))


def test_agents_begin_what_is_allowed_and_about_as_much_as_was_said(scratch):
    assert may_begin(scratch), "nobody bounds them"
    allow(scratch, 20)
    orders = 0
    while may_begin(scratch):
        write_order(scratch, orders)
        orders += 1

    assert 15 <= orders <= 25
    allow(scratch, 1)
    assert may_begin(scratch)
    write_order(scratch, orders)
    write_order(scratch, orders + 1)
    assert not may_begin(scratch)
    assert count(scratch) < (orders + 2) * ORDER_BYTES * 1.25
