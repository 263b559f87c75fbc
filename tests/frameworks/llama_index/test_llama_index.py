"""Workflows of LlamaIndex: killed anywhere, they repeat no step that finished, and keep their order."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from workflows import Context, Workflow, step
from workflows.events import HumanResponseEvent, InputRequiredEvent, StartEvent, StepFailedEvent, StopEvent
from workflows.retry_policy import retry_policy, stop_after_attempt, wait_fixed

import omium
from omium.adapters.llama_index import StepPolicy, export_workflow, instrument, name_nodes
from omium.errors import ConfigError, Unserialisable
from omium.spec.check import check_spec
from tests.frameworks.llama_index import study
from tests.frameworks.scripted import usage_of

try:
    from workflows.decorators import catch_error
except ImportError:
    from workflows import catch_error

SCRIPT = Path(study.__file__)
POLISHED = ["polish-0.0", "polish-0.1", "polish-1.0"]
RUNS = Counter(["plan", "answer-0", "answer-1", "answer-2", "gather", *POLISHED, "publish"])
OUTPUT = {"text": "otters 2, otters 1, otters 0.!", "counted": 3, "polished": 2}


def is_ready():
    return Path("ready").exists()


def in_any_order(output):
    """What a study says, whichever of its answers was the first: a slow machine may turn them round."""
    return {**output, "text": sorted(output["text"].rstrip(".!").split(", "))}


def ran(server):
    return Counter((server.folder / "ran.txt").read_text().split())


@pytest.mark.parametrize(
    "place", ["nowhere", "plan:sent", "answer-0", "answer-1", "gather", "polish-0.1", "publish"]
)
def test_a_workflow_that_is_killed_repeats_nothing_that_finished(server, monkeypatch, place):
    """Killed in another process, gone on with in this one."""
    script = Path(shutil.copy(SCRIPT, server.folder))
    monkeypatch.chdir(server.folder)
    instrument(study.study)
    code, out, err = server.run(script, "otters", DIE=place)
    assert code == (0 if place == "nowhere" else -9), (out, err)
    execution = server.newest()

    before, steps = ran(server), execution["steps"]

    assert in_any_order(omium.resume(execution["id"])) == in_any_order(OUTPUT)

    # What was cut off in the middle, before it could return, runs again, and nothing else.
    again = Counter()
    for name in ("plan", "answer", "polish", "publish"):
        begun = sum(count for line, count in before.items() if line.startswith(name))
        again[name] = begun - sum(each["name"] == name and each["status"] == "completed" for each in steps)
    more = Counter(line.partition("-")[0] for line in (ran(server) - RUNS).elements() if line != "gather")
    assert more == +again
    assert ran(server)["gather"] == (2 if place == "gather" else 1)
    assert server.detail(execution["id"])["status"] == "completed"


class Told(InputRequiredEvent):
    question: str


class Reply(HumanResponseEvent):
    words: str


class Asking(Workflow):
    """Asks twice: with an event that it returns, and with one that it waits for."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Told:
        study.ran("begin")
        return Told(question="Which?")

    @step
    async def go_on(self, ctx: Context, ev: Reply) -> StopEvent:
        more = await ctx.wait_for_event(
            HumanResponseEvent, waiter_event=InputRequiredEvent(question="Sure?"), waiter_id="sure"
        )
        study.ran("go-on")
        if not is_ready():
            raise ConnectionError("not ready")
        return StopEvent(result=f"{ev.words} {more.words}")


def test_what_is_sent_from_outside_comes_where_it_came(server, monkeypatch):
    monkeypatch.chdir(server.folder)
    durable = instrument(Asking(timeout=60), name="asking")
    asked = []

    @omium.step
    def answer(question):
        asked.append(question)
        return {"Which?": Reply(words="This"), "Sure?": HumanResponseEvent(words="one.")}[
            question
        ].model_dump()

    @omium.workflow(name="conversation")
    async def conversation():
        handler = durable.workflow.run()
        async for event in handler.stream_events():
            if isinstance(event, InputRequiredEvent):
                told = answer(event.question)
                words = told.get("words") or told["_data"]["words"]
                kind = Reply if event.question == "Which?" else HumanResponseEvent
                handler.ctx.send_event(kind(words=words))
        return await handler

    with pytest.raises(ConnectionError):
        study.asyncio.run(conversation())
    failed = server.newest()
    assert ran(server) == Counter(["begin", "go-on"])
    Path("ready").touch()

    assert omium.resume(failed["id"]) == "This one."

    assert ran(server) == Counter({"begin": 1, "go-on": 2})
    assert asked == ["Which?", "Sure?"]


