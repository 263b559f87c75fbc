"""Edges: from a graph's own edges, conditional edges, joins and commands to those of a spec.

Owns what leads from where to where in one graph, without the graphs inside of it. An edge is drawn only where
LangGraph would follow it: what the user declared, and what stands in the code. Where the code can decide for
more than that, its node is `dynamic`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from langgraph.pregel import Pregel

from omium.adapters.langgraph.destinations import Destinations, read_commands, read_router
from omium.adapters.langgraph.naming import END, START
from omium.adapters.langgraph.prebuilt import list_tools
from omium.adapters.langgraph.reading_code import Code
from omium.adapters.masking import mask_source
from omium.jsonvalue import JsonValue

ENTRY = START
"""The node that stands for a conditional entry: LangGraph's own, drawn only where it chooses."""


@dataclass(slots=True)
class Edges:
    """What was found; names are LangGraph's, ids come last."""

    drawn: list[dict[str, JsonValue]] = field(default_factory=list)
    starts: set[str] = field(default_factory=set)
    ends: set[str] = field(default_factory=set)
    """Nodes after which the graph may end."""
    dynamic: set[str] = field(default_factory=set)
    joins: dict[str, list[list[str]]] = field(default_factory=dict)
    """By node: the groups of nodes that have all to run before it does."""
    parents: frozenset[str] = frozenset()
    """Nodes of the graph around this one that commands of this one go to."""
    may_leave: bool = False
    """Some of those commands cannot be read."""

    @property
    def has_entry(self) -> bool:
        """Say whether the graph chooses where it begins."""
        return any(edge["from"] == ENTRY for edge in self.drawn) or ENTRY in self.dynamic


def read_edges(
    graph: Pregel[Any, Any, Any, Any], ids: Mapping[str, str], up: Mapping[str, Destinations]
) -> Edges:
    """Return the edges of a graph; `up` says where commands of its subgraphs go in it."""
    builder = getattr(graph, "builder")  # noqa: B009  # not of every Pregel: an entrypoint has none
    drawing = _Drawing(ids, Edges())
    for source, target in sorted(builder.edges):
        drawing.straight(source, target)
    for sources, target in sorted(builder.waiting_edges):
        drawing.join(sources, target)
    for source in sorted(builder.branches):
        for name in sorted(builder.branches[source]):
            drawing.branch(source, builder.branches[source][name])
    for name, spec in builder.nodes.items():
        drawing.commands(name, spec, up.get(name, Destinations()))
        if (handler := getattr(spec, "error_handler_node", None)) is not None:
            drawing.add(name, handler, {"on": "failure", "x-kind": "error_handler"})
    return drawing.finish()


@dataclass(slots=True)
class _Drawing:
    ids: Mapping[str, str]
    edges: Edges
    seen: dict[tuple[object, ...], dict[str, JsonValue]] = field(default_factory=dict)

    def add(self, source: str, target: str, more: Mapping[str, JsonValue]) -> None:
        """Draw one edge, once; an end is not an edge."""
        if target == END:
            self.edges.ends.add(source)
            return
        if target not in self.ids or (source not in self.ids and source != ENTRY):
            return  # a name that no node has: LangGraph would raise there
        when = more.get("when")
        ref = when.get("ref") if isinstance(when, dict) else None
        key = (source, target, more.get("on"), ref)
        known = self.seen.get(key)
        if known is None:
            edge: dict[str, JsonValue] = {"from": source, "to": target, **more}
            self.seen[key] = edge
            self.edges.drawn.append(edge)

    def straight(self, source: str, target: str) -> None:
        if source == START:
            self.edges.starts.add(target)
        else:
            self.add(source, target, {})

    def join(self, sources: Iterable[str], target: str) -> None:
        group = sorted(sources)
        if target in self.ids:
            self.edges.joins.setdefault(target, []).append(group)
        for source in group:
            if source == START:
                self.edges.starts.add(target)
            else:
                self.add(source, target, {"x-kind": "join"} if target != END else {})

    def branch(self, source: str, branch: Any) -> None:
        """Draw what a function of conditional edges chooses from."""
        code = Code.of(branch.path)
        found = read_router(branch.path)
        declared: Mapping[Any, str] = branch.ends or {}
        if declared:
            labels: dict[str, list[str]] = {}
            for label, target in declared.items():
                labels.setdefault(target, []).append(str(label))
            for target, named in labels.items():
                shown = sorted(each for each in named if each != target)
                kind = "send" if target in found.sends and target not in found.targets else "router"
                self.add(source, target, self.choice(code, kind, shown))
        else:
            for target in sorted(found.targets):
                self.add(source, target, self.choice(code, "router", []))
            if not found.is_known:
                self.edges.dynamic.add(source)
                self.edges.ends.add(source)
        for target in sorted(found.sends):
            self.add(source, target, self.choice(code, "send", []))

    def choice(self, code: Code, kind: str, labels: list[str]) -> dict[str, JsonValue]:
        source = mask_source(code.source)
        when: dict[str, JsonValue] = {"ref": code.ref, **({"source": source} if source else {})}
        shown: dict[str, JsonValue] = {"x-labels": [*labels]} if labels else {}
        return {"when": when, "x-kind": kind, **shown}

    def commands(self, name: str, spec: Any, up: Destinations) -> None:
        """Draw where a node's own commands go: what its annotation says, and what its code and tools do."""
        tools = [Code.of(tool).target for tool in _functions(spec.runnable)]
        read = [read_commands(each) for each in tools or [spec.runnable] if not _is_graph(each)]
        self.edges.parents |= frozenset(target for each in read for target in each.parents)
        self.edges.may_leave |= any(each.may_leave for each in read)
        found = up
        for each in read:
            found |= each
        named = frozenset(str(target) for target in (getattr(spec, "ends", None) or ()))
        code = Code.of(spec.runnable)
        for target in sorted(named | found.targets):
            self.add(name, target, self.decision(code, "command"))
        for target in sorted(found.sends):
            self.add(name, target, self.decision(code, "send"))
        if named or found.targets or found.sends or not found.is_known:
            self.edges.dynamic.add(name)

    def decision(self, code: Code, kind: str) -> dict[str, JsonValue]:
        return {"when": {"ref": code.ref}, "x-kind": kind}

    def finish(self) -> Edges:
        for edge in self.edges.drawn:
            source, target = str(edge["from"]), str(edge["to"])
            edge["from"], edge["to"] = self.ids.get(source, source), self.ids[target]
        self.edges.drawn.sort(
            key=lambda edge: (str(edge["from"]), str(edge["to"]), str(edge.get("x-kind", "")))
        )
        return self.edges


def _functions(runnable: Any) -> list[Any]:
    """Return the functions of a node's tools."""
    tools = list_tools(runnable)
    found = [
        getattr(tool, "func", None) or getattr(tool, "coroutine", None) for _, tool in sorted(tools.items())
    ]
    return [each for each in found if each is not None]


def _is_graph(runnable: Any) -> bool:
    return isinstance(runnable, Pregel)
