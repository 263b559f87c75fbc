"""What a node may read: MR of semantics 1.9, for a whole graph at once.

Sets of nodes are the bits of integers: a graph of 2,000 nodes has 4 million pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omium.spec.graph import ROOT, GraphEdge, GraphNode, Region, walk_units


def find_readable(
    nodes: Mapping[str, GraphNode], edges: Sequence[GraphEdge], regions: Mapping[str, Region]
) -> dict[str, int]:
    """Return MR of each node as bits of node indexes.

    The nodes whose end stands fast when the node is activated: done, skipped or failed. For `all` and
    `all_fired` whatever any incoming edge brings; for `any` what each control edge brings, and all context.
    Inside a loop, also what the loop could read when it began.
    """
    found: dict[str, int] = {}
    for region, unit in walk_units(regions):
        brought = [1 << nodes[edges[at].source].index | found[edges[at].source] for at in unit.control]
        if unit.join == "any":
            joined = -1
            for bits in brought:
                joined &= bits
            joined = 0 if unit.is_start or not brought else joined
        else:
            joined = 0
            for bits in brought:
                joined |= bits
        for at in unit.context:
            joined |= 1 << nodes[edges[at].source].index | found[edges[at].source]
        outside = found[_loop_key(region)] if region != ROOT else 0
        found[_loop_key(unit.id) if unit.is_loop else unit.id] = outside | joined
    return {name: found[name] for name in nodes}


def _loop_key(region: str) -> str:
    return f"loop {region}"  # no node has a blank in its id
