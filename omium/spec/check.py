"""check_spec: every reason why a document is not a workflow spec, at once.

Owns the order of the checks: shape (shape.py), secrets (secret_rules.py), fields (node_rules.py), the
graph (compile.py), edges (edge_rules.py), what is read (reading.py, handing_over.py). One mistake is told
once: what only follows from another is left out where that can be known.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from omium.errors import SpecInvalid
from omium.jsonvalue import JsonValue
from omium.spec.availability import find_available
from omium.spec.compile import compile_body
from omium.spec.document import Body, Node, Spec
from omium.spec.edge_rules import check_edges
from omium.spec.graph import Graph
from omium.spec.handing_over import check_inputs
from omium.spec.limits import BODY_DEPTH_MAX, NODES_MAX, PROBLEMS_MAX
from omium.spec.node_rules import check_node, check_spec_fields
from omium.spec.problems import Report, SpecProblem, did_you_mean, join_pointer
from omium.spec.reading import Scope, check_value_references
from omium.spec.secret_rules import list_secrets
from omium.spec.shape import find_unreadable, mend_shape, read_part


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check_spec` found; `spec` is None if and only if there are problems."""

    spec: Spec | None
    problems: tuple[SpecProblem, ...]
    """In the order of the document; at most 200."""
    warnings: tuple[SpecProblem, ...]


def check_spec(document: JsonValue) -> Checked:
    """Return the spec that `document` is, or each of its problems; never raises, whatever it is given."""
    unreadable = find_unreadable(document)
    if unreadable is not None:
        return Checked(None, (unreadable,), ())
    spec, found = read_part(Spec, document, "")
    problems, warnings = _Findings(found), _Findings()
    with suppress(_Enough):
        for problem in list_secrets(document):
            problems.add(problem)
        whole = spec if spec is not None else mend_shape(document, found)
        if whole is not None:
            _check_parts(whole, problems.add, warnings.note)
    return Checked(None if problems else spec, _in_order(problems), _in_order(warnings))


class _Enough(Exception):
    """There are as many problems as anybody reads at once."""


class _Findings(list[SpecProblem]):
    """Problems or warnings, up to a number at which looking for more costs time and tells nothing."""

    def add(self, problem: SpecProblem) -> None:
        """Take a problem; raises `_Enough` after the last that is told."""
        self.append(problem)
        if len(self) >= PROBLEMS_MAX:
            raise _Enough

    def note(self, warning: SpecProblem) -> None:
        """Take a warning, if there is room."""
        if len(self) < PROBLEMS_MAX:
            self.append(warning)


def load_spec(document: JsonValue) -> Spec:
    """Return the spec that `document` is; raises `SpecInvalid` with every problem."""
    checked = check_spec(document)
    if checked.spec is None:
        count = len(checked.problems)
        raise SpecInvalid(
            checked.problems[0].detail + (f" And {count - 1} more." if count > 1 else ""),
            errors=[problem.to_json() for problem in checked.problems],
        )
    return checked.spec


def restore_spec(document: JsonValue) -> Spec:
    """Return a spec that was checked when it was stored, without looking for problems again.

    What runs is pinned to its version, and must not stop because a newer Omium would refuse it.
    """
    return Spec.model_validate(document)


def _in_order(found: list[SpecProblem]) -> tuple[SpecProblem, ...]:
    """Return each once, in the order of the document's places; numbers as numbers."""

    def place(problem: SpecProblem) -> list[tuple[int, str]]:
        parts = problem.pointer.split("/")[1:]
        return [(int(part), "") if part.isascii() and part.isdigit() else (-1, part) for part in parts]

    return tuple(sorted(dict.fromkeys(found), key=place)[:PROBLEMS_MAX])


def _check_parts(spec: Spec, problem: Report, warning: Report) -> None:
    check_spec_fields(spec, problem)
    count = _count_nodes(spec)
    if count > NODES_MAX:
        problem(
            SpecProblem(
                "/nodes",
                f"The workflow has {count:,} nodes with those of its maps; {NODES_MAX:,} are allowed.",
                "Move parts of it to workflows of their own.",
                "limit-exceeded",
            )
        )
        return
    _check_scope(spec, spec, "", 0, problem, warning)


def _check_scope(spec: Spec, body: Body, pointer: str, depth: int, problem: Report, warning: Report) -> None:
    """Check a workflow or a map's body, and the bodies in it."""
    nodes = _list_nodes(body, pointer, problem)
    is_engine = spec.runtime.mode == "engine"
    graph = _compile(body, pointer, problem) if is_engine else None
    scope = Scope(
        body=body,
        pointer=pointer,
        nodes=nodes,
        is_body=depth > 0,
        graph=graph,
        availability=find_available(graph) if graph else None,
        problem=problem,
        warning=warning,
    )
    check_edges(scope, is_engine=is_engine)
    if is_engine:
        check_value_references(scope, body.outputs, join_pointer(pointer, "outputs"), None)
    for at, node in enumerate(body.nodes):
        place = join_pointer(pointer, "nodes", at)
        check_node(spec, node, place, problem, warning)
        if is_engine:
            check_inputs(spec, scope, node, place)
        if node.body is None:
            continue
        if depth >= BODY_DEPTH_MAX:
            problem(
                SpecProblem(
                    join_pointer(place, "body"),
                    f"Maps stand more than {BODY_DEPTH_MAX} deep inside each other.",
                    "Move inner ones to workflows of their own.",
                    "limit-exceeded",
                )
            )
        else:
            _check_scope(spec, node.body, join_pointer(place, "body"), depth + 1, problem, warning)


def _list_nodes(body: Body, pointer: str, problem: Report) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for at, node in enumerate(body.nodes):
        if nodes.setdefault(node.id, node) is not node:
            problem(
                SpecProblem(
                    join_pointer(pointer, "nodes", at, "id"),
                    f"Two nodes have the id {node.id}.",
                    "Rename one of them.",
                    "duplicate-id",
                )
            )
    return nodes


def _compile(body: Body, pointer: str, problem: Report) -> Graph | None:
    """Return the graph of a body without the bodies in it, which are compiled when they are checked."""
    flat = body.model_copy(
        update={"nodes": tuple(node.model_copy(update={"body": None}) for node in body.nodes)}
    )
    known = {node.id for node in body.nodes}
    has_loose_ends = any(edge.source not in known or edge.target not in known for edge in body.edges)

    def report(found: SpecProblem) -> None:
        if not (has_loose_ends and found.code == "unreachable-node"):  # it may hang on the loose end
            problem(found)

    graph = compile_body(flat, pointer, report)
    for name in body.loops:
        headers = () if graph is None else [region for region in graph.regions if region]
        if graph is not None and name not in headers:
            problem(
                SpecProblem(
                    join_pointer(pointer, "loops", name),
                    f"No loop begins at a node {name!r}.",
                    did_you_mean(name, headers, "Name the node at which the loop is entered."),
                    "unknown-loop",
                )
            )
    return graph


def _count_nodes(body: Body) -> int:
    count, waiting = 0, [body]
    while waiting:
        each = waiting.pop()
        count += len(each.nodes)
        waiting += [node.body for node in each.nodes if node.body is not None]
    return count
