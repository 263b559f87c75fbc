"""An edited spec's policies hold for the steps of a workflow; what has no place is refused."""

import asyncio
from types import ModuleType

import pytest
from workflows import Context, Workflow, step
from workflows.events import Event, StartEvent, StopEvent
from workflows.retry_policy import retry_policy, stop_after_attempt, wait_fixed

import omium
from omium.adapters.llama_index import apply_spec, export_workflow, instrument
from omium.adapters.native import adopt
from omium.errors import ConfigError, OutputInvalid
from omium.sdk.registry import PinnedVersion
from omium.spec.check import load_spec

AT_ONCE = {"max_attempts": 2, "initial_delay_s": 0, "jitter": False}


class Found(Event):
    text: str


class Question(Event):
    number: int


class Answer(Event):
    number: int


class Two(Workflow):
    """Fails the first `failing` times, or hangs."""

    def __init__(self, failing=0, hanging=0):
        super().__init__(timeout=30)
        self.failing, self.hanging, self.showing, self.tries = failing, hanging, 0, [0]

    @step
    async def find(self, ev: StartEvent) -> Found:
        self.tries[0] += 1
        if self.tries[0] <= self.failing:
            raise ConnectionError("away")
        if self.tries[0] <= self.hanging:
            await asyncio.Event().wait()
        return Found(text=ev.text)

    @step
    async def show(self, ev: Found) -> StopEvent:
        if self.showing:
            self.showing -= 1
            raise ConnectionError("away")
        return StopEvent(result=ev.text)


def edited(flow, /, **nodes):
    document = export_workflow(flow)
    for node in document["nodes"]:
        node.update(nodes.pop(node["id"], {}))
    assert not nodes
    return load_spec(document)


def test_a_retry_of_the_spec_holds_for_its_step_and_its_rules_judge_what_it_raised(server):
    flow, other = Two(failing=1), Two(failing=1)
    retry = {**AT_ONCE, "retry_on": ["ConnectionError"]}

    assert instrument(apply_spec(flow, edited(flow, find={"retry": retry}))).run_sync(text="hi") == "hi"

    retry = {**AT_ONCE, "retry_on": ["ValueError"]}
    with pytest.raises(ConnectionError):
        instrument(apply_spec(other, edited(other, find={"retry": retry})), name="other").run_sync(text="hi")
    assert other.tries == [1]


def test_a_time_limit_of_the_spec_ends_a_try(server):
    flow = Two(hanging=1)
    policy = {"timeout_s": 0.3, "retry": AT_ONCE}

    assert instrument(apply_spec(flow, edited(flow, find=policy))).run_sync(text="hi") == "hi"
    assert flow.tries == [2]


def test_a_step_without_a_checkpoint_runs_again_on_resume(server):
    flow = Two()
    flow.showing = 1

    with pytest.raises(ConnectionError):
        instrument(apply_spec(flow, edited(flow, find={"checkpoint": {"enabled": False}}))).run_sync(
            text="hi"
        )

    assert omium.resume(server.newest()["id"]) == "hi"
    assert flow.tries == [2]


def test_what_a_step_without_a_checkpoint_sent_keeps_its_place_in_the_order(server):
    """Its events come before its record, so the order has to hold them itself."""
    ran = []

    class Sending(Workflow):
        failing = 1

        @step
        async def plan(self, ctx: Context, ev: StartEvent) -> Question | None:
            ran.append("plan")
            for number in (2, 0, 1):
                ctx.send_event(Question(number=number))
            await asyncio.sleep(0)
            return None

        @step(num_workers=3)
        async def answer(self, ev: Question) -> Answer:
            ran.append(f"answer {ev.number}")
            await asyncio.sleep(0.05 * ev.number)
            return Answer(number=ev.number)

        @step
        async def gather(self, ctx: Context, ev: Answer) -> StopEvent | None:
            answers = ctx.collect_events(ev, [Answer] * 3)
            if answers is None:
                return None
            if self.failing:
                type(self).failing -= 1
                raise ConnectionError("away")
            return StopEvent(result=[each.number for each in answers])

    flow = Sending(timeout=30)
    durable = instrument(apply_spec(flow, edited(flow, plan={"checkpoint": {"enabled": False}})))
    with pytest.raises(ConnectionError):
        durable.run_sync()
    assert ran == ["plan", "answer 2", "answer 0", "answer 1"]

    assert omium.resume(server.newest()["id"]) == [0, 1, 2]
    assert ran[4:] == ["plan"], "what has a record does not run again"


