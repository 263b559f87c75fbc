"""Agents of the OpenAI Agents SDK: killed anywhere, they repeat neither an answer nor a tool."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from agents import Agent, OpenAIChatCompletionsModel, RunConfig, Runner, function_tool
from openai import AsyncOpenAI

import omium
from omium.adapters.openai_agents import StepPolicy, export_workflow, instrument, name_nodes
from omium.errors import ConfigError
from omium.spec.check import check_spec
from tests.frameworks.openai_agents import support
from tests.frameworks.scripted import ask, cached_of, say, stream, usage_of

SCRIPT = Path(support.__file__)
ANSWERS = [
    ask(("c1", "transfer_to_billing", {})),
    ask(("c2", "lookup", {"order": "7"}), ("c3", "ask_expert", {"input": "How much?"})),
    ask(("c4", "lookup", {"order": "7"})),  # the expert's own
    say("1200 cents."),
    ask(("c5", "charge", {"cents": 1200})),
    say("Done, 12.00 charged."),
]
PLACES = ["told", "charge", "after:ask_expert", "after:charge", "turn:4"]
TOOLS = Counter(polite=1, told=1, lookup=2, charge=1)


@pytest.fixture(autouse=True)
def _at_the_scripted_model(request, monkeypatch):
    """Agents of this process ask the test's model, too."""
    if "model" in request.fixturenames:
        scripted = request.getfixturevalue("model")
        client = AsyncOpenAI(base_url=scripted.base_url, max_retries=0)
        monkeypatch.setattr(support.tiny, "_client", client)


def ran(server):
    return Counter((server.folder / "ran.txt").read_text().split())


def test_an_undisturbed_run_records_every_turn_and_tool(server, model):
    model.script = list(ANSWERS)

    code, out, err = server.run(Path(shutil.copy(SCRIPT, server.folder)), "sync")

    assert (code, out) == (0, "Done, 12.00 charged.\n"), err
    assert ran(server) == TOOLS
    detail = server.newest()
    assert (detail["workflow"], detail["status"], detail["output"]) == (
        "support",
        "completed",
        "Done, 12.00 charged.",
    )
    assert usage_of(server, detail["id"]) == (6, 66, 42)
    assert cached_of(server, detail["id"]) == (18, 6)
    assert {step["key"] for step in detail["steps"]} == {
        *("triage-agent", "triage-agent.polite", "triage-agent.transfer_to_billing"),
        *("billing", "billing.lookup", "billing#2", "billing.charge", "billing#3", "billing.ask_expert"),
        *(f"billing.ask_expert/Expert{each}" for each in ("", "#2", ".lookup")),
    }


async def test_a_run_that_is_killed_repeats_no_answer_and_no_finished_tool(server, model, monkeypatch):
    """Killed in another process, gone on with in this one."""
    script = Path(shutil.copy(SCRIPT, server.folder))
    monkeypatch.chdir(server.folder)  # where tools leave their lines
    for place in PLACES:
        (server.folder / "ran.txt").unlink(missing_ok=True)
        # One tool in a turn: what a neighbour of a killed one was about to say is not known.
        alone = [ask(("c2", "lookup", {"order": "7"})), ask(("c3", "ask_expert", {"input": "?"}))]
        model.script, model.requests = [ANSWERS[0], *alone, *ANSWERS[2:]], []
        code, _, err = await asyncio.to_thread(server.run, script, "async", DIE=place)
        assert code == -9, (place, err)
        execution = server.newest()

        assert await omium.aresume(execution["id"]) == "Done, 12.00 charged.", place

        assert len(model.requests) == 7, f"{place}: every answer was paid for once"
        assert usage_of(server, execution["id"]) == (7, 77, 49), place
        # Only what was cut off in the middle, before it could return, runs again.
        assert ran(server) - TOOLS == (Counter([place]) if place in TOOLS else Counter()), place
        assert server.detail(execution["id"])["status"] == "completed"


