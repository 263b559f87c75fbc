"""Exported graphs: documents that are accepted, and whose edges are what LangGraph itself follows."""

import inspect
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send

try:
    from langgraph.types import TimeoutPolicy
except ImportError:  # younger than LangGraph 1.1
    TimeoutPolicy = None

import omium
from omium.adapters.langgraph import NodePolicy, apply_spec, export_graph, instrument
from omium.adapters.langgraph.naming import ids_of, name_nodes
from omium.adapters.masking import mask_source
from omium.errors import ConfigError
from omium.spec.check import check_spec, load_spec
from tests.langgraph import kinds
from tests.langgraph.kinds import HAS_PREBUILT, KINDS, State, graph_of, team_of

EACH = pytest.mark.parametrize("name", KINDS)
PREBUILT = pytest.mark.skipif(not HAS_PREBUILT, reason="LangGraph's prebuilt agents cannot be imported here")


def list_edges(body, way=""):
    """Yield the edges of a document, those of subgraphs with the way to them."""
    for edge in body.get("edges", ()):
        yield f"{way}{edge['from']}->{way}{edge['to']}", edge
    for node in body["nodes"]:
        if "body" in node:
            yield from list_edges(node["body"], f"{way}{node['id']}/")


def list_nodes(body, way=""):
    for node in body["nodes"]:
        yield f"{way}{node['id']}", node
        if "body" in node:
            yield from list_nodes(node["body"], f"{way}{node['id']}/")


def marked(document, field):
    return {place for place, node in list_nodes(document) if node.get(field)}


@EACH
def test_a_document_of_every_kind_is_accepted(name):
    made = KINDS[name]()

    document = export_graph(made.graph, name=name, entrypoint="graphs.py:graph")

    checked = check_spec(document)
    assert checked.problems == ()
    assert checked.warnings == ()
    assert {place for place, _ in list_edges(document)} == made.edges
    assert {place for place in marked(document, "start") if "/" not in place} == made.starts
    assert {place for place in marked(document, "dynamic") if "/" not in place} == made.dynamic
    assert (document["name"], document["source_framework"]) == (name, "langgraph")
    assert document["runtime"] == {"mode": "native", "entrypoint": "graphs.py:graph"}
    assert document["x-native-because"]


def run(graph, given):
    """Run a graph, and return the transitions that LangGraph wrote, as `way/from->way/to` by ids."""
    compiled = graph.compile() if isinstance(graph, StateGraph) else graph
    saver = InMemorySaver()
    compiled = compiled.copy(update={"checkpointer": saver})
    config = {"configurable": {"thread_id": "t"}}
    names = {}
    while given is not None:
        for part in compiled.stream(given, config, stream_mode="debug", subgraphs=True, durability="sync"):
            event = part[-1]
            if event["type"] == "task":
                names[event["payload"]["id"]] = event["payload"]["name"]
        state = compiled.get_state(config)
        given = Command(resume="yes") if state.next else None
    return {*_read_transitions(saver, config, names, ids_of(compiled))}


def _read_transitions(saver, config, names, ids):
    for saved in saver.list(config):
        namespace = saved.config["configurable"].get("checkpoint_ns", "")
        way = "".join(f"{part.partition(':')[0]}/" for part in namespace.split("|") if part)
        for task_id, channel, value in saved.pending_writes:
            if isinstance(value, Send):
                target = value.node
            elif channel.startswith(("branch:to:", "join:")):
                target = channel.rpartition(":")[2]
            else:
                continue
            source = names.get(task_id, START)
            yield f"{way}{ids.get(source, source)}->{way}{ids.get(target, target)}"


@EACH
def test_langgraph_follows_the_edges_of_the_document_and_no_others(name):
    followed = set()
    for given in KINDS[name]().inputs:
        followed |= run(KINDS[name]().graph, given)  # a model's script is read once

    document = export_graph(KINDS[name]().graph)
    drawn = {place for place, _ in list_edges(document)}
    starts, dynamic = marked(document, "start"), marked(document, "dynamic")
    for each in followed - drawn:
        source, _, target = each.partition("->")
        if source.endswith(START):
            assert target in starts or START in dynamic
        else:
            assert source in dynamic
    assert drawn <= followed, "an edge that LangGraph did not follow, whatever it was given"


