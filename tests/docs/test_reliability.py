"""docs/reliability.md says what the gates in tests/faults have shown, and leaves none of them out."""

import importlib.util
import json
import sys

import pytest

from tests.docs.pages import ROOT

_spec = importlib.util.spec_from_file_location("reliability", ROOT / "tools" / "generate_reliability.py")
assert _spec is not None
assert _spec.loader is not None
reliability = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = reliability  # where dataclasses look for their module
_spec.loader.exec_module(reliability)

RECORD = json.loads(reliability.RECORD.read_text("utf-8"))


def test_the_page_is_written_from_the_record():
    written = reliability.PAGE.read_text("utf-8")

    assert reliability.make_page(RECORD) == written, "run: python tools/generate_reliability.py"


@pytest.mark.parametrize(("marker", "entries"), [("gate", "gates"), ("planted", "planted")])
def test_every_gate_is_in_the_record_and_nothing_else(marker, entries):
    known = [entry["test"] for entry in RECORD[entries]]

    assert known == sorted(test for test, _ in reliability.list_marked(marker)), (
        "run: python tools/generate_reliability.py, better: make torture PYTEST_ARGS='-k THE_NEW_TEST'"
    )


def test_every_planted_bug_names_a_gate():
    gates = {test.rpartition("::")[2] for test, _ in reliability.list_marked("gate")}

    for entry in RECORD["planted"]:
        assert entry["gate"] in gates, entry["test"]


def test_the_record_says_nothing_was_lost_and_nothing_of_a_machine():
    tried = [entry for entry in RECORD["gates"] if entry["form"] != "none"]
    assert [entry["test"] for entry in tried if entry["lost"] or not entry["tried"]] == []
    text = json.dumps(RECORD)
    assert not any(place in text for place in ("/tmp", "/home", "/root", "127.0.0.1"))
