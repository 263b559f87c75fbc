"""A pipeline as a document: its graph without a run, and after one; a document's policies on a pipeline."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sematic

from omium import Concurrency
from omium.adapters.recorded import StepPolicy
from omium.adapters.sematic import instrument
from omium.adapters.sematic.applying import apply_spec, without_trace
from omium.adapters.sematic.export import export_pipeline
from omium.adapters.sematic.naming import name_nodes
from omium.errors import ConfigError
from omium.spec.check import check_spec, load_spec
from tests.sematic import nested

RAN = []
SECRET = "sk-live-4f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c"
TOP = ["load", "total", "split", "label", "report"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    RAN.clear()


@sematic.func
def leaf(number: int) -> int:
    RAN.append("leaf")
    return number


@sematic.func
def branching(number: int) -> int:
    if number > 1:
        return leaf(number)
    return 0


@sematic.func
def broken(number: int) -> int:
    return 1 // number


@sematic.func
def breaking(number: int) -> int:
    return leaf(broken(number))


@sematic.func
def whole() -> int:
    return branching(2)


@sematic.func(
    cache=True, timeout_mins=2, retry=sematic.RetrySettings(exceptions=(OSError, KeyError), retries=3)
)
def careful(number: int, api_key: str, url: str = f"https://user:{SECRET}@example.org") -> int:
    """Call the service with sk-live-4f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c."""
    return number


@sematic.func
def keyed(number: int, password: str = SECRET) -> int:
    return careful(number, SECRET).set(name="Careful!", tags=["slow"])


def check(document):
    checked = check_spec(document)
    assert (checked.problems, checked.warnings) == ((), ())
    return document


def test_a_pipeline_is_exported_without_running_what_it_calls():
    document = check(export_pipeline(nested.pipeline, entrypoint="nested.py:pipeline"))

    assert not Path("ran.txt").exists()
    assert [node["id"] for node in document["nodes"]] == TOP == list(name_nodes(nested.pipeline))
    assert {(edge["from"], edge["to"]) for edge in document["edges"]} == {
        *(("load", "total"), ("total", "split"), ("split", "label")),
        *(("total", "report"), ("split", "report"), ("label", "report")),
    }
    assert document["runtime"] == {"mode": "native", "entrypoint": "nested.py:pipeline"}
    assert document["inputs"]["properties"] == {"count": {"type": "integer"}}
    assert document["nodes"][-1]["inputs"]["colour"] == {"$from": "nodes.split.output.1"}
    assert document["x-native-because"]


def test_a_trace_runs_the_pipeline_and_shows_what_its_functions_call():
    document = check(export_pipeline(nested.pipeline(2), trace=True))

    assert Path("ran.txt").exists()
    nodes = {node["id"]: node for node in document["nodes"]}
    assert list(nodes) == TOP
    inside = nodes["total"]["body"]
    assert [node["id"] for node in inside["nodes"]] == ["square", "square-2", "add", "halve", "halve-2"]
    assert {"from": "add", "to": "halve"} in inside["edges"]
    assert nodes["total"]["dynamic"] is True
    assert without_trace(document) == export_pipeline(nested.pipeline)


def test_two_processes_export_the_same_bytes():
    source = (
        "import json; from tests.sematic import nested; "
        "from omium.adapters.sematic.export import export_pipeline as e; "
        "print(json.dumps([e(nested.pipeline), e(nested.pipeline(2), trace=True)]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(nested.__file__).parents[2])}
    first, second = (
        subprocess.run(
            [sys.executable, "-c", source],
            env={**environment, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    )

    assert first == second != b""


def test_a_body_that_decides_by_values_is_one_dynamic_node():
    document = check(export_pipeline(branching))

    (node,) = document["nodes"]
    assert (node["id"], node["dynamic"]) == ("branching", True)
    assert any("decides by the values" in reason for reason in document["x-native-because"])
    assert RAN == []


def test_a_trace_shows_what_such_a_body_called():
    document = check(export_pipeline(branching(2), trace=True))

    (node,) = document["nodes"]
    assert [inner["id"] for inner in node["body"]["nodes"]] == ["leaf"]


def test_a_function_that_calls_no_other_is_not_called_for_an_export():
    document = check(export_pipeline(leaf))

    assert [node["id"] for node in document["nodes"]] == ["leaf"]
    assert RAN == []


def test_a_trace_of_a_function_that_needs_arguments_says_what_to_name():
    with pytest.raises(ConfigError, match=r"example = leaf\(\.\.\.\)"):
        export_pipeline(leaf, trace=True)
    check(export_pipeline(whole, trace=True))


def test_a_trace_that_fails_says_in_which_function():
    with pytest.raises(ConfigError, match="traced, in broken: ZeroDivisionError"):
        export_pipeline(breaking(0), trace=True)


def test_a_functions_own_settings_are_in_the_document():
    (node,) = check(export_pipeline(keyed))["nodes"]

    assert node["retry"]["max_attempts"] == 4
    assert node["retry"]["retry_on"] == ["OSError", "KeyError"]
    assert (node["timeout_s"], node["cache"]) == (120, {"enabled": True})
    assert (node["name"], node["x-tags"]) == ("Careful!", ["slow"])


def test_no_secret_is_exported():
    for document in (export_pipeline(keyed), export_pipeline(keyed(1), trace=True)):
        text = json.dumps(check(document))
        assert SECRET not in text
        assert "user:" not in text


def test_policies_of_an_instrumented_pipeline_are_in_its_document():
    nodes = {
        "split": StepPolicy(
            retry=5,
            timeout_s=7,
            breaker="disk",
            concurrency=Concurrency("disk", 2),
            effect=True,
            output_schema={"type": "array"},
        ),
        "load": StepPolicy(record=False),
    }
    document = check(export_pipeline(instrument(nested.pipeline, name="nightly", nodes=nodes)))

    split = next(node for node in document["nodes"] if node["id"] == "split")
    assert (split["retry"]["max_attempts"], split["timeout_s"]) == (5, 7)
    assert (split["breaker"], split["effect"], document["breakers"]) == ("disk", True, {"disk": {}})
    assert split["concurrency"] == {"key": "disk", "limit": 2}
    assert split["checkpoint"] == {"payload": {"type": "array"}}
    load = next(node for node in document["nodes"] if node["id"] == "load")
    assert load["checkpoint"] == {"enabled": False}
    assert document["name"] == "nightly"


def test_a_documents_policies_are_put_on_the_pipeline_and_exported_again():
    document = export_pipeline(nested.pipeline(2), trace=True)
    document["nodes"][0]["retry"] = {"max_attempts": 2, "initial_delay_s": 0}
    document["nodes"][0]["checkpoint"] = {"enabled": False}
    document["nodes"][1]["body"]["nodes"][0] |= {
        "timeout_s": 9,
        "concurrency": {"key": "cpu", "limit": 2},
        "checkpoint": {"payload": {"type": "number"}},
    }

    applied = apply_spec(nested.pipeline, load_spec(document))

    assert applied.function is nested.pipeline
    assert applied.policies.keys() == {"load", "total/square"}
    square = applied.policies["total/square"]
    assert (square.timeout_s, square.concurrency) == (9, Concurrency("cpu", 2))
    assert (applied.policies["load"].record, square.output_schema) == (False, {"type": "number"})
    assert export_pipeline(applied)["nodes"][0]["retry"]["max_attempts"] == 2


def test_a_document_cannot_change_what_a_pipeline_calls():
    document = export_pipeline(nested.pipeline)
    document["nodes"][0]["id"] = "fetch"
    document["edges"][0]["from"] = "fetch"
    document["nodes"][1]["inputs"] = {}

    with pytest.raises(ConfigError, match="do not agree on fetch, load"):
        apply_spec(nested.pipeline, load_spec(document))


def test_what_a_pipeline_cannot_follow_is_refused():
    document = export_pipeline(branching)
    document["nodes"][0]["checkpoint"] = {"enabled": False}

    with pytest.raises(ConfigError, match="branching is the pipeline's own function, which is no step"):
        apply_spec(branching, load_spec(document))

    document = export_pipeline(nested.pipeline)
    document["nodes"][0] |= {"effect": True, "checkpoint": {"enabled": False}}
    with pytest.raises(ConfigError, match="load: an effect is always recorded"):
        apply_spec(nested.pipeline, load_spec(document))
