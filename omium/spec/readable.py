"""What a node may read: MR of semantics 1.9, for a whole graph at once.

Sets of nodes are the bits of integers: a graph of 2,000 nodes has 4 million pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from omium.spec.graph import ROOT, GraphEdge, GraphNode, Region


def find_readable(
    nodes: Mapping[str, GraphNode], edges: Sequence[GraphEdge], regions: Mapping[str, Region]
) -> dict[str, int]:
    """Return MR of each node as bits of node indexes.

    The nodes whose end stands fast when the node is activated: done, skipped or failed. For `all` and
    `all_fired` whatever any incoming edge brings; for `any` what each control edge brings, and all context.
    Inside a loop, also what the loop could read when it began.
    """
    found: dict[str, int] = {}
    for unit, is_loop, outside, region in _walk(regions, found):
        described = regions[region].units[unit]
        brought = [1 << nodes[edges[at].source].index | found[edges[at].source] for at in described.control]
        if described.join == "any":
            joined = -1
            for bits in brought:
                joined &= bits
            joined = 0 if described.is_start or not brought else joined
        else:
            joined = 0
            for bits in brought:
                joined |= bits
        for at in described.context:
            joined |= 1 << nodes[edges[at].source].index | found[edges[at].source]
        found[_loop_key(unit) if is_loop else unit] = outside | joined
    return {name: found[name] for name in nodes}


def _loop_key(region: str) -> str:
    return f"loop {region}"  # no node has a blank in its id


def _walk(regions: Mapping[str, Region], found: dict[str, int]) -> Iterator[tuple[str, bool, int, str]]:
    """Yield the units in an order in which everything that a unit reads was yielded before."""
    stack = [(ROOT, iter(regions[ROOT].units_order))]
    while stack:
        region, rest = stack[-1]
        unit = next(rest, None)
        if unit is None:
            stack.pop()
            continue
        is_loop = regions[region].units[unit].is_loop
        yield unit, is_loop, found[_loop_key(region)] if region != ROOT else 0, region
        if is_loop:
            stack.append((unit, iter(regions[unit].units_order)))
