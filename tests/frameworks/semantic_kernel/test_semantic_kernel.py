"""Agents and kernels of Semantic Kernel: killed anywhere, they repeat neither an answer nor a function."""

import asyncio
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from openai import AsyncOpenAI
from semantic_kernel.functions import KernelArguments, KernelFunctionFromPrompt

import omium
from omium.adapters.semantic_kernel import (
    StepPolicy,
    export_workflow,
    instrument,
    instrument_kernel,
    name_nodes,
)
from omium.errors import ConfigError
from omium.spec.check import check_spec
from tests.frameworks.scripted import ask, say, usage_of
from tests.frameworks.semantic_kernel import clerk

SCRIPT = Path(clerk.__file__)
ANSWERS = [
    ask(("c1", "bank-lookup", {"order": "7"})),
    ask(("c2", "bank-charge", {"cents": 1200})),
    say("Done, 12.00 charged."),
]
FUNCTIONS = Counter(lookup=1, charge=1)


@pytest.fixture
def agent(model):
    return clerk.make_agent(AsyncOpenAI(base_url=model.base_url, max_retries=0))


def ran(server):
    return Counter((server.folder / "ran.txt").read_text().split())


async def test_a_run_that_is_killed_repeats_no_answer_and_no_finished_function(
    server, model, agent, monkeypatch
):
    """Killed in another process, gone on with in this one."""
    script = Path(shutil.copy(SCRIPT, server.folder))
    monkeypatch.chdir(server.folder)
    instrument(agent, name="clerk")  # what is registered last is what goes on
    for place in ["nowhere", "charge", "after:lookup", "after:charge"]:
        (server.folder / "ran.txt").unlink(missing_ok=True)
        model.script, model.requests = list(ANSWERS), []
        code, _, err = await asyncio.to_thread(server.run, script, DIE=place)
        assert code == (0 if place == "nowhere" else -9), (place, err)
        execution = server.newest()

        assert await omium.aresume(execution["id"]) == "Done, 12.00 charged.", place

        assert len(model.requests) == 3, f"{place}: every answer was paid for once"
        assert usage_of(server, execution["id"]) == (3, 33, 21), place
        # Only what was cut off in the middle, before it could return, runs again.
        assert ran(server) - FUNCTIONS == (Counter([place]) if place in FUNCTIONS else Counter()), place
        detail = server.detail(execution["id"])
        assert detail["status"] == "completed"
        assert [step["key"] for step in detail["steps"]] == [
            "clerk",
            "clerk.bank-lookup",
            "clerk#2",
            "clerk.bank-charge",
            "clerk#3",
        ]


async def test_an_error_that_the_model_is_told_reaches_the_inbox_and_is_told_again(server, model, agent):
    model.script = [
        ask(("c1", "bank-fail", {})),
        (500, "", {"error": {"message": "overloaded"}}),
        say("Closed."),
    ]
    wrapped = instrument(agent, name="closed")

    with pytest.raises(Exception, match="overloaded"):
        await wrapped.get_response("charge")
    failed = server.newest()
    assert failed["status"] == "failed"

    assert await omium.aresume(failed["id"]) == "Closed."
    assert "the bank is closed" in json.dumps(server.get("/v1/failures"))
    assert "the bank is closed" in json.dumps(model.requests[-1]["messages"])


async def test_the_answer_is_semantic_kernels_own(server, model, agent):
    model.script = [say("Hello.")]

    response = await instrument(agent, name="own").get_response("hi")

    assert (response.message.content, response.message.name) == ("Hello.", "clerk")
    assert response.message.metadata["usage"].prompt_tokens == 11