def test_a_workflow_that_nobody_can_answer_is_told_apart(server, monkeypatch):
    monkeypatch.chdir(server.folder)
    with pytest.raises(ConfigError, match="nobody can send one"):
        instrument(Asking(timeout=60), name="alone").run_sync()


class Flaky(Workflow):
    """Fails as often as it is told to; LlamaIndex tries it twice, then a handler takes what it raised."""

    failing = 1
    tries = 0

    @step(retry_policy=retry_policy(wait=wait_fixed(0.01), stop=stop_after_attempt(2)))
    async def fetch(self, ev: StartEvent) -> StopEvent:
        type(self).tries += 1
        omium.record_usage(provider="openai", model="tiny-1", input_tokens=11, output_tokens=7)
        if self.tries <= self.failing:
            raise ConnectionError("the shelf is empty")
        return StopEvent(result=f"after {self.tries}")


def make_flaky(failing, **bases):
    return type("Flaky", (Flaky,), {"failing": failing, "tries": 0, **bases})()


def test_a_failure_that_llamaindex_retries_reaches_the_inbox_and_is_not_repeated(server):
    flow = make_flaky(3)
    with pytest.raises(ConnectionError, match="the shelf is empty"):
        instrument(flow, name="flaky").run_sync()
    failed = server.newest()
    assert failed["status"] == "failed"
    assert type(flow).tries == 2

    with pytest.raises(ConnectionError):  # only the last try is made again
        omium.resume(failed["id"])
    assert type(flow).tries == 3
    assert omium.resume(failed["id"]) == "after 4"

    assert "the shelf is empty" in json.dumps(server.get("/v1/failures"))
    assert usage_of(server, failed["id"]) == (4, 44, 28)


def test_what_a_handler_of_errors_takes_is_taken_again(server, monkeypatch):
    monkeypatch.chdir(server.folder)

    class Caught(Workflow):
        @step
        async def fetch(self, ev: StartEvent) -> StopEvent:
            study.ran("fetch")
            raise ConnectionError("the shelf is empty")

        @catch_error
        async def mend(self, ev: StepFailedEvent) -> StopEvent:
            study.ran("mend")
            if not is_ready():
                raise LookupError("no glue")
            return StopEvent(result=f"mended {ev.step_name}: {ev.exception}")

    durable = instrument(Caught(), name="caught")
    with pytest.raises(LookupError):
        durable.run_sync()
    Path("ready").touch()

    assert omium.resume(server.newest()["id"]) == "mended fetch: the shelf is empty"

    assert ran(server) == Counter({"fetch": 1, "mend": 2})


async def test_inside_a_workflow_of_ones_own_steps_are_steps_of_that(server, monkeypatch):
    monkeypatch.chdir(server.folder)
    durable = instrument(study.study, name="inner")

    @omium.workflow(name="outer")
    async def outer():
        return [(await durable.run(topic=topic))["text"] for topic in ("otters", "seals")]

    told = [in_any_order({"text": text})["text"] for text in await outer()]
    assert told == [[f"{topic} {number}" for number in range(3)] for topic in ("otters", "seals")]
    newest = server.newest()
    assert newest["workflow"] == "outer"
    assert {"plan", "plan#2", "publish#2"} <= {each["key"] for each in newest["steps"]}


async def test_outside_an_execution_a_copy_is_llamaindexs_own(server, monkeypatch):
    monkeypatch.chdir(server.folder)
    handler = instrument(study.study, name="outside").workflow.run(topic="otters")
    streamed = [event async for event in handler.stream_events()]
    assert in_any_order(await handler) == in_any_order(OUTPUT)
    assert "Done" in [type(event).__name__ for event in streamed]


