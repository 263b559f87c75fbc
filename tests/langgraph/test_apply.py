"""Edits of an exported graph: what takes effect on a copy, and what is refused with its place."""

import copy

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import RetryPolicy

import omium
from omium.adapters.langgraph import NodePolicy, apply_spec, export_graph, instrument
from omium.errors import ConfigError
from omium.spec.check import load_spec
from tests.langgraph.kinds import KINDS, State, graph_of, make_agent, search
from tests.langgraph.listening import Listening
from tests.langgraph.test_export import PREBUILT, list_edges, list_nodes


def agents(*values):
    return pytest.param(*values, marks=PREBUILT)


def edited(graph, edit):
    """Return the spec of `graph` after `edit(document, nodes)`."""
    document = copy.deepcopy(export_graph(graph))
    edit(document, dict(list_nodes(document)))
    return load_spec(document)


def set_fields(place, **fields):
    def edit(_, nodes):
        nodes[place].update(fields)

    return edit


def flaky_graph(failures, retry=None):
    tries = []

    def flaky(state):
        tries.append(1)
        if len(tries) <= failures:
            raise ConnectionError("not yet")
        return {"count": len(tries)}

    builder = StateGraph(State).add_node("flaky", flaky, retry_policy=retry).add_edge(START, "flaky")
    return builder.compile(name="flaky"), tries


def test_an_edited_retry_takes_effect_and_the_graph_stays_as_it_was(server):
    graph, tries = flaky_graph(2)
    retry = {"max_attempts": 3, "initial_delay_s": 0.001}

    applied = apply_spec(graph, edited(graph, set_fields("flaky", retry=retry)))

    assert instrument(applied, name="edited").invoke({}) == {"count": 3, "log": []}
    assert server.newest()["steps"][0]["attempt"] == 3
    tries.clear()
    with pytest.raises(ConnectionError):
        instrument(graph, name="as-it-was").invoke({})


def test_numbers_of_langgraphs_own_retry_stay_langgraphs():
    graph, _ = flaky_graph(2, RetryPolicy(max_attempts=2, initial_interval=0.001))
    spec = edited(graph, lambda _, nodes: nodes["flaky"]["retry"].update(max_attempts=3))

    applied = apply_spec(graph, spec)

    assert applied.graph.invoke({})["count"] == 3
    assert applied.policies[("flaky",)].retry is None
    assert graph.builder.nodes["flaky"].retry_policy.max_attempts == 2
    (policy,) = applied.graph.builder.nodes["flaky"].retry_policy
    assert policy.retry_on is graph.builder.nodes["flaky"].retry_policy.retry_on


def test_a_retry_with_other_errors_is_omiums_instead_of_langgraphs(server):
    graph, tries = flaky_graph(9, RetryPolicy(max_attempts=3, initial_interval=0.001))
    spec = edited(graph, lambda _, nodes: nodes["flaky"]["retry"].update(retry_on=["TimeoutError"]))

    with pytest.raises(ConnectionError):
        instrument(apply_spec(graph, spec), name="other").invoke({})

    assert len(tries) == 1


def test_a_retry_that_was_taken_out_is_gone():
    graph, tries = flaky_graph(9, RetryPolicy(max_attempts=3, initial_interval=0.001))
    spec = edited(graph, lambda _, nodes: nodes["flaky"].pop("retry"))

    with pytest.raises(ConnectionError):
        apply_spec(graph, spec).graph.invoke({})

    assert len(tries) == 1


@pytest.mark.parametrize("name", KINDS)
def test_a_document_that_nobody_edited_changes_nothing(name):
    graph = KINDS[name]().graph
    document = export_graph(graph)

    applied = apply_spec(graph, load_spec(document))

    assert applied.policies == {}
    assert export_graph(KINDS[name]().graph) == document
    assert export_graph(applied) == document


