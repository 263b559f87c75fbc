"""A thread that another saver kept goes on under Omium: what had finished there does not run again."""

import operator
from typing import Annotated

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

import omium
from omium.adapters.langgraph import OmiumSaver, instrument
from omium.adapters.langgraph.taking import take_thread
from omium.errors import ConfigError

ON = {"configurable": {"thread_id": "ask"}}


class State(TypedDict, total=False):
    said: Annotated[list, operator.add]


class Nodes:
    """A graph with parallel branches and a subgraph; `broken` are the nodes that fail."""

    def __init__(self, *broken):
        self.broken, self.ran = set(broken), []
        inside = StateGraph(State)
        inside.add_node("read", self.node("read")).add_node("sum", self.node("sum"))
        inside.add_edge(START, "read").add_edge("read", "sum")
        self.builder = StateGraph(State)
        for name in ("plan", "left", "right", "write"):
            self.builder.add_node(name, self.node(name))
        self.builder.add_node("team", inside.compile())
        self.builder.add_edge(START, "plan").add_edge("plan", "left").add_edge("plan", "right")
        self.builder.add_edge(["left", "right"], "team").add_edge("team", "write")

    def node(self, name):
        def run(state):
            if name in self.broken:
                raise ValueError(name)
            self.ran.append(name)
            return {"said": [name]}

        return run

    def kept_by(self, saver):
        return self.builder.compile(checkpointer=saver)


class NumberSaver(InMemorySaver):
    """Counts versions in numbers, as savers do that leave that to LangGraph."""

    get_next_version = BaseCheckpointSaver.get_next_version


@pytest.mark.parametrize("make_saver", [InMemorySaver, NumberSaver])
@pytest.mark.parametrize(
    ("broken", "before", "after"),
    [
        ("right", {"plan", "left"}, ["right", "read", "sum", "write"]),
        ("sum", {"plan", "left", "right", "read"}, ["sum", "write"]),
        ("write", {"plan", "left", "right", "read", "sum"}, ["write"]),
    ],
)
def test_a_failed_thread_goes_on_in_the_node_that_failed(server, make_saver, broken, before, after):
    nodes, saver = Nodes(broken), make_saver()
    with pytest.raises(ValueError, match=broken):
        nodes.kept_by(saver).invoke({"said": []}, ON, durability="sync")
    assert set(nodes.ran) == before
    stored = repr(saver.storage)
    nodes.ran.clear()
    nodes.broken.clear()
    graph = instrument(nodes.builder, name="taken")

    assert graph.take_thread(saver, "ask") > 0
    output = graph.invoke(None, ON)

    assert nodes.ran == after
    assert sorted(output["said"]).count("plan") >= 1
    assert {*output["said"]} == {"plan", "left", "right", "read", "sum", "write"}
    [execution] = server.get("/v1/executions?workflow=taken")["items"]
    assert execution["status"] == "completed"
    assert repr(saver.storage) == stored  # the other store is only read


async def test_an_interrupt_is_answered_under_omium_and_then_waits_again(server):
    def approve(state):
        return {"said": [interrupt("May we?"), interrupt("Really?")]}

    builder = StateGraph(State).add_node("approve", approve).add_edge(START, "approve")
    saver = InMemorySaver()
    await builder.compile(checkpointer=saver).ainvoke({"said": []}, ON)
    graph = instrument(builder, name="asks")

    assert await graph.atake_thread(saver, "ask") == 2
    asked = await graph.ainvoke(Command(resume="yes"), ON)
    assert await graph.atake_thread(saver, "ask") == 0  # a program that begins again does so each time
    answered = await graph.ainvoke(Command(resume="sure"), ON)

    assert asked["__interrupt__"][0].value == "Really?"
    assert answered == {"said": ["yes", "sure"]}
    [execution] = server.get("/v1/executions?workflow=asks")["items"]
    assert execution["status"] == "completed"


def test_what_was_cut_off_while_it_was_copied_is_completed_and_never_goes_on_from_further_back(server):
    nodes, saver = Nodes("write"), InMemorySaver()
    with pytest.raises(ValueError, match="write"):
        nodes.kept_by(saver).invoke({"said": []}, ON, durability="sync")
    whole = {each.checkpoint["id"] for each in saver.list(ON)}
    newest = saver.get_tuple(ON).checkpoint["id"]

    class Dying(OmiumSaver):
        left = 0

        def put_copy(self, found, new_versions):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            super().put_copy(found, new_versions)

    dying = Dying()
    for dying.left in range(len(whole)):
        with pytest.raises(KeyboardInterrupt):
            take_thread(dying, saver, "ask")
        here = dying.get_tuple(ON)
        assert here is None or here.checkpoint["id"] == newest
    dying.left = len(whole)
    assert take_thread(dying, saver, "ask") == len(whole)
    assert {each.checkpoint["id"] for each in OmiumSaver().list(ON)} == whole
    assert OmiumSaver().get_tuple(ON).pending_writes == saver.get_tuple(ON).pending_writes


def test_a_thread_that_has_gone_on_here_is_left_alone(server):
    nodes, saver = Nodes("write"), InMemorySaver()
    kept = nodes.kept_by(saver)
    with pytest.raises(ValueError, match="write"):
        kept.invoke({"said": []}, ON, durability="sync")
    nodes.broken.clear()
    graph = instrument(nodes.builder, name="again")
    graph.take_thread(saver, "ask")
    output = graph.invoke(None, ON)

    assert graph.take_thread(saver, "ask") == 0
    assert graph.get_state(ON).values == output

    kept.invoke(None, ON, durability="sync")  # it went on in both: neither is the other
    with pytest.raises(ConfigError, match="another thread 'ask'"):
        graph.take_thread(saver, "ask")
    assert graph.get_state(ON).values == output


def test_a_thread_that_is_not_there_is_said(server):
    graph = instrument(Nodes().builder, name="none")

    with pytest.raises(ConfigError, match=r"no thread 'nobody'.*omium attach"):
        graph.take_thread(InMemorySaver(), "nobody")


def test_an_execution_that_died_before_its_first_node_ended_goes_on_too(server):
    nodes, saver = Nodes("write"), InMemorySaver()
    with pytest.raises(ValueError, match="write"):
        nodes.kept_by(saver).invoke({"said": []}, ON, durability="sync")
    graph = instrument(nodes.builder, name="died")
    graph.take_thread(saver, "ask")
    with pytest.raises(ValueError, match="write"):
        graph.invoke(None, ON)
    nodes.ran.clear()
    nodes.broken.clear()
    [failed] = server.get("/v1/executions?workflow=died")["items"]

    output = omium.resume(failed["id"])

    assert nodes.ran == ["write"]
    assert output["said"][-1] == "write"
