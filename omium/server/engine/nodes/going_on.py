"""Going on: a resume of an execution that the engine drives, by a person or because there are credits again.

Nodes that have failed get another try and a fresh budget, their maps go on with them, and what was parked is
where it was. An execution whose nodes were taken away by a rollback begins anew from its records. Called
under the lock of the execution, which was moved to running; called twice, the second finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from omium.jsonvalue import JsonValue, json_bytes
from omium.server.db.tx import Tx
from omium.server.engine.live import TasksReady
from omium.server.engine.nodes import node_effects
from omium.server.engine.nodes.activating import take_inputs_anew
from omium.server.engine.nodes.driving import drive
from omium.server.engine.nodes.ending import follow
from omium.server.engine.nodes.loop_limits import find_limits, raise_limits
from omium.server.engine.nodes.maps import open_window
from omium.server.engine.nodes.rebuild import begin_anew
from omium.server.engine.nodes.records import read_progress
from omium.server.engine.nodes.settling import settle
from omium.server.engine.nodes.waits import take_signal
from omium.server.engine.nodes.work import NodeWork, work_on
from omium.server.engine.parts import EngineParts
from omium.server.engine.scopes import item_scope, read_vector
from omium.server.store import activations, engine_runs, map_items, signals
from omium.server.store.activations import ActivationRow
from omium.server.store.executions import ExecutionRow
from omium.spec.graph import ROOT
from omium.spec.schedule import go_round
from omium.spec.schedule.keys import instance_key
from omium.states import WaitingReason

AS_BEFORE: Final[Mapping[str, int]] = {}
"""No loop may go round more often than until now."""


def resume_run(
    tx: Tx, parts: EngineParts, row: ExecutionRow, loop_limits: Mapping[str, int] = AS_BEFORE
) -> ExecutionRow:
    """Let the nodes of the running, locked `row` go on; the caller has moved it there.

    `loop_limits` says how often loops may go round from now on; raises `InvalidRequest` as `raise_limits`.
    """
    work = work_on(tx, parts, row)
    raise_limits(work, loop_limits)
    if engine_runs.find_instance(tx, row.id, "", "") is None:
        begin_anew(work)
        drive(work)
        return settle(work)
    failing = work.run.failing is not None
    work.run = replace(work.run, failing=None)
    again = activations.list_in_state(tx, row.id, "failed")
    work.failing_scopes().clear()
    activations.unpark_activations(tx, row.id)  # before the tries: one that fails at once parks them anew
    for each in sorted(again, key=lambda each: -each.path.count("/")):  # items before the maps around them
        _try_again(work, each)
    for executor in ("worker", "timer"):  # what is ready again stood so before: nobody was told since
        tx.after_commit(TasksReady(row.tenant_id, row.environment, row.queue, executor, ""))
    for each in activations.list_in_state(tx, row.id, "waiting"):  # none, if nothing may begin again
        if each.waiting_reason == node_effects.EFFECT:
            node_effects.look(work, each)
        elif each.waiting_reason == WaitingReason.SIGNAL:
            signal = signals.find_next(tx, row.id, each.handler)
            if signal is not None:  # it came while nothing could begin
                take_signal(work, each, signal, stored=True)
    for each in activations.list_in_state(tx, row.id, "waiting"):
        if each.type == "map":  # its other items could not begin while nothing could
            current = activations.find_activation(tx, row.id, each.path)
            if current is not None and current.state == "waiting":
                open_window(work, current)
    if failing and not again:
        work.finished = True  # the outputs could not be evaluated, all else has ended
    drive(work)
    return settle(work)


def _try_again(work: NodeWork, row: ActivationRow) -> None:
    progress = read_progress(row)
    if "loop" in progress:
        activations.delete_activation(work.tx, row.execution_id, row.path)
        graph = work.definition.scope(row.scope).graph
        limits = find_limits(work.run, row.scope)
        actions = go_round(graph, work.instances(row.scope), row.node, read_vector(row.vector), limits)
        follow(work, row.scope, actions)
        return
    following = replace(
        row,
        state="ready" if work.may_begin_in(row.scope) else "parked",  # another one has failed again at once
        waiting_reason=None,
        attempt=row.attempt + 1,
        attempts_before=row.attempt,
        interruptions=0,
        effect_key=None,
        ready_us=work.now_us,
        started_us=None,
    )
    if row.input is None:
        take_inputs_anew(work, following)
        return
    if row.type == "map" and "count" in progress:
        following = replace(
            following, state="waiting", waiting_reason="items", progress=_reopened(work, row, progress)
        )
    work.put(following, stored=True)


def _reopened(work: NodeWork, row: ActivationRow, progress: dict[str, JsonValue]) -> bytes:
    """Return the progress of a map whose failed items run again: they count as running once more."""
    items = map_items.list_items(work.tx, row.execution_id, row.path)
    failed = [item_scope(row.path, item.position) for item in items if item.error is not None]
    map_items.delete_failed(work.tx, row.execution_id, row.path)
    for scope in failed:
        graph_state = work.instances(scope).get(instance_key(ROOT, ()))
        if graph_state is not None and not graph_state.unresolved:  # only its outputs were not there
            work.done_scopes.add(scope)
            work.looks.append(scope)
    return json_bytes({**progress, "failed": 0, "running": int(str(progress["running"])) + len(failed)})
