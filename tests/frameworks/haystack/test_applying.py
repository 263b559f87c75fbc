"""An edited spec's policies hold for the components of a pipeline; what has no place is refused."""

import asyncio
from types import ModuleType

import pytest
from haystack import Pipeline, component
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.core.errors import PipelineRuntimeError
from haystack.dataclasses import ChatMessage

import omium
from omium import Concurrency
from omium.adapters.haystack import StepPolicy, apply_spec, export_workflow, instrument
from omium.adapters.native import adopt
from omium.errors import ConfigError, OutputInvalid
from omium.sdk.registry import PinnedVersion
from omium.spec.check import load_spec
from tests.frameworks.haystack import report
from tests.frameworks.scripted import ask, say

AT_ONCE = {"max_attempts": 2, "initial_delay_s": 0, "jitter": False}
AWAY = (500, "", {"error": {"message": "overloaded"}})


@component
class Flaky:
    """Fails the first `failing` times, or hangs where it is awaited."""

    def __init__(self, failing=0, hanging=0):
        self.failing, self.hanging, self.tries = failing, hanging, 0

    @component.output_types(text=str)
    def run(self, text: str):
        self.tries += 1
        if self.tries <= self.failing:
            raise ConnectionError("away")
        return {"text": text}

    @component.output_types(text=str)
    async def run_async(self, text: str):
        self.tries += 1
        if self.tries <= self.hanging:
            await asyncio.Event().wait()
        return {"text": text}


def make_pipeline(**first):
    pipeline = Pipeline(metadata={"name": "two"})
    pipeline.add_component("first", Flaky(**first))
    pipeline.add_component("second", Flaky(failing=1))
    pipeline.connect("first.text", "second.text")
    return pipeline


def edited(pipeline, /, **nodes):
    document = export_workflow(pipeline)
    for node in document["nodes"]:
        node.update(nodes.pop(node["id"].replace("-", "_"), {}))
    assert not nodes
    return load_spec(document)


def given(text="hi"):
    return {"first": {"text": text}}


def test_a_retry_of_the_spec_holds_for_its_component_and_no_other(server):
    pipeline = make_pipeline(failing=1)
    first, second = (pipeline.get_component(name) for name in ("first", "second"))

    durable = instrument(apply_spec(pipeline, edited(pipeline, first={"retry": AT_ONCE})))
    with pytest.raises(PipelineRuntimeError, match="away"):
        durable.run(given())

    assert (first.tries, second.tries) == (2, 1)
    newest = server.newest()
    assert (newest["workflow"], newest["status"]) == ("two", "failed")


def test_rules_of_a_retry_judge_what_the_component_raised(server):
    retry = {**AT_ONCE, "retry_on": ["ConnectionError"]}
    others = {**AT_ONCE, "retry_on": ["ValueError"]}
    followed, not_followed = make_pipeline(), make_pipeline()

    durable = instrument(apply_spec(followed, edited(followed, second={"retry": retry})), name="one")
    assert durable.run(given())["second"] == {"text": "hi"}

    durable = instrument(
        apply_spec(not_followed, edited(not_followed, second={"retry": others})), name="other"
    )
    with pytest.raises(PipelineRuntimeError, match="Component name: 'second'") as caught:
        durable.run(given())
    assert type(caught.value.__cause__) is ConnectionError
    assert not_followed.get_component("second").tries == 1


async def test_a_time_limit_of_the_spec_ends_a_try(server):
    pipeline = make_pipeline(hanging=1)
    policy = {"timeout_s": 0.3, "retry": AT_ONCE}

    durable = instrument(apply_spec(pipeline, edited(pipeline, first=policy)))

    assert (await durable.run_async(given()))["second"] == {"text": "hi"}
    assert pipeline.get_component("first").tries == 2


def test_a_retry_of_an_agent_holds_for_the_answers_of_its_model(server, model, monkeypatch):
    monkeypatch.chdir(server.folder)
    pipeline = report.make_pipeline()
    model.script = [say("Otters."), AWAY, say("It is out.")]

    durable = instrument(apply_spec(pipeline, edited(pipeline, publishing_agent={"retry": AT_ONCE})))

    assert durable.run({"draft": {"topic": "otters"}})["say"] == {"text": "It is out."}


def test_what_instrument_was_given_stays_but_for_what_the_spec_says(server):
    nodes = {"first": StepPolicy(breaker="own", effect=True), "second": StepPolicy(retry=4)}
    mine = instrument(make_pipeline(), nodes=nodes, breaker="all", takeover="auto")

    spec = edited(
        mine, first={"timeout_s": 2.0, "effect": "idempotent", "concurrency": {"key": "k", "limit": 2}}
    )
    again = instrument(apply_spec(mine, spec), name="again").applied

    assert again.policies["first"] == StepPolicy(
        timeout_s=2.0, breaker="own", concurrency=Concurrency("k", 2), effect="idempotent"
    )
    assert again.policies["second"] == StepPolicy(retry=4)
    assert again.default == StepPolicy(breaker="all")
    assert again.terms["takeover"] == "auto"
    assert mine.applied.policies == nodes


