"""Every benchmark runs, says what it found as JSON, and has its place in docs/benchmarks.md.

At tiny sizes and with nobody beside: the figures mean nothing here.
"""

import os
import subprocess
import sys

import pytest

from benchmarks import page
from benchmarks.__main__ import MODULES
from benchmarks.processes import ROOT
from benchmarks.rows import Figure, Goal, Row, read_rows, show_verdict, write_rows
from tests.postgres import find_binaries

SHARED = {"load", "page", "postgres", "processes", "rows", "slow_disk", "workflows"}
NEEDS_POSTGRES = {"postgres_against_sqlite"}
TIMEOUT_S = 110


def plain_environment() -> dict[str, str]:
    """Return our environment without coverage, which would be measured in place of what is."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}


def test_every_module_with_figures_is_in_the_list():
    files = {path.stem for path in (ROOT / "benchmarks").glob("*.py") if not path.stem.startswith("__")}

    assert files - SHARED == set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_yields_rows_that_are_in_the_page(module):
    if module in NEEDS_POSTGRES and find_binaries() is None:
        pytest.skip("PostgreSQL's server programs are not installed")
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", "--quick", "--json"],
        cwd=ROOT,
        env=plain_environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    rows = read_rows(done.stdout)
    written = (ROOT / "docs" / "benchmarks.md").read_text()
    for row in rows:
        assert f"`{row.name}`" in written, "run: make bench"
        assert row.figures[0].value is not None
        assert row.goals
        assert row.bound_by


def test_rows_come_back_from_their_json():
    row = make_row(Goal("share", 0.5, 0.4, at_least=True))

    assert read_rows(write_rows([row])) == [row]


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        (Goal("share", 0.5, 0.4, at_least=True), "met"),
        (Goal("share", 0.3, 0.4, at_least=True), "25% short"),
        (Goal("start", 1.0, 1.0), "met"),
        (Goal("start", 1.5, 1.0), "50% over"),
        (Goal("start", None, 1.0), "not measured"),
    ],
)
def test_a_goal_is_met_or_tells_how_far_it_is(goal, verdict):
    assert show_verdict(goal) == verdict


def test_the_page_names_who_is_missing_and_marks_what_is_not_met():
    text = page.make_page(
        [make_row(Goal("share", 0.3, 0.4, at_least=True))],
        3,
        "A machine.",
        "Before.\n<!-- table -->\nAfter.",
        {},
    )

    assert "peer: not installed: make bench-peers" in text
    assert "**25% short**" in text
    assert "0 of 1 goals are met" in text
    assert text.startswith("Before.")
    assert text.endswith("After.\n")


def test_a_row_that_misses_its_goal_has_three_lines_about_that():
    row = make_row(Goal("share", 0.3, 0.4, at_least=True))
    text = page.make_page([row], 3, "A machine.", "<!-- table -->", {"some_row": "more of it"})

    assert "- Tried: more of it.\n" in text
    assert "- Bounded by: the CPU; a remark.\n" in text
    assert "- How far: share: 0.30, goal ≥ 0.4, 25% short.\n" in text


def test_rows_that_reach_their_goals_need_no_more_words():
    text = page.make_page([make_row(Goal("start", 1.0, 1.0))], 3, "A machine.", "<!-- table -->", {})

    assert "Tried" not in text


def test_every_row_that_the_page_says_is_away_from_its_goal_says_what_was_tried():
    written = page.PAGE.read_text()
    rows = [line for line in written.splitlines() if line.startswith("| ") and "**" in line]
    short = {line.partition("<br>`")[2].partition("`")[0] for line in rows}

    assert short <= page.read_tried().keys(), "tell it in benchmarks/tried.md"


def test_the_machine_is_told_without_a_name():
    told = page.describe_machine()

    assert os.uname().nodename not in told
    assert "cores" in told


def make_row(goal: Goal) -> Row:
    """Return a row with one peer that is missing."""
    figures = [Figure("Omium", 3.0, 2.0, 4.0), Figure("peer", None, why="not installed: make bench-peers")]
    return Row("some_row", "what", "steps/s", figures, [goal], "the CPU", ["a remark"])
