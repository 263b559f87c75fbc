"""From a spec to its graph: regions, units and what each node may read.

Owns semantics 1.1 and 1.2: loops are the strongly connected components of control edges, each with one
header; taking its back edges away shows the loops inside. What is against the rules is told through
`report`, so that check.py lists it and `compile_spec` raises it. Readability (1.9) is readable.py's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from omium.jsonvalue import canonical_bytes
from omium.spec.components import list_components, order_units
from omium.spec.document import Body, Edge, Node
from omium.spec.graph import ROOT, Graph, GraphEdge, GraphNode, Region, Unit
from omium.spec.limits import ITERATIONS_DEFAULT, LOOP_DEPTH_MAX
from omium.spec.problems import Report, SpecProblem, join_pointer
from omium.spec.readable import find_readable


class NotAGraph(ValueError):
    """The spec has no static form; `problems` says why. `check_spec` tells it before."""

    def __init__(self, problems: Sequence[SpecProblem]) -> None:
        super().__init__(" ".join(problem.detail for problem in problems))
        self.problems = tuple(problems)


def compile_spec(spec: Body) -> Graph:
    """Return the graph of a spec in engine mode, or of a body; raises `NotAGraph` for one that has none."""
    problems: list[SpecProblem] = []
    graph = compile_body(spec, "", problems.append)
    if graph is None:
        raise NotAGraph(problems)
    return graph


def compile_body(body: Body, pointer: str, report: Report) -> Graph | None:
    """Return the graph of the body at `pointer`; what is against the rules is reported, and None returned.

    Edges without their ends and second nodes of an id are left out here without a word: check.py tells them.
    """
    draft = _Draft(body, pointer, report)
    draft.find_starts()
    draft.find_regions(ROOT, None, frozenset(draft.nodes), 0)
    draft.tell_unreachable()
    if draft.is_broken:
        return None
    return draft.finish()


def list_edges(body: Body, pointer: str) -> list[tuple[str, str, Edge]]:
    """Return the edges as (id, pointer, edge), in canonical order, which is the order of their indexes.

    By source and target; edges out of a decision stay in the order of its choice.
    """
    deciding = {node.id for node in body.nodes if node.type == "decision"}

    def rank(item: tuple[int, Edge]) -> tuple[str, int, str, bytes]:
        at, edge = item
        place = at if edge.source in deciding else 0
        return edge.source, place, edge.target, canonical_bytes(edge.form())

    listed: list[tuple[str, str, Edge]] = []
    counts: dict[str, int] = {}
    for at, edge in sorted(enumerate(body.edges), key=rank):
        name = f"{edge.source}->{edge.target}"
        counts[name] = counts.get(name, 0) + 1
        default = name if counts[name] == 1 else f"{name}#{counts[name]}"
        listed.append((edge.id or default, join_pointer(pointer, "edges", at), edge))
    return listed


@dataclass
class _Draft:
    """A graph in the making."""

    body: Body
    pointer: str
    report: Report
    nodes: dict[str, tuple[str, Node]] = field(init=False)
    edges: list[tuple[str, str, Edge]] = field(init=False)
    control_into: dict[str, list[int]] = field(init=False)
    """The control edges into each node, by index."""
    starts: frozenset[str] = frozenset()
    regions: dict[str, Region] = field(default_factory=dict)
    home: dict[str, str] = field(default_factory=dict)
    """The innermost region of each node."""
    is_broken: bool = False

    def __post_init__(self) -> None:
        found: dict[str, tuple[str, Node]] = {}
        for at, node in enumerate(self.body.nodes):
            found.setdefault(node.id, (join_pointer(self.pointer, "nodes", at), node))
        self.nodes = {name: found[name] for name in sorted(found)}
        self.edges = [
            each
            for each in list_edges(self.body, self.pointer)
            if each[2].source in found and each[2].target in found
        ]
        self.control_into = {name: [] for name in found}
        for at, (_, _, edge) in enumerate(self.edges):
            if edge.kind == "control":
                self.control_into[edge.target].append(at)

    def tell(self, pointer: str, code: str, detail: str, suggestion: str) -> None:
        self.is_broken = True
        self.report(SpecProblem(pointer, detail, suggestion, code))

    # ---- 1.1

    def find_starts(self) -> None:
        named = frozenset(name for name, (_, node) in self.nodes.items() if node.start)
        self.starts = named or frozenset(name for name in self.nodes if not self.control_into[name])
        if not self.starts:
            self.tell(
                join_pointer(self.pointer, "nodes"),
                "no-start",
                "No node can begin: a control edge enters each of them.",
                'Mark the node that begins with "start": true.',
            )

    def tell_unreachable(self) -> None:
        following: dict[str, list[str]] = {name: [] for name in self.nodes}
        for _, _, edge in self.edges:
            if edge.kind == "control":
                following[edge.source].append(edge.target)
        reached, waiting = set(self.starts), list(self.starts)
        while waiting:
            for target in following[waiting.pop()]:
                if target not in reached:
                    reached.add(target)
                    waiting.append(target)
        if not self.starts:
            return  # told as no-start already
        for name, (pointer, _) in self.nodes.items():
            if name not in reached:
                self.tell(
                    pointer,
                    "unreachable-node",
                    f"Nothing leads to the node {name}: no control edges connect it with a start.",
                    'Add an edge to it, or mark it with "start": true, or remove it.',
                )

    # ---- 1.2

    def find_regions(self, region: str, parent: str | None, members: frozenset[str], depth: int) -> None:
        """Record the region `region` of `members`, and the loops inside of it."""
        limit = self.body.loops.get(region)
        self.regions[region] = Region(
            id=region,
            header=region or None,
            parent=parent,
            depth=depth,
            members=members,
            units={},
            units_order=(),
            back_edges=tuple(
                at for at in self.control_into.get(region, ()) if self.edges[at][2].source in members
            ),
            max_iterations=limit.max_iterations if limit else ITERATIONS_DEFAULT,
        )
        following: dict[str, list[str]] = {name: [] for name in members}
        for name in members:
            self.home[name] = region
            if name != region:  # without the back edges
                for at in self.control_into[name]:
                    source = self.edges[at][2].source
                    if source in members:
                        following[source].append(name)
        for loop in list_components(following):
            self.find_loop(region, loop, depth)

    def find_loop(self, region: str, loop: frozenset[str], depth: int) -> None:
        entries = sorted(
            name
            for name in loop
            if name in self.starts
            or any(self.edges[at][2].source not in loop for at in self.control_into[name])
        )
        if len(entries) > 1:
            self.tell(
                self.nodes[entries[1]][0],
                "irreducible-cycle",
                f"The cycle of {_list(loop)} is entered at more than one node: {_list(entries)}.",
                'Let every edge from outside enter at one of them, or give the others "kind": "context".',
            )
            return
        if not entries:
            self.is_broken = True  # nothing leads here: told as unreachable, or as no-start
            return
        if depth >= LOOP_DEPTH_MAX:
            self.tell(
                self.nodes[entries[0]][0],
                "limit-exceeded",
                f"Loops stand more than {LOOP_DEPTH_MAX} deep inside each other at {entries[0]}.",
                "Move inner loops to workflows of their own.",
            )
            return
        self.find_regions(entries[0], region, loop, depth + 1)

    # ---- the finished form

    def finish(self) -> Graph | None:
        edges = tuple(self.make_edge(at) for at in range(len(self.edges)))
        nodes: dict[str, GraphNode] = {}
        incoming: dict[str, list[int]] = {name: [] for name in self.nodes}
        outgoing: dict[str, list[int]] = {name: [] for name in self.nodes}
        for edge in edges:
            outgoing[edge.source].append(edge.index)
            incoming[edge.target].append(edge.index)
        for at, (name, (pointer, node)) in enumerate(self.nodes.items()):
            inner = None
            if node.body is not None:
                inner = compile_body(node.body, join_pointer(pointer, "body"), self.report)
                self.is_broken = self.is_broken or inner is None
            nodes[name] = GraphNode(
                id=name,
                index=at,
                type=node.type,
                join=node.join,
                region=self.home[name],
                is_start=name in self.starts,
                incoming=tuple(incoming[name]),
                outgoing=tuple(outgoing[name]),
                body=inner,
                definition=node,
                pointer=pointer,
            )
        regions = self.make_regions(edges)
        if self.is_broken:
            return None
        return Graph(nodes, edges, regions, find_readable(nodes, edges, regions))

    def chain(self, name: str) -> list[str]:
        """Return the regions that hold a node, innermost first, ROOT last."""
        held = [self.home[name]]
        while (parent := self.regions[held[-1]].parent) is not None:
            held.append(parent)
        return held

    def make_edge(self, at: int) -> GraphEdge:
        name, pointer, edge = self.edges[at]
        held = self.chain(edge.source)
        region = next(each for each in held if edge.target in self.regions[each].members)
        return GraphEdge(
            index=at,
            id=name,
            source=edge.source,
            target=edge.target,
            on=edge.on,
            when=edge.when,
            default=edge.default,
            kind=edge.kind,
            region=region,
            leaves=tuple(held[: held.index(region)]),
            is_back=edge.kind == "control" and region != ROOT and edge.target == region,
            pointer=pointer,
        )

    def unit_of(self, name: str, region: str) -> str:
        """Return the unit of `region` that is the node `name` or holds it."""
        held = self.chain(name)
        at = held.index(region)
        return name if at == 0 else held[at - 1]

    def make_regions(self, edges: tuple[GraphEdge, ...]) -> dict[str, Region]:
        units: dict[str, list[str]] = {name: [] for name in self.regions}
        within: dict[str, list[GraphEdge]] = {name: [] for name in self.regions}
        for name in self.nodes:
            units[self.home[name]].append(name)
        for region in self.regions.values():
            if region.parent is not None:
                units[region.parent].append(region.id)
        for edge in edges:
            if not edge.is_back:
                within[edge.region].append(edge)
        return {
            name: self.make_region(region, units[name], within[name]) for name, region in self.regions.items()
        }

    def make_region(self, region: Region, names: list[str], edges: list[GraphEdge]) -> Region:
        control: dict[str, list[int]] = {name: [] for name in names}
        context: dict[str, list[int]] = {name: [] for name in names}
        outgoing: dict[str, list[int]] = {name: [] for name in names}
        pairs: list[tuple[str, str, GraphEdge]] = []
        for edge in edges:
            source, target = self.unit_of(edge.source, region.id), self.unit_of(edge.target, region.id)
            outgoing[source].append(edge.index)
            (control if edge.kind == "control" else context)[target].append(edge.index)
            pairs.append((source, target, edge))
        order, cycle = order_units(names, [(source, target) for source, target, _ in pairs])
        if cycle:
            self.tell_context_cycle(cycle, pairs)
        units = {
            name: Unit(
                id=name,
                is_loop=name in self.regions and name != region.id,
                is_start=region.id == ROOT and not self.starts.isdisjoint(self.members_of(name, region.id)),
                join=self.nodes[name][1].join,
                control=tuple(control[name]),
                context=tuple(context[name]),
                outgoing=tuple(outgoing[name]),
            )
            for name in order
        }
        return replace(region, units=units, units_order=order)

    def members_of(self, unit: str, region: str) -> frozenset[str]:
        return self.regions[unit].members if unit in self.regions and unit != region else frozenset({unit})

    def tell_context_cycle(self, cycle: frozenset[str], pairs: Iterable[tuple[str, str, GraphEdge]]) -> None:
        within = [edge for source, target, edge in pairs if source in cycle and target in cycle]
        blamed = next((edge for edge in within if edge.kind == "context"), within[0])
        self.tell(
            blamed.pointer,
            "context-cycle",
            f"The context edge {blamed.id} closes a cycle: each of {_list(cycle)} would wait for the others.",
            'Remove it; a loop reads its previous iteration with "nodes.X.previous.output" instead.',
        )


def _list(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:8]) + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")
