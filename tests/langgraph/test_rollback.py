"""A graph that is rolled back runs again from there, with LangGraph's state as it was."""

import pytest
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

import omium
from omium.adapters.langgraph import instrument


class State(TypedDict, total=False):
    x: int


def test_a_graph_rolled_back_to_a_node_runs_that_node_again(server):
    ran = []

    def node(name, change):
        def run(state):
            ran.append(name)
            return {"x": change(state["x"])}

        return run

    def last(state):
        ran.append("last")
        if ran.count("last") == 1:
            raise ValueError("once")
        return {"x": state["x"] + 100}

    builder = StateGraph(State).add_node("first", node("first", lambda x: x + 1))
    builder.add_node("second", node("second", lambda x: x * 10)).add_node("last", last)
    builder.add_edge(START, "first").add_edge("first", "second").add_edge("second", "last")
    graph = instrument(builder.compile(), name="rolled")
    with pytest.raises(ValueError, match="once"):
        graph.invoke({"x": 1})
    failed = server.newest()
    second = next(step["key"] for step in failed["steps"] if step["name"] == "second")
    ran.append("--")

    server.post(f"/v1/executions/{failed['id']}/rollback", {"to_step": second})

    assert omium.resume(failed["id"]) == {"x": 120}
    assert ran == ["first", "second", "last", "--", "second", "last"]
