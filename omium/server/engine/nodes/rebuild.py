"""Rebuilding: where the nodes of an execution stand is made again from what is recorded of them.

    recall      a node that gets ready ends at once, from its record
    take_next   which of several nodes goes first: the one whose record came first
    clear       takes away where the nodes stand, and leaves the records
    begin_anew  begins the graph again, from the records that are left

A rollback takes records away and clears; resume begins anew. A replay is begun with the records of its
source laid by (`replays.RESERVED`): each becomes a record of the replay when a node at its path takes the
same input. Either way the scheduler is told the same endings in the order in which they were recorded, so
that under `any` the same edge wins, and nothing that has a record is done again.

At most `AT_ONCE` nodes end from their records in one transaction; the others come in the next ones.
"""

from __future__ import annotations

from dataclasses import replace
from heapq import heappop, heappush
from typing import Final

from omium.jsonvalue import JsonValue, parse_json
from omium.server.db.tx import Tx
from omium.server.engine.live import TasksReady
from omium.server.engine.nodes.ending import after_success, begin_scope, end_from_record
from omium.server.engine.nodes.places import place_node
from omium.server.engine.nodes.records import read_error
from omium.server.engine.nodes.work import AT_ONCE, Coming, NodeWork
from omium.server.engine.scopes import path_of, read_vector
from omium.server.engine.values import drop_value
from omium.server.store import activations, engine_runs, map_items, replays, slots, steps
from omium.server.store.activations import ActivationRow
from omium.server.store.executions import ExecutionRow
from omium.server.store.steps import StepRow
from omium.spec.graph import Graph
from omium.spec.schedule import Ended, handles, needed_conditions
from omium.states import EventType, StepStatus

POSTPONED: Final = b'{"postponed":true}'
"""What an activation notes of itself that only waits for the next transaction."""
LAST: Final = 2**62
"""Stands for the place of a node without a record: behind all that have one."""


def may_recall(work: NodeWork) -> bool:
    """Say whether there can be records of nodes that have not ended: in a replay, after a rollback."""
    return work.row.replay_of is not None or work.row.generation > 1


# ---- the order


def take_next(work: NodeWork) -> Coming:
    """Take the node that goes next: those with a record in the order of their records, then the others."""
    if not may_recall(work):
        return work.coming.popleft()
    if len(work.coming) == 1 and not work.recalled:
        return work.coming.popleft()
    while work.coming:
        coming = work.coming.popleft()
        path = path_of(coming.scope, coming.node, coming.vector)
        seq = replays.find_recorded_seq(work.tx, work.row.id, path) or LAST
        work.arrivals += 1
        heappush(work.recalled, (seq, work.arrivals, coming))
    return heappop(work.recalled)[2]


def postpone(work: NodeWork, coming: Coming) -> bool:
    """Leave a node for the next transaction if this one has ended as many from their records as it may."""
    if work.recalls < AT_ONCE or not may_recall(work):
        return False
    path = path_of(coming.scope, coming.node, coming.vector)
    row = place_node(work, work.definition.node(coming.scope, coming.node), coming, path)
    work.put(replace(row, executor="transaction", progress=POSTPONED), stored=False)
    return True


def take_up(work: NodeWork, row: ActivationRow) -> bool:
    """Let a node that was postponed come now; False for another one."""
    if row.progress != POSTPONED:
        return False
    activations.delete_activation(work.tx, row.execution_id, row.path)
    work.coming.append(Coming(row.scope, row.node, read_vector(row.vector), row.trigger_edge))
    return True


# ---- the records


def recall(work: NodeWork, row: ActivationRow) -> ActivationRow | None:
    """End the node from what is recorded of it; else return its row as it begins.

    `row` has its input's digest; its input is not counted yet. Returns None where nothing is left to be done.
    """
    if not may_recall(work):
        return row
    known = steps.find_live_step(work.tx, row.execution_id, row.path)
    if known is None:
        return _take_reserved(work, row)
    row = replace(row, attempt=known.attempt, interruptions=known.interruptions)
    if known.status == StepStatus.COMPLETED:
        if known.input_digest == row.input_digest or known.edited_by is not None:
            return None if _end_completed(work, row, known, known.completed_seq or 0) else row
        seq = work.record(EventType.STEP_INPUT_CHANGED, {"path": row.path, "was_seq": known.completed_seq})
        steps.supersede_step(work.tx, row.execution_id, row.path, seq)
        return replace(row, attempt=1, interruptions=0)
    same = known.status == StepStatus.FAILED and known.input_digest == row.input_digest
    if same and _end_handled(work, row, known):
        return None
    return replace(row, attempt=known.attempt + 1, attempts_before=known.attempt)


