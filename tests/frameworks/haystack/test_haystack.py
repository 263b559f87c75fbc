"""Pipelines of Haystack: killed anywhere, they repeat no component, answer or tool that finished."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from haystack import Pipeline
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret

import omium
from omium.adapters.haystack import StepPolicy, export_workflow, instrument, name_nodes
from omium.errors import ConfigError
from omium.spec.check import check_spec
from tests.frameworks.haystack import report
from tests.frameworks.scripted import ask, cached_of, say, usage_of

SCRIPT = Path(report.__file__)
ANSWERS = [say("Otters play."), ask(("c1", "publish", {"title": "Otters"})), say("It is out.")]
RUNS = Counter(draft=2, judge=2, publish=1)
GIVEN = {"draft": {"topic": "otters"}}


def ran(server):
    return Counter((server.folder / "ran.txt").read_text().split())


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_pipeline_that_is_killed_repeats_nothing_that_finished(server, model, monkeypatch, way):
    """Killed in another process, gone on with in this one."""
    script = Path(shutil.copy(SCRIPT, server.folder))
    monkeypatch.chdir(server.folder)
    instrument(report.make_pipeline())
    places = ["nowhere", "draft", "after:writer", "publish", "question:2"] if way == "sync" else ["publish"]
    for place in places:
        (server.folder / "ran.txt").unlink(missing_ok=True)
        model.script, model.requests = list(ANSWERS), []
        code, out, err = server.run(script, way, DIE=place)
        assert code == (0 if place == "nowhere" else -9), (place, out, err)
        execution = server.newest()

        assert omium.resume(execution["id"])["say"] == {"text": "It is out."}, place

        assert len(model.requests) == 3, f"{place}: every answer was paid for once"
        assert usage_of(server, execution["id"]) == (3, 33, 21), place
        assert cached_of(server, execution["id"]) == (9, 3), place
        # Only what was cut off in the middle, before it could return, runs again.
        assert ran(server) - RUNS == (Counter([place]) if place in RUNS else Counter()), place
        detail = server.detail(execution["id"])
        assert detail["status"] == "completed"
        agent = "publishing-agent"
        assert {step["key"] for step in detail["steps"]} == {
            *("draft", "judge", "draft#2", "judge#2", "writer", "ask", "say"),
            *(f"{agent}.{each}" for each in ("model", "publish", "model#2")),
        }


def test_an_error_that_the_model_is_told_reaches_the_inbox_and_is_told_again(server, model, monkeypatch):
    monkeypatch.chdir(server.folder)
    overloaded = (500, "", {"error": {"message": "overloaded"}})
    model.script = [say("Otters."), ask(("c1", "fail", {})), overloaded, say("Closed.")]
    pipeline = instrument(report.make_pipeline(), name="closed")

    with pytest.raises(Exception, match="overloaded"):
        pipeline.run(GIVEN)
    failed = server.newest()
    assert failed["status"] == "failed"

    assert omium.resume(failed["id"])["say"] == {"text": "Closed."}
    assert "the press is closed" in json.dumps(server.get("/v1/failures"))
    assert "the press is closed" in json.dumps(model.requests[-1]["messages"])
    assert ran(server)["fail"] == 1


async def test_inside_a_workflow_of_ones_own_components_are_steps_of_that(server, model, monkeypatch):
    monkeypatch.chdir(server.folder)
    model.script = list(ANSWERS)
    pipeline = instrument(report.make_pipeline(), name="inner")

    @omium.workflow(name="outer")
    async def outer():
        return (await pipeline.run_async(GIVEN, include_outputs_from={"writer"}))["writer"]["replies"]

    replies = await outer()

    assert replies[0].text == "Otters play."
    assert server.newest()["workflow"] == "outer"


def test_a_policy_retries_a_component(server, model):
    model.script = [(500, "", {"error": {"message": "overloaded"}}), say("Fine.")]
    pipeline = Pipeline()
    pipeline.add_component("llm", OpenAIChatGenerator(model="tiny-1", max_retries=0))
    policy = StepPolicy(retry=omium.RetryPolicy(max_attempts=2, initial_delay_s=0, jitter=False))

    outputs = instrument(pipeline, name="again", nodes={"llm": policy}).run(
        {"llm": {"messages": [ChatMessage.from_user("hi")]}}
    )

    assert outputs["llm"]["replies"][0].text == "Fine."


def test_a_policy_of_a_component_that_there_is_not_is_refused(server):
    with pytest.raises(ConfigError, match="no component 'nobody'"):
        instrument(report.make_pipeline(), nodes={"nobody": StepPolicy()})


def test_the_users_pipeline_is_not_changed(server):
    pipeline = report.make_pipeline()
    before = pipeline.to_dict()

    instrument(pipeline)

    assert type(pipeline) is Pipeline
    assert pipeline.to_dict() == before
    assert list(name_nodes(pipeline)) == ["publishing-agent", "ask", "draft", "judge", "say", "writer"]


def test_the_export_is_valid_the_same_everywhere_and_without_secrets(server):
    pipeline = Pipeline()
    secret = Secret.from_token("sk-proj-" + "abcdEFGH1234" * 4)
    pipeline.add_component(
        "llm", OpenAIChatGenerator(api_key=secret, api_base_url="http://me:pw@127.0.0.1/v1")
    )
    leaky = export_workflow(pipeline)
    assert check_spec(leaky).problems == ()
    assert "sk-proj" not in json.dumps(leaky)
    assert "pw@" not in json.dumps(leaky)

    document = export_workflow(instrument(report.make_pipeline()), entrypoint="report.py:report")

    assert check_spec(document).problems == ()
    assert {(edge["from"], edge["to"]) for edge in document["edges"]} == {
        ("draft", "judge"),
        ("judge", "draft"),
        ("judge", "writer"),
        ("writer", "ask"),
        ("ask", "publishing-agent"),
        ("publishing-agent", "say"),
    }
    nodes = {node["id"]: node for node in document["nodes"]}
    assert nodes["judge"]["dynamic"] is True
    assert nodes["writer"]["parameters"]["llm"] == {"provider": "openai", "model": "tiny-1"}
    assert nodes["publishing-agent"]["agent"] == "publishing-agent"
    source = (
        "import json\nfrom tests.frameworks.haystack import report\n"
        "from omium.adapters.haystack import export_workflow\n"
        "print(json.dumps(export_workflow(report.make_pipeline(), entrypoint='report.py:report')))"
    )
    _, out, err = server.run(server.write("export.py", source))
    assert json.loads(out) == json.loads(json.dumps(document)), err
