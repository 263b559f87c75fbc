"""The canonical form of a spec, and what it is known by.

canonical_form    the document with its nodes and edges in order and without what stands for its default
spec_digest       equal for documents that mean the same
node_digest       of a node with its agent and tools: what a replay compares before it reuses a result
"""

from __future__ import annotations

import hashlib

from omium import jsonvalue
from omium.jsonvalue import JsonValue
from omium.spec.compile import list_edges
from omium.spec.document import Body, Node, Object, Spec

_WITHOUT_EFFECT = ("name", "description", "start", "join", "id")
"""Of a node: for people, or about when it runs and not about what it does."""


def canonical_form(spec: Body) -> Object:
    """Return the document that means what `spec` means, in its one order. Reading it gives an equal spec.

    The order of edges out of a decision is kept, because it is the order of its choice; everything else is
    sorted.
    """
    form = spec.form()
    form["nodes"] = [_node_form(node) for node in sorted(spec.nodes, key=lambda node: node.id)]
    if spec.edges:
        form["edges"] = [edge.form() for _, _, edge in list_edges(spec, "")]
    return form


def canonical_bytes(spec: Spec) -> bytes:
    """Return the canonical form as JSON text."""
    return jsonvalue.canonical_bytes(canonical_form(spec))


def spec_digest(spec: Spec) -> str:
    """Return the SHA-256 of the canonical form, in hexadecimal."""
    return hashlib.sha256(canonical_bytes(spec)).hexdigest()


def node_digest(spec: Spec, node_id: str) -> str:
    """Return the SHA-256 of what a node is: its definition, its agent, its tools, its breaker's limits.

    A node of a map's body is named by the ids of the maps around it: `each/summarise`. Raises `KeyError`.
    """
    node = get_node(spec, node_id)
    named: set[str] = {node.tool} if node.tool else set()
    agents: dict[str, JsonValue] = {}
    for inner in list_nodes(node):
        if inner.agent in spec.agents:
            agent = spec.agents[inner.agent]
            agents[inner.agent] = agent.form()
            named.update(agent.tools)
        if inner.tool:
            named.add(inner.tool)
    tools: dict[str, JsonValue] = {
        name: spec.tools[name].form() for name in sorted(named) if name in spec.tools
    }
    own = {name: value for name, value in _node_form(node).items() if name not in _WITHOUT_EFFECT}
    parts: JsonValue = {"node": own, "agents": agents, "tools": tools}
    return hashlib.sha256(jsonvalue.canonical_bytes(parts)).hexdigest()


def get_node(spec: Body, node_id: str) -> Node:
    """Return the node that `node_id` names, which may lie in the bodies of maps: `each/summarise`."""
    inside: Body | None = spec
    found: Node | None = None
    for name in node_id.split("/"):
        found = next((node for node in inside.nodes if node.id == name), None) if inside else None
        if found is None:
            raise KeyError(node_id)
        inside = found.body
    assert found is not None
    return found


def list_nodes(node: Node) -> list[Node]:
    """Return a node and those of its body, and of the bodies in there."""
    found = [node]
    for each in found:
        found += each.body.nodes if each.body else ()
    return found


def _node_form(node: Node) -> Object:
    form = node.form()
    if node.body is not None:
        form["body"] = canonical_form(node.body)
    return form
