"""The documentation's tables name each setting, error code, event, metric, scope and exit code; no others."""

import re
from dataclasses import fields

import pytest

from omium.cli import ending
from omium.errors import problem_classes
from omium.models.account import Retention
from omium.server.engine.transitions import FOLDED
from omium.server.routes.keys import DEFAULT_SCOPES
from omium.server.settings import ServerSettings
from omium.states import EventType, Scope
from tests.crewai.test_crash import MATRIX
from tests.docs.pages import ROOT

CLI = (ROOT / "docs" / "cli.md").read_text()
ERRORS = (ROOT / "docs" / "errors.md").read_text()
EVENTS = (ROOT / "docs" / "events.md").read_text()
FAILURES = (ROOT / "docs" / "failures.md").read_text()
KEYS = (ROOT / "docs" / "keys.md").read_text()
LANGGRAPH = (ROOT / "docs" / "langgraph.md").read_text()
CREWAI = (ROOT / "docs" / "crewai.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


@pytest.mark.parametrize("code", sorted(problem_classes()))
def test_every_code_has_a_heading_that_names_its_status(code):
    problem = problem_classes()[code]
    section = re.search(rf"^### {re.escape(code)}\n\n(.+?)(?=\n##|\Z)", ERRORS, re.MULTILINE | re.DOTALL)

    assert section is not None
    assert section[1].startswith(f"{problem.status}. ") or code == "unknown-problem"


def test_every_heading_is_a_code():
    assert set(re.findall(r"^### (.+)$", ERRORS, re.MULTILINE)) == problem_classes().keys()


@pytest.mark.parametrize("setting", [field.name for field in fields(ServerSettings)])
def test_every_setting_has_a_row_with_its_sentence(setting):
    field = next(field for field in fields(ServerSettings) if field.name == setting)
    row = re.search(rf"^\| `{field.metadata['variable']}` \|(.+)$", OPERATIONS, re.MULTILINE)

    assert row is not None
    assert field.metadata["description"] in row[1]


def test_every_event_has_a_row_and_every_row_is_an_event():
    rows = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| [A-Z].+\. \|$", EVENTS, re.MULTILINE)

    assert sorted(rows) == sorted(event.value for event in EventType)


def test_what_every_event_may_carry_is_named():
    assert [name for name in FOLDED if f"`{name}`" not in EVENTS] == []


def test_every_metric_has_a_row_with_its_kind():
    rows = dict(
        re.findall(r"^\| `(omium_[a-z_]+)` \| (counter|gauge|histogram) \|", OPERATIONS, re.MULTILINE)
    )
    sources = "".join(path.read_text() for path in (ROOT / "omium" / "server").rglob("*.py"))
    kinds = {"gauge": "gauge", "set_gauges": "gauge", "HistogramMetricFamily": "histogram"}
    made = re.findall(r"(\w+)\(\s*\"(omium_[a-z_]+)\"", sources)

    assert rows == {
        name if call in kinds else f"{name}_total": kinds.get(call, "counter") for call, name in made
    }


def test_every_exit_code_is_named():
    codes = {value for name, value in vars(ending).items() if name.isupper() and isinstance(value, int)}
    paragraph = re.search(r"^\*\*Exit codes\.\*\* (.+?)\n\n", CLI, re.MULTILINE | re.DOTALL)

    assert {int(code) for code in re.findall(r"\b(\d+):", paragraph[1])} == codes


def test_every_scope_has_a_row_that_says_whether_it_is_usual():
    rows = re.findall(r"^\| `([a-z]+)` \| (yes)? ?\| ", KEYS, re.MULTILINE)

    assert dict(rows) == {scope.value: "yes" if scope in DEFAULT_SCOPES else "" for scope in Scope}


def test_how_long_executions_are_kept_is_what_holds():
    days = Retention()

    assert days.completed_days == days.cancelled_days
    kept = f"kept {days.completed_days} days after their end, failed ones {days.failed_days}"
    assert kept in OPERATIONS.replace("\n", " ")
    assert f"{days.failed_days} days after a failed execution" in FAILURES.replace("\n", " ")


def test_the_lines_of_langgraph_that_are_named_are_those_that_are_tested():
    makefile = (ROOT / "Makefile").read_text()
    older = re.search(r"^LINES := (.+)$", makefile, re.MULTILINE)[1].split()
    locked = (ROOT / "requirements" / "dev.txt").read_text()
    newest = re.search(r"^langgraph==(\d+\.\d+)", locked, re.MULTILINE)[1]

    assert f"tested with LangGraph {', '.join(older)} and {newest}" in LANGGRAPH


def test_the_versions_of_crewai_that_are_named_are_those_that_are_tested():
    makefile = (ROOT / "Makefile").read_text()
    oldest = re.search(r"^CREWAI_LINES := (.+)$", makefile, re.MULTILINE)[1]
    locked = (ROOT / "requirements" / "crewai.txt").read_text()
    newest = re.search(r"^crewai==(\S+)", locked, re.MULTILINE)[1]

    assert f"tested with CrewAI {oldest} and {newest}" in CREWAI


def test_crews_are_killed_as_often_as_is_said():
    deaths = sum(len(whole) for _, whole in MATRIX.values())

    assert f"with SIGKILL {deaths} times" in CREWAI
