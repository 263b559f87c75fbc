"""Processes of Semantic Kernel: killed anywhere, they repeat no finished function, and end the same."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from openai import AsyncOpenAI
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.functions import KernelArguments, KernelFunctionFromPrompt, kernel_function
from semantic_kernel.processes import ProcessBuilder
from semantic_kernel.processes.kernel_process import KernelProcessStep, KernelProcessStepContext
from semantic_kernel.processes.local_runtime.local_kernel_process import start

import omium
from omium.adapters.semantic_kernel import (
    StepPolicy,
    apply_spec,
    export_workflow,
    instrument,
    instrument_process,
)
from omium.errors import ConfigError, OutputInvalid, Unserialisable
from omium.spec.check import check_spec, load_spec
from tests.frameworks.scripted import say, usage_of
from tests.frameworks.semantic_kernel import shipping
from tests.frameworks.test_native import SHIPPED

SCRIPT = Path(shipping.__file__)
FUNCTIONS = Counter(["plan", "price", "pick", "pack-1", "pack-2", "send", "carry", "thank"])
PLACES = ["Plan", "Price", "Pick", "Pack", "Pack#2", "Send", "Send error", "deliver.by_hand", "Thank"]
AT_ONCE = omium.RetryPolicy(max_attempts=3, initial_delay_s=0, jitter=False)


def ran(server):
    return Counter((server.folder / "ran.txt").read_text().split())


def make_flaky(failures, tell=False, told_fails=0):
    """A process of one step that fails so often, and of one that takes its error, if it is told."""
    calls, told, failing = [], [], [None] * told_fails

    class Fetch(KernelProcessStep):
        @kernel_function
        async def fetch(self, context: KernelProcessStepContext, url: str):
            calls.append(url)
            await context.emit_event("Begun", data=len(calls))
            if len(calls) <= failures:
                raise ConnectionError(f"not yet: {len(calls)}")
            await context.emit_event("Fetched", data=url)

    class Note(KernelProcessStep):
        @kernel_function
        async def note(self, what: str):
            if failing:
                failing.pop()
                raise ConnectionError("the pen is empty")
            told.append(what)
            return "noted"

    builder = ProcessBuilder(name="flaky")
    fetch, note = builder.add_step(Fetch), builder.add_step(Note)
    builder.on_input_event("Begin").send_event_to(fetch, parameter_name="url")
    fetch.on_event("Fetched").send_event_to(note, parameter_name="what")
    fetch.on_event("Begun").send_event_to(note, parameter_name="what")
    if tell:
        fetch.on_event("fetch.OnError").send_event_to(note, parameter_name="what")
    return builder.build(), calls, told


@pytest.mark.parametrize("place", ["nowhere", "price", "pack-2", "send", "carry", "thank"])
def test_a_process_that_is_killed_repeats_no_finished_function(server, place):
    """Killed in one process, gone on with in another."""
    shutil.copy(SCRIPT, server.folder)
    source = "import shipping; shipping.shipping.start_sync('Begin', data='otters')"
    code, _, err = server.run(server.write("begin.py", source), DIE=place)
    assert code == (0 if place == "nowhere" else -9), err
    execution = server.newest()

    source = f"import json, omium, shipping; print(json.dumps(omium.resume({execution['id']!r})))"
    code, out, err = server.run(server.write("go_on.py", source))

    assert (code, json.loads(out or "0")) == (0, {"states": SHIPPED}), err
    # Only what was cut off runs again: beside the price the parts are picked, in the same superstep.
    beside = {"price", "pick"} if place == "price" else {place}
    assert set(ran(server) - FUNCTIONS) <= beside
    assert not FUNCTIONS - ran(server)
    detail = server.detail(execution["id"])
    assert detail["status"] == "completed"
    assert {step["key"] for step in detail["steps"]} == set(PLACES)


async def test_a_process_does_what_semantic_kernel_itself_does(server, monkeypatch):
    monkeypatch.chdir(server.folder)
    process = shipping.make_process()
    before = [each.state.model_dump() for each in process.steps]
    own = await start(shipping.make_process(), Kernel(), "Begin", data="otters")
    expected = {each.state.name: each.state.state for each in (await own.get_state()).steps}
    (server.folder / "ran.txt").unlink()

    context = await instrument_process(process, name="own").start("Begin", data="otters")

    assert {each.state.name: each.state.state for each in (await context.get_state()).steps} == expected
    assert ran(server) == FUNCTIONS
    assert [each.state.model_dump() for each in process.steps] == before, "the user's own is not changed"


async def test_an_error_that_no_edge_takes_ends_the_execution_and_a_resume_runs_the_function_again(server):
    process, calls, told = make_flaky(1)
    with pytest.raises(ConnectionError, match="not yet: 1"):
        await instrument_process(process, name="failing").start("Begin", data="u")
    failed = server.newest()
    assert (failed["status"], told) == ("failed", [])
    assert "not yet: 1" in json.dumps(server.get("/v1/failures"))

    await omium.aresume(failed["id"])

    assert (calls, told) == (["u", "u"], ["2", "u"])


async def test_an_error_that_an_edge_takes_is_recorded_and_not_tried_again(server):
    process, calls, told = make_flaky(1, tell=True)
    tries = []
    durable = instrument_process(process, name="told")

    @omium.workflow(name="outer-told")
    async def outer():
        await durable.start("Begin", data="u")
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("cut off")

    with pytest.raises(RuntimeError, match="cut off"):
        await outer()
    await omium.aresume(server.newest()["id"])

    assert calls == ["u"]
    assert told == ["1", "Error occurred while invoking function: 'Fetch-fetch'"], (
        "as Semantic Kernel tells it"
    )
    assert "not yet: 1" in json.dumps(server.get("/v1/failures"))


async def test_a_policy_tries_a_function_again_and_its_events_come_once(server):
    process, calls, told = make_flaky(2, tell=True)

    await instrument_process(process, name="again", nodes={"Fetch": StepPolicy(retry=AT_ONCE)}).start(
        "Begin", data="u"
    )

    assert (len(calls), told) == (3, ["3", "u"])


async def test_functions_and_models_of_the_kernel_are_steps_inside(server, model):
    prompt = KernelFunctionFromPrompt("write", "texts", prompt="Write about {{$topic}}.")

    class Draft(KernelProcessStep):
        @kernel_function
        async def draft(self, kernel: Kernel, context: KernelProcessStepContext, topic: str):
            text = await kernel.invoke(prompt, KernelArguments(topic=topic))
            await context.emit_event("Drafted", data=str(text))

    builder = ProcessBuilder(name="drafting")
    draft = builder.add_step(Draft)
    builder.on_input_event("Begin").send_event_to(draft, parameter_name="topic")
    client = AsyncOpenAI(base_url=model.base_url, max_retries=0)
    kernel = Kernel(services=[OpenAIChatCompletion(ai_model_id="tiny-1", async_client=client)])
    model.script = [say("Otters play.")]

    await instrument_process(builder, kernel, name="drafting").start("Begin", data="otters")

    execution = server.newest()
    assert [step["key"] for step in server.detail(execution["id"])["steps"]] == [
        "Draft",
        "Draft/kernel.texts-write",
        "Draft/kernel.texts-write/kernel",
    ]
    assert usage_of(server, execution["id"]) == (1, 11, 7)
    assert kernel.plugins == {}, "the user's own kernel is not changed"


async def test_an_event_that_cannot_be_recorded_is_refused(server):
    class Odd(KernelProcessStep):
        @kernel_function
        async def odd(self, context: KernelProcessStepContext, what: str):
            await context.emit_event("Made", data=object())

    builder = ProcessBuilder(name="odd")
    builder.on_input_event("Begin").send_event_to(builder.add_step(Odd), parameter_name="what")

    with pytest.raises(Unserialisable):
        await instrument_process(builder, name="odd").start("Begin", data="x")


def test_the_export_is_valid_and_the_same_everywhere(server):
    document = export_workflow(shipping.shipping, entrypoint="shipping.py:shipping")

    assert check_spec(document).problems == ()
    nodes = {each["id"]: each for each in document["nodes"]}
    assert list(nodes) == ["Plan", "Price", "Pick", "Pack", "Send", "Thank", "deliver"]
    assert [each["id"] for each in nodes["deliver"]["body"]["nodes"]] == ["by_hand"]
    assert {(each["from"], each["to"]): each["x-events"] for each in document["edges"]} == {
        ("Plan", "Price"): ["Planned"],
        ("Plan", "Pick"): ["Planned"],
        ("Price", "Pack"): ["Priced"],
        ("Pick", "Pack"): ["Picked"],
        ("Pack", "Pack"): ["Again", "AgainParts"],
        ("Pack", "Send"): ["Packed"],
        ("Send", "deliver"): ["send.OnError"],
        ("deliver", "Thank"): ["Carried"],
    }
    assert document["inputs"]["properties"]["event"] == {"enum": ["Begin"]}
    source = (
        "import json\nfrom tests.frameworks.semantic_kernel import shipping\n"
        "from omium.adapters.semantic_kernel import export_workflow\n"
        "print(json.dumps(export_workflow(shipping.make_process(), entrypoint='shipping.py:shipping')))"
    )
    _, out, err = server.run(server.write("export.py", source))
    assert json.loads(out) == json.loads(json.dumps(document)), err


async def test_edited_policies_hold_for_the_steps_and_the_process_stays_as_it_was(server):
    process, calls, told = make_flaky(2)
    document = export_workflow(process)
    document["nodes"][0]["retry"] = {"max_attempts": 3, "initial_delay_s": 0.001}

    await instrument(apply_spec(process, load_spec(document)), name="edited").start("Begin", data="u")

    assert (len(calls), told) == (3, ["3", "u"])
    assert "retry" not in export_workflow(process)["nodes"][0]


async def test_a_step_without_a_checkpoint_runs_again_on_resume(server):
    process, calls, told = make_flaky(0, told_fails=1)
    document = export_workflow(process)
    document["nodes"][0]["checkpoint"] = {"enabled": False}

    with pytest.raises(ConnectionError, match="the pen is empty"):
        await instrument(apply_spec(process, load_spec(document)), name="edited").start("Begin", data="u")
    await omium.aresume(server.newest()["id"])

    assert (len(calls), told) == (2, ["2", "u"])


async def test_an_output_that_is_not_as_the_checkpoint_asks_ends_the_execution(server):
    process, calls, told = make_flaky(0)
    document = export_workflow(process)
    schema = {"type": "object", "properties": {"events": {"type": "array", "maxItems": 1}}}
    document["nodes"][0] |= {"checkpoint": {"payload": schema}, "retry": {"max_attempts": 3}}

    with pytest.raises(OutputInvalid, match=r"step Fetch .*: /events: "):
        await instrument(apply_spec(process, load_spec(document)), name="edited").start("Begin", data="u")

    assert (len(calls), told, server.newest()["status"]) == (1, [], "failed")


def test_policies_inside_of_a_process_have_their_place():
    document = export_workflow(shipping.shipping)
    deliver = next(each for each in document["nodes"] if each["id"] == "deliver")
    deliver["body"]["nodes"][0]["timeout_s"] = 9.0

    assert apply_spec(shipping.shipping, load_spec(document)).policies == {
        "deliver.by_hand": StepPolicy(timeout_s=9.0)
    }
    deliver["timeout_s"] = 9.0
    with pytest.raises(ConfigError, match="deliver is a process"):
        apply_spec(shipping.shipping, load_spec(document))
    del deliver["timeout_s"]
    deliver["checkpoint"] = {"enabled": False}
    with pytest.raises(ConfigError, match="deliver is a process"):
        apply_spec(shipping.shipping, load_spec(document))


@pytest.mark.parametrize(
    "edit",
    [
        lambda document: document["edges"].pop(),
        lambda document: document["nodes"].append({"id": "more", "type": "function"}),
    ],
    ids=["edge", "node"],
)
def test_an_edit_without_a_place_is_refused(edit):
    document = export_workflow(shipping.shipping)
    edit(document)

    with pytest.raises(ConfigError):
        apply_spec(shipping.shipping, load_spec(document))


def test_a_step_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match=r"no step 'nobody'; there are .*deliver\.by_hand"):
        instrument_process(shipping.make_process(), nodes={"nobody": StepPolicy()})
