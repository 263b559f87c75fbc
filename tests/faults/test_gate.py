"""The frame itself: a gate that counts wrong would promise anything."""

import json

import pytest

from tests.faults.gate import Gate


def make_gate(**chosen):
    return Gate(
        "tests/faults/test_x.py::test_it_holds",
        promise="It holds.",
        fault="A push.",
        **({"seed": 1} | chosen),
    )


def test_a_gate_that_lost_something_fails_and_says_how_to_see_it_again():
    gate = make_gate(rerun="Again: pytest --seed 1")
    for number in gate.each(short=3, long=100, what="pushes"):
        gate.lost(number == 1, "the second one")

    with pytest.raises(
        AssertionError, match=r"1 lost in 3 pushes:\n  the second one\nAgain: pytest --seed 1"
    ):
        gate.conclude()


def test_a_gate_that_tried_nothing_fails():
    with pytest.raises(AssertionError, match="tried nothing"):
        make_gate().conclude()


def test_a_planted_bug_that_nobody_notices_fails():
    trial = make_gate(bug="it falls")
    assert sum(1 for _ in trial.each(short=3, long=100, what="pushes")) == 3
    with pytest.raises(AssertionError, match="blind"):
        trial.conclude()


def test_a_planted_bug_is_caught_once_and_that_is_enough():
    trial = make_gate(bug="it falls")
    for _ in trial.each(short=3, long=100, what="pushes"):
        trial.lost(1)
    trial.conclude()
    assert trial.count == 1


@pytest.mark.parametrize(("torture", "scale", "rounds"), [(False, 1, 3), (True, 1, 100), (True, 0.001, 3)])
def test_the_form_decides_how_often(torture, scale, rounds):
    assert make_gate(torture=torture, scale=scale).rounds(short=3, long=100) == rounds


def test_the_same_seed_makes_the_same_choices():
    assert make_gate().random.random() == make_gate().random.random() != make_gate(seed=2).random.random()


def test_a_report_says_what_was_tried_and_lost(tmp_path):
    gate = make_gate()
    gate.tried(60, "kills")
    gate.figure("ready again", 0.5, "s")
    gate.figure("ready again", 0.4, "s")

    path = gate.write_report(tmp_path / "reports", passed=True, seconds=1.23)

    assert path.name == "test_x-py--test_it_holds.json"
    report = json.loads(path.read_text())
    assert report["tried"] == 60
    assert report["figures"] == {"ready again": [0.5, "s"]}
    assert (report["lost"], report["passed"], report["form"]) == (0, True, "short")
