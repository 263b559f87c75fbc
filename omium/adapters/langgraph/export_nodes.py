"""Nodes: one graph of LangGraph's as the nodes and edges of a spec, subgraphs as bodies inside of it.

Owns what each node is: a call of a prebuilt agent's model, its tools, a subgraph, a function. What leads
where is export_edges.py, policies are export_policies.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from langgraph.pregel import Pregel

from omium.adapters.langgraph.applied import Place
from omium.adapters.langgraph.destinations import Destinations, may_interrupt
from omium.adapters.langgraph.export_edges import ENTRY, Edges, read_edges
from omium.adapters.langgraph.export_policies import policies_of
from omium.adapters.langgraph.export_state import list_reduced, state_of
from omium.adapters.langgraph.export_tools import Beside
from omium.adapters.langgraph.langchain_agents import find_model, is_langchain_agent, list_middleware
from omium.adapters.langgraph.models_used import describe_model, find_models
from omium.adapters.langgraph.naming import START, ids_of, make_id, name_tasks
from omium.adapters.langgraph.nodes import NodePolicy
from omium.adapters.langgraph.prebuilt import find_prompt, has_model, is_agent, list_tools
from omium.adapters.langgraph.reading_code import Code
from omium.jsonvalue import JsonValue
from omium.spec.limits import BODY_DEPTH_MAX

Own = Callable[[Place, str], NodePolicy | None]
"""Omium's policy of a node, by its place and name."""


@dataclass(frozen=True, slots=True)
class Part:
    """A graph, described: the nodes and edges of a body, and what the graph around it has to know."""

    body: dict[str, JsonValue]
    edges: Edges


def describe_graph(graph: Pregel[Any, Any, Any, Any], place: Place, beside: Beside, own: Own) -> Part:
    """Return the nodes and edges of a graph; tools, agents and reasons go to `beside`."""
    if not hasattr(graph, "builder"):
        return _describe_entrypoint(graph, place, beside, own)
    beside.because("The nodes are Python functions that share LangGraph's state.")
    builder, ids = graph.builder, ids_of(graph)
    inner = {
        name: describe_graph(spec.runnable, (*place, ids[name]), beside, own)
        for name, spec in builder.nodes.items()
        if isinstance(spec.runnable, Pregel) and len(place) < BODY_DEPTH_MAX
    }
    up = {
        name: Destinations(
            targets=part.edges.parents,
            is_known=not part.edges.may_leave,
            may_go=bool(part.edges.parents) or part.edges.may_leave,
        )
        for name, part in inner.items()
    }
    edges = read_edges(graph, ids, up)
    nodes: list[JsonValue] = [_entry(edges)] if edges.has_entry else []
    for name, spec in builder.nodes.items():
        node = _Node(graph, name, spec, (*place, ids[name]), edges, beside)
        nodes.append(node.describe(inner.get(name), own))
    _give_reasons(builder, edges, beside)
    drawn: list[JsonValue] = [*edges.drawn]
    return Part({"nodes": nodes, **({"edges": drawn} if drawn else {})}, edges)


def _entry(edges: Edges) -> dict[str, JsonValue]:
    """Return the node that stands for a conditional entry."""
    chooses = any(edge["from"] == ENTRY for edge in edges.drawn)
    return {
        "id": ENTRY,
        "type": "decision" if chooses else "function",
        "name": "START",
        "start": True,
        **({"dynamic": True} if ENTRY in edges.dynamic else {}),
    }