def _take_reserved(work: NodeWork, row: ActivationRow) -> ActivationRow | None:
    """Make the record that was laid by for this path one of the execution's own, if it fits."""
    reserved = replays.find_reserved(work.tx, row.execution_id, row.path)
    if reserved is None:
        return row
    edited = reserved.edited_by is not None
    if not edited and reserved.input_digest != row.input_digest:
        return row  # an effect that was done with other inputs is asked about when it is claimed
    if row.type == "decision" and not edited and needed_conditions(_graph(work, row), row.node, "success"):
        return row  # which branch it takes may depend on what other nodes gave; to ask again costs nothing
    event = EventType.STEP_PATCHED if edited else EventType.STEP_REUSED
    about: dict[str, JsonValue] = {"path": row.path}
    if reserved.edited_by is not None:
        about["by"] = reserved.edited_by
    seq = work.record(event, about)
    replays.take_reserved(work.tx, row.execution_id, row.path, seq)
    row = replace(row, attempt=reserved.attempt)
    return None if _end_completed(work, row, reserved, seq) else row


def _end_completed(work: NodeWork, row: ActivationRow, known: StepRow, seq: int) -> bool:
    """Go on behind a recorded result; False for a decision whose conditions nobody knows any more."""
    row = replace(row, input=None)
    work.recalls += 1
    work.results[row.path] = (known.status, known.output)
    if not needed_conditions(_graph(work, row), row.node, "success"):
        end_from_record(work, row, "success", {})
        return True
    kept = engine_runs.find_conditions(work.tx, row.execution_id, row.path, seq)
    if kept is not None:
        end_from_record(work, row, "success", _read_conditions(kept))
        return True
    if row.type == "decision":
        steps.supersede_step(work.tx, row.execution_id, row.path, work.seq)
        return False
    after_success(work, row, seq, stored=False)
    return True


def _end_handled(work: NodeWork, row: ActivationRow, known: StepRow) -> bool:
    """Let a recorded failure stand that an edge had taken up; False for one that nothing had."""
    graph = _graph(work, row)
    conditions: dict[str, bool] = {}
    if needed_conditions(graph, row.node, "failure"):
        kept = engine_runs.find_newest_conditions(work.tx, row.execution_id, row.path)
        if kept is None:
            return False
        conditions = _read_conditions(kept)
    ended = Ended(row.node, read_vector(row.vector), "failure", conditions)
    if not handles(graph, ended):
        return False
    assert known.error is not None
    work.recalls += 1
    work.results[row.path] = (known.status, known.error)
    end_from_record(work, replace(row, input=None), "failure", conditions, error=read_error(known.error))
    return True


def _read_conditions(kept: bytes) -> dict[str, bool]:
    read = parse_json(kept)
    assert isinstance(read, dict)
    return {name: value is True for name, value in read.items()}


def _graph(work: NodeWork, row: ActivationRow) -> Graph:
    return work.definition.scope(row.scope).graph


# ---- where the nodes stand


def clear(tx: Tx, row: ExecutionRow) -> None:
    """Take away where the nodes of the locked `row` stand; none of them runs. The records stay."""
    after = ""
    while page := activations.list_activations(tx, row.id, after_path=after):
        for each in page:
            _drop(tx, each)
        after = page[-1].path
    engine_runs.drop_instances(tx, row.id)
    engine_runs.update_run(tx, replace(engine_runs.get_run(tx, row.id), failing=None, activations=0))


def _drop(tx: Tx, row: ActivationRow) -> None:
    if row.has_slot and row.concurrency_key is not None:
        slots.give_back(tx, row.tenant_id, row.environment, row.concurrency_key)
        tx.after_commit(TasksReady(row.tenant_id, row.environment, row.queue, "timer", ""))
    drop_value(tx, row.tenant_id, row.input)
    if row.type == "map":
        for item in map_items.list_items(tx, row.execution_id, row.path):
            drop_value(tx, row.tenant_id, item.output)
        map_items.delete_items(tx, row.execution_id, row.path)
    activations.delete_activation(tx, row.execution_id, row.path)


def is_cleared(work: NodeWork) -> bool:
    """Say whether nobody has begun the graph since it was cleared."""
    return engine_runs.find_instance(work.tx, work.row.id, "", "") is None


def begin_anew(work: NodeWork) -> None:
    """Begin the graph again, if it was cleared; the caller drives and settles the work."""
    if is_cleared(work):
        begin_scope(work, "")
