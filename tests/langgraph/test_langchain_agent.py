"""Agents of LangChain's `create_agent`: exported whole, edited, and gone on with where they were killed."""

import copy
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool

from omium.adapters.langgraph import apply_spec, export_graph, instrument
from omium.errors import ConfigError
from omium.spec.check import check_spec, load_spec
from tests.langgraph.listening import Listening

pytest.importorskip(
    "langchain.agents", reason="LangChain cannot be imported beside this LangGraph", exc_type=ImportError
)

from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ModelCallLimitMiddleware,
    dynamic_prompt,
    wrap_model_call,
    wrap_tool_call,
)

WAYS = ["invoke", "ainvoke"]


class Named(Listening):
    """One that has a name and a key."""

    model_name: str = "small-1"
    api_key: str = "sk-planted-0123456789abcdef"

    def _get_ls_params(self, stop=None, **options):
        return {"ls_provider": "listening", "ls_model_name": self.model_name}


@tool
def search(q: str) -> str:
    """Search."""
    return q


class Counting(AgentMiddleware):
    """Stands around the model and the tools, in both kinds of code."""

    def wrap_model_call(self, request, handler):
        return handler(request)

    async def awrap_model_call(self, request, handler):
        return await handler(request)

    def after_model(self, state, runtime):
        return None


@dynamic_prompt
def made_up(request):
    return "Made up."


@wrap_model_call
def other_prompt(request, handler):
    return handler(request.override(system_message=SystemMessage("Another.")))


@wrap_model_call
def longer_prompt(request, handler):
    content = f"{request.system_message.content} And kind."
    return handler(request.override(system_message=SystemMessage(content)))


@wrap_tool_call
def watched(request, handler):
    return handler(request)


def make(prompt="Be brief.", middleware=()):
    model = Named(messages=iter(AIMessage("hi") for _ in range(9)), heard=[])
    return model, create_agent(model, [search], system_prompt=prompt, middleware=middleware, name="helper")


def edit_prompt(graph, text):
    document = copy.deepcopy(export_graph(graph))
    node = next(each for each in document["nodes"] if each["id"] == "model")
    node["parameters"] = {"system": text}
    return load_spec(document)


async def ask(graph, way):
    given = {"messages": [HumanMessage("hello")]}
    return await graph.ainvoke(given) if way == "ainvoke" else graph.invoke(given)


def test_the_export_shows_prompt_model_tools_and_middleware():
    _, graph = make(middleware=[ModelCallLimitMiddleware(run_limit=3), Counting(), watched])

    document = export_graph(graph)

    assert check_spec(document).problems == ()
    agent = document["agents"]["helper"]
    assert agent["llm"] == {"provider": "listening", "model": "small-1"}
    assert agent["tools"] == ["search"]
    assert {each["name"]: sorted(each["hooks"]) for each in agent["x-middleware"]} == {
        "Counting": ["after_model", "wrap_model_call"],
        "ModelCallLimitMiddleware": ["after_model", "before_model"],
        "watched": ["wrap_tool_call"],
    }
    nodes = {each["id"]: each for each in document["nodes"]}
    assert (nodes["model"]["type"], nodes["model"]["agent"]) == ("llm_call", "helper")
    assert nodes["model"]["parameters"] == {"system": "Be brief."}
    assert nodes["tools"]["tool"] == "search"
    assert {"Counting_after_model", "ModelCallLimitMiddleware_before_model"} <= set(nodes)
    assert "sk-planted" not in json.dumps(document)


@pytest.mark.parametrize("prompt", ["Be brief.", None])
@pytest.mark.parametrize("way", WAYS)
async def test_an_edited_prompt_is_what_the_model_hears_and_the_agent_stays_as_it_was(way, prompt):
    model, graph = make(prompt, [Counting()])
    before = export_graph(graph)

    applied = apply_spec(graph, edit_prompt(graph, "Be long.")).graph
    for each in (applied, graph):
        await ask(each, way)

    own = [prompt] if prompt else []
    assert model.heard == [["Be long.", "hello"], [*own, "hello"]]
    assert export_graph(graph) == before
    assert export_graph(applied)["agents"] == before["agents"]


def test_a_prompt_can_be_taken_out():
    model, graph = make()

    apply_spec(graph, edit_prompt(graph, "")).graph.invoke({"messages": [HumanMessage("hello")]})

    assert model.heard == [["hello"]]


@pytest.mark.parametrize("way", WAYS)
async def test_an_edited_prompt_takes_effect_in_the_next_run_of_an_instrumented_agent(server, way):
    model, graph = make()

    await ask(instrument(apply_spec(graph, edit_prompt(graph, "Be long.")), name=f"long-{way}"), way)
    await ask(instrument(graph, name=f"brief-{way}"), way)

    assert model.heard == [["Be long.", "hello"], ["Be brief.", "hello"]]


@pytest.mark.parametrize("middleware", [made_up, other_prompt], ids=["made_up", "other_prompt"])
def test_a_prompt_that_middleware_replaces_cannot_be_edited(middleware):
    _, graph = make(middleware=[middleware])
    document = export_graph(graph)

    assert "parameters" not in document["nodes"][0]
    assert document["nodes"][0]["x-prompt"]["ref"].rpartition(":")[2] in ("made_up", "other_prompt")
    with pytest.raises(ConfigError, match=r"/nodes/0/parameters.*chooses its model or prompt"):
        apply_spec(graph, edit_prompt(graph, "Be long."))


def test_a_prompt_that_middleware_only_lengthens_is_edited():
    model, graph = make(middleware=[longer_prompt])

    apply_spec(graph, edit_prompt(graph, "Be long.")).graph.invoke({"messages": [HumanMessage("hello")]})

    assert model.heard == [["Be long. And kind.", "hello"]]


def test_a_prompt_of_blocks_cannot_be_edited():
    _, graph = make(SystemMessage(content=[{"type": "text", "text": "Be brief."}]))

    with pytest.raises(ConfigError, match="blocks"):
        apply_spec(graph, edit_prompt(graph, "Be long."))


@pytest.mark.parametrize("place", ["charge", "model:2"])
def test_an_agent_that_is_killed_repeats_no_answer_and_no_finished_tool(server, place):
    script = Path(shutil.copy(Path(__file__).with_name("clerk.py"), server.folder))
    code, _, err = server.run(script, DIE=place)
    assert code == -9, err
    execution = server.newest()

    source = f"import clerk, omium; print(omium.resume({execution['id']!r})['messages'][-1].content)"
    code, out, err = server.run(server.write("go_on.py", source))

    assert (code, out.strip()) == (0, "charged 1200"), err
    ran = Counter((server.folder / "ran.txt").read_text().split())
    assert ran - Counter([place]) == Counter(["model:1", "charge", "model:2"])  # what was cut off ran again
    detail = server.detail(execution["id"])
    assert [step["name"] for step in detail["steps"]] == ["model", "tools", "model"]
    usage = server.get(f"/v1/usage?execution_id={execution['id']}")["items"]
    assert sum(each["input_tokens"] for each in usage) == 22