def test_a_killed_run_goes_on_by_its_file(server, model):
    script = Path(shutil.copy(SCRIPT, server.folder))
    model.script = [*ANSWERS[:1], *ANSWERS[4:]]
    server.run(script, "async", DIE="after:charge")
    execution = server.newest()

    done = subprocess.run(
        [sys.executable, "-m", "omium", "resume", execution["id"], "--here", "--quiet"],
        cwd=server.folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert server.detail(execution["id"])["output"] == "Done, 12.00 charged."
    assert ran(server)["charge"] == 1
    assert len(model.requests) == 3


async def test_an_error_that_the_model_is_told_reaches_the_inbox(server, model):
    model.script = [ask(("c1", "fail", {})), say("It is closed.")]
    agent = instrument(support.billing, name="closed")

    assert (await agent.run("charge")).final_output == "It is closed."

    failures = server.get("/v1/failures")["items"]
    assert [failure["workflow"] for failure in failures] == ["closed"]
    assert "the bank is closed" in json.dumps(failures)


async def test_a_provider_that_fails_fails_the_execution_and_a_resume_asks_again(server, model):
    model.script = [(500, "", {"error": {"message": "overloaded"}}), say("Fine.")]
    agent = instrument(support.expert, name="overloaded")

    with pytest.raises(Exception, match="overloaded"):
        await agent.run("hello")
    failed = server.newest()
    assert failed["status"] == "failed"

    assert await omium.aresume(failed["id"]) == "Fine."


async def test_a_policy_retries_a_turn(server, model):
    model.script = [(500, "", {"error": {"message": "overloaded"}}), say("Fine.")]
    policy = StepPolicy(retry=omium.RetryPolicy(max_attempts=2, initial_delay_s=0, jitter=False))

    agent = instrument(support.expert, name="again", nodes={"Expert": policy})
    assert (await agent.run("hi")).final_output == "Fine."


def test_policies_of_agents_that_there_are_not_are_refused(server):
    with pytest.raises(ConfigError, match="no agent 'nobody'"):
        instrument(support.triage, nodes={"nobody": StepPolicy()})


async def test_inside_a_workflow_of_ones_own_turns_are_steps_of_that(server, model):
    model.script = [say("one"), say("two")]
    agent = instrument(support.expert, name="inner")

    @omium.workflow(name="outer")
    async def outer():
        first = await agent.run("a")
        second = await Runner.run(agent.agent, "b", run_config=RunConfig(tracing_disabled=True))
        return [first.final_output, second.final_output]

    assert await outer() == ["one", "two"]
    assert [(step["key"]) for step in server.newest()["steps"]] == ["Expert", "Expert#2"]


async def test_a_stream_is_recorded_and_streamed_again(server, model):
    model.script = [stream("Hel", "lo")]
    agent = instrument(support.expert, name="streaming")
    seen = []

    @omium.workflow(name="streams")
    async def streams():
        result = Runner.run_streamed(agent.agent, "hi")
        seen.append([event.type async for event in result.stream_events()])
        if len(seen) == 1:
            raise RuntimeError("cut off")
        return result.final_output

    with pytest.raises(RuntimeError, match="cut off"):
        await streams()
    execution = server.newest()

    assert await omium.aresume(execution["id"]) == "Hello"
    assert seen[0] == seen[1]
    assert len(model.requests) == 1
    assert usage_of(server, execution["id"]) == (1, 11, 7)


async def test_a_run_that_asks_for_approval_is_answered_in_a_workflow_of_ones_own(server, model):
    @function_tool(needs_approval=True)
    def refund() -> str:
        return "refunded"

    model.script = [ask(("c1", "refund", {})), ask(("c1", "refund", {})), say("Refunded.")]
    agent = instrument(Agent(name="clerk", model=support.tiny, tools=[refund]), name="clerk")
    with pytest.raises(ConfigError, match="approval of refund"):
        await agent.run("refund me")

    @omium.workflow(name="approved")
    async def approved():
        result = await Runner.run(agent.agent, "refund me")
        state = result.to_state()
        state.approve(result.interruptions[0])
        return (await Runner.run(agent.agent, state)).final_output

    assert await approved() == "Refunded."


async def test_a_model_of_the_run_configuration_is_recorded_for_every_agent(server, model):
    model.script = [say("by another")]
    other = OpenAIChatCompletionsModel(model="other", openai_client=AsyncOpenAI())

    result = await instrument(support.expert, name="configured").run("hi", run_config=RunConfig(model=other))

    assert result.final_output == "by another"
    detail = server.newest()
    assert [step["key"] for step in detail["steps"]] == ["model"]
    assert [request["model"] for request in model.requests] == ["other"]


def test_the_users_agents_are_not_changed(server):
    instrument(support.triage, name="twice")

    assert support.triage.model is support.tiny
    assert [type(each).__module__ for each in support.billing.tools] == ["agents.tool"] * 4
    assert list(name_nodes(support.triage)) == ["triage-agent", "billing", "Expert"]


def test_the_export_is_valid_the_same_everywhere_and_without_secrets(server):
    document = export_workflow(support.triage, entrypoint="support.py:support")
    checked = check_spec(document)

    assert checked.problems == ()
    assert export_workflow(support.support, entrypoint="support.py:support", name="Triage Agent") == document
    assert [(each["from"], each["to"], each["x-kind"]) for each in document["edges"]] == [
        ("triage-agent", "billing", "handoff"),
        ("billing", "Expert", "agent_as_tool"),
    ]
    assert document["runtime"] == {"mode": "native", "entrypoint": "support.py:support"}
    assert all(sentence.endswith(".") for sentence in document["x-native-because"])
    source = (
        "import json, sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.frameworks.openai_agents import support\n"
        "from omium.adapters.openai_agents import export_workflow\n"
        "print(json.dumps(export_workflow(support.triage, entrypoint='support.py:support')))"
    )
    _, out, err = server.run(server.write("export.py", source), str(Path(omium.__file__).parents[1]))
    assert json.loads(out) == json.loads(json.dumps(document)), err
    assert "sk-" not in out


def test_a_key_in_what_people_wrote_is_masked(server):
    secret = "sk-proj-" + "abcdEFGH1234" * 4
    client = AsyncOpenAI(api_key=secret, base_url=f"http://me:{secret}@127.0.0.1:9/v1")
    model = OpenAIChatCompletionsModel(model="tiny-1", openai_client=client)

    document = export_workflow(Agent(name="leaky", instructions=f"Use {secret}.", model=model))

    assert check_spec(document).problems == ()
    assert secret not in json.dumps(document)


CIRCLE = [ask((f"c{each}", "lookup", {"order": "7"})) for each in range(9)]


def stream_call(number):
    """The same call as in CIRCLE, as a stream."""
    (call,) = CIRCLE[number]["message"]["tool_calls"]
    choice = {"index": 0, "delta": {"role": "assistant", "tool_calls": [{"index": 0, **call}]}}
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "tiny-1"}
    parts = [
        {**chunk, "choices": [choice]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    ]
    body = "".join(f"data: {json.dumps(part)}\n\n" for part in parts) + "data: [DONE]\n\n"
    return (200, "content-type: text/event-stream\r\n", body.encode())


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_agent_that_goes_in_circles_is_stopped(server, model, monkeypatch, streamed):
    monkeypatch.chdir(server.folder)
    model.script = [stream_call(each) for each in range(9)] if streamed else list(CIRCLE)
    agent = instrument(Agent(name="circling", model=support.tiny, tools=[support.lookup]))

    @omium.workflow(name=f"circling-{streamed}")
    async def work():
        if not streamed:
            return (await agent.run("what did it cost?")).final_output
        running = Runner.run_streamed(agent.agent, "what did it cost?")
        async for _ in running.stream_events():
            pass
        return running.final_output

    with pytest.raises(omium.AgentCircling) as circling:
        await work()

    assert circling.value.tool == "lookup"
    assert len(model.requests) == ran(server)["lookup"] == 5
    assert server.newest()["status"] == "failed"


@pytest.mark.parametrize(("circling", "asked"), [(None, 10), (3, 3)])
async def test_how_many_equal_calls_are_a_circle_is_said_where_the_agent_is_instrumented(
    server, model, monkeypatch, circling, asked
):
    monkeypatch.chdir(server.folder)
    model.script = [*CIRCLE, say("12.00")]
    agent = instrument(
        Agent(name=f"polling-{asked}", model=support.tiny, tools=[support.lookup]), circling=circling
    )
    run = instrument(agent, name=f"again-{asked}").run("what did it cost?", max_turns=20)

    if circling is None:
        assert (await run).final_output == "12.00"
    else:
        with pytest.raises(omium.AgentCircling, match="3 times"):
            await run

    assert len(model.requests) == asked


@pytest.mark.parametrize("circling", [0, 1, 101])
def test_a_circle_of_less_than_two_calls_or_more_than_a_hundred_is_refused(circling):
    with pytest.raises(omium.ConfigError, match="2 to 100"):
        instrument(Agent(name="odd", model=support.tiny), circling=circling)


async def test_calls_of_earlier_runs_do_not_make_a_circle(server, model, monkeypatch):
    monkeypatch.chdir(server.folder)
    agent = instrument(Agent(name="patient", model=support.tiny, tools=[support.lookup]))
    said = []
    for calls in (CIRCLE[:4], CIRCLE[4:8]):
        model.script = [*calls, say("12.00")]
        asked = [*said, {"role": "user", "content": "what did it cost?"}]
        said = (await agent.run(asked)).to_input_list()

    assert ran(server)["lookup"] == 8