def test_a_component_without_a_checkpoint_runs_again_on_resume(server):
    pipeline = make_pipeline()
    first = pipeline.get_component("first")

    durable = instrument(apply_spec(pipeline, edited(pipeline, first={"checkpoint": {"enabled": False}})))
    with pytest.raises(PipelineRuntimeError, match="second"):
        durable.run(given())

    assert omium.resume(server.newest()["id"])["second"] == {"text": "hi"}
    assert (first.tries, pipeline.get_component("second").tries) == (2, 2)


def test_an_output_that_is_not_as_the_checkpoint_asks_fails_its_component(server):
    pipeline = make_pipeline()
    schema = {"type": "object", "properties": {"text": {"maxLength": 5}}}
    policy = {"checkpoint": {"payload": schema}, "retry": AT_ONCE}

    durable = instrument(apply_spec(pipeline, edited(pipeline, first=policy)))
    with pytest.raises(OutputInvalid, match=r"step first .*: /text: "):
        durable.run(given("far too long"))

    assert [pipeline.get_component(name).tries for name in ("first", "second")] == [1, 0]
    assert server.newest()["status"] == "failed"


def test_a_checkpoint_of_an_agent_holds_for_the_answers_of_its_model(server, model, monkeypatch):
    monkeypatch.chdir(server.folder)
    pipeline = report.make_pipeline()
    model.script = [say("Otters."), ask(("c1", "publish", {"title": "Otters"})), AWAY]

    spec = edited(pipeline, publishing_agent={"checkpoint": {"enabled": False}})
    durable = instrument(apply_spec(pipeline, spec))
    with pytest.raises(PipelineRuntimeError):
        durable.run({"draft": {"topic": "otters"}})
    model.script = [ask(("c1", "publish", {"title": "Otters"})), say("It is out.")]

    assert omium.resume(server.newest()["id"])["say"] == {"text": "It is out."}
    assert model.script == [], "its first answer was asked for again"


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda at: at["publishing-agent"].update(timeout_s=3), "publishing-agent has a time limit"),
        (lambda at: at["publishing-agent"].update(effect=True), "publishing-agent has an effect"),
        (
            lambda at: at["writer"]["parameters"]["llm"].update(model="other"),
            "the node writer cannot be given",
        ),
        (lambda at: at["draft"].update(join="any"), "draft cannot be given another join"),
        (lambda at: at["edges"].pop(), "is in the code that is served here, and not in that version"),
        (lambda at: at["agents"]["publishing-agent"].update(goal="Sell."), "cannot be given another goal"),
        (lambda at: at["runtime"].update(mode="engine"), "/runtime/mode is engine"),
    ],
)
def test_what_a_pipeline_cannot_follow_is_refused(edit, sentence):
    pipeline = report.make_pipeline()
    document = export_workflow(pipeline)
    parts = {name: document[name] for name in ("edges", "agents", "runtime")}
    edit({**parts, **{node["id"]: node for node in document["nodes"]}})
    if document["runtime"]["mode"] == "engine":
        spec = load_spec(export_workflow(pipeline))
        spec = spec.model_copy(update={"runtime": spec.runtime.model_copy(update={"mode": "engine"})})
    else:
        spec = load_spec(document)

    with pytest.raises(ConfigError, match=sentence):
        apply_spec(pipeline, spec)


def test_a_worker_makes_the_version_that_an_execution_is_pinned_to(server, model):
    module = ModuleType("flows")
    module.pipeline = Pipeline(metadata={"name": "ask"})
    module.pipeline.add_component("llm", OpenAIChatGenerator(model="tiny-1", max_retries=0))
    (served,) = adopt("flows.py:pipeline", module, module.pipeline).values()
    document = export_workflow(module.pipeline, entrypoint="flows.py:pipeline")
    document["nodes"][0]["retry"] = AT_ONCE
    model.script = [AWAY, say("Fine."), AWAY]

    made = served.versions.make(PinnedVersion("ask", 2, "digest", document))

    @omium.workflow(name="asking", ignore=["work"])
    def asking(work):
        return work(llm={"messages": [ChatMessage.from_user("hi")]})["llm"]["replies"][0].text

    assert asking(made.function) == "Fine."
    with pytest.raises(PipelineRuntimeError, match="overloaded"):  # the object itself is as it was
        asking(served.function)
