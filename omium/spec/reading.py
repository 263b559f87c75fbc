"""Whether what references and conditions name is there to be read (semantics 1.9).

Owns the words of a path (`inputs`, `item`, `index`, `trigger`, `nodes.X.output|error|previous`), who may use
which, and the types on both ends where schemas tell them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from omium.jsonvalue import JsonValue
from omium.spec.availability import Availability, Certain
from omium.spec.document import Body, Node
from omium.spec.graph import Graph
from omium.spec.problems import Report, SpecProblem, did_you_mean
from omium.spec.references import Path, Reference, list_references
from omium.spec.value_types import Inside, look_inside_schema

OUTPUT_SCHEMAS: Final[dict[str, JsonValue]] = {
    "approval": {
        "type": "object",
        "properties": {"decision": {"type": "string"}, "by": True, "comment": True, "at": True},
        "required": ["decision", "by", "comment", "at"],
    },
    "map": {"type": "array"},
}
"""Of node types whose output has one form."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A workflow or a map's body, and what is known of it."""

    body: Body
    pointer: str
    nodes: dict[str, Node]
    is_body: bool
    graph: Graph | None
    """None in native mode, and where the graph itself is wrong."""
    availability: Availability | None
    problem: Report
    warning: Report

    def output_schema(self, node: Node) -> JsonValue:
        """Return the schema of a node's output: what the document says, or what its type always gives."""
        return node.outputs or OUTPUT_SCHEMAS.get(node.type, True)


def check_value_references(scope: Scope, value: JsonValue, pointer: str, reader: Node | None) -> None:
    """Report what is wrong with references in `value`, which `reader` reads; None: the scope's outputs."""
    for reference in list_references(value, pointer):
        if isinstance(reference, Reference):
            check_path(scope, reference.path, reference.pointer, reader, has_default=reference.has_default)
        else:
            at, reason = reference
            scope.problem(SpecProblem(at, reason, 'Write {"$from": "nodes.write.output"}.', "bad-reference"))


def check_path(
    scope: Scope,
    path: Path,
    pointer: str,
    reader: Node | None,
    *,
    has_default: bool,
    also: frozenset[str] = frozenset(),
) -> Inside | None:
    """Report what is wrong with one path; return what schemas say of its value, or None where it is wrong.

    `also` are nodes that the reader may read beyond MR: the source of the edge, for its condition.
    """
    words = (
        {"inputs", "nodes"}
        | ({"item", "index"} if scope.is_body else set())
        | ({"trigger"} if reader else set())
    )
    root = path[0]
    if root not in words:
        scope.problem(
            SpecProblem(
                pointer,
                f"{'.'.join(path)[:100]} cannot be read here: there is no {root[:40]!r}.",
                did_you_mean(root, words),
                "unknown-reference",
            )
        )
        return None
    if root == "inputs":
        return _check_inside(scope, scope.body.inputs or True, path, 1, pointer, has_default=has_default)
    if root == "trigger":
        return _check_trigger(scope, path, pointer, reader)
    if root == "nodes":
        return _check_node(scope, path, pointer, reader, also, has_default=has_default)
    return Inside({"type": "integer"} if root == "index" else True)


def _check_inside(
    scope: Scope, schema: JsonValue, path: Path, named: int, pointer: str, *, has_default: bool
) -> Inside | None:
    """Look for the rest of a path in the schema of what its first `named` parts name."""
    found = look_inside_schema(schema, path[named:])
    whole, holder = ".".join(path)[:100], ".".join(path[:named])[:100]
    is_inputs = path[0] == "inputs"
    if found.refused:
        scope.problem(
            SpecProblem(
                pointer,
                f"{whole} is not there: {found.refused}",
                found.suggestion or f"Declare it in the schema of {holder}.",
                "unknown-input" if is_inputs else "unknown-output",
            )
        )
        return None
    if found.is_optional and not has_default:
        scope.warning(
            SpecProblem(
                pointer,
                f"{whole} may be missing: the schema of {holder} does not require it.",
                'Require it there, or give the reference a "default".',
                "may-be-missing",
            )
        )
    return found


