"""`export_graph(graph)`: a LangGraph graph as an Omium Workflow Spec, to be seen, compared and edited.

Owns the whole document. The graph runs as before: in native mode a worker runs LangGraph itself, because a
graph's nodes are Python functions over a shared state, and the document supplies their policies
(applying.py). The same graph gives the same bytes in every process, and nothing that looks like a secret is
in it.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from omium.adapters.langgraph.applied import AppliedGraph
from omium.adapters.langgraph.export_nodes import Own, describe_graph
from omium.adapters.langgraph.export_state import input_schema_of, state_of
from omium.adapters.langgraph.export_tools import Beside
from omium.adapters.langgraph.instrument import InstrumentedGraph
from omium.adapters.langgraph.naming import START
from omium.adapters.masking import mask_document
from omium.errors import ConfigError
from omium.jsonvalue import JsonValue

Graph = Pregel[Any, Any, Any, Any] | StateGraph[Any, Any, Any, Any] | InstrumentedGraph | AppliedGraph


def export_graph(
    graph: Graph, *, name: str | None = None, entrypoint: str | None = None
) -> dict[str, JsonValue]:
    """Return `graph` (a StateGraph, a compiled one, an `@entrypoint` or an instrumented one) as a spec.

    `name` is the workflow's, by default the graph's; `entrypoint` is what a worker serves, such as
    `report.py:graph`. Raises `ConfigError` for a graph that LangGraph would not run.
    """
    compiled, own, called = read_graph(graph)
    beside = Beside()
    part = describe_graph(compiled, (), beside, own)
    reasons: list[JsonValue] = [*beside.reasons]
    document: dict[str, JsonValue] = {
        "omium": "0",
        "name": (name or called)[:200],
        "source_framework": "langgraph",
    }
    inputs = input_schema_of(compiled)
    if inputs:
        document["inputs"] = inputs
    if beside.agents:
        document["agents"] = beside.agents
    if beside.tools:
        document["tools"] = beside.tools
    document |= part.body
    breakers: dict[str, JsonValue] = {each: {} for each in sorted(_breakers(part.body))}
    if breakers:
        document["breakers"] = breakers
    if hasattr(compiled, "builder"):
        document["state"] = state_of(compiled.builder)
    document["runtime"] = {
        "mode": "native",
        **({"entrypoint": entrypoint} if entrypoint is not None else {}),
    }
    document["x-native-because"] = reasons
    return mask_document(document)


def read_graph(graph: Graph) -> tuple[Pregel[Any, Any, Any, Any], Own, str]:
    """Return the compiled graph, Omium's policies of its nodes, and its name."""
    if isinstance(graph, InstrumentedGraph):
        return graph.original, graph.policy_of, graph.name
    if isinstance(graph, AppliedGraph):
        policies = graph.policies
        return graph.graph, lambda place, _: policies.get(place), graph.graph.get_name()
    compiled = _compile(graph)
    return compiled, lambda _place, _name: None, compiled.get_name()


def _compile(
    graph: Pregel[Any, Any, Any, Any] | StateGraph[Any, Any, Any, Any],
) -> Pregel[Any, Any, Any, Any]:
    if isinstance(graph, StateGraph):
        try:
            return graph.compile()
        except ValueError as error:
            raise ConfigError(f"LangGraph would not run this graph: {error}") from error
    _refuse_changes(graph)
    return graph


def _refuse_changes(graph: Pregel[Any, Any, Any, Any]) -> None:
    """Refuse a graph whose builder went on after it was compiled: what runs is what was compiled."""
    builder = getattr(graph, "builder", None)
    if builder is None:
        return
    compiled = set(graph.nodes) - {START}
    more = sorted(set(builder.nodes) - compiled)
    if more:
        raise ConfigError(
            f"The graph was compiled before the node {more[0]!r} was added, and would not run it: compile it"
            " again, and export that."
        )
    for source, target in sorted(builder.edges):
        if target in graph.nodes and f"branch:to:{target}" not in _written(graph.nodes[source]):
            raise _refuse_edge(f"edge from {source} to {target}")
    for sources, target in sorted(builder.waiting_edges):
        channel = f"join:{'+'.join(sources)}:{target}"
        if not all(channel in _written(graph.nodes[source]) for source in sources):
            raise _refuse_edge(f"edge from {' and '.join(sources)} to {target}")
    for source, branches in sorted(builder.branches.items()):
        for name, branch in sorted(branches.items()):
            if not any(each is branch for each in _list_branches(graph.nodes[source])):
                raise _refuse_edge(f"conditional edge {name} from {source}")


def _refuse_edge(told: str) -> ConfigError:
    return ConfigError(
        f"The graph was compiled before the {told} was added, and would not follow it: compile it again, and"
        " export that."
    )


def _list_branches(node: Any) -> list[Any]:
    """Return the conditional edges that a compiled node asks where to go."""
    return [getattr(getattr(writer, "func", None), "__self__", None) for writer in node.writers]


def _written(node: Any) -> set[str]:
    """Return the channels that a compiled node always writes to."""
    return {
        str(write.channel)
        for writer in node.writers
        for write in getattr(writer, "writes", ())
        if hasattr(write, "channel")
    }


def _breakers(body: dict[str, JsonValue]) -> set[str]:
    """Return the names of the breakers that nodes name, those of subgraphs too."""
    found: set[str] = set()
    nodes = body.get("nodes")
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, dict):
            if isinstance(breaker := node.get("breaker"), str):
                found.add(breaker)
            if isinstance(inner := node.get("body"), dict):
                found |= _breakers(inner)
    return found
