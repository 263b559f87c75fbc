"""Items: the rows that a map leaves behind while it is under way, and taking them away when it has ended."""

from __future__ import annotations

from omium.server.engine.nodes.slots import release_slot
from omium.server.engine.nodes.work import NodeWork
from omium.server.engine.scopes import item_scope
from omium.server.engine.values import drop_value
from omium.server.store import activations, map_items
from omium.server.store.activations import ActivationRow


def forget_items(work: NodeWork, row: ActivationRow) -> None:
    """Take away what is kept of the items of the map `row`, which has ended."""
    for item in map_items.list_items(work.tx, row.execution_id, row.path):
        drop_value(work.tx, row.tenant_id, item.output)
        if item.error is not None:  # what stands inside of it waits for nobody any more
            forget_scope(work, item_scope(row.path, item.position))
    map_items.delete_items(work.tx, row.execution_id, row.path)


def forget_scope(work: NodeWork, scope: str) -> None:
    """Take away the activations and instances of an item."""
    for each in activations.list_inside(work.tx, work.row.id, scope):
        drop_value(work.tx, each.tenant_id, each.input)
        release_slot(work, each)
        if each.type == "map":
            for item in map_items.list_items(work.tx, work.row.id, each.path):
                drop_value(work.tx, each.tenant_id, item.output)
            map_items.delete_items(work.tx, work.row.id, each.path)
        activations.delete_activation(work.tx, each.execution_id, each.path)
    work.drop_scope(scope)
    work.failing_scopes().difference_update(
        {each for each in work.failing_scopes() if each == scope or each.startswith(f"{scope}/")}
    )