@dataclass(frozen=True, slots=True)
class _Node:
    graph: Pregel[Any, Any, Any, Any]
    name: str
    spec: Any
    place: Place
    edges: Edges
    beside: Beside

    @property
    def is_graph(self) -> bool:
        """Say whether the node is a subgraph."""
        return isinstance(self.spec.runnable, Pregel)

    def describe(self, inner: Part | None, own: Own) -> JsonValue:
        """Return the node of the document."""
        made: dict[str, JsonValue] = {"id": self.place[-1], "type": "function"}
        if self.place[-1] != self.name:
            made["name"] = self.name[:300]
        made |= self.work(inner)
        made |= policies_of(self.spec, own(self.place, self.name) if not self.is_graph else None)
        made |= self.joining()
        if self.name in self.edges.starts:
            made["start"] = True
        if self.name in self.edges.dynamic:
            made["dynamic"] = True
        if self.name in self.edges.ends:
            made["x-may-end"] = True
        return made | self.interrupts(inner)

    def work(self, inner: Part | None) -> dict[str, JsonValue]:
        """Return what the node does."""
        runnable = self.spec.runnable
        if isinstance(runnable, Pregel):
            self.beside.because(f"{self.place[-1]} is a subgraph with a state of its own.")
            inside = {"x-state": state_of(runnable.builder)} if hasattr(runnable, "builder") else {}
            # A spec's bodies stand only so deep inside each other: what is deeper is told, and not shown.
            body: dict[str, JsonValue] = {"dynamic": True} if inner is None else {"body": inner.body}
            return {**body, "x-subgraph": str(runnable.get_name())[:200], **inside}
        if is_agent(runnable):
            return self.agent()
        tools = list_tools(runnable)
        if tools:
            names = self.beside.add_tools(tools)
            listed: list[JsonValue] = [*names]
            one = {"tool": names[0]} if len(names) == 1 else {}
            return {"type": "tool_call", **one, "x-tools": listed}
        code = Code.of(runnable)
        made: dict[str, JsonValue] = {"ref": {"ref": code.ref}}
        if models := find_models(runnable):
            made["x-models"] = [*models]
        return made

    def agent(self) -> dict[str, JsonValue]:
        """Return the node of a prebuilt agent that calls its model."""
        runnable = self.spec.runnable
        models = find_models(runnable)
        tools = [
            name
            for spec in self.graph.builder.nodes.values()  # type: ignore[attr-defined]  # it has an agent
            for name in self.beside.add_tools(list_tools(spec.runnable))
        ]
        named: list[JsonValue] = [*sorted(set(tools))]
        agent: dict[str, JsonValue] = {"tools": named} if named else {}
        if is_langchain_agent(runnable):
            asked = find_model(runnable)
            models = [] if asked is None else [describe_model(asked)]
            if middleware := list_middleware(self.graph):
                agent["x-middleware"] = middleware
        if models and has_model(runnable):
            agent["llm"] = models[0]
        called = make_id(str(self.graph.get_name()))
        wanted = called if called != "LangGraph" else self.place[-1]
        made: dict[str, JsonValue] = {"type": "llm_call", "agent": self.beside.add_agent(wanted, agent)}
        prompt = find_prompt(runnable)
        if isinstance(prompt, str):
            made["parameters"] = {"system": prompt}
        elif prompt is not None:
            made["x-prompt"] = {"ref": prompt.ref}
        return made

    def joining(self) -> dict[str, JsonValue]:
        """Return how the node waits: for a whole group, or for any of those that lead to it."""
        own = self.place[-1]
        sources = {edge["from"] for edge in self.edges.drawn if edge["to"] == own}
        groups = [[get_id(self.graph, name) for name in each] for each in self.edges.joins.get(self.name, ())]
        made: dict[str, JsonValue] = {}
        if len(groups) == 1 and sources == set(groups[0]) and self.name not in self.edges.starts:
            made["join"] = "all_fired"
        elif len(sources) > 1 or (sources and self.name in self.edges.starts):
            made["join"] = "any"
        if groups:
            made["x-joins"] = [[*group] for group in groups]
        return made

    def interrupts(self, inner: Part | None) -> dict[str, JsonValue]:
        """Return where the graph stops for an answer."""
        before, after = (
            nodes == "*" or self.name in nodes
            for nodes in (self.graph.interrupt_before_nodes, self.graph.interrupt_after_nodes)
        )
        made: dict[str, JsonValue] = {}
        if before or after:
            made["interrupt"] = "before" if before else "after"
        if before and after:
            made["x-interrupt-after"] = True
        if inner is None and may_interrupt(self.spec.runnable):
            made["x-asks"] = True
        if made:
            self.beside.because(f"{self.place[-1]} is interrupted and goes on with an answer.")
        return made


def get_id(graph: Pregel[Any, Any, Any, Any], name: str) -> str:
    """Return the id of the node `name`."""
    return ids_of(graph).get(name, name)


def _describe_entrypoint(graph: Pregel[Any, Any, Any, Any], place: Place, beside: Beside, own: Own) -> Part:
    """Return a function under `@entrypoint`: one node, which decides itself, with its tasks inside."""
    edges, nodes = Edges(), list[JsonValue]()
    for name, id_ in ids_of(graph).items():
        body = graph.nodes[name].bound
        body = getattr(body, "bound", body)
        here = (*place, id_)
        tasks: list[JsonValue] = []
        for task_id, task in name_tasks(body).items():
            policy = own((*here, task_id), str(getattr(task, "__name__", task_id)))
            described: dict[str, JsonValue] = {
                "id": task_id,
                "type": "function",
                "ref": {"ref": Code.of(task).ref},
            }
            tasks.append(described | policies_of(task, policy) | _models(task))
        node: dict[str, JsonValue] = {
            "id": id_,
            "type": "function",
            "ref": {"ref": Code.of(body).ref},
            "start": True,
            "dynamic": True,
            **({"body": {"nodes": tasks}} if tasks else _models(body)),
            **policies_of(_Policies.of(graph, name), None),
        }
        nodes.append(node | ({"x-asks": True} if may_interrupt(body) else {}))
    beside.because("The function under @entrypoint decides in Python which tasks run, and when.")
    return Part({"nodes": nodes}, edges)


@dataclass(frozen=True, slots=True)
class _Policies:
    """The policies of an entrypoint, which its graph keeps."""

    retry_policy: Any
    cache_policy: Any
    timeout: Any

    @staticmethod
    def of(graph: Any, name: str) -> _Policies:
        retry = getattr(graph, "retry_policy", None)
        return _Policies(
            retry, getattr(graph, "cache_policy", None), getattr(graph.nodes[name], "timeout", None)
        )


def _models(target: Any) -> dict[str, JsonValue]:
    models = find_models(target)
    return {"x-models": [*models]} if models else {}


def _give_reasons(builder: Any, edges: Edges, beside: Beside) -> None:
    reduced = list_reduced(builder)
    if reduced:
        beside.because(f"Reducers merge what nodes write to the state: {_list(reduced)}.")
    choosing = [str(edge["from"]) for edge in edges.drawn if edge.get("x-kind") == "router"]
    if choosing:
        beside.because(f"Python functions choose where these go on: {_list(choosing)}.")
    for kind, sentence in (
        ("send", "Send starts tasks with values of their own"),
        ("command", "Nodes command"),
    ):
        found = [str(edge["from"]) for edge in edges.drawn if edge.get("x-kind") == kind]
        if found:
            beside.because(f"{sentence}: {_list(found)}.")


def _list(names: Iterable[str]) -> str:
    listed = sorted({"START" if name == START else name for name in names})
    return ", ".join(listed[:8]) + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")