async def test_inside_a_workflow_of_ones_own_functions_and_prompts_of_a_kernel_are_steps(
    server, model, agent
):
    model.script = [say("otters play"), say("streamed")]
    kernel = instrument_kernel(agent.kernel, name="mine")
    prompt = KernelFunctionFromPrompt("write", "texts", prompt="Write about {{$topic}}.")
    inner = instrument(agent, name="inner")
    tries = []

    @omium.workflow(name="outer")
    async def outer():
        found = await kernel.invoke(
            plugin_name="bank", function_name="lookup", arguments=KernelArguments(order="7")
        )
        text = await kernel.invoke(prompt, KernelArguments(topic="otters"))
        streamed = [str(each.message) async for each in inner.agent.invoke_stream("hi")]
        tries.append((found.value, str(text), streamed))
        if len(tries) == 1:
            raise RuntimeError("cut off")

    with pytest.raises(RuntimeError, match="cut off"):
        await outer()
    execution = server.newest()
    await omium.aresume(execution["id"])

    assert tries == [("7 cost 12.00", "otters play", ["streamed"])] * 2
    assert len(model.requests) == 2
    steps = [step["key"] for step in server.detail(execution["id"])["steps"]]
    assert steps == ["mine.bank-lookup", "mine.texts-write", "mine.texts-write/mine", "clerk"]


async def test_a_policy_retries_an_answer(server, model, agent):
    model.script = [(500, "", {"error": {"message": "overloaded"}}), say("Fine.")]
    policy = StepPolicy(retry=omium.RetryPolicy(max_attempts=2, initial_delay_s=0, jitter=False))

    wrapped = instrument(agent, name="again", nodes={"clerk": policy})

    assert (await wrapped.get_response("hi")).message.content == "Fine."


def test_what_cannot_be_kept_is_refused(server, agent):
    with pytest.raises(ConfigError, match="no agent 'nobody'"):
        instrument(agent, nodes={"nobody": StepPolicy()})
    with pytest.raises(ConfigError, match="keeps its conversation at its provider"):
        instrument(object())


def test_the_export_is_valid_the_same_everywhere_and_without_secrets(server):
    document = export_workflow(clerk.clerk, entrypoint="clerk.py:clerk")

    assert check_spec(document).problems == ()
    assert list(name_nodes(clerk.clerk.source)) == ["clerk"]
    assert sorted(document["tools"]) == ["bank-charge", "bank-fail", "bank-lookup"]
    assert document["tools"]["bank-charge"]["input_schema"]["required"] == ["cents"]
    assert document["agents"]["clerk"]["llm"] == {"provider": "openai", "model": "tiny-1"}
    assert document["runtime"] == {"mode": "native", "entrypoint": "clerk.py:clerk"}
    source = (
        "import json\nfrom tests.frameworks.semantic_kernel import clerk\n"
        "from omium.adapters.semantic_kernel import export_workflow\n"
        "print(json.dumps(export_workflow(clerk.clerk.source, entrypoint='clerk.py:clerk')))"
    )
    _, out, err = server.run(server.write("export.py", source))
    assert json.loads(out) == json.loads(json.dumps(document)), err
    assert "sk-" not in out


async def test_an_agent_that_goes_in_circles_is_stopped(server, model, agent, monkeypatch):
    monkeypatch.chdir(server.folder)
    agent.function_choice_behavior.maximum_auto_invoke_attempts = 9
    model.script = [ask((f"c{each}", "bank-lookup", {"order": "7"})) for each in range(9)]

    with pytest.raises(omium.AgentCircling) as circling:
        await instrument(agent, name="circling").get_response("what did it cost?")

    assert circling.value.tool == "bank-lookup"
    assert len(model.requests) == ran(server)["lookup"] == 5
    assert server.newest()["status"] == "failed"


@pytest.mark.parametrize(("circling", "asked"), [(None, 8), (3, 3)])
async def test_how_many_equal_calls_are_a_circle_is_said_where_the_agent_is_instrumented(
    server, model, agent, monkeypatch, circling, asked
):
    monkeypatch.chdir(server.folder)
    agent.function_choice_behavior.maximum_auto_invoke_attempts = 9
    model.script = [ask((f"c{each}", "bank-lookup", {"order": "7"})) for each in range(7)] + [say("12.00")]
    run = instrument(agent, name=f"polling-{asked}", circling=circling).get_response("what did it cost?")

    if circling is None:
        assert str((await run).message) == "12.00"
    else:
        with pytest.raises(omium.AgentCircling, match="3 times"):
            await run

    assert len(model.requests) == asked
