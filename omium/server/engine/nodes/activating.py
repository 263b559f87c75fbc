"""Activating: a node that the scheduler has activated takes its inputs, and is begun or left ready.

The inputs are resolved once, in the transaction of the end that made the node ready; a later try takes the
same ones. What cannot be resolved fails the node (`reference-unavailable`), and is not tried again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from omium.errors import PayloadTooLarge
from omium.jsonvalue import JsonValue, canonical_bytes, digest
from omium.server.engine.mishaps import make_error
from omium.server.engine.nodes.ending import fail
from omium.server.engine.nodes.inputs import Place, Unavailable, resolve_at
from omium.server.engine.nodes.places import place_node
from omium.server.engine.nodes.rebuild import postpone, recall
from omium.server.engine.nodes.work import AT_ONCE, Coming, NodeWork
from omium.server.engine.scopes import path_of, read_vector
from omium.server.engine.values import PackedValue, put_value
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
    taken = _take_inputs(work, row, stored=False)
    if taken is None:
        return
    row, given, packed = taken
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


def take_inputs_anew(work: NodeWork, row: ActivationRow) -> None:
    """Let a stored node that could not have its inputs ask again: it's ready with them, or fails again."""
    taken = _take_inputs(work, row, stored=True)
    if taken is not None:
        put_value(work.tx, row.tenant_id, taken[2])
        work.put(taken[0], stored=True)


def _take_inputs(
    work: NodeWork, row: ActivationRow, *, stored: bool
) -> tuple[ActivationRow, JsonValue, PackedValue] | None:
    """Return the row with its inputs, which are not counted yet; None where the node has failed."""
    place = Place(row.scope, row.node, read_vector(row.vector), row.trigger_edge)
    try:
        given = resolve_inputs(work, work.definition.node(row.scope, row.node), place)
        packed = work.parts.vault.pack(row.tenant_id, given, what=f"The input of {row.path}")
    except Unavailable as missing:
        _refuse(work, row, missing.text, "reference-unavailable", stored=stored)
        return None
    except PayloadTooLarge as large:  # it is this node that cannot be, not the one that has just ended
        _refuse(work, row, large.detail, "payload-too-large", stored=stored)
        return None
    input_digest = _digest(work, row.scope, row.node, packed.digest)
    return replace(row, input=packed.column, input_digest=input_digest), given, packed


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


def _refuse(work: NodeWork, row: ActivationRow, text: str, code: str, *, stored: bool = False) -> None:
    fail(work, row, make_error("NodeFailed", text, code=code), stored=stored)
