"""Stopping: nodes of an execution that was asked to stop or to pause (engine/cancel.py asks).

    park_nodes   nothing further begins; says whether something runs
    drop_nodes   takes away what does not run, or everything; says whether something still runs

Under the lock of the execution. What runs is told with its next heartbeat, and its end ends the cancel.
"""

from __future__ import annotations

from omium.server.db.tx import Tx
from omium.server.engine.nodes.slots import free_slot, park
from omium.server.engine.values import drop_value
from omium.server.store import activations, engine_runs, map_items
from omium.server.store.executions import ExecutionRow

_ALL = 10_000_000


def park_nodes(tx: Tx, row: ExecutionRow) -> bool:
    """Let nothing begin that is ready or waits; returns whether something runs or is about to end."""
    park(tx, row.id)
    return activations.is_active(tx, row.id)


def drop_nodes(tx: Tx, row: ExecutionRow, *, running: bool) -> bool:
    """Take away the nodes that do not run, with `running` those too; returns whether any is left."""
    left = False
    for each in activations.list_activations(tx, row.id, limit=_ALL):
        if each.state == "running" and not running:
            left = True
            continue
        free_slot(tx, each)
        drop_value(tx, row.tenant_id, each.input)
        if each.type == "map":
            for item in map_items.list_items(tx, row.id, each.path):
                drop_value(tx, row.tenant_id, item.output)
            map_items.delete_items(tx, row.id, each.path)
        activations.delete_activation(tx, row.id, each.path)
    if not left:
        engine_runs.drop_instances(tx, row.id)
    return left
