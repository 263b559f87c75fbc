"""Evidence: what was acknowledged is read back whole, and what contradicts it is named."""

import pytest

from omium.testing.evidence import Line, Notebook, find_wrong_effects, gather, read_lines
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