def test_an_output_that_is_not_as_the_checkpoint_asks_ends_the_run(server):
    flow = Two()
    schema = {"properties": {"text": {"maxLength": 1}}}
    policy = {"checkpoint": {"payload": schema}, "retry": AT_ONCE}

    with pytest.raises(OutputInvalid, match=r"step find .*: /text: "):
        instrument(apply_spec(flow, edited(flow, find=policy))).run_sync(text="hi")

    assert flow.tries == [1]
    assert server.newest()["status"] == "failed"


def test_only_events_that_steps_return_are_judged(server):
    """Not a failure that LlamaIndex tries again, and not what a step collects until it has it all."""

    class Gathering(Workflow):
        tries = 0

        @step
        async def plan(self, ctx: Context, ev: StartEvent) -> Question | None:
            for number in range(2):
                ctx.send_event(Question(number=number))
            return None

        @step(retry_policy=retry_policy(wait=wait_fixed(0.01), stop=stop_after_attempt(3)))
        async def answer(self, ev: Question) -> Answer:
            type(self).tries += 1
            if self.tries == 1:
                raise ConnectionError("away")
            return Answer(number=ev.number)

        @step
        async def gather(self, ctx: Context, ev: Answer) -> StopEvent | None:
            answers = ctx.collect_events(ev, [Answer] * 2)
            return answers and StopEvent(result=len(answers))

    flow = Gathering(timeout=30)
    numbered = {"checkpoint": {"payload": {"required": ["number"]}}}
    result = {"checkpoint": {"payload": {"properties": {"result": {"const": 2}}}}}

    durable = instrument(apply_spec(flow, edited(flow, plan=numbered, answer=numbered, gather=result)))

    assert durable.run_sync() == 2


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda document: document["edges"].pop(), "is in the code that is served here"),
        (lambda document: document["nodes"][0].update(type="wait"), "of another type"),
        (
            lambda document: document["nodes"][0].update(checkpoint={"enabled": False}, effect=True),
            "an effect is always recorded",
        ),
        (lambda document: document["runtime"].update(mode="engine"), "without LlamaIndex"),
    ],
    ids=["edge", "type", "checkpoint", "engine"],
)
def test_what_a_workflow_cannot_follow_is_refused(server, edit, sentence):
    flow = Two()
    document = export_workflow(flow)
    edit(document)
    if document["runtime"]["mode"] == "engine":
        spec = load_spec(export_workflow(flow))
        spec = spec.model_copy(update={"runtime": spec.runtime.model_copy(update={"mode": "engine"})})
    else:
        spec = load_spec(document)

    with pytest.raises(ConfigError, match=sentence):
        apply_spec(flow, spec)


def test_a_worker_makes_the_version_that_an_execution_is_pinned_to(server):
    module = ModuleType("flows")
    module.flow = Two(failing=1)
    (served,) = adopt("flows.py:flow", module, module.flow).values()
    document = export_workflow(module.flow, entrypoint="flows.py:flow")
    document["nodes"][0]["retry"] = AT_ONCE

    made = served.versions.make(PinnedVersion("Two", 2, "digest", document))

    @omium.workflow(name="asking", ignore=["work"])
    async def asking(work):
        return await work(text="hi")

    assert asyncio.run(asking(made.function)) == "hi"
    module.flow.tries[0] = 0
    with pytest.raises(ConnectionError):  # the workflow itself is as it was
        asyncio.run(asking(served.function))
