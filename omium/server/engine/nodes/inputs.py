"""Inputs: from references to values, as they stood fast when the node was activated (semantics 1.9).

A reference is looked up in the records of its own scope: in a map's item only that item, the index and the
map's declared inputs are to be seen. Small values stand in the record's row; large and sealed ones are opened
here, inside of the transaction, and kept while it lasts (docs/decisions/172-values-in-transactions.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from omium.errors import CheckpointGone, PayloadTooLarge
from omium.jsonvalue import MAX_VALUE_BYTES, JsonValue, parse_json
from omium.server.engine.nodes.work import NodeWork
from omium.server.engine.scopes import path_of, split_item
from omium.server.engine.values import fetch_value
from omium.server.store import activations, details, steps
from omium.spec.references import MISSING, Missing, ReferenceUnavailable, is_larger, look_inside, resolve
from omium.spec.schedule import find_vector
from omium.spec.schedule.keys import Vector
from omium.states import StepStatus

Path = tuple[str, ...]


class Unavailable(Exception):  # said to the node that asked: `reference-unavailable`
    """A reference names a value that is not there, and says no default."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Place:
    """Who asks: an activation, or with node "" the end of a scope (its outputs)."""

    scope: str
    node: str = ""
    vector: Vector = ()
    trigger_edge: str | None = None


def resolve_at(work: NodeWork, value: JsonValue, place: Place) -> JsonValue:
    """Return `value` with every reference in it replaced; raises `Unavailable` and `PayloadTooLarge`."""
    try:
        given = resolve(value, lambda path: look_up(work, place, path))
    except ReferenceUnavailable as missing:
        raise Unavailable(str(missing)) from missing
    if is_larger(given, MAX_VALUE_BYTES):  # here, since writing it could take more memory than there is
        name = f"{place.scope}/{place.node}".strip("/") or "the execution"
        raise PayloadTooLarge(
            f"What the references of {name} name has more than {MAX_VALUE_BYTES} bytes of JSON together."
            " Store it elsewhere and hand on where it is.",
            limit_bytes=MAX_VALUE_BYTES,
        )
    return given


def open_column(work: NodeWork, column: bytes) -> JsonValue:
    """Return a recorded value; those of an address are opened once per transaction."""
    if not column.startswith(b"\x01"):
        return parse_json(column)
    if column not in work.values:
        stored = fetch_value(work.tx, work.row.tenant_id, column)
        work.values[column] = work.parts.vault.open_value(work.row.tenant_id, stored)
    return work.values[column]


def look_up(work: NodeWork, place: Place, path: Path) -> JsonValue | Missing:
    """Return the value at `path` as `place` sees it, or `MISSING`."""
    match path:
        case ("inputs", *rest):
            return look_inside(read_inputs(work, place.scope), tuple(rest))
        case ("item", *rest) if place.scope:
            return look_inside(read_item(work, place.scope)[0], tuple(rest))
        case ("index",) if place.scope:
            return split_item(place.scope)[1]
        case ("trigger", "node") if place.trigger_edge is not None:
            return _source_of(work, place)
        case ("trigger", "output", *rest) if place.trigger_edge is not None:
            return _read_result(work, place, _source_of(work, place), "output", tuple(rest))
        case ("nodes", str(node), ("output" | "error") as part, *rest):
            return _read_result(work, place, node, part, tuple(rest))
        case ("nodes", str(node), "previous", ("output" | "error") as part, *rest):
            return _read_result(work, place, node, part, tuple(rest), previous=True)
        case _:
            return MISSING


def read_inputs(work: NodeWork, scope: str) -> JsonValue:
    """Return what a scope was given: the execution's input, or what its map hands to each item."""
    if not scope:
        key = b"\x00input"
        if key not in work.values:
            work.values[key] = open_column(work, details.get_details(work.tx, work.row.id).input)
        return work.values[key]
    return _read_map(work, scope)["inputs"]


def read_item(work: NodeWork, scope: str) -> tuple[JsonValue, int]:
    """Return the item of a scope, and its position."""
    position = split_item(scope)[1]
    items = _read_map(work, scope)["items"]
    assert isinstance(items, list)
    return items[position], position


def _read_map(work: NodeWork, scope: str) -> dict[str, JsonValue]:
    map_path, _ = split_item(scope)
    key = b"\x00" + map_path.encode()
    if key not in work.values:
        live = activations.find_activation(work.tx, work.row.id, map_path)
        column = live.input if live is not None else None
        if column is None:
            recorded = steps.find_live_step(work.tx, work.row.id, map_path)
            column = recorded.input if recorded is not None else None
        assert column is not None, f"{map_path} has items, so its list was recorded"
        work.values[key] = open_column(work, column)
    return cast("dict[str, JsonValue]", work.values[key])


def _source_of(work: NodeWork, place: Place) -> str:
    edges = work.definition.scope(place.scope).graph.edges
    return next(edge.source for edge in edges if edge.id == place.trigger_edge)


def _read_result(
    work: NodeWork, place: Place, node: str, part: str, rest: Path, *, previous: bool = False
) -> JsonValue | Missing:
    """Return what the activation of `node` gave that `place` means (semantics 1.9)."""
    graph = work.definition.scope(place.scope).graph
    if node not in graph.nodes:
        return MISSING
    reader = (place.node, place.vector) if place.node else None
    vector = find_vector(graph, work.instances(place.scope), node, reader, previous=previous)
    return _read_at(work, place.scope, node, vector, part, rest)


def _read_at(
    work: NodeWork, scope: str, node: str, vector: Vector | None, part: str, rest: Path
) -> JsonValue | Missing:
    if vector is None:
        return MISSING
    path = path_of(scope, node, vector)
    known = work.results.get(path)
    if known is None:
        found = steps.find_result(work.tx, work.row.id, path)
        if found is None:
            return MISSING
        known = (found.status, found.output if found.status == StepStatus.COMPLETED else found.error)
    status, column = known
    wanted = StepStatus.COMPLETED if part == "output" else StepStatus.FAILED
    if status != wanted or column is None:
        return MISSING
    try:
        return look_inside(open_column(work, column), rest)
    except CheckpointGone as gone:
        raise Unavailable(f"The value of {path} was removed by retention.") from gone