@pytest.mark.parametrize(
    ("kind", "place", "fields"),
    [
        ("chain", "plan", {"timeout_s": 12.0}),
        ("chain", "plan", {"retry": {"max_attempts": 7}}),
        ("chain", "write", {"effect": "idempotent"}),
        ("chain", "write", {"checkpoint": {"enabled": False}}),
        ("chain", "write", {"checkpoint": {"payload": {"type": "object", "minProperties": 1}}}),
        ("functional", "flow/square", {"checkpoint": {"payload": {"type": "number"}}}),
        ("subgraph", "team/second", {"timeout_s": 3.0, "retry": {"max_attempts": 2}}),
        ("subgraph_in_a_subgraph", "middle/deep/first", {"retry": {"max_attempts": 2}}),
        (
            "policies",
            "tried",
            {"retry": {"max_attempts": 9, "initial_delay_s": 0.5, "retry_on": ["ValueError"]}},
        ),
        ("policies", "several", {"timeout_s": 5.0}),
        ("functional", "flow/square", {"timeout_s": 3.0}),
        agents("agent_with_tools", "agent", {"parameters": {"system": "Be long."}}),
        agents("agent_with_tools", "agent", {"parameters": {}}),
        ("odd_names", "schon_final", {"timeout_s": 3.0}),
    ],
)
def test_what_was_applied_is_exported_again(kind, place, fields):
    graph = KINDS[kind]().graph
    spec = edited(graph, set_fields(place, **fields))

    again = load_spec(export_graph(apply_spec(graph, spec)))

    def plain(found):
        node = dict(list_nodes(found.form()))[place]
        return {name: node.get(name) for name in fields}

    assert plain(again) == plain(spec)
    assert export_graph(KINDS[kind]().graph)["nodes"] == export_graph(graph)["nodes"]


def test_a_breaker_and_its_limits_may_be_given():
    def edit(document, nodes):
        document["breakers"] = {"search": {"min_calls": 3}}
        nodes["plan"]["breaker"] = "search"

    graph = KINDS["chain"]().graph.compile()

    assert apply_spec(graph, edited(graph, edit)).policies[("plan",)] == NodePolicy(breaker="search")


def test_a_concurrency_key_may_be_given():
    graph = KINDS["chain"]().graph.compile()
    spec = edited(graph, set_fields("plan", concurrency={"key": "search", "limit": 2}))

    applied = apply_spec(graph, spec)

    assert applied.policies[("plan",)] == NodePolicy(concurrency=omium.Concurrency("search", 2))
    again = dict(list_nodes(export_graph(applied)))
    assert again["plan"]["concurrency"] == {"key": "search", "limit": 2}


@PREBUILT
@pytest.mark.parametrize("prompt", ["Be brief.", None])
@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_an_edited_prompt_of_an_agent_is_what_its_model_hears(way, prompt):
    model = Listening(messages=iter(AIMessage("hi") for _ in range(9)))
    graph = make_agent(model, [search], prompt=prompt)
    spec = edited(graph, set_fields("agent", parameters={"system": "Be long."}))
    given = {"messages": [HumanMessage("hello")]}

    applied = apply_spec(graph, spec).graph
    for each in (applied, graph):
        await each.ainvoke(given) if way == "ainvoke" else each.invoke(given)

    own = [prompt] if prompt else []
    assert model.heard == [["Be long.", "hello"], [*own, "hello"]]


def test_policies_of_an_instrumented_graph_stay_where_they_were_not_edited(server):
    graph = instrument(
        graph_of("plan", "write").add_edge(START, "plan").add_edge("plan", "write"),
        name="own",
        nodes={"plan": NodePolicy(retry=5)},
        timeout_s=30,
        takeover="auto",
    )

    applied = apply_spec(graph, edited(graph, set_fields("write", timeout_s=9.0)))

    assert applied.policies == {
        ("plan",): NodePolicy(retry=5),
        ("write",): NodePolicy(timeout_s=9.0),
    }
    assert instrument(applied, name="own").options["takeover"] == "auto"


def test_a_policy_of_a_task_takes_effect(server):
    tries = []

    @task
    def flaky(n):
        tries.append(n)
        if len(tries) < 2:
            raise ConnectionError("not yet")
        return n

    @entrypoint()
    def flow(n):
        return flaky(n).result()

    retry = {"max_attempts": 2, "initial_delay_s": 0.001}
    applied = apply_spec(flow, edited(flow, set_fields("flow/flaky", retry=retry)))

    assert instrument(applied, name="tasks").invoke(4) == 4
    assert tries == [4, 4]


def test_a_policy_of_a_node_in_a_subgraph_is_that_nodes_only(server):
    inner, tries = flaky_graph(1)
    builder = StateGraph(State).add_node("team", inner).add_node("flaky", lambda _: None)
    graph = builder.add_edge(START, "team").add_edge("team", "flaky").compile()
    retry = {"max_attempts": 2, "initial_delay_s": 0.001}

    applied = apply_spec(graph, edited(graph, set_fields("team/flaky", retry=retry)))

    assert [*applied.policies] == [("team", "flaky")]
    assert instrument(applied, name="inside").invoke({})["count"] == 2
    assert len(tries) == 2


