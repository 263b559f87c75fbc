"""Which results a node certainly finds: those of nodes that can neither have been skipped nor have failed.

A node may read more than that (readable.py); for the rest a reference needs a default, or the node can fail
`reference-unavailable`. Errs on the side of "not certain": conditions are taken for open, and so is which of
a decision's edges is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from omium.spec.graph import ROOT, Graph, GraphEdge, Unit, walk_units


@dataclass(frozen=True, slots=True)
class Certain:
    """Nodes, as bits of their indexes, whose output or error certainly is there."""

    outputs: int = 0
    errors: int = 0

    def __or__(self, other: Certain) -> Certain:
        return Certain(self.outputs | other.outputs, self.errors | other.errors)

    def __and__(self, other: Certain) -> Certain:
        return Certain(self.outputs & other.outputs, self.errors & other.errors)


NOTHING = Certain()


@dataclass(slots=True)
class Availability:
    """What is certain in one graph."""

    graph: Graph
    of_node: dict[str, Certain] = field(default_factory=dict)
    """When the node is activated."""
    of_loop: dict[str, Certain] = field(default_factory=lambda: {ROOT: NOTHING})
    always: set[str] = field(default_factory=set)
    """Nodes that are activated in every instance of their region."""
    loops_always: set[str] = field(default_factory=set)

    @property
    def at_the_end(self) -> int:
        """Nodes whose output is there when the whole graph is done."""
        bits = 0
        for node in self.graph.nodes.values():
            loops = self.graph.loops_of(node.id)
            if (
                node.id in self.always
                and not self.may_go_on_failed(node.id)
                and self.loops_always.issuperset(loops)
            ):
                bits |= 1 << node.index
        return bits

    def may_go_on_failed(self, node_id: str) -> bool:
        """Say whether the workflow goes on when the node has failed."""
        edges = (self.graph.edges[at] for at in self.graph.nodes[node_id].outgoing)
        return any(edge.kind == "control" and edge.on != "success" for edge in edges)

    def is_sure(self, edge: GraphEdge) -> bool:
        """Say whether a control edge fires in every instance of its region."""
        if edge.when is not None or self.graph.nodes[edge.source].type == "decision" or edge.on == "failure":
            return False
        if edge.on == "success" and self.may_go_on_failed(edge.source):
            return False
        return self.is_reached(edge)

    def is_reached(self, edge: GraphEdge) -> bool:
        """Say whether the source of an edge is activated in every instance of the edge's region."""
        return edge.source in self.always and self.loops_always.issuperset(edge.leaves)

    def brought(self, edge: GraphEdge) -> Certain:
        """Return what is certain when a control edge has fired."""
        bit = 1 << self.graph.nodes[edge.source].index
        own = {"success": Certain(outputs=bit), "failure": Certain(errors=bit), "always": NOTHING}[edge.on]
        return own | self.of_node[edge.source]

    def joined(self, unit: Unit) -> Certain:
        """Return what is certain when a unit is activated, beside what its region began with."""
        found = NOTHING
        for at in unit.context:
            edge = self.graph.edges[at]
            if self.is_reached(edge) and not self.may_go_on_failed(edge.source):
                found |= Certain(outputs=1 << self.graph.nodes[edge.source].index) | self.of_node[edge.source]
        incoming = [self.graph.edges[at] for at in unit.control]
        for edge in incoming:
            if unit.join == "all_fired" or (unit.join == "all" and self.is_sure(edge)):
                found |= self.brought(edge)
        if incoming and not unit.is_start:  # at least one of them has fired
            common = self.brought(incoming[0])
            for edge in incoming[1:]:
                common &= self.brought(edge)
            found |= common
        return found

    def is_always(self, unit: Unit) -> bool:
        """Say whether a unit is activated in every instance of its region."""
        sure = [self.is_sure(self.graph.edges[at]) for at in unit.control]
        if unit.join == "all_fired":
            return all(sure) and (unit.is_start or bool(sure))
        return unit.is_start or any(sure)


def find_available(graph: Graph) -> Availability:
    """Return what is certain in `graph`."""
    found = Availability(graph)
    for region, unit in walk_units(graph.regions):
        is_header = unit.id == region
        certain = found.of_loop[region] | (NOTHING if is_header else found.joined(unit))
        is_always = is_header or found.is_always(unit)
        if unit.is_loop:
            found.of_loop[unit.id] = certain
            found.loops_always |= {unit.id} if is_always else set()
        else:
            found.of_node[unit.id] = certain
            found.always |= {unit.id} if is_always else set()
    return found
