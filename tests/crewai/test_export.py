"""Every kind of crew and flow exports as a valid workflow, the same everywhere, and says who runs it."""

import hashlib
import os
import subprocess
import sys

import pytest

from omium.adapters.crew.export import export_workflow
from omium.errors import ConfigError
from omium.jsonvalue import json_bytes
from omium.spec.check import check_spec
from tests.crewai.kinds import CREWS, ENGINE, FLOWS, make_agent, make_task, pair, plain

ALL = {**CREWS, **FLOWS}


@pytest.mark.parametrize("kind", ALL)
def test_every_kind_is_a_valid_workflow(kind):
    document = export_workflow(ALL[kind](), entrypoint=f"crew.py:{kind}")

    checked = check_spec(document)
    assert checked.problems == ()
    assert checked.warnings == ()
    assert document["source_framework"] == "crewai"
    assert document["runtime"]["entrypoint"] == f"crew.py:{kind}"
    native = document["runtime"]["mode"] == "native"
    assert native == bool(document.get("x-native-because"))
    if kind in CREWS:
        assert native == (kind not in ENGINE)


def test_there_are_more_than_twenty_kinds():
    assert len(ALL) > 20


@pytest.mark.parametrize("kind", ENGINE)
def test_what_the_engine_runs_can_be_exported_for_crewai_too(kind):
    document = export_workflow(CREWS[kind](), mode="native")

    assert check_spec(document).problems == ()
    assert document["runtime"] == {"mode": "native"}
    assert len(document["x-native-because"]) == 1


def test_what_only_crewai_runs_is_refused_for_the_engine_with_the_reasons():
    with pytest.raises(ConfigError, match="The task write asks a person"):
        export_workflow(CREWS["human_input"](), mode="engine")


_DIGESTS = """
import hashlib, sys, tests.crewai.conftest
from omium.adapters.crew.export import export_workflow
from omium.jsonvalue import json_bytes
from tests.crewai.kinds import CREWS, FLOWS
for make in (*CREWS.values(), *FLOWS.values()):
    print(hashlib.sha256(json_bytes(export_workflow(make()))).hexdigest())
"""


def test_another_process_writes_the_same_bytes():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _DIGESTS],
        env={**os.environ, "PYTHONHASHSEED": "17"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )

    here = [hashlib.sha256(json_bytes(export_workflow(make()))).hexdigest() for make in ALL.values()]
    assert done.stdout.split() == here


def test_a_callback_of_a_class_is_shown_as_the_users_own_method():
    document = export_workflow(CREWS["crew_base_object"]())

    (shown,) = document["x-crewai"]["before_kickoff_callbacks"]
    assert shown["ref"] == "tests.crewai.kinds:PreparedNewsroom.prepare"
    assert document["inputs"] == {"type": "object", "properties": {"topic": {}}}
    assert document["x-native-because"] == ["The crew has callbacks before it begins."]


def test_a_kickoff_before_changes_nothing_in_the_document():
    crew = plain()
    before = json_bytes(export_workflow(crew))

    crew._interpolate_inputs({"topic": "tea"})

    assert crew.tasks[0].description == "Find facts on tea"
    assert json_bytes(export_workflow(crew)) == before


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "papers"),
        ({"name": "mine"}, "mine"),
        ({"entrypoint": "crew.py:other"}, "papers"),
    ],
)
def test_a_workflow_is_called_as_the_crew_or_as_asked(given, name):
    assert export_workflow(plain(), **given)["name"] == name


def test_a_crew_without_a_name_is_called_as_its_module_calls_it():
    assert export_workflow(pair(), entrypoint="crew.py:reports")["name"] == "reports"
    assert export_workflow(pair())["name"] == "crew"


@pytest.mark.parametrize("other", [None, "crew", 3, object(), print, make_agent, ENGINE])
def test_what_is_no_crew_is_refused_with_a_sentence(other):
    with pytest.raises(ConfigError, match="neither a crew nor a flow"):
        export_workflow(other)


def test_an_async_factory_is_refused_with_a_sentence():
    async def make():
        return plain()

    with pytest.raises(ConfigError, match="is async"):
        export_workflow(make)


def test_ids_are_the_tasks_names_or_the_roles_of_their_agents():
    names = ["write", "Write the report!", "write", None, None, "日本"]
    crew = pair()
    for task, name in zip(crew.tasks, names, strict=False):
        task.name = name
    agents = [make_agent("Senior {topic} Analyst"), make_agent("Überprüfer")]
    crew.tasks += [make_task(name="write", agent=agents[0]), *(make_task(agent=each) for each in agents)]
    crew.tasks.append(make_task(name="日本", agent=agents[0]))

    document = export_workflow(crew, mode="native")

    assert [node["id"] for node in document["nodes"]] == [
        "write",
        "write-the-report",
        "write-2",
        "senior-topic-analyst",
        "uberprufer",
        "task",
    ]
    assert document["nodes"][1]["name"] == "Write the report!"
