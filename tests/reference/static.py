"""Static form of a workflow graph, by definition and by brute force: regions, units, joins, what may be read.

Written from semantics 1.1, 1.2 and 1.9 alone, over plain dictionaries, so that it can judge the product's own
analysis. Slow on purpose: every question is answered by walking the definition. What runs on it is
tests/reference_engine.py; specs to try it with come from tests/reference/specs.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

ROOT = ""
START = "START"
"""Stands for the fired edge of START in the incoming edges of a start node."""

SpecDict = dict[str, Any]


@dataclass(frozen=True)
class Edge:
    """One edge as it is written, with what is left out filled in."""

    id: str
    source: str
    target: str
    on: str
    when: str | None
    default: bool
    kind: str

    @property
    def is_control(self) -> bool:
        return self.kind == "control"


@dataclass(frozen=True)
class Region:
    """A loop, or all: `id` is the header, "" for all."""

    id: str
    parent: str | None
    members: frozenset[str]
    back_edges: frozenset[str]


class Static:
    """The static form of `spec` (a document or a body); `problems` are codes, empty for a valid graph."""

    def __init__(self, spec: SpecDict) -> None:
        self.spec = spec
        self.nodes = {node["id"]: node for node in spec["nodes"]}
        self.edges = read_edges(spec)
        self.edge = {edge.id: edge for edge in self.edges}
        self.problems: list[str] = []
        self.regions = {ROOT: Region(ROOT, None, frozenset(self.nodes), frozenset())}
        self.starts = self._find_starts()
        if not self.starts:
            self.problems.append("no-start")
        elif set(self.nodes) - self._reachable():
            self.problems.append("unreachable-node")
        if not self.problems:
            self._find_loops(ROOT, [edge for edge in self.edges if edge.is_control])
        if not self.problems and any(self._has_cycle(region) for region in self.regions):
            self.problems.append("context-cycle")

    # ---- 1.1

    def _find_starts(self) -> list[str]:
        said = [name for name, node in self.nodes.items() if node.get("start")]
        entered = {edge.target for edge in self.edges if edge.is_control}
        return said or [name for name in self.nodes if name not in entered]

    def _reachable(self) -> set[str]:
        found = set(self.starts)
        while more := {e.target for e in self.edges if e.is_control and e.source in found} - found:
            found |= more
        return found

    # ---- 1.2

    def _find_loops(self, parent: str, edges: list[Edge]) -> None:
        members = self.regions[parent].members
        edges = [edge for edge in edges if edge.source in members and edge.target in members]
        for component in find_cyclic_components(members, edges):
            outside = {e.target for e in self.edges if e.is_control and e.source not in component}
            entries = (outside | set(self.starts)) & component
            if len(entries) != 1:
                self.problems.append("irreducible-cycle")
                continue
            (header,) = entries
            back = {e.id for e in edges if e.source in component and e.target == header}
            self.regions[header] = Region(header, parent, frozenset(component), frozenset(back))
            self._find_loops(header, [edge for edge in edges if edge.id not in back])

    def chain(self, region: str) -> tuple[str, ...]:
        """Return the loops around and including `region`, outermost first; ROOT is left out."""
        parent = self.regions[region].parent
        return () if parent is None else (*self.chain(parent), region)

    def innermost(self, *names: str) -> str:
        """Return the innermost region that holds all of the nodes."""
        holding = [r.id for r in self.regions.values() if set(names) <= r.members]
        return max(holding, key=lambda region: len(self.chain(region)))

    def region_of(self, edge: Edge) -> str:
        """Return R(e)."""
        return self.innermost(edge.source, edge.target)

    def is_back(self, edge: Edge) -> bool:
        return any(edge.id in region.back_edges for region in self.regions.values())

    def left_by(self, edge: Edge) -> tuple[str, ...]:
        """Return the loops that `edge` leaves, innermost first."""
        stays = self.chain(self.region_of(edge))
        return tuple(reversed(self.chain(self.innermost(edge.source))[len(stays) :]))

    def units(self, region: str) -> list[str]:
        """Return own nodes, and the headers of child loops, which stand for them."""
        return sorted({self.unit(region, node) for node in self.regions[region].members})

    def unit(self, region: str, node: str) -> str:
        """Return the unit of `region` that holds `node`."""
        below = self.chain(self.innermost(node))[len(self.chain(region)) :]
        return below[0] if below else node

    def is_loop(self, region: str, unit: str) -> bool:
        """Whether `unit` of `region` is a child loop (its header is a unit of the loop itself, too)."""
        return unit in self.regions and unit != region

    def incoming(self, region: str, unit: str) -> list[Edge]:
        """Return the edges that `unit` waits for in `region`: C and X together, in the order of the file."""
        return [
            edge
            for edge in self.edges
            if self.region_of(edge) == region
            and not self.is_back(edge)
            and self.unit(region, edge.target) == unit
        ]

    def is_started(self, region: str, unit: str) -> bool:
        """Whether START has an edge to `unit` here."""
        return region == ROOT and any(self.unit(ROOT, start) == unit for start in self.starts)

    def _has_cycle(self, region: str) -> bool:
        pairs = {
            (self.unit(region, edge.source), self.unit(region, edge.target))
            for edge in self.edges
            if self.region_of(edge) == region and not self.is_back(edge)
        }
        return any(before == after for before, after in close(pairs))

    # ---- 1.4 and 1.6, what is said of a unit

    def join(self, unit: str) -> str:
        """Return how `unit` joins; a loop joins as its header says."""
        return str(self.nodes[unit].get("join", "all"))

    def max_iterations(self, header: str) -> int:
        said = self.spec.get("loops", {}).get(header, {})
        return int(said.get("max_iterations", 25))

    # ---- 1.9

    @cached_property
    def _known(self) -> dict[str, frozenset[str]]:
        return {}

    def readable(self, node: str) -> frozenset[str]:
        """Return MR(node)."""
        if node not in self._known:
            region = self.innermost(node)
            here = frozenset() if node == region else self._readable_at(region, node)
            self._known[node] = here | self._readable_in(region)
        return self._known[node]

    def _readable_in(self, region: str) -> frozenset[str]:
        """Return MR(loop), to which everything inside it is entitled, too."""
        parent = self.regions[region].parent
        if parent is None:
            return frozenset()
        return self._readable_at(parent, region) | self._readable_in(parent)

    def _readable_at(self, region: str, unit: str) -> frozenset[str]:
        edges = self.incoming(region, unit)
        control = [{e.source} | self.readable(e.source) for e in edges if e.is_control]
        context = [{e.source} | self.readable(e.source) for e in edges if not e.is_control]
        if self.join(unit) == "any":
            if self.is_started(region, unit):
                control.append(set())
            shared = set.intersection(*map(set, control)) if control else set()
            return frozenset(shared.union(*context))
        return frozenset(set().union(*control, *context))


def read_edges(spec: SpecDict) -> list[Edge]:
    """Return the edges of a spec; those without an id are called `from->to`, a second one `from->to#2`."""
    found: list[Edge] = []
    for edge in spec.get("edges", []):
        plain = f"{edge['from']}->{edge['to']}"
        count = sum((other.source, other.target) == (edge["from"], edge["to"]) for other in found) + 1
        when = edge.get("when", {}).get("expr")
        found.append(
            Edge(
                id=edge.get("id", plain if count == 1 else f"{plain}#{count}"),
                source=edge["from"],
                target=edge["to"],
                on=edge.get("on", "success"),
                when=when,
                default=edge.get("default", False),
                kind=edge.get("kind", "control"),
            )
        )
    return found


def close(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the transitive closure."""
    closed = set(pairs)
    while more := {(a, d) for a, b in closed for c, d in pairs if b == c} - closed:
        closed |= more
    return closed


def find_cyclic_components(members: frozenset[str], edges: list[Edge]) -> list[set[str]]:
    """Return the strongly connected components that hold a cycle: who reaches each other and itself."""
    reaches = close({(edge.source, edge.target) for edge in edges})
    cyclic = sorted(node for node in members if (node, node) in reaches)
    found: list[set[str]] = []
    for node in cyclic:
        if not any(node in component for component in found):
            found.append({other for other in cyclic if (node, other) in reaches and (other, node) in reaches})
    return found
