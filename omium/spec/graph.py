"""The static form of a workflow: its graph with its loops, for the scheduler, the drawing and the checks.

    Graph         nodes, edges and regions of a workflow, or of a map's body (semantics 1.1, 1.2)
    Region        ROOT or a loop; its units (own nodes, and child loops as one unit each) form a DAG
    Unit          what is joined, activated and skipped in one instance of a region

Pure values that compile.py makes. The order of nodes and edges in the document changes nothing, except for
the order of a decision's own outgoing edges, which is the order of its choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from omium.spec.document import Condition, EdgeKind, Join, Node, NodeType, On

ROOT: Final = ""
"""Id of the region that holds everything."""


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """One edge. `index` is its place in `Graph.edges`."""

    index: int
    id: str
    source: str
    target: str
    on: On
    when: Condition | None
    default: bool
    kind: EdgeKind
    region: str
    """R(e): the innermost region that holds both ends."""
    leaves: tuple[str, ...]
    """The loops that it leaves, innermost first: those that hold the source and not the target."""
    is_back: bool
    """From a member of a loop to its header."""
    pointer: str
    """Where the document says it."""


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node. `definition` is what the document says."""

    id: str
    index: int
    """Its place in the canonical order, which is that of the ids."""
    type: NodeType
    join: Join
    region: str
    """The innermost region that holds it; a header is in the region that it heads."""
    is_start: bool
    incoming: tuple[int, ...]
    """Edges by index, control and context, back edges included."""
    outgoing: tuple[int, ...]
    """Edges by index; for a decision in the order of its choice."""
    body: Graph | None
    """Of a map."""
    definition: Node
    pointer: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A node or a child loop in its region. A loop's id is that of its header."""

    id: str
    is_loop: bool
    is_start: bool
    """START has a fired control edge to it."""
    join: Join
    """Of a loop: its header's."""
    control: tuple[int, ...]
    """C: incoming control edges of this region, without back edges."""
    context: tuple[int, ...]
    """X: incoming context edges of this region; for a loop, into any of its members."""
    outgoing: tuple[int, ...]
    """Edges of this region that leave it, without back edges; for a loop, out of any of its members."""


@dataclass(frozen=True, slots=True)
class Region:
    """ROOT, or a loop with the id of its header."""

    id: str
    header: str | None
    parent: str | None
    depth: int
    """0 for ROOT; the length of the vectors of its instances."""
    members: frozenset[str]
    """Every node inside, those of nested loops too."""
    units: Mapping[str, Unit]
    units_order: tuple[str, ...]
    """A topological order: no unit before one that it waits for."""
    back_edges: tuple[int, ...]
    max_iterations: int


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A workflow or a map's body, ready to be scheduled; equal only to itself: what is made of it is kept."""

    nodes: Mapping[str, GraphNode]
    edges: tuple[GraphEdge, ...]
    regions: Mapping[str, Region]
    """By id, parents before their children; ROOT is the first."""
    readable_bits: Mapping[str, int]
    """MR of each node, as bits of node indexes; `readable` gives the ids."""

    @property
    def starts(self) -> frozenset[str]:
        """The nodes that begin with the workflow."""
        return frozenset(node.id for node in self.nodes.values() if node.is_start)

    def readable(self, node_id: str) -> frozenset[str]:
        """Return MR: the nodes whose end stands fast when `node_id` is activated (semantics 1.9)."""
        return self.names_of(self.readable_bits[node_id])

    def names_of(self, bits: int) -> frozenset[str]:
        """Return the ids of the nodes whose indexes are set in `bits`."""
        return frozenset(node.id for node in self.nodes.values() if bits >> node.index & 1)

    def loops_of(self, node_id: str) -> tuple[str, ...]:
        """Return the loops that hold the node, outermost first; their iterations are its vector."""
        loops: list[str] = []
        region = self.regions[self.nodes[node_id].region]
        while region.parent is not None:
            loops.append(region.id)
            region = self.regions[region.parent]
        return tuple(reversed(loops))


def walk_units(regions: Mapping[str, Region]) -> Iterator[tuple[str, Unit]]:
    """Yield each unit with its region, after all that it waits for, and what is in a loop right after it."""
    stack = [(ROOT, iter(regions[ROOT].units_order))]
    while stack:
        region, rest = stack[-1]
        name = next(rest, None)
        if name is None:
            stack.pop()
            continue
        unit = regions[region].units[name]
        yield region, unit
        if unit.is_loop:
            stack.append((name, iter(regions[name].units_order)))