def drop(document, nodes):
    document["nodes"] = document["nodes"][:1]
    document.pop("edges")


def add(document, nodes):
    document["nodes"].append({"id": "more", "type": "function"})


def turn(document, nodes):
    document["edges"][0].update({"from": "write", "to": "plan"})


def test_each_edit_without_a_place_is_named():
    graph = KINDS["chain"]().graph

    def edit(document, nodes):
        set_fields("plan", join="any")(document, nodes)
        set_fields("write", ref={"ref": "other:function"})(document, nodes)

    with pytest.raises(ConfigError) as refused:
        apply_spec(graph, edited(graph, edit))
    assert [part.split()[0] for part in str(refused.value).split("; ")] == [
        "/nodes/0/join",
        "/nodes/1/ref/ref",
    ]
    assert str(refused.value).count("export the graph again") == 1


def test_another_schema_of_the_inputs_is_none_of_the_graph():
    """A start is judged by it before a worker hears of it."""
    graph = KINDS["chain"]().graph

    applied = apply_spec(graph, edited(graph, lambda document, _: document.update(inputs={"type": "object"})))

    assert applied.policies == {}


@pytest.mark.parametrize(
    ("kind", "edit", "pointer"),
    [
        ("chain", drop, "/"),
        ("chain", add, "/nodes/2"),
        ("chain", turn, "/edges"),
        ("chain", set_fields("plan", outputs={"type": "string"}), "/nodes/0/outputs"),
        ("chain", set_fields("plan", join="any"), "/nodes/0/join"),
        ("chain", set_fields("write", ref={"ref": "other:function"}), "/nodes/1/ref/ref"),
        ("chain", lambda document, _: document.update(state={}), "/state"),
        ("subgraph", set_fields("team", retry={"max_attempts": 2}), "/nodes/2/retry"),
        ("subgraph", set_fields("team", checkpoint={"enabled": False}), "/nodes/2/checkpoint"),
        ("subgraph", set_fields("team/second", defer=True), "/nodes/2/body/nodes/1/defer"),
        ("functional", set_fields("flow", timeout_s=3.0), "/nodes/0/timeout_s"),
        ("policies", set_fields("last", defer=False), "/nodes/3/defer"),
        agents(
            "agent_with_tools", lambda d, _: d["agents"]["helper"].update(role="x"), "/agents/helper/role"
        ),
        agents(
            "agent_with_tools",
            lambda d, _: d["agents"]["helper"]["llm"].update(model="x"),
            "/agents/helper/llm",
        ),
        agents("agent_with_tools", set_fields("agent", parameters={"prompt": "x"}), "/nodes/0/parameters"),
        agents(
            "agent_with_tools",
            set_fields("agent", parameters={"system": "key [redacted]"}),
            "/nodes/0/parameters/system",
        ),
        ("annotated_router", lambda d, _: d["edges"][0]["when"].update(ref="other:f"), "/edges/0/when/ref"),
    ],
)
def test_an_edit_without_a_place_is_refused_with_its_pointer(kind, edit, pointer):
    graph = KINDS[kind]().graph

    with pytest.raises(ConfigError, match="cannot be edited") as refused:
        apply_spec(graph, edited(graph, edit))

    assert str(refused.value).startswith(pointer)


def test_a_spec_of_the_engine_is_refused():
    def edit(document, nodes):
        document.clear()
        document |= {
            "omium": "0",
            "name": "engine",
            "nodes": [{"id": "a", "type": "function", "parameters": {"handler": "a"}}],
        }

    with pytest.raises(ConfigError, match="runs on the server"):
        apply_spec(KINDS["chain"]().graph, edited(KINDS["chain"]().graph, edit))


def test_policies_that_contradict_each_other_are_refused():
    graph = KINDS["chain"]().graph
    spec = edited(graph, set_fields("plan", effect=True, checkpoint={"enabled": False}))

    with pytest.raises(ConfigError, match="always recorded"):
        apply_spec(graph, spec)


def test_words_for_people_may_be_edited():
    def edit(document, nodes):
        document.update(description="for the team", version="2", name="other")
        nodes["plan"].update(name="Plan", description="thinks", **{"x-note": "mine"})
        dict(list_edges(document))["plan->write"]["x-kind"] = "then"

    graph = KINDS["chain"]().graph

    assert apply_spec(graph, edited(graph, edit)).policies == {}