def test_a_policy_retries_a_step(server):
    flow = make_flaky(1)
    at_once = omium.RetryPolicy(max_attempts=2, initial_delay_s=0, jitter=False)

    assert instrument(flow, name="again", nodes={"fetch": StepPolicy(retry=at_once)}).run_sync() == "after 2"


def test_a_limit_of_credits_stops_a_workflow_before_its_next_step(server, monkeypatch):
    monkeypatch.chdir(server.folder)
    durable = instrument(study.study, name="spending")

    @omium.workflow(name="little", max_credits="0.115")  # an execution costs 0.1, a step 0.01
    async def little():
        return await durable.run(topic="otters")

    with pytest.raises(omium.Suspended) as stopped:
        study.asyncio.run(little())

    assert stopped.value.reason == "limit"
    assert ran(server)["gather"] == 0


@pytest.mark.parametrize(
    ("value", "sentence"),
    [((1, 2), "as something else"), (object(), "cannot be recorded")],
    ids=["tuple", "object"],
)
def test_what_would_not_come_back_is_refused(server, value, sentence):
    class Odd(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> study.Done:
            return study.Done(text="", value=value)

        @step
        async def end(self, ev: study.Done) -> StopEvent:
            return StopEvent()

    with pytest.raises(Unserialisable, match=sentence):
        instrument(Odd(), name="odd").run_sync()


def test_state_that_cannot_be_recorded_is_refused_with_its_remedy(server):
    class Keeping(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> StopEvent:
            await ctx.store.set("client", object())
            return StopEvent()

    with pytest.raises(Unserialisable, match=r"ctx\.store"):
        instrument(Keeping(), name="keeping").run_sync()


def test_a_policy_of_a_step_that_there_is_not_is_refused(server):
    with pytest.raises(ConfigError, match="no step 'nobody'"):
        instrument(study.study, nodes={"nobody": StepPolicy()})


def test_the_users_workflow_is_not_changed(server):
    before = dict(vars(study.study))

    durable = instrument(study.study, name="copied")

    assert vars(study.study) == before
    assert durable.workflow is not study.study
    assert durable.workflow.runtime is not study.study.runtime
    assert list(name_nodes(study.study)) == ["answer", "gather", "plan", "polish", "publish"]


def test_the_export_is_valid_and_the_same_everywhere(server):
    document = export_workflow(instrument(study.study), entrypoint="study.py:study")

    assert check_spec(document).problems == ()
    assert {(edge["from"], edge["to"], *edge["x-events"]) for edge in document["edges"]} == {
        ("plan", "answer", "Question"),
        ("answer", "gather", "Answer"),
        ("gather", "polish", "Draft"),
        ("polish", "polish", "Draft"),
        ("polish", "publish", "Done"),
    }
    nodes = {node["id"]: node for node in document["nodes"]}
    assert [id_ for id_, node in nodes.items() if node.get("start")] == ["plan"]
    assert {id_ for id_, node in nodes.items() if node.get("dynamic")} == {"plan", "polish"}
    assert document["x-native-because"]
    source = (
        "import json\nfrom tests.frameworks.llama_index import study\n"
        "from omium.adapters.llama_index import export_workflow\n"
        "print(json.dumps(export_workflow(study.Counted, name='study', entrypoint='study.py:study')))"
    )
    _, out, err = server.run(server.write("export.py", source))
    assert json.loads(out) == json.loads(json.dumps(document)), err


def test_a_person_and_a_handler_of_errors_are_edges(server):
    class Both(Asking):
        @catch_error
        async def mend(self, ev: StepFailedEvent) -> StopEvent:
            return StopEvent()

    document = export_workflow(Both)

    assert check_spec(document).problems == ()
    edges = {(edge["from"], edge["to"]): edge for edge in document["edges"]}
    assert edges["begin", "go_on"]["x-events"] == ["Told"]
    assert edges["begin", "mend"]["x-kind"] == "error"
    assert len(document["x-native-because"]) == 3
