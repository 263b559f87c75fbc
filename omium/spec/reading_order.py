"""Reading order: a document as a person would have written it, for export and for the editor.

The canonical form (canonical.py) sorts by name. Here a node's id comes first, and nodes come in the order in
which they run. Only the order is changed: both mean the same, and have the same digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from omium.jsonvalue import JsonValue

Object = Mapping[str, JsonValue]

_DOCUMENT: Final = (
    "omium", "name", "description", "version", "source_framework", "inputs", "agents", "tools", "process",
    "manager", "nodes", "edges", "loops", "outputs", "breakers", "state", "runtime",
)  # fmt: skip
_NODE: Final = (
    "id", "type", "name", "description", "agent", "tool", "workflow", "parameters", "inputs", "body",
    "outputs", "join", "start", "retry", "timeout_s", "concurrency", "breaker", "effect", "compensate",
    "checkpoint",
)  # fmt: skip
_EDGE: Final = ("id", "from", "to", "on", "when", "default", "kind", "x-kind")
_AGENT: Final = ("role", "goal", "backstory", "llm", "tools")
_BODY: Final = ("inputs", "nodes", "edges", "loops", "outputs")


def in_reading_order(document: JsonValue) -> JsonValue:
    """Return a valid document with its members, nodes and edges in the order in which people read them."""
    if not isinstance(document, dict):
        return document
    ordered = _order_body(document, _DOCUMENT)
    for part in ("agents", "tools"):
        members = ordered.get(part)
        if isinstance(members, dict):
            ordered[part] = {name: _order(member, _AGENT) for name, member in members.items()}
    return ordered


def _order_body(body: Object, names: Iterable[str]) -> dict[str, JsonValue]:
    ordered = _arrange(body, names)
    nodes, edges = _objects(body.get("nodes")), _objects(body.get("edges"))
    starts = [str(node.get("id")) for node in nodes if node.get("start") is True]
    ids = order_nodes([str(node.get("id")) for node in nodes], [_ends(edge) for edge in edges], starts)
    place = {node_id: at for at, node_id in enumerate(ids)}
    if nodes:
        sorted_nodes = sorted(nodes, key=lambda node: place[str(node.get("id"))])
        ordered["nodes"] = [_order_node(node) for node in sorted_nodes]
    if edges:  # stable: the order of a decision's own edges is the order of its choice
        sorted_edges = sorted(edges, key=lambda edge: place.get(_ends(edge)[0], len(place)))
        ordered["edges"] = [_arrange(edge, _EDGE) for edge in sorted_edges]
    return ordered


def _order_node(node: Object) -> dict[str, JsonValue]:
    ordered = _arrange(node, _NODE)
    body = ordered.get("body")
    if isinstance(body, dict):
        ordered["body"] = _order_body(body, _BODY)
    return ordered


def order_nodes(
    ids: Iterable[str], edges: Iterable[tuple[str, str]], starts: Iterable[str] = ()
) -> list[str]:
    """Return the ids in an order in which they may run: those nearer to the start first, loops once around.

    Begins at `starts` and at what no edge enters. Deterministic; an edge that leads back, and one to an id
    that is not there, counts for nothing.
    """
    ids = sorted(set(ids))
    followers: dict[str, list[str]] = {node_id: [] for node_id in ids}
    entered = set()
    for source, target in edges:
        if source in followers and target in followers and source != target:
            followers[source].append(target)
            entered.add(target)
    finished: list[str] = []
    seen: set[str] = set()
    begin = set(starts)
    roots = [each for each in ids if each not in entered or each in begin]
    for root in [*reversed(roots), *ids]:  # what is finished last comes first
        _visit(root, followers, seen, finished)
    return finished[::-1]


def _visit(root: str, followers: Mapping[str, list[str]], seen: set[str], finished: list[str]) -> None:
    """Walk depth first without recursion; `finished` gets each id behind all that follow it."""
    if root in seen:
        return
    seen.add(root)
    stack = [(root, iter(sorted(set(followers[root]), reverse=True)))]
    while stack:
        node_id, rest = stack[-1]
        following = next((each for each in rest if each not in seen), None)
        if following is None:
            finished.append(node_id)
            stack.pop()
        else:
            seen.add(following)
            stack.append((following, iter(sorted(set(followers[following]), reverse=True))))


def _ends(edge: Object) -> tuple[str, str]:
    return str(edge.get("from")), str(edge.get("to"))


def _objects(value: JsonValue) -> list[dict[str, JsonValue]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _order(value: JsonValue, names: Iterable[str]) -> JsonValue:
    return _arrange(value, names) if isinstance(value, dict) else value


def _arrange(members: Object, names: Iterable[str]) -> dict[str, JsonValue]:
    """Return the members with those of `names` first, in that order, and the rest behind them by name."""
    known = {name: members[name] for name in names if name in members}
    return known | {name: members[name] for name in sorted(members) if name not in known}
