"""Reading: which activation of a node another one reads.

Owns the choice of the iteration in semantics 1.9. Whether a node may read another at all is the graph's word
(`Graph.readable`); the value itself is in the records.
"""

from __future__ import annotations

from omium.spec.graph import Graph
from omium.spec.schedule.keys import Vector, instance_key
from omium.spec.schedule.state import Instances
from omium.spec.schedule.wiring import wire


def find_vector(
    graph: Graph,
    instances: Instances,
    node: str,
    reader: tuple[str, Vector] | None,
    *,
    previous: bool = False,
) -> Vector | None:
    """Return which activation of `node` the activation `reader` means, or None if that never began.

    In the loops that both are in it is the reader's own iteration (`previous`: the one before it, in the
    innermost of them); of loops that only `node` is in, the last one. Without a reader, as for the outputs,
    it is the last of all. Whether that activation was skipped or failed is in the records.
    """
    loops = graph.loops_of(node)
    shared = 0
    vector: Vector = ()
    if reader is not None:
        readers = graph.loops_of(reader[0])
        while shared < min(len(loops), len(readers)) and loops[shared] == readers[shared]:
            shared += 1
        vector = reader[1][:shared]
    if previous:
        if not vector or vector[-1] == 1:
            return None
        vector = (*vector[:-1], vector[-1] - 1)
    for loop in loops[shared:]:
        newest = find_iteration(graph, instances, loop, vector)
        if newest is None:
            return None
        vector = (*vector, newest)
    return vector


def find_iteration(graph: Graph, instances: Instances, loop: str, outer: Vector) -> int | None:
    """Return the newest iteration of `loop` in the instance `outer` of what is around it, if it has begun."""
    parent = graph.regions[loop].parent
    assert parent is not None
    state = instances.get(instance_key(parent, outer))
    return None if state is None else state.iterations.get(wire(graph).regions[parent].unit_at[loop])
