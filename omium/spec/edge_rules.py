"""What the edges of a workflow or a body must say: their ends, their conditions, a decision's choice."""

from __future__ import annotations

from collections.abc import Mapping

from omium.spec.compile import list_edges
from omium.spec.document import Edge, Node
from omium.spec.expression_tokens import ExpressionInvalid
from omium.spec.expressions import check_expression, list_paths
from omium.spec.graph import Graph, GraphEdge
from omium.spec.problems import SpecProblem, did_you_mean, join_pointer
from omium.spec.reading import Scope, check_path


def check_edges(scope: Scope, *, is_engine: bool) -> None:
    """Report what is wrong with the edges of a scope."""
    ids: dict[str, str] = {}
    for id_, pointer, edge in list_edges(scope.body, scope.pointer):
        if ids.setdefault(id_, pointer) != pointer:
            _tell(scope, pointer, "duplicate-id", f"Two edges have the id {id_[:200]!r}.", "Rename one.")
        _check_ends(scope, edge, pointer)
        _check_condition(scope, edge, pointer, is_engine=is_engine)
    _check_twins(scope)
    for at, node in enumerate(scope.body.nodes):
        if node.type == "decision":
            _check_decision(scope, node, join_pointer(scope.pointer, "nodes", at), is_engine=is_engine)
    if scope.graph is not None:
        _warn_of_exits(scope, scope.graph)


def _check_ends(scope: Scope, edge: Edge, pointer: str) -> None:
    for field, name in (("from", edge.source), ("to", edge.target)):
        if name not in scope.nodes:
            _tell(
                scope,
                join_pointer(pointer, field),
                "unknown-node",
                f"The edge leads {field} a node {name!r} that is not here.",
                did_you_mean(name, scope.nodes, "Add the node, or remove the edge."),
            )
    source = scope.nodes.get(edge.source)
    if edge.default and source is not None and source.type != "decision":
        _tell(
            scope,
            join_pointer(pointer, "default"),
            "misplaced-field",
            f"Only a decision has a default; {edge.source} is of type {source.type}.",
            "Remove it, or put a decision in between.",
        )


def _check_twins(scope: Scope) -> None:
    seen: dict[tuple[object, ...], int] = {}
    for at, edge in enumerate(scope.body.edges):
        condition = (edge.when.expr, edge.when.ref) if edge.when else None
        same = seen.setdefault((edge.source, edge.target, edge.on, edge.kind, condition, edge.default), at)
        if same != at:
            _tell(
                scope,
                join_pointer(scope.pointer, "edges", at),
                "duplicate-edge",
                f"The edge from {edge.source} to {edge.target} stands here twice.",
                f"Remove it; /edges/{same} says the same.",
            )


def _check_condition(scope: Scope, edge: Edge, pointer: str, *, is_engine: bool) -> None:
    when = edge.when
    if when is None:
        return
    at = join_pointer(pointer, "when")
    if (when.expr is None) == (when.ref is None):
        _tell(
            scope, at, "bad-condition", "A condition has either an expr or a ref.", 'Write {"expr": "..."}.'
        )
    if when.ref is not None and is_engine:
        _tell(
            scope,
            join_pointer(at, "ref"),
            "native-only",
            "The engine does not run a framework's code to choose an edge.",
            'Write the condition as an "expr", or let a function node decide and read its output.',
        )
    if when.expr is not None:
        _check_expression(scope, edge, when.expr, join_pointer(at, "expr"))


def _check_expression(scope: Scope, edge: Edge, source: str, pointer: str) -> None:
    names = ["output", "error", "inputs", "nodes", "trigger", *(("item", "index") if scope.is_body else ())]
    sentences = check_expression(source, names)
    for sentence in sentences:
        _tell(scope, pointer, "bad-expression", sentence, "")
    reader = scope.nodes.get(edge.source)
    if sentences or reader is None:
        return
    try:
        paths = list_paths(source)
    except ExpressionInvalid:  # told above
        return
    is_guarded = "has(" in source
    for path in paths:
        if path[0] == "output":
            path = ("nodes", edge.source, *path)  # noqa: PLW2901  # the same place by its long name
        if path[0] == "error":
            if edge.on == "success":
                _tell(scope, pointer, "bad-expression", "After a success there is no error.", "Read output.")
        else:
            also = frozenset({edge.source})
            check_path(scope, path, pointer, reader, has_default=is_guarded, also=also)


def _check_decision(scope: Scope, node: Node, pointer: str, *, is_engine: bool) -> None:
    chosen = [
        (join_pointer(scope.pointer, "edges", at), edge)
        for at, edge in enumerate(scope.body.edges)
        if edge.source == node.id and edge.kind == "control" and edge.on != "failure"
    ]
    if not chosen:
        _tell(
            scope, pointer, "bad-decision", f"{node.id} has nothing to choose from.", "Add edges out of it."
        )
        return
    defaults = [(place, edge) for place, edge in chosen if edge.default]
    for place, edge in defaults:
        if edge.when is not None:
            _tell(scope, place, "bad-decision", "A default edge has no condition.", 'Remove its "when".')
    for place, _ in defaults[1:]:
        _tell(scope, place, "bad-decision", f"{node.id} has two default edges.", "Give one a condition.")
    for place, edge in chosen:
        if edge.when is None and not edge.default and is_engine:
            _tell(
                scope,
                place,
                "bad-decision",
                f"This edge of the decision {node.id} has neither a condition nor is it the default.",
                'Give it a "when", or mark it with "default": true.',
            )
    if not defaults and is_engine:
        scope.warning(
            SpecProblem(
                pointer,
                f"{node.id} has no default edge: if no condition is true, it fails.",
                'Mark one of its edges with "default": true.',
                "no-default",
            )
        )


def _warn_of_exits(scope: Scope, graph: Graph) -> None:
    """Warn where an iteration can fire both an exit and a back edge: the exit would be discarded."""
    for edge in graph.edges:
        for loop in edge.leaves if edge.kind == "control" and edge.on != "failure" else ():
            back = (graph.edges[at] for at in graph.regions[loop].back_edges)
            beside = next((other for other in back if _may_both_fire(scope.nodes, edge, other)), None)
            if beside is not None and beside is not edge:
                scope.warning(
                    SpecProblem(
                        edge.pointer,
                        f"The edge {edge.id} leaves the loop {loop} beside {beside.id}, which goes round:"
                        " when both fire, this one is discarded.",
                        "Let a decision choose between them.",
                        "exit-beside-back-edge",
                    )
                )


def _may_both_fire(nodes: Mapping[str, Node], leaving: GraphEdge, back: GraphEdge) -> bool:
    if leaving.source != back.source:
        return True
    is_exclusive = nodes[back.source].type == "decision" or {leaving.on, back.on} == {"success", "failure"}
    return not is_exclusive and not (leaving.when and back.when)


def _tell(scope: Scope, pointer: str, code: str, detail: str, suggestion: str) -> None:
    scope.problem(SpecProblem(pointer, detail, suggestion, code))
