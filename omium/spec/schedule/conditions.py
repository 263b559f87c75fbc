"""Conditions: which edges of a node fire when it ends, and which `when` must be known for that.

Owns semantics 1.5 and the exclusivity of decisions. Expressions are evaluated elsewhere, outside of any
transaction; here they are true or false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from omium.spec.graph import Graph, GraphEdge
from omium.spec.schedule.actions import NO_BRANCH, Ended, Outcome
from omium.spec.schedule.wiring import wire

DECISION = "decision"


def needed_conditions(graph: Graph, node: str, outcome: Outcome) -> list[GraphEdge]:
    """Return the edges whose `when` has to be known before the node may end with `outcome`, in their order.

    Of a decision that went well, those after the first control edge that holds need not be known.
    """
    return [
        edge
        for edge in wire(graph).outgoing(node)
        if edge.when is not None and not edge.default and _is_asked(edge, outcome)
    ]


def choose_branch(graph: Graph, node: str, conditions: Mapping[str, bool]) -> GraphEdge | None:
    """Return the one control edge that a decision takes: the first that holds, else its default, if any.

    Raises `KeyError` for a `when` that has to be known and isn't.
    """
    asked = [
        edge for edge in wire(graph).outgoing(node) if edge.kind == "control" and _is_asked(edge, "success")
    ]
    for edge in asked:
        if not edge.default and (edge.when is None or conditions[edge.id]):
            return edge
    return next((edge for edge in asked if edge.default), None)


def judge(graph: Graph, ended: Ended) -> Ended:
    """Return how the activation really ended: a decision without a branch has failed with `no-branch`."""
    if ended.outcome != "success" or graph.nodes[ended.node].type != DECISION:
        return ended
    if choose_branch(graph, ended.node, ended.conditions) is not None:
        return ended
    return replace(ended, outcome="failure", code=NO_BRANCH)


def find_fired(graph: Graph, ended: Ended) -> set[int]:
    """Return the numbers of the outgoing edges that fire; of a judged ending.

    Raises `KeyError` for a `when` that has to be known and isn't.
    """
    if ended.outcome == "skipped":
        return set()
    branches = ended.outcome == "success" and graph.nodes[ended.node].type == DECISION
    fired = set()
    if branches:
        branch = choose_branch(graph, ended.node, ended.conditions)
        assert branch is not None, "the ending was judged"
        fired.add(branch.index)
    for edge in wire(graph).outgoing(ended.node):
        if (branches and edge.kind == "control") or not _is_asked(edge, ended.outcome):
            continue
        if edge.when is None or edge.default or ended.conditions[edge.id]:
            fired.add(edge.index)
    return fired


def handles(graph: Graph, ended: Ended) -> bool:
    """Say whether an edge takes the failure up: a control edge fires. Raises `KeyError` as `find_fired`."""
    fired = find_fired(graph, ended)
    return any(graph.edges[index].kind == "control" for index in fired)


def _is_asked(edge: GraphEdge, outcome: Outcome) -> bool:
    return edge.on in (outcome, "always") and outcome != "skipped"
