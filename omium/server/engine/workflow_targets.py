"""Targets of subworkflows, looked at when a document is saved: are they there, and fit their inputs.

Warnings only: a workflow may be imported before the one that it starts, and either may be changed later; what
counts is the moment when the child begins (nodes/child_starts.py). Within one document the same is judged by
omium/spec/handing_over.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from omium.jsonvalue import JsonValue, parse_json
from omium.server.db.tx import Tx
from omium.server.store import workflows as store
from omium.spec.document import Node, Spec
from omium.spec.problems import SpecProblem, did_you_mean, join_pointer
from omium.spec.references import list_references
from omium.spec.schemas import check_schema, check_value

_DEFINITIONS: Final = ("$defs", "definitions")
LOOKED_AT_MAX: Final = 50
"""Subworkflows of one document whose targets are looked at; each may be a workflow of its own."""


def list_target_warnings(tx: Tx, tenant_id: str, spec: Spec) -> list[SpecProblem]:
    """List what speaks against the subworkflows of `spec`, as the tenant's workflows stand now."""
    warnings: list[SpecProblem] = []
    asked: dict[str, JsonValue | SpecProblem] = {}
    for node, pointer in _list_subworkflows(spec.nodes, "/nodes"):
        target = str(node.workflow)
        if target not in asked:
            if len(asked) == LOOKED_AT_MAX:
                break
            asked[target] = _read_inputs(tx, tenant_id, target)
        found = asked[target]
        if isinstance(found, SpecProblem):
            at = join_pointer(pointer, "workflow")
            warnings.append(SpecProblem(at, found.detail, found.suggestion, found.code))
        elif isinstance(found, dict):
            warnings += _compare(node, pointer, target, found)
    return warnings


def _list_subworkflows(nodes: Sequence[Node], pointer: str) -> Iterator[tuple[Node, str]]:
    for at, node in enumerate(nodes):
        place = join_pointer(pointer, at)
        if node.type == "subworkflow" and node.workflow is not None:
            yield node, place
        elif node.body is not None:
            yield from _list_subworkflows(node.body.nodes, f"{place}/body/nodes")


def _read_inputs(tx: Tx, tenant_id: str, target: str) -> JsonValue | SpecProblem:
    """Return the schema of the target's inputs, or what to say of a target that is not there."""
    name, _, number = target.partition("@")
    row = store.find_workflow(tx, tenant_id, name)
    if row is None:
        return _unknown(f"There is no workflow {name} yet.")
    if number and not (number.isdecimal() and 0 < int(number) <= row.version):
        return _unknown(f"{name} has no version {number}; its newest is {row.version}.")
    document = parse_json(
        store.get_version(tx, tenant_id, row.id, int(number) if number else row.version).document
    )
    return document.get("inputs", {}) if isinstance(document, dict) else {}


def _unknown(detail: str) -> SpecProblem:
    return SpecProblem("", detail, "Import it before this node runs, or name another.", "unknown-workflow")


def _compare(node: Node, pointer: str, target: str, asked: dict[str, JsonValue]) -> Iterator[SpecProblem]:
    """Compare what a subworkflow is given with what its target asks for."""
    inputs = join_pointer(pointer, "inputs")
    properties = asked.get("properties")
    known = properties if isinstance(properties, dict) else {}
    required = asked.get("required")
    for needed in required if isinstance(required, list) else ():
        if isinstance(needed, str) and needed not in node.inputs:
            detail = f"The workflow {target} needs the input {needed!r}."
            yield SpecProblem(inputs, detail, f'Add "{needed}" to the inputs.', "missing-input")
    for name, value in node.inputs.items():
        at = join_pointer(inputs, name)
        if name not in known:
            if known or asked.get("additionalProperties") is False:
                detail = f"The workflow {target} has no input {name[:100]!r} in its schema."
                suggestion = did_you_mean(name, known, "Remove it, or declare it there.")
                yield SpecProblem(at, detail, suggestion, "undeclared-input")
        elif next(iter(list_references(value)), None) is None:
            wanted = known[name]
            whole: dict[str, JsonValue] = {key: asked[key] for key in _DEFINITIONS if key in asked}
            schema: JsonValue = {**whole, **wanted} if isinstance(wanted, dict) else wanted
            for found in check_value(schema, value) if check_schema(schema) is None else ():
                yield SpecProblem(at + found.pointer, found.detail, "", "type-mismatch")
