"""docs/frameworks.md says of each framework what a test shows."""

import importlib.util
import sys

from tests.docs.pages import ROOT

_spec = importlib.util.spec_from_file_location("frameworks", ROOT / "tools" / "generate_frameworks.py")
assert _spec is not None
assert _spec.loader is not None
frameworks = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = frameworks  # where dataclasses look for their module
_spec.loader.exec_module(frameworks)

RECORD = frameworks.read_record()


def test_the_page_is_written_from_the_record():
    written = frameworks.PAGE.read_text("utf-8")

    assert frameworks.make_page(RECORD) == written, "run: python tools/generate_frameworks.py"


def test_every_line_names_a_test_that_is_there_and_is_run():
    assert list(frameworks.list_unproven(RECORD)) == []


def test_every_framework_is_captured_resumed_and_exported_and_has_its_page():
    for framework in RECORD:
        assert [kind for kind in frameworks.KINDS if not framework.lines[kind]] == [], framework.title
        assert (ROOT / "docs" / framework.page).is_file()
        target = framework.tests.removeprefix("make ")
        assert f"\n{target}:" in (ROOT / "Makefile").read_text("utf-8")


def test_what_is_told_has_an_adapter():
    folders = {each.parent.name for each in (ROOT / "omium" / "adapters").glob("*/__init__.py")}
    known = {framework.key for framework in RECORD}

    assert {"crew" if key == "crewai" else key for key in known} <= folders


def test_a_line_whose_test_is_missing_or_skipped_is_told(tmp_path, monkeypatch):
    (tmp_path / "test_it.py").write_text("@pytest.mark.skip\ndef test_one(): ...\n")
    monkeypatch.setattr(frameworks, "ROOT", tmp_path)
    lines = tuple(frameworks.Line("x", f"test_it.py::{name}") for name in ("test_one", "test_two"))
    told = frameworks.Framework(
        "a", "A", "a.md", "make a", {"captured": lines, "resumed": (), "exported": ()}
    )

    assert list(frameworks.list_unproven([told])) == [
        "a, captured: test_it.py::test_one is skipped or expected to fail.",
        "a, captured: there is no test test_it.py::test_two.",
    ]
