"""An edited spec's prompts, models and policies hold for copies of agents; what has no place is refused."""

import asyncio
from types import ModuleType

import pytest
from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, handoff
from openai import AsyncOpenAI, InternalServerError

import omium
from omium.adapters.native import adopt
from omium.adapters.openai_agents import apply_spec, export_workflow, instrument
from omium.errors import ConfigError, OutputInvalid
from omium.sdk.registry import PinnedVersion
from omium.spec.check import load_spec
from tests.frameworks.scripted import ask, say, stream

AT_ONCE = {"max_attempts": 2, "initial_delay_s": 0, "jitter": False}
AWAY = (500, "", {"error": {"message": "overloaded"}})


@function_tool
def lookup(order: str) -> str:
    """Look an order up."""
    return f"{order} cost 12.00"


def make_agents(base_url="http://127.0.0.1:9/v1"):
    tiny = OpenAIChatCompletionsModel("tiny-1", AsyncOpenAI(base_url=base_url, max_retries=0))
    expert = Agent(name="expert", instructions="You know the rules.", model=tiny)
    billing = Agent(
        name="billing",
        handoff_description="Charges.",
        instructions="You charge.",
        model=tiny,
        tools=[lookup, expert.as_tool("ask_expert", "Asks the expert.")],
    )
    return Agent(name="triage", instructions="You route.", model=tiny, handoffs=[handoff(billing)])


def edit(agent, **agents):
    document = export_workflow(agent, name="support", entrypoint="support.py:triage")
    for id_, edits in agents.items():
        document["agents"][id_].update(edits)
    return document


def find_tools(request):
    return {each["function"]["name"]: each["function"]["description"] for each in request["tools"]}


def test_edited_prompts_models_and_descriptions_are_what_the_model_is_asked_with(server, model):
    triage = make_agents(model.base_url)
    document = edit(
        triage,
        triage={"goal": "You route at once."},
        billing={
            "goal": "You charge politely.",
            "x-handoff-description": "Charges politely.",
            "llm": {"provider": "openai", "model": "tiny-2", "parameters": {"temperature": 0.25}},
        },
        expert={"goal": "You know all rules."},
    )
    document["tools"]["lookup"]["description"] = "Look any order up."
    model.script = [
        ask(("c1", "transfer_to_billing", {})),
        ask(("c2", "ask_expert", {"input": "How much?"})),
        say("1200 cents."),
        say("Done."),
    ]

    durable = instrument(apply_spec(triage, load_spec(document)))

    assert durable.run_sync("order 7").final_output == "Done."
    first, second, third, _ = model.requests
    told = [request["messages"][0]["content"] for request in model.requests]
    assert told == [
        "You route at once.",
        "You charge politely.",
        "You know all rules.",
        "You charge politely.",
    ]
    assert find_tools(first)["transfer_to_billing"].endswith("Charges politely.")
    assert find_tools(second)["lookup"] == "Look any order up."
    assert [request["model"] for request in (first, second, third)] == ["tiny-1", "tiny-2", "tiny-1"]
    assert (second["temperature"], "temperature" in first) == (0.25, False)
    assert export_workflow(durable, name="support", entrypoint="support.py:triage") == document
    # The user's own agents are what they were.
    assert export_workflow(triage) == export_workflow(make_agents())
    assert lookup.description == "Look an order up."


def test_answers_without_a_checkpoint_are_asked_for_again_on_resume(server, model):
    triage = make_agents(model.base_url)
    document = edit(triage)
    document["nodes"][0]["checkpoint"] = {"enabled": False}
    model.script = [ask(("c1", "transfer_to_billing", {})), ask(("c2", "lookup", {"order": "7"})), AWAY]

    with pytest.raises(InternalServerError):
        instrument(apply_spec(triage, load_spec(document))).run_sync("hi")
    model.script = [ask(("c1", "transfer_to_billing", {})), say("Fine.")]

    assert omium.resume(server.newest()["id"]) == "Fine."
    assert model.script == [], "of the two agents' answers only those of the first were asked for again"