def _check_trigger(scope: Scope, path: Path, pointer: str, reader: Node | None) -> Inside | None:
    if reader is None or reader.join != "any":
        scope.problem(
            SpecProblem(
                pointer,
                'Only a node with "join": "any" has a trigger.',
                "Name the node itself: nodes.X.output.",
                "unreadable-reference",
            )
        )
        return None
    if len(path) < 2 or path[1] not in {"node", "output"}:
        scope.problem(
            SpecProblem(
                pointer, "A trigger has `node` and `output`.", "Write trigger.output.", "unknown-reference"
            )
        )
        return None
    return Inside({"type": "string"} if path[1] == "node" else True)


def _check_node(
    scope: Scope, path: Path, pointer: str, reader: Node | None, also: frozenset[str], *, has_default: bool
) -> Inside | None:
    target = scope.nodes.get(path[1]) if len(path) > 1 else None
    if target is None:
        name = path[1] if len(path) > 1 else ""
        suggestion = did_you_mean(name, scope.nodes)
        if scope.is_body:
            suggestion = (suggestion + " A map's body sees what its map hands it in `inputs` only.").strip()
        scope.problem(
            SpecProblem(pointer, f"There is no node {name[:100]!r} here.", suggestion, "unknown-node")
        )
        return None
    part = path[2] if len(path) > 2 else ""
    is_previous = path[2:4] == ("previous", "output")
    if part not in {"output", "error"} and not is_previous:
        scope.problem(
            SpecProblem(
                pointer,
                f"A node has `output`, `error` and `previous.output`, not {'.'.join(path[2:])[:60]!r}.",
                did_you_mean(part, {"output", "error", "previous"}, f"Write nodes.{target.id}.output."),
                "unknown-reference",
            )
        )
        return None
    if scope.graph is not None:
        if is_previous:
            _check_previous(scope, scope.graph, target, pointer, reader, has_default=has_default)
        else:
            _check_order(scope, scope.graph, target, part, pointer, reader, also, has_default=has_default)
    if part == "error":
        return Inside(True)
    schema = scope.output_schema(target)
    return _check_inside(scope, schema, path, 4 if is_previous else 3, pointer, has_default=has_default)


def _check_previous(
    scope: Scope, graph: Graph, target: Node, pointer: str, reader: Node | None, *, has_default: bool
) -> None:
    around = set(graph.loops_of(reader.id)) if reader is not None else set()
    if not around & set(graph.loops_of(target.id)):
        scope.problem(
            SpecProblem(
                pointer,
                f"{target.id} has no previous iteration here: no loop holds both.",
                f"Write nodes.{target.id}.output.",
                "unreadable-reference",
            )
        )
    elif not has_default:
        scope.warning(
            SpecProblem(
                pointer,
                f"In the first iteration there is no previous output of {target.id}.",
                'Give the reference a "default".',
                "may-be-missing",
            )
        )


def _check_order(
    scope: Scope,
    graph: Graph,
    target: Node,
    part: str,
    pointer: str,
    reader: Node | None,
    also: frozenset[str],
    *,
    has_default: bool,
) -> None:
    assert scope.availability is not None
    bit = 1 << graph.nodes[target.id].index
    if reader is None:
        readable, certain = -1, Certain(outputs=scope.availability.at_the_end)
    else:
        readable, certain = graph.readable_bits[reader.id], scope.availability.of_node[reader.id]
    if target.id in also:
        return
    if not readable & bit:
        assert reader is not None
        scope.problem(
            SpecProblem(
                pointer,
                f"{reader.id} cannot read {target.id}: nothing makes sure that it has ended by then.",
                f'Add an edge from {target.id} to {reader.id}; {{"kind": "context"}} only waits for it.',
                "unreadable-reference",
            )
        )
    elif not has_default and not (certain.outputs if part == "output" else certain.errors) & bit:
        how = "be skipped or fail" if part == "output" else "not have failed"
        scope.warning(
            SpecProblem(
                pointer,
                f"{target.id} may {how}, and then nodes.{target.id}.{part} is not there.",
                'Give the reference a "default".',
                "may-be-missing",
            )
        )


def list_read_values(node: Node) -> Iterator[tuple[str, str, JsonValue]]:
    """Yield the values of a node that may hold references: (field, name, value)."""
    for name, value in node.inputs.items():
        yield "inputs", name, value
    read = {"map": ("items",), "wait": ("seconds", "until")}.get(node.type, ())
    for name in read:
        if name in node.parameters:
            yield "parameters", name, node.parameters[name]
