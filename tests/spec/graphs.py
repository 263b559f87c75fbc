"""Small graphs for tests, written as text: `graph("a -> b", "b -> a on failure")`."""

from __future__ import annotations

import re
from typing import Any

from omium.spec.compile import compile_spec
from omium.spec.document import Body, Node
from omium.spec.graph import Graph
from omium.spec.schedule import (
    Action,
    Activate,
    EdgeState,
    Ended,
    Finished,
    InstanceState,
    InstanceTable,
    Outcome,
    UnitState,
    activation_key,
    advance,
    begin,
    parse_key,
)
from omium.spec.schedule.wiring import wire

_EDGE = re.compile(r"(\w+) (->|~>) (\w+)(?: on (\w+))?(?: when (\w+))?( default)?")


def graph(*edges: str, loops: dict[str, int] | None = None, **nodes: str) -> Graph:
    """Return a graph; `~>` is a context edge, `when` a name, and `a="any"` said of a node beside it."""
    listed: list[dict[str, Any]] = []
    names = list(nodes)
    for text in edges:
        found = _EDGE.fullmatch(text)
        assert found is not None, text
        source, arrow, target, on, when, default = found.groups()
        names += [name for name in (source, target) if name not in names]
        edge: dict[str, Any] = {"from": source, "to": target, "on": on or "success", "default": bool(default)}
        edge |= {"kind": "control" if arrow == "->" else "context"}
        listed.append(edge | ({"when": {"expr": when}} if when else {}))
    body = Body.model_validate(
        {
            "nodes": [_node(name, nodes.get(name, "")) for name in names],
            "edges": listed,
            "loops": {name: {"max_iterations": limit} for name, limit in (loops or {}).items()},
        }
    )
    return compile_spec(body)


def _node(name: str, said: str) -> dict[str, Any]:
    kind = "decision" if "decision" in said else "function"
    join = next((word for word in said.split() if word in ("all", "all_fired", "any")), "all")
    return Node.model_validate(
        {"id": name, "type": kind, "join": join, "start": "start" in said, "parameters": {"handler": "h"}}
    ).form()


class Play:
    """A graph under way: says what is ready, and lets it end."""

    def __init__(self, of: Graph, limits: dict[str, int] | None = None) -> None:
        self.graph, self.limits = of, limits
        step = begin(of)
        self.table = InstanceTable(step.instances)
        self.actions: list[Action] = list(step.actions)
        self.news: list[Action] = list(step.actions)
        self.activated: list[str] = []
        self._note(step.actions)

    def _note(self, actions: list[Action]) -> None:
        self.news = actions
        for action in actions:
            if isinstance(action, Activate):
                self.activated.append(key(action))

    @property
    def is_finished(self) -> bool:
        return Finished() in self.actions

    def end(self, name: str, outcome: Outcome = "success", code: str = "", **conditions: bool) -> list[str]:
        """End an activation; `conditions` are by target. Returns what got ready."""
        node = name.partition("#")[0]
        _, vector = parse_key(name, len(self.graph.loops_of(node)))
        said = {
            edge.id: conditions[edge.target]
            for edge in self.graph.edges
            if edge.source == node and edge.target in conditions
        }
        before = len(self.activated)
        actions = advance(self.graph, self.table, Ended(node, vector, outcome, said, code), self.limits)
        self.actions += actions
        self._note(actions)
        return self.activated[before:]


def key(action: Activate) -> str:
    """Return how an activation is written."""
    return activation_key(action.node, action.vector)


def edge_states(of: Graph, region: str, state: InstanceState) -> dict[str, EdgeState]:
    """Return how the edges stand in an instance of `region`, those that leave it and its back edges too."""
    slots = wire(of).regions[region].slots
    return {edge.id: EdgeState(state.edges[slot]) for slot, edge in enumerate(slots)}


def unit_states(of: Graph, region: str, state: InstanceState) -> dict[str, UnitState]:
    """Return how the units stand in an instance of `region`; a loop is called by its header."""
    units = wire(of).regions[region].units
    return {unit.id: UnitState(state.units[number]) for number, unit in enumerate(units)}