def test_an_answer_that_is_not_as_the_checkpoint_asks_fails_the_execution(server, model):
    triage = make_agents(model.base_url)
    document = edit(triage)
    one_item = {"type": "object", "properties": {"output": {"type": "array", "maxItems": 0}}}
    document["nodes"][0] |= {"checkpoint": {"payload": one_item}, "retry": AT_ONCE}
    model.script = [say("Fine."), say("Again.")]

    with pytest.raises(OutputInvalid, match=r"step triage .*: /output: "):
        instrument(apply_spec(triage, load_spec(document))).run_sync("hi")

    assert (len(model.requests), server.newest()["status"]) == (1, "failed")


@pytest.mark.parametrize(("items_max", "ends"), [(1, "completed"), (0, "failed")])
async def test_an_answer_that_is_streamed_is_judged_like_one_that_is_not(server, model, items_max, ends):
    triage = make_agents(model.base_url)
    document = edit(triage)
    items = {"type": "object", "properties": {"output": {"type": "array", "maxItems": items_max}}}
    document["nodes"][0]["checkpoint"] = {"payload": items}
    durable = instrument(apply_spec(triage, load_spec(document)))
    model.script = [stream("Fi", "ne.")]

    @omium.workflow(name="streaming")
    async def streaming():
        result = Runner.run_streamed(durable.agent, "hi")
        async for _ in result.stream_events():
            pass
        return result.final_output

    if ends == "completed":
        assert await streaming() == "Fine."
    else:
        with pytest.raises(OutputInvalid, match=r": /output: "):
            await streaming()
    assert server.newest()["status"] == ends


def test_a_retry_of_the_spec_holds_for_the_answers_of_its_agent(server, model):
    triage = make_agents(model.base_url)
    document = edit(triage)
    document["nodes"][0]["retry"] = AT_ONCE
    model.script = [AWAY, say("Fine.")]

    assert instrument(apply_spec(triage, load_spec(document))).run_sync("hi").final_output == "Fine."


def test_what_was_instrumented_keeps_its_options_where_a_spec_says_nothing(server, model):
    durable = instrument(make_agents(model.base_url), retry=2, max_turns=1, circling=None, queue="slow")
    model.script = [ask(("c1", "transfer_to_billing", {}))]

    again = instrument(apply_spec(durable, load_spec(edit(durable))), name="again")

    assert (again.applied.circling, again.applied.terms["queue"], again.applied.default.retry) == (
        None,
        "slow",
        2,
    )
    with pytest.raises(Exception, match="Max turns"):
        again.run_sync("hi")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda document: document["agents"]["made_up"].update(goal="Be exact."),
            "cannot be given another goal",
        ),
        (lambda document: document["agents"]["triage"].update(role="boss"), "cannot be given another role"),
        (lambda document: document["agents"]["triage"]["llm"].update(provider="anthropic"), "provider"),
        (lambda document: document["agents"]["triage"]["llm"]["parameters"].update(seed=1), "llm/parameters"),
        (lambda document: document["agents"]["triage"].update(goal="Use [redacted]."), "stands for a secret"),
        (lambda document: document["agents"]["triage"].update({"x-handoff-description": 1}), "is a text"),
        (lambda document: document["nodes"][0].update(effect=True), "has an effect"),
        (lambda document: document["edges"].pop(), "is in the code that is served here"),
    ],
)
def test_an_edit_without_a_place_is_refused(change, sentence):
    triage = make_agents()
    triage.handoffs.append(Agent(name="made_up", instructions=lambda context, agent: "You are made up."))
    document = edit(triage)
    document["agents"]["triage"]["llm"].setdefault("parameters", {})
    change(document)

    with pytest.raises(ConfigError, match=sentence):
        apply_spec(triage, load_spec(document))


def test_a_worker_makes_the_version_that_an_execution_is_pinned_to(server, model):
    module = ModuleType("support")
    module.triage = make_agents(model.base_url)
    (served,) = adopt("support.py:triage", module, module.triage).values()
    document = edit(module.triage, triage={"goal": "You route at once."})
    model.script = [say("Fine."), say("Fine.")]

    made = served.versions.make(PinnedVersion("support", 2, "digest", document))

    @omium.workflow(name="asking", ignore=["work"])
    async def asking(work):
        return await work(input="hi")

    assert asyncio.run(asking(made.function)) == "Fine."
    assert asyncio.run(asking(served.function)) == "Fine."
    told = [request["messages"][0]["content"] for request in model.requests]
    assert told == ["You route at once.", "You route."]
