"""An edited spec's prompts, model and policies hold for a copy of the agent; what has no place is refused."""

import asyncio
from types import ModuleType

import pytest
from openai import AsyncOpenAI
from semantic_kernel import Kernel
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.exceptions import ServiceResponseException
from semantic_kernel.functions import KernelArguments, KernelFunctionFromPrompt, kernel_function
from semantic_kernel.prompt_template import PromptTemplateConfig

import omium
from omium.adapters.native import adopt
from omium.adapters.semantic_kernel import apply_spec, export_workflow, instrument
from omium.errors import ConfigError, OutputInvalid
from omium.sdk.registry import PinnedVersion
from omium.spec.check import load_spec
from tests.frameworks.scripted import ask, say

AT_ONCE = {"max_attempts": 2, "initial_delay_s": 0, "jitter": False}
AWAY = (500, "", {"error": {"message": "overloaded"}})


class Bank:
    @kernel_function(description="Look an order up.")
    def lookup(self, order: str) -> str:
        return f"{order} cost 12.00"


def make_agent(base_url="http://127.0.0.1:9/v1", **more):
    kernel = Kernel()
    kernel.add_plugin(Bank(), "bank")
    write = KernelFunctionFromPrompt("write", "texts", "Writes.", prompt="Write about {{$topic}}.")
    kernel.add_function("texts", write)
    service = OpenAIChatCompletion(
        ai_model_id="tiny-1", async_client=AsyncOpenAI(base_url=base_url, max_retries=0)
    )
    more = {"instructions": "You charge.", **more}
    return ChatCompletionAgent(name="clerk", description="Charges.", kernel=kernel, service=service, **more)


def edit(agent, **edits):
    document = export_workflow(agent, entrypoint="clerk.py:clerk")
    document["agents"]["clerk"].update(edits)
    return document


def find_tools(request):
    return {each["function"]["name"]: each["function"]["description"] for each in request["tools"]}


def test_edited_prompts_models_and_descriptions_are_what_the_model_is_asked_with(server, model):
    clerk = make_agent(model.base_url)
    document = edit(clerk, goal="You charge politely.", llm={"provider": "openai", "model": "tiny-2"})
    document["tools"]["bank-lookup"]["description"] = "Look any order up."
    document["tools"]["texts-write"]["x-prompt"] = "Write one line about {{$topic}}."
    document["description"] = "Charges politely."
    model.script = [ask(("c1", "texts-write", {"topic": "otters"})), say("Otters play."), say("Done.")]

    durable = instrument(apply_spec(clerk, load_spec(document)))

    assert durable.get_response_sync("order 7").message.content == "Done."
    first, second, _ = model.requests
    assert first["messages"][0]["content"] == "You charge politely."
    assert find_tools(first)["bank-lookup"] == "Look any order up."
    assert second["messages"][-1]["content"] == "Write one line about otters."
    assert {request["model"] for request in model.requests} == {"tiny-2"}
    assert durable.description == "Charges politely."
    assert export_workflow(durable, entrypoint="clerk.py:clerk") == document
    # The user's own agent and kernel are what they were.
    assert export_workflow(clerk) == export_workflow(make_agent())


def test_instructions_of_a_template_stay_a_template(server, model):
    # Not handlebars or jinja2: for those Semantic Kernel patches asyncio, which then closes no loop.
    config = PromptTemplateConfig(template="You charge in {{$currency}}.", allow_dangerously_set_content=True)
    clerk = make_agent(model.base_url, instructions=None, prompt_template_config=config)
    model.script = [say("Done.")]

    spec = load_spec(edit(clerk, goal="You charge politely in {{$currency}}."))
    durable = instrument(apply_spec(clerk, spec))

    @omium.workflow(name="in-pounds")
    async def in_pounds():
        arguments = KernelArguments(currency="pounds")
        return str((await durable.agent.get_response("hi", arguments=arguments)).message)

    assert asyncio.run(in_pounds()) == "Done."
    assert model.requests[0]["messages"][0]["content"] == "You charge politely in pounds."


def test_a_retry_of_the_spec_holds_for_the_answers_of_the_agent(server, model):
    clerk = make_agent(model.base_url)
    document = edit(clerk)
    document["nodes"][0]["retry"] = AT_ONCE
    model.script = [AWAY, say("Fine.")]

    durable = instrument(apply_spec(instrument(clerk, queue="slow"), load_spec(document)))

    assert durable.get_response_sync("hi").message.content == "Fine."
    assert durable.applied.terms["queue"] == "slow"


def test_answers_without_a_checkpoint_are_asked_for_again_on_resume(server, model):
    clerk = make_agent(model.base_url)
    document = edit(clerk)
    document["nodes"][0]["checkpoint"] = {"enabled": False}
    model.script = [ask(("c1", "bank-lookup", {"order": "7"})), AWAY]

    with pytest.raises(ServiceResponseException):
        instrument(apply_spec(clerk, load_spec(document))).get_response_sync("order 7")
    model.script = [ask(("c1", "bank-lookup", {"order": "7"})), say("Done.")]

    assert omium.resume(server.newest()["id"]) == "Done."
    assert model.script == []


def test_an_answer_that_is_not_as_the_checkpoint_asks_fails_the_execution(server, model):
    clerk = make_agent(model.base_url)
    document = edit(clerk)
    document["nodes"][0] |= {"checkpoint": {"payload": {"type": "array", "maxItems": 0}}, "retry": AT_ONCE}
    model.script = [say("Fine."), say("Again.")]

    with pytest.raises(OutputInvalid, match="step clerk "):
        instrument(apply_spec(clerk, load_spec(document))).get_response_sync("hi")

    assert (len(model.requests), server.newest()["status"]) == (1, "failed")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda document: document["agents"]["clerk"].update(role="boss"), "cannot be given another role"),
        (lambda document: document["agents"]["clerk"]["llm"].update(provider="anthropic"), "provider"),
        (lambda document: document["agents"]["clerk"].update(goal="Use [redacted]."), "stands for a secret"),
        (lambda document: document["tools"]["bank-lookup"].update({"x-prompt": "Look."}), "function is code"),
        (lambda document: document["tools"]["texts-write"].update({"x-prompt": 1}), "it is a text"),
        (lambda document: document["tools"]["texts-write"].update({"x-prompt": "{{$more}}"}), "input_schema"),
        (lambda document: document["nodes"][0].update(effect=True), "has an effect"),
        (lambda document: document["tools"].pop("texts-write"), "texts-write"),
    ],
)
def test_an_edit_without_a_place_is_refused(change, sentence):
    clerk = make_agent()
    document = edit(clerk)
    change(document)
    if "texts-write" not in document["tools"]:
        document["agents"]["clerk"]["tools"].remove("texts-write")

    with pytest.raises(ConfigError, match=sentence):
        apply_spec(clerk, load_spec(document))


def test_a_worker_makes_the_version_that_an_execution_is_pinned_to(server, model):
    module = ModuleType("clerk")
    module.clerk = make_agent(model.base_url)
    (served,) = adopt("clerk.py:clerk", module, module.clerk).values()
    document = edit(module.clerk, goal="You charge politely.")
    model.script = [say("Fine."), say("Fine.")]

    made = served.versions.make(PinnedVersion("clerk", 2, "digest", document))

    @omium.workflow(name="asking", ignore=["work"])
    async def asking(work):
        return await work(input="hi")

    assert asyncio.run(asking(made.function)) == "Fine."
    assert asyncio.run(asking(served.function)) == "Fine."
    told = [request["messages"][0]["content"] for request in model.requests]
    assert told == ["You charge politely.", "You charge."]
