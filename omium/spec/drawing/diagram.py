"""Diagrams: what is drawn of a spec, as boxes and lines with their words. Where they stand is layers.py's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from omium.safetext import safe_text
from omium.spec.compile import list_edges
from omium.spec.document import Body, Edge, Node
from omium.spec.reading_order import order_nodes

LABEL_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Box:
    """A node: its id, and below it what it is."""

    id: str
    title: str
    words: str
    type: str


@dataclass(frozen=True, slots=True)
class Line:
    """An edge. A line that leads back belongs to a loop; `label` is empty for a plain one."""

    id: str
    source: str
    target: str
    label: str
    is_context: bool
    is_failure: bool
    is_back: bool


@dataclass(frozen=True, slots=True)
class Diagram:
    """Boxes in the order in which they may run, and the lines between them."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def make_diagram(body: Body) -> Diagram:
    """Return what is drawn of a workflow, or of a map's body."""
    nodes = {node.id: node for node in body.nodes}
    edges = [
        (edge_id, edge)
        for edge_id, _, edge in list_edges(body, "")
        if edge.source in nodes and edge.target in nodes
    ]
    starts = sorted(node.id for node in body.nodes if node.start)
    order = order_nodes(nodes, [(edge.source, edge.target) for _, edge in edges], starts)
    back = find_back_edges([*starts, *order], [(edge.source, edge.target) for _, edge in edges])
    lines = [_make_line(edge_id, edge, body, is_back=at in back) for at, (edge_id, edge) in enumerate(edges)]
    return Diagram(tuple(_make_box(nodes[node_id]) for node_id in order), tuple(lines))


def find_back_edges(roots: Iterable[str], edges: Sequence[tuple[str, str]]) -> frozenset[int]:
    """Return the places of the edges that close a circle when the graph is walked from `roots` on."""
    outgoing: dict[str, list[int]] = {}
    for at, (source, _) in enumerate(edges):
        outgoing.setdefault(source, []).append(at)
    back: set[int] = set()
    done: set[str] = set()
    for root in roots:
        if root in done:
            continue
        open_ids, stack = {root}, [(root, iter(outgoing.get(root, ())))]
        while stack:
            node_id, rest = stack[-1]
            at = next(rest, -1)
            if at < 0:
                open_ids.discard(node_id)
                done.add(node_id)
                stack.pop()
                continue
            target = edges[at][1]
            if target in open_ids:
                back.add(at)
            elif target not in done:
                open_ids.add(target)
                stack.append((target, iter(outgoing.get(target, ()))))
    return frozenset(back)


def _make_box(node: Node) -> Box:
    return Box(node.id, safe_text(node.name or node.id), safe_text(_describe(node)), node.type)


def _describe(node: Node) -> str:
    """Return what a node is, in a few words."""
    given = node.parameters
    words: str = node.type
    match node.type:
        case "agent_task" | "llm_call":
            words += f" · {node.agent}" if node.agent else ""
        case "tool_call":
            words += f" · {node.tool}" if node.tool else ""
        case "function":
            words += f" · {given['handler']}" if given.get("handler") not in (None, node.id) else ""
        case "subworkflow":
            words += f" · {node.workflow}" if node.workflow else ""
        case "wait":
            words += _describe_wait(given)
        case "map":
            words += " · each item"
        case "approval" | "decision":
            pass
    if node.effect:
        words += " · effect"
    if node.join != "all":
        words += f" · join {node.join}"
    return words


def _describe_wait(given: Mapping[str, object]) -> str:
    if "signal" in given:
        return f" · signal {given['signal']}" if isinstance(given["signal"], str) else " · signal"
    if isinstance(given.get("seconds"), int | float):
        return f" · {given['seconds']} s"
    return " · until" if "until" in given else ""


def _make_line(edge_id: str, edge: Edge, body: Body, *, is_back: bool) -> Line:
    parts = []
    if edge.on != "success":
        parts.append("on failure" if edge.on == "failure" else "always")
    if edge.when is not None:
        parts.append(f"when {edge.when.expr or edge.when.ref or ''}".strip())
    if edge.default:
        parts.append("otherwise")
    if edge.kind == "context":
        parts.append("context")
    if is_back:
        limit = body.loops.get(edge.target)
        parts.append(f"again, at most {limit.max_iterations} times" if limit else "again")
    label = " ".join(safe_text(", ".join(parts)).split())
    return Line(
        id=edge_id,
        source=edge.source,
        target=edge.target,
        label=label[:LABEL_CHARACTERS_MAX],
        is_context=edge.kind == "context",
        is_failure=edge.on == "failure",
        is_back=is_back,
    )
