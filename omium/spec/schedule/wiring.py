"""Wiring: a graph laid out for the scheduler, so that an advance looks at nothing but what it touches.

In an instance of a region each edge has a slot. First come the edges that belong to the region, those into
one unit side by side (control before context), so that "is one still open" is one search in a few bytes. Then
come the edges that are only kept there until the iteration has ended: the region's back edges and those that
leave it. Made once for each graph.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from omium.spec.graph import Graph, GraphEdge, Region
from omium.spec.schedule.state import InstanceState

_GRAPHS_KEPT = 128


@dataclass(frozen=True, slots=True)
class Unit:
    """A node of a region, or a loop in it: slots `first` to `context` are C, `context` to `end` X."""

    id: str
    is_loop: bool
    join: str
    is_started: bool
    """START has an edge to it."""
    first: int
    context: int
    end: int
    outgoing: tuple[GraphEdge, ...]
    """Of a loop: every edge out of it."""


@dataclass(frozen=True, slots=True)
class RegionWiring:
    """A region: its units and the slots of an instance."""

    id: str
    parent: str | None
    depth: int
    """How many numbers the vectors of its instances have."""
    max_iterations: int
    units: tuple[Unit, ...]
    unit_at: dict[str, int] = field(repr=False)
    slots: tuple[GraphEdge, ...] = field(repr=False)
    slot_at: dict[int, int] = field(repr=False)
    target_at: tuple[int, ...] = field(repr=False)
    """The unit into which an edge of the region goes, by slot; the slots above are of edges that are kept."""

    @property
    def header(self) -> int:
        """The number of the unit that an iteration begins with."""
        return self.unit_at[self.id]

    def new_state(self) -> InstanceState:
        """Return an instance with all edges open and all units idle."""
        return InstanceState(bytearray(len(self.slots)), bytearray(len(self.units)))


@dataclass(frozen=True, slots=True)
class Wiring:
    """A whole graph."""

    graph: Graph
    regions: dict[str, RegionWiring]

    def home(self, node: str) -> RegionWiring:
        """Return the region in whose instances the node is a unit."""
        return self.regions[self.graph.nodes[node].region]

    def outgoing(self, node: str) -> tuple[GraphEdge, ...]:
        """Return the edges out of a node, a decision's in the order of its choice."""
        home = self.home(node)
        return home.units[home.unit_at[node]].outgoing


@lru_cache(maxsize=_GRAPHS_KEPT)
def wire(graph: Graph) -> Wiring:
    """Return the graph's layout; a graph is known by its identity."""
    leaving: dict[str, list[GraphEdge]] = {region: [] for region in graph.regions}
    for edge in graph.edges:
        for loop in edge.leaves:
            leaving[loop].append(edge)
    regions = {region.id: _wire_region(graph, region, leaving) for region in graph.regions.values()}
    return Wiring(graph, regions)


def _wire_region(graph: Graph, region: Region, leaving: dict[str, list[GraphEdge]]) -> RegionWiring:
    units: list[Unit] = []
    slots: list[GraphEdge] = []
    targets: list[int] = []
    for number, name in enumerate(region.units_order):
        unit = region.units[name]
        first = len(slots)
        slots += [graph.edges[index] for index in (*unit.control, *unit.context)]
        targets += [number] * (len(slots) - first)
        outgoing = leaving[name] if unit.is_loop else [graph.edges[i] for i in graph.nodes[name].outgoing]
        context = first + len(unit.control)
        units.append(
            Unit(name, unit.is_loop, unit.join, unit.is_start, first, context, len(slots), tuple(outgoing))
        )
    slots += [graph.edges[index] for index in region.back_edges]
    slots += leaving[region.id]
    return RegionWiring(
        id=region.id,
        parent=region.parent,
        depth=region.depth,
        max_iterations=region.max_iterations,
        units=tuple(units),
        unit_at={unit.id: number for number, unit in enumerate(units)},
        slots=tuple(slots),
        slot_at={edge.index: slot for slot, edge in enumerate(slots)},
        target_at=tuple(targets),
    )