def test_two_processes_write_the_same_bytes_and_no_secret():
    texts = {
        subprocess.run(
            [sys.executable, kinds.__file__],
            capture_output=True,
            check=True,
            env={"PYTHONPATH": str(Path(omium.__file__).parents[1]), "PYTHONHASHSEED": seed},
            timeout=180,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(texts) == 1
    (text,) = texts
    assert len(json.loads(text)) == len(KINDS)
    assert b"planted" not in text
    assert b"0x" not in text


def test_a_join_waits_for_its_whole_group():
    nodes = dict(list_nodes(export_graph(KINDS["parallel_and_join"]().graph)))

    assert nodes["end"]["join"] == "all_fired"
    assert nodes["end"]["x-joins"] == [["left", "right"]]
    assert dict(list_nodes(export_graph(KINDS["any_of_two"]().graph)))["end"]["join"] == "any"


def test_a_condition_shows_its_function_and_a_table_its_labels():
    edges = dict(list_edges(export_graph(KINDS["annotated_router"]().graph)))

    condition = edges["ask->cats"]["when"]

    assert condition["ref"] == "tests.langgraph.kinds:by_topic"
    assert condition["source"].startswith("def by_topic(state)")
    table = dict(list_edges(export_graph(KINDS["router_with_a_table"]().graph)))
    assert (table["ask->many"]["x-labels"], table["ask->few"]["x-labels"]) == (["True"], ["False"])


def test_what_a_framework_calls_an_edge_stands_beside_it():
    def kinds_of(name):
        return {edge.get("x-kind") for _, edge in list_edges(export_graph(KINDS[name]().graph))}

    assert kinds_of("chain") == {None}
    assert "join" in kinds_of("parallel_and_join")
    assert "send" in kinds_of("sends")
    assert kinds_of("annotated_command") == {"command"}
    assert kinds_of("loop") == {"router"}


def test_policies_of_langgraph_are_policies_of_the_document():
    nodes = dict(list_nodes(export_graph(KINDS["policies"]().graph)))

    tried = nodes["tried"]["retry"]
    assert (tried["max_attempts"], tried["initial_delay_s"], tried["multiplier"]) == (5, 0.5, 2.0)
    assert tried["retry_on"] == ["ValueError"]
    assert nodes["several"]["retry"]["retry_on"] == ["OSError", "KeyError"]
    assert [each["max_attempts"] for each in nodes["several"]["x-retries"]] == [2, 4]
    assert nodes["cached"]["cache"]["ttl_s"] == 60
    assert nodes["last"]["defer"] is True


def test_policies_of_omium_are_policies_of_the_document():
    policy = NodePolicy(retry=4, timeout_s=9, breaker="provider:search", effect=True)
    instrumented = instrument(KINDS["chain"]().graph, name="own", nodes={"write": policy}, timeout_s=30)

    document = export_graph(instrumented)

    assert check_spec(document).problems == ()
    nodes = dict(list_nodes(document))
    assert nodes["plan"]["timeout_s"] == 30
    assert nodes["write"]["retry"]["max_attempts"] == 4
    assert (nodes["write"]["timeout_s"], nodes["write"]["breaker"]) == (9, "provider:search")
    assert nodes["write"]["effect"] is True
    assert document["breakers"] == {"provider:search": {}}


def test_interrupts_are_shown():
    nodes = dict(list_nodes(export_graph(KINDS["interrupts"]().graph)))

    assert (nodes["plan"]["interrupt"], nodes["end"]["interrupt"]) == ("after", "before")
    assert nodes["ask_a_person"]["x-asks"] is True


def test_state_shows_channels_and_reducers():
    document = export_graph(KINDS["chain"]().graph)

    assert document["state"]["channels"]["log"] == {
        "type": "BinaryOperatorAggregate",
        "reducer": "_operator:add",
        "value": "list[str]",
    }
    assert document["inputs"]["properties"]["count"]["type"] == ["integer", "null"]
    assert "required" not in document["inputs"]
    assert export_graph(KINDS["a_state_that_is_checked"]().graph)["inputs"]["required"] == ["topic"]


@PREBUILT
def test_a_prebuilt_agent_is_its_model_its_prompt_and_its_tools():
    document = export_graph(KINDS["agent_with_tools"]().graph)

    nodes = dict(list_nodes(document))
    assert document["name"] == "helper"
    assert nodes["agent"]["parameters"] == {"system": "Be brief."}
    assert document["agents"] == {
        "helper": {
            "tools": ["price", "search"],
            "llm": {"provider": "scripted", "model": "small-1", "parameters": {"temperature": 0.2}},
        }
    }
    assert nodes["tools"]["x-tools"] == ["price", "search"]
    assert list(document["tools"]["price"]["input_schema"]["properties"]) == ["of", "currency"]


@PREBUILT
def test_a_model_in_a_closure_is_named_without_its_key():
    nodes = dict(list_nodes(export_graph(KINDS["agent_of_ones_own"]().graph)))

    assert nodes["chat"]["x-models"] == [
        {"provider": "scripted", "model": "small-1", "parameters": {"temperature": 0.2}}
    ]


def keyed(state):
    password: str = "planted-1"
    options = {"api_key": "planted-2", "topic": "kept"}
    call(
        headers={"X-Team": "planted-3"},
        token_url="https://user:planted-4@example.com/v1",
        é="é",
        secret=b"planted-5",
    )
    return "one" if password and options else "kept"


def call(**options):
    return options


def test_source_text_shows_no_secret():
    builder = graph_of("ask", "one").add_edge(START, "ask").add_conditional_edges("ask", keyed, ["one"])

    edges = dict(list_edges(export_graph(builder)))

    source = edges["ask->one"]["when"]["source"]
    assert "planted" not in source
    assert '"topic": "kept"' in source
    assert "https://example.com/v1" in source
    assert "planted" not in mask_source('lambda state: f(password="planted-password"), "x"')


def test_masking_leaves_a_program_of_any_form_readable():
    source = 'def f(x, password="p-1"):\n    é = f"{x}é {dict(secret=x)}"; y.api_key = f"p-3{x}"; return é\n'

    masked = mask_source(source)

    assert "p-1" not in masked
    assert "p-3" not in masked
    assert masked.endswith("return é\n")


def test_a_command_in_code_without_a_text_makes_its_node_dynamic():
    names = {"Command": Command}
    exec("def goes(state): return Command(goto='end')\ndef stays(state): return {}", names)
    builder = graph_of("end").add_node("goes", names["goes"]).add_node("stays", names["stays"])
    builder.add_edge(START, "goes").add_edge(START, "stays")

    assert marked(export_graph(builder), "dynamic") == {"goes"}


def test_ids_are_names_where_names_are_ids():
    graph = KINDS["odd_names"]().graph.compile()

    nodes = name_nodes(graph)

    assert list(nodes) == ["write_report-2", "write_report", "schon_final", "node"]
    assert nodes["schon_final"] is graph.nodes["schön.final"]
    assert dict(list_nodes(export_graph(graph)))["node"]["name"] == "東京"


def test_a_step_is_called_by_the_id_of_its_node(server):
    instrument(KINDS["odd_names"]().graph, name="odd").invoke({"topic": "x", "log": []})

    steps = server.newest()["steps"]

    ids = ["write_report-2", "write_report", "schon_final", "node"]
    assert [step["name"] for step in steps] == ids
    assert [step["key"].partition(":")[0] for step in steps] == ids


def test_a_graph_that_langgraph_would_not_run_is_refused():
    with pytest.raises(ConfigError, match="LangGraph would not run this graph"):
        export_graph(StateGraph(State).add_node("alone", lambda state: state))


@pytest.mark.filterwarnings("ignore")
def test_what_was_added_after_compiling_is_refused():
    builder = graph_of("plan", "write").add_edge(START, "plan").add_edge("plan", "write")
    graph = builder.compile()
    builder.add_edge("write", "plan")

    with pytest.raises(ConfigError, match="before the edge from write to plan was added"):
        export_graph(graph)
    builder.add_node("more", lambda state: state)
    with pytest.raises(ConfigError, match="before the node 'more' was added"):
        export_graph(graph)


@pytest.mark.filterwarnings("ignore")
def test_conditional_edges_and_joins_that_were_added_after_compiling_are_refused():
    builder = graph_of("plan", "write", "check").add_edge(START, "plan").add_edge(START, "write")
    builder.add_edge(["plan", "write"], "check").add_conditional_edges("check", lambda state: END)
    graph = builder.compile()
    assert check_spec(export_graph(graph)).problems == ()  # what was there before is compiled

    builder.add_conditional_edges("plan", back, {"again": "plan"})
    with pytest.raises(ConfigError, match="before the conditional edge back from plan was added"):
        export_graph(graph)
    other = graph_of("plan", "write", "check").add_edge(START, "plan").add_edge(START, "write")
    graph = other.compile()
    other.add_edge(["plan", "write"], "check")
    with pytest.raises(ConfigError, match="before the edge from plan and write to check was added"):
        export_graph(graph)


def back(state):
    return "again"


def test_subgraphs_that_stand_too_deep_are_named_and_not_shown():
    graph = team_of("first", "second")
    for _ in range(10):
        graph = StateGraph(State).add_node("inner", graph).add_edge(START, "inner").compile(name="deep")

    document = export_graph(graph)

    assert check_spec(document).problems == ()
    deepest = max(list_nodes(document), key=lambda item: len(item[0]))[1]
    assert (deepest["dynamic"], deepest["x-subgraph"]) == (True, "deep")
    assert "body" not in deepest


NEWER = pytest.mark.skipif(
    "error_handler" not in inspect.signature(StateGraph.add_node).parameters,
    reason="time limits and error handlers of nodes are younger than this LangGraph",
)


@NEWER
def test_time_limits_of_langgraph_are_time_limits_of_the_document():
    async def slow(state):
        return {}

    builder = StateGraph(State).add_node("one", slow, timeout=timedelta(seconds=30)).add_edge(START, "one")
    builder.add_node("two", slow, timeout=TimeoutPolicy(run_timeout=3, idle_timeout=1)).add_edge("one", "two")

    nodes = dict(list_nodes(export_graph(builder)))
    assert nodes["one"]["timeout_s"] == 30
    assert (nodes["two"]["timeout_s"], nodes["two"]["x-idle-timeout-s"]) == (3, 1)
    edited = export_graph(builder)
    edited["nodes"][1]["timeout_s"] = 9.0
    applied = apply_spec(builder, load_spec(edited))
    assert applied.policies == {("two",): NodePolicy(timeout_s=9.0)}
    timeout = applied.graph.builder.nodes["two"].timeout
    assert (timeout.run_timeout, timeout.idle_timeout) == (None, 1)
    assert builder.nodes["two"].timeout.run_timeout == 3


@NEWER
def test_an_error_handler_is_where_a_failure_leads():
    builder = graph_of("after").add_node("work", lambda _: 1 / 0, error_handler=lambda _: {"log": ["saved"]})
    builder.add_edge(START, "work").add_edge("work", "after")

    edges = dict(list_edges(export_graph(builder)))

    assert edges["work->__error_handler__work"]["on"] == "failure"
    assert set(edges) == {"work->__error_handler__work", "work->after"}
    assert builder.compile().invoke({"log": []})["log"] == ["saved"]


def test_exporting_changes_and_runs_nothing():
    ran = []
    builder = StateGraph(State).add_node("node", ran.append).add_edge(START, "node")
    builder.add_conditional_edges("node", ran.append)
    graph = builder.compile()
    nodes = dict(graph.nodes)

    export_graph(graph)

    assert ran == []
    assert graph.nodes == nodes
