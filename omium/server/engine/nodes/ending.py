"""Ending: from a node's end to the nodes that are ready next (semantics 1.3 to 1.7).

    begin_scope   a graph begins: the execution's, or that of a map's item
    succeed       records a result, and advances; or lets it wait for the conditions of its edges
    fail          records a failure for good, and advances; unhandled, it fails its scope

What follows is put on the work's queues (`coming`, `looks`), and driving.py goes through them: nothing here
calls itself through a chain of nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from omium.jsonvalue import JsonValue, json_bytes, parse_json
from omium.server.engine.mishaps import PackedError, make_error
from omium.server.engine.nodes.items import forget_items
from omium.server.engine.nodes.loop_limits import find_limits, name_loop
from omium.server.engine.nodes.places import place_node
from omium.server.engine.nodes.records import (
    Result,
    read_error,
    read_progress,
    record_completed,
    record_failed,
)
from omium.server.engine.nodes.slots import park, release_slot
from omium.server.engine.nodes.work import Coming, NodeWork, Unhandled
from omium.server.engine.scopes import path_of, read_vector, vector_text
from omium.server.engine.values import copy_value, drop_value
from omium.server.store import activations, engine_runs, steps
from omium.server.store.activations import ActivationRow
from omium.spec.graph import Graph
from omium.spec.schedule import (
    LOOP_LIMIT,
    Activate,
    EdgeDiscarded,
    Ended,
    Finished,
    IterationBegun,
    LoopEnded,
    LoopSkipped,
    Outcome,
    Skip,
    advance,
    begin,
    choose_branch,
    needed_conditions,
)
from omium.spec.schedule import Unhandled as UnhandledAction
from omium.spec.schedule.actions import Action
from omium.states import EventType, FailureKind


def begin_scope(work: NodeWork, scope: str) -> None:
    """Begin the graph of a scope: its start nodes are put on `coming`."""
    step = begin(work.definition.scope(scope).graph)
    instances = work.instances(scope)
    for key, state in step.instances.items():
        instances.put(key, state)
    follow(work, scope, step.actions)


# ---- a node ends


def succeed(
    work: NodeWork,
    row: ActivationRow,
    result: Result,
    *,
    stored: bool,
    event: EventType = EventType.STEP_COMPLETED,
) -> None:
    """Record the result of `row`, and let follow what follows. A decision's is recorded with its branch."""
    if row.type == "decision" and needed_conditions(_graph(work, row), row.node, "success"):
        _await_conditions(work, row, "success", 0, stored=stored)
        return
    if row.type == "decision" and choose_branch(_graph(work, row), row.node, {}) is None:
        fail(work, row, _no_branch(row), stored=stored)
        return
    seq = record_completed(work, row, result, event=event)
    after_success(work, replace(row, input=None), seq, stored=stored)


def after_success(work: NodeWork, row: ActivationRow, seq: int, *, stored: bool) -> None:
    """Go on behind a recorded result."""
    if needed_conditions(_graph(work, row), row.node, "success"):
        kept = engine_runs.find_conditions(work.tx, row.execution_id, row.path, seq) if seq else None
        if kept is None:
            _await_conditions(work, row, "success", seq, stored=stored)
            return
    _end(work, row, "success", {}, stored=stored)


def end_from_record(
    work: NodeWork,
    row: ActivationRow,
    outcome: Outcome,
    conditions: Mapping[str, bool],
    *,
    error: PackedError | None = None,
) -> None:
    """Go on behind a record that stands there already; `row` isn't stored and counts no input."""
    _end(work, row, outcome, conditions, stored=False, error=error)


def fail(work: NodeWork, row: ActivationRow, error: PackedError, *, stored: bool) -> None:
    """Record that `row` has failed for good, and let follow what follows."""
    seq = record_failed(work, row, error, None)
    if needed_conditions(_graph(work, row), row.node, "failure"):
        _await_conditions(work, row, "failure", seq, stored=stored)
        return
    _end(work, row, "failure", {}, stored=stored, seq=seq, error=error)


def judge_ending(
    work: NodeWork, row: ActivationRow, conditions: Mapping[str, bool], result: Result | None
) -> None:
    """Go on with an activation that was `ending`: its conditions are known. `result` is a decision's."""
    progress = read_progress(row)
    outcome: Outcome = "failure" if progress["outcome"] == "failure" else "success"
    seq = int(str(progress["seq"]))
    error: PackedError | None = None
    if row.type == "decision" and outcome == "success":
        if choose_branch(_graph(work, row), row.node, conditions) is None:
            fail(work, row, _no_branch(row), stored=True)
            return
        assert result is not None
        seq = record_completed(work, row, result)
        row = replace(row, input=None)
    if outcome == "failure":
        error = _recorded_error(work, row)
    engine_runs.put_conditions(
        work.tx, row.execution_id, row.path, seq, json_bytes({name: conditions[name] for name in conditions})
    )
    _end(work, row, outcome, conditions, stored=True, seq=seq, error=error)


def fail_conditions(work: NodeWork, row: ActivationRow, text: str) -> None:
    """Fail an activation whose conditions cannot be judged (`edge-condition-error`), for good.

    What it gave stays in the log, and is no result any more: its edges have no state that follows from it.
    """
    progress = read_progress(row)
    known = steps.find_live_step(work.tx, row.execution_id, row.path)
    if row.input is None and known is not None and known.input is not None:
        row = replace(row, input=copy_value(work.tx, row.tenant_id, known.input))  # for another try
    steps.supersede_step(work.tx, row.execution_id, row.path, work.seq)
    row = replace(row, attempt=row.attempt + (1 if int(str(progress["seq"])) else 0))
    error = make_error("EdgeConditionError", text, code="edge-condition-error")
    seq = record_failed(work, row, error, None)
    _end(work, row, "failure", _all_false(work, row), stored=True, seq=seq, error=error)


