"""What a node is given: its references, and their types against what the node asks for."""

from __future__ import annotations

from omium.jsonvalue import JsonValue
from omium.spec.document import Node, Spec
from omium.spec.problems import SpecProblem, did_you_mean, join_pointer
from omium.spec.reading import Scope, check_path, check_value_references, list_read_values
from omium.spec.references import DEFAULT, ReferenceInvalid, is_reference, list_references, read_reference
from omium.spec.schemas import check_schema, check_value
from omium.spec.secret_rules import has_named_secret
from omium.spec.value_types import do_types_meet, follow, say_types, types_of


def check_inputs(spec: Spec, scope: Scope, node: Node, pointer: str) -> None:
    """Report what is wrong with what a node reads and is given."""
    asked, holder = _asked_of(spec, node)
    properties = asked.get("properties")
    known = properties if isinstance(properties, dict) else {}
    for field, name, value in list_read_values(node):
        at = join_pointer(pointer, field, name)
        wanted: JsonValue = known.get(name, True) if field == "inputs" else _PARAMETER_SCHEMAS[name]
        if field == "parameters" and not is_reference(value):
            check_value_references(scope, value, at, node)  # its type is judged with the other parameters
            continue
        if field == "inputs" and known and name not in known:
            _check_undeclared(scope, asked, known, name, at, holder)
        _check_given(scope, node, value, at, wanted, asked)
    required = asked.get("required")
    for needed in required if isinstance(required, list) else ():
        if isinstance(needed, str) and needed not in node.inputs:
            scope.problem(
                SpecProblem(
                    join_pointer(pointer, "inputs"),
                    f"{holder} needs the input {needed!r}.",
                    f'Add "{needed}" to the inputs.',
                    "missing-input",
                )
            )


_PARAMETER_SCHEMAS: dict[str, JsonValue] = {
    "items": {"type": "array"},
    "seconds": {"type": "number"},
    "until": {"type": "string"},
}


def _asked_of(spec: Spec, node: Node) -> tuple[dict[str, JsonValue], str]:
    """Return the schema of the inputs that a node asks for, and whose schema it is."""
    if node.type == "tool_call" and node.tool in spec.tools:
        return spec.tools[node.tool].input_schema, f"The tool {node.tool}"
    if node.type == "map" and node.body is not None:
        return node.body.inputs, f"The body of {node.id}"
    return {}, node.id


def _check_undeclared(
    scope: Scope, asked: dict[str, JsonValue], known: dict[str, JsonValue], name: str, at: str, holder: str
) -> None:
    is_closed = asked.get("additionalProperties") is False
    (scope.problem if is_closed else scope.warning)(
        SpecProblem(
            at,
            f"{holder} has no input {name[:100]!r} in its schema.",
            did_you_mean(name, known, "Remove it, or declare it there."),
            "undeclared-input",
        )
    )


def _check_given(
    scope: Scope, node: Node, value: JsonValue, at: str, wanted: JsonValue, whole: dict[str, JsonValue]
) -> None:
    if not is_reference(value):
        check_value_references(scope, value, at, node)
        is_plain = next(iter(list_references(value)), None) is None and not has_named_secret(value)
        if wanted is not True and is_plain and check_schema(_within(wanted, whole)) is None:
            for found in check_value(_within(wanted, whole), value):
                scope.problem(SpecProblem(at + found.pointer, found.detail, "", "type-mismatch"))
        return
    assert isinstance(value, dict)
    try:
        path, has_default = read_reference(value)
    except ReferenceInvalid:
        check_value_references(scope, value, at, node)
        return
    given = check_path(scope, path, at, node, has_default=has_default)
    asked_types = types_of(follow(wanted, whole), whole)
    if given is not None:
        given_types = types_of(given.schema, given.whole)
        if not do_types_meet(given_types, asked_types):
            is_given, is_asked = say_types(given_types), say_types(asked_types)
            scope.problem(
                SpecProblem(
                    at,
                    f"{'.'.join(path)[:100]} is {is_given}, and {is_asked} is asked for.",
                    "Name another value, or mend one of the schemas.",
                    "type-mismatch",
                )
            )
    if has_default and wanted is not True and check_schema(_within(wanted, whole)) is None:
        for found in check_value(_within(wanted, whole), value[DEFAULT]):
            scope.problem(
                SpecProblem(join_pointer(at, DEFAULT) + found.pointer, found.detail, "", "type-mismatch")
            )


def _within(wanted: JsonValue, whole: dict[str, JsonValue]) -> JsonValue:
    """Return a part of a schema so that its `$ref`s still find what they name."""
    if not isinstance(wanted, dict):
        return wanted
    return {**{name: whole[name] for name in ("$defs", "definitions", "$schema") if name in whole}, **wanted}
