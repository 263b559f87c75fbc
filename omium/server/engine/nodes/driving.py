"""Driving: goes through what a work has put on its queues, until nothing follows any more.

    drive     nodes that were activated, nodes that the transaction does itself, items that have ended
    proceed   takes up the nodes that an earlier transaction has left ready for one like it

At most `AT_ONCE` nodes begin in one transaction; what follows beyond that is left ready, and the loop of the
server takes it up in the next one.
"""

from __future__ import annotations

from dataclasses import replace

from omium.jsonvalue import JsonValue
from omium.server.engine.nodes.activating import activate
from omium.server.engine.nodes.child_starts import begin_child
from omium.server.engine.nodes.ending import succeed
from omium.server.engine.nodes.inputs import open_column
from omium.server.engine.nodes.maps import begin_map, look_at_item
from omium.server.engine.nodes.rebuild import take_next, take_up
from omium.server.engine.nodes.records import result_of
from omium.server.engine.nodes.waits import begin_approval, begin_wait
from omium.server.engine.nodes.work import AT_ONCE, NodeWork
from omium.server.store import claimable
from omium.server.store.activations import ActivationRow


def drive(work: NodeWork) -> None:
    """Do everything that follows from what was done."""
    while True:
        if work.coming or work.recalled:
            activate(work, take_next(work))
        elif work.inline:
            row, given, stored = work.inline.popleft()
            begin_node(work, row, given, stored=stored)
        elif work.looks:
            look_at_item(work, work.looks.popleft())
        else:
            return


def begin_node(work: NodeWork, row: ActivationRow, given: JsonValue, *, stored: bool) -> None:
    """Begin a node that the transaction does itself."""
    if not work.may_begin_in(row.scope):
        work.put(replace(row, state="parked"), stored=stored)
        return
    node = work.definition.node(row.scope, row.node)
    match node.type:
        case "wait":
            begin_wait(work, row, node, given, stored=stored)
        case "approval":
            begin_approval(work, row, node, stored=stored)
        case "map":
            begin_map(work, row, given, stored=stored)
        case "subworkflow":
            begin_child(work, row, node, given, stored=stored)
        case _:
            packed = work.parts.vault.pack(row.tenant_id, given, what=f"The output of {row.path}")
            succeed(work, row, result_of(packed), stored=stored)


def proceed(work: NodeWork) -> int:
    """Begin what was left ready for a transaction; returns how many nodes there were."""
    left = claimable.list_ready(work.tx, work.row.id, "transaction", AT_ONCE)
    for row in left:
        if take_up(work, row):
            continue
        assert row.input is not None
        work.inline.append((row, open_column(work, row.input), True))
    work.begun += len(left)
    drive(work)
    return len(left)