def _all_false(work: NodeWork, row: ActivationRow) -> dict[str, bool]:
    return {edge.id: False for edge in needed_conditions(_graph(work, row), row.node, "failure")}


def _await_conditions(
    work: NodeWork, row: ActivationRow, outcome: Outcome, seq: int, *, stored: bool
) -> None:
    progress: dict[str, JsonValue] = {"outcome": outcome, "seq": seq}
    row = release_slot(work, row)
    work.put(
        replace(
            row,
            state="ending",
            waiting_reason=None,
            progress=json_bytes(progress),
            lease_digest=None,
            due_us=None,
            deadline_us=None,
        ),
        stored=stored,
    )


def _recorded_error(work: NodeWork, row: ActivationRow) -> PackedError:
    known = steps.find_result(work.tx, row.execution_id, row.path)
    assert known is not None
    assert known.error is not None
    return read_error(known.error)


def _no_branch(row: ActivationRow) -> PackedError:
    return make_error("NodeFailed", f"No branch of {row.path} was to be taken.", code="no-branch")


def _graph(work: NodeWork, row: ActivationRow) -> Graph:
    return work.definition.scope(row.scope).graph


def _end(
    work: NodeWork,
    row: ActivationRow,
    outcome: Outcome,
    conditions: Mapping[str, bool],
    *,
    stored: bool,
    seq: int = 0,
    error: PackedError | None = None,
) -> None:
    """Tell the scheduler, and do what it says."""
    row = release_slot(work, row)
    code = str(error.info.get("code") or "error") if error is not None else ""
    ended = Ended(row.node, read_vector(row.vector), outcome, conditions, code)
    limits = find_limits(work.run, row.scope)
    actions = advance(_graph(work, row), work.instances(row.scope), ended, limits)
    if any(isinstance(action, UnhandledAction) and action.code != LOOP_LIMIT for action in actions):
        assert error is not None
        _stand(work, row, error, seq, stored=stored)
        return
    if stored:
        activations.delete_activation(work.tx, row.execution_id, row.path)
    if row.input is not None:
        drop_value(work.tx, row.tenant_id, row.input)
    if row.type == "map":
        forget_items(work, row)
    follow(work, row.scope, actions)
    if row.scope:
        _look(work, row.scope)


def _stand(work: NodeWork, row: ActivationRow, error: PackedError, seq: int, *, stored: bool) -> None:
    """Leave a failure that nothing takes up: its scope is failing, and nothing in it begins."""
    work.put(
        replace(row, state="failed", waiting_reason=None, lease_digest=None, due_us=None, deadline_us=None),
        stored=stored,
    )
    if row.scope:
        work.failing_scopes().add(row.scope)
        park(work.tx, row.execution_id, row.scope)
        work.is_active = False  # what this transaction had made ready may be parked now: settling looks
        _look(work, row.scope)
        return
    code = str(error.info.get("code") or "error")
    kind = FailureKind.TIMEOUT if code == "timeout" else FailureKind.ERROR
    work.unhandled.append(
        Unhandled(row.path, seq, error, kind, inside=row.path if row.type == "map" else None)
    )
    work.set_failing({"path": row.path, "seq": seq, "error": dict(error.info)})
    park(work.tx, row.execution_id)
    work.is_active = False  # what this transaction had made ready is parked now: settling looks


# ---- what the scheduler says


def follow(work: NodeWork, scope: str, actions: list[Action]) -> None:
    """Do what the scheduler says about `scope`."""
    for action in actions:
        match action:
            case Activate(node, vector, trigger_edge):
                work.coming.append(Coming(scope, node, vector, trigger_edge))
            case EdgeDiscarded(edge, region, vector):
                work.record(
                    EventType.EDGE_DISCARDED,
                    {"edge": edge, "path": path_of(scope, region, vector)},
                )
            case UnhandledAction(node, vector, code):
                _fail_loop(work, scope, node, vector_text(vector), code)
            case Finished():
                _finish_scope(work, scope)
            case Skip() | LoopSkipped() | IterationBegun() | LoopEnded():
                pass
            case _:
                assert_never(action)


def _look(work: NodeWork, scope: str) -> None:
    """Have a map's item looked at once: a failed one that was looked at twice would count twice."""
    if scope not in work.looks:
        work.looks.append(scope)


def _fail_loop(work: NodeWork, scope: str, node: str, vector: str, code: str) -> None:
    """Fail a loop that stands at its limit, as its header in the last iteration."""
    coming = Coming(scope, node, read_vector(vector), None)
    path = path_of(scope, node, coming.vector)
    error = make_error(
        "LoopLimit",
        f"The loop {name_loop(scope, node)} has gone round as often as it may; resume with a higher"
        " `loop_limits` to go on.",
        code=code,
    )
    seq = work.record(EventType.STEP_FAILED, {"path": path, "error": f"LoopLimit: {error.info['message']}"})
    row = replace(
        place_node(work, work.definition.node(scope, node), coming, path),
        path=f"{path}/{code}",
        executor="transaction",
        progress=json_bytes({"loop": node, "error": parse_json(error.body)}),
    )
    _stand(work, row, error, seq, stored=False)


def _finish_scope(work: NodeWork, scope: str) -> None:
    if scope:
        work.looks.append(scope)
        work.done_scopes.add(scope)
    else:
        work.finished = True
