"""Maps: a body for each item of a list, in windows, and the list of what they gave (semantics 1.8).

The list is recorded with the node's input; an item is a scope of its own (`each[3]`) whose graph begins when
its turn comes. What the items give is kept in `map_items` until the map ends. A failure that nothing in an
item takes up ends that item when nothing in it runs any more: with `collect` it stands as {"error": ...} in
the output, with `fail_fast` no further item begins and the map fails when the others have ended.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from omium.errors import PayloadTooLarge
from omium.jsonvalue import JsonValue, json_bytes
from omium.server.engine.mishaps import PackedError, make_error
from omium.server.engine.nodes.ending import begin_scope, fail, succeed
from omium.server.engine.nodes.inputs import Place, Unavailable, open_column, resolve_at
from omium.server.engine.nodes.items import forget_scope
from omium.server.engine.nodes.records import read_error, read_progress, result_of
from omium.server.engine.nodes.work import NodeWork
from omium.server.engine.scopes import item_scope, split_item
from omium.server.engine.values import put_value
from omium.server.store import activations, map_items, steps
from omium.server.store.activations import ActivationRow
from omium.spec.document import Node
from omium.spec.limits import MAP_ITEMS_MAX
from omium.spec.schemas import check_value

ITEMS: Final = "items"
"""What a map waits for."""


def begin_map(work: NodeWork, row: ActivationRow, given: JsonValue, *, stored: bool) -> None:
    """Begin the first window of items; an empty list ends at once."""
    assert isinstance(given, dict)
    items = given["items"]
    refused = _refuse(work, row, items, given["inputs"])
    if refused is not None:
        fail(work, row, refused, stored=stored)
        return
    assert isinstance(items, list)
    progress: dict[str, JsonValue] = {"count": len(items), "next": 0, "running": 0, "failed": 0}
    row = replace(
        row,
        state="waiting",
        waiting_reason=ITEMS,
        progress=json_bytes(progress),
        started_us=row.started_us or work.now_us,
    )
    work.put(row, stored=stored)
    open_window(work, row)


def _refuse(work: NodeWork, row: ActivationRow, items: JsonValue, inputs: JsonValue) -> PackedError | None:
    if not isinstance(items, list):
        return make_error("NodeFailed", f"{row.path} takes a list of items.", code="items-invalid")
    if len(items) > MAP_ITEMS_MAX:
        text = f"{row.path} has {len(items)} items; a map takes at most {MAP_ITEMS_MAX}."
        return make_error("NodeFailed", text, code="too-many-items")
    body = work.definition.node(row.scope, row.node).body
    assert body is not None
    problems = check_value(body.inputs, inputs)
    if problems:
        text = (
            f"The inputs of {row.path} are not as its body asks: {problems[0].pointer} {problems[0].detail}"
        )
        return make_error("NodeFailed", text, code="input-schema")
    return None


def open_window(work: NodeWork, row: ActivationRow) -> None:
    """Begin items while there is room; end the map when all have ended, or when none may follow."""
    node = work.definition.node(row.scope, row.node)
    room = int(node.parameters.get("concurrency") or 8)
    progress = {name: int(str(value)) for name, value in read_progress(row).items()}
    may_begin = work.may_begin_in(row.scope) and (not progress["failed"] or _collects(node))
    while may_begin and progress["running"] < room and progress["next"] < progress["count"]:
        begin_scope(work, item_scope(row.path, progress["next"]))
        progress["next"] += 1
        progress["running"] += 1
    row = replace(row, progress=json_bytes(dict(progress)))
    if progress["running"] == 0 and (progress["next"] == progress["count"] or may_begin is False):
        if progress["failed"] and not _collects(node):
            _fail_map(work, row)
            return
        if progress["next"] == progress["count"]:
            _complete_map(work, row)
            return
    activations.update_activation(work.tx, row)


def _collects(node: Node) -> bool:
    return node.parameters.get("on_item_failure") == "collect"


# ---- an item ends


def look_at_item(work: NodeWork, scope: str) -> None:
    """End the item `scope` if it is through, or if it has failed and nothing in it runs any more."""
    if work.row.cancel_requested_us is not None:  # its map was taken away by the cancel
        return
    if scope in work.done_scopes:
        work.done_scopes.discard(scope)
        _finish_item(work, scope)
    elif scope in work.failing_scopes() and not _is_busy(work, scope):
        _fail_item(work, scope)


def _is_busy(work: NodeWork, scope: str) -> bool:
    queued = [*work.coming, *(each for _, _, each in work.recalled)]
    coming = any(each.scope == scope or each.scope.startswith(f"{scope}/") for each in queued)
    inline = any(row.scope == scope or row.scope.startswith(f"{scope}/") for row, _, _ in work.inline)
    return coming or inline or activations.is_active_inside(work.tx, work.row.id, scope)


def _finish_item(work: NodeWork, scope: str) -> None:
    map_path, position = split_item(scope)
    body = work.definition.scope(scope).body
    try:
        output = resolve_at(work, dict(body.outputs), Place(scope))
        packed = work.parts.vault.pack(work.row.tenant_id, output, what=f"The output of {scope}")
    except Unavailable as missing:
        _note_item(work, scope, None, make_error("NodeFailed", missing.text, code="reference-unavailable"))
        return
    except PayloadTooLarge as large:
        _note_item(work, scope, None, make_error("NodeFailed", large.detail, code="payload-too-large"))
        return
    column = put_value(work.tx, work.row.tenant_id, packed)
    map_items.put_item(work.tx, work.row.id, map_path, position, output=column, error=None)
    work.drop_scope(scope)
    _count_item(work, map_path, failed=False)


def _fail_item(work: NodeWork, scope: str) -> None:
    failed = [each for each in activations.list_inside(work.tx, work.row.id, scope) if each.state == "failed"]
    _note_item(work, scope, failed[0] if failed else None, None)


def _note_item(work: NodeWork, scope: str, failed: ActivationRow | None, error: PackedError | None) -> None:
    map_path, position = split_item(scope)
    if error is None:
        assert failed is not None
        error = find_error(work, failed)
    map_items.put_item(work.tx, work.row.id, map_path, position, output=None, error=error.body)
    row = activations.find_activation(work.tx, work.row.id, map_path)
    assert row is not None
    if _collects(work.definition.node(row.scope, row.node)):
        forget_scope(work, scope)
    _count_item(work, map_path, failed=True)


def find_error(work: NodeWork, row: ActivationRow) -> PackedError:
    """Return with what an activation has failed for good."""
    known = work.results.get(row.path)
    if known is not None and known[1] is not None:
        return read_error(known[1])
    found = steps.find_result(work.tx, row.execution_id, row.path)
    if found is not None and found.error is not None:
        return read_error(found.error)
    noted = read_progress(row).get("error")
    unknown: dict[str, JsonValue] = {"type": "Error", "message": "", "code": "error"}
    info = noted if isinstance(noted, dict) else unknown
    return PackedError(info, json_bytes(info))


def _count_item(work: NodeWork, map_path: str, *, failed: bool) -> None:
    row = activations.find_activation(work.tx, work.row.id, map_path)
    assert row is not None
    progress = {name: int(str(value)) for name, value in read_progress(row).items()}
    progress["running"] -= 1
    progress["failed"] += failed
    open_window(work, replace(row, progress=json_bytes(dict(progress))))


# ---- the map ends


def _complete_map(work: NodeWork, row: ActivationRow) -> None:
    output: list[JsonValue] = []
    for item in map_items.list_items(work.tx, row.execution_id, row.path):
        if item.error is not None:
            output.append({"error": _told(json.loads(item.error))})
        else:
            assert item.output is not None
            output.append(open_column(work, item.output))
    try:
        packed = work.parts.vault.pack(row.tenant_id, output, what=f"The output of {row.path}")
    except PayloadTooLarge as large:
        error = make_error("PayloadTooLarge", large.detail, code="payload-too-large")
        fail(work, row, error, stored=True)
        return
    succeed(work, row, result_of(packed), stored=True)


def _told(info: dict[str, JsonValue]) -> JsonValue:
    """Return what other nodes may read of an error: what it is, and no trace."""
    return {name: info[name] for name in ("type", "message", "code") if name in info}


def _fail_map(work: NodeWork, row: ActivationRow) -> None:
    first = next(
        item for item in map_items.list_items(work.tx, row.execution_id, row.path) if item.error is not None
    )
    assert first.error is not None
    info = json.loads(first.error)
    error = make_error(
        "ItemFailed",
        f"Item {first.position} of {row.path} failed: {info.get('type')}: {info.get('message')}",
        code="item-failed",
    )
    fail(work, row, error, stored=True)
