"""Activating: a node that the scheduler has activated takes its inputs, and is begun or left ready.

The inputs are resolved once, in the transaction of the end that made the node ready; a later try takes the
same ones. What cannot be resolved fails the node (`reference-unavailable`), and is not tried again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from omium.jsonvalue import JsonValue, canonical_bytes, digest
from omium.server.engine.mishaps import make_error
from omium.server.engine.nodes.ending import fail
from omium.server.engine.nodes.inputs import Place, Unavailable, resolve_at
from omium.server.engine.nodes.places import place_node
from omium.server.engine.nodes.rebuild import postpone, recall
from omium.server.engine.nodes.work import AT_ONCE, Coming, NodeWork
from omium.server.engine.scopes import path_of
from omium.server.engine.values import put_value
from omium.server.store.activations import ActivationRow
from omium.spec.document import Node
from omium.spec.limits import ACTIVATIONS_MAX

ACTIVATION_LIMIT: Final = "activation-limit"


def activate(work: NodeWork, coming: Coming) -> None:
    """Resolve what the node takes, and begin it, or leave it ready for whoever does it."""
    if postpone(work, coming):
        return
    scope, node_id, vector = coming.scope, coming.node, coming.vector
    path = path_of(scope, node_id, vector)
    work.run = replace(work.run, activations=work.run.activations + 1)
    work.begun += 1
    node = work.definition.node(scope, node_id)
    row = place_node(work, node, coming, path)
    if work.run.activations > ACTIVATIONS_MAX:
        _refuse(work, row, f"An execution has at most {ACTIVATIONS_MAX} activations.", ACTIVATION_LIMIT)
        return
    try:
        given = resolve_inputs(work, node, Place(scope, node_id, vector, coming.trigger_edge))
    except Unavailable as missing:
        _refuse(work, row, missing.text, "reference-unavailable")
        return
    packed = work.parts.vault.pack(row.tenant_id, given, what=f"The input of {path}")
    row = replace(row, input=packed.column, input_digest=_digest(work, scope, node_id, packed.digest))
    left = recall(work, row)
    if left is None:
        return
    row = left
    put_value(work.tx, row.tenant_id, packed)
    if not work.may_begin_in(scope):
        work.put(replace(row, state="parked"), stored=False)
    elif row.executor == "transaction" and work.begun <= AT_ONCE:
        work.inline.append((row, given, False))
    else:
        work.put(row, stored=False)


def resolve_inputs(work: NodeWork, node: Node, place: Place) -> JsonValue:
    """Return what the node takes: its inputs by name, and what its type asks for beside them."""
    given = resolve_at(work, dict(node.inputs), place)
    match node.type:
        case "map":
            return {"items": resolve_at(work, node.parameters.get("items"), place), "inputs": given}
        case "wait":
            asked = resolve_at(work, dict(node.parameters), place)
            assert isinstance(asked, dict)
            assert isinstance(given, dict)
            return {**given, **asked}
        case _:
            return given


def _digest(work: NodeWork, scope: str, node_id: str, given: str) -> str:
    definition = work.definition.digest_of(scope, node_id)
    return digest(canonical_bytes({"definition": definition, "inputs": given}))


def _refuse(work: NodeWork, row: ActivationRow, text: str, code: str) -> None:
    fail(work, row, make_error("NodeFailed", text, code=code), stored=False)
