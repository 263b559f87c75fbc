"""Conditions: the `when` of edges, evaluated between two transactions (semantics 1.5).

A result is recorded first; where edges have conditions the node is `ending`, and `list_ending` gives what is
to be evaluated, projected to the values that each expression names. They are immutable, so another evaluation
comes to the same. `judge_node` writes the results with what follows from them, once: a node that is not
`ending` any more, or ends another time, is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from omium.jsonvalue import JsonValue, plain
from omium.server.db.tx import Tx
from omium.server.engine.nodes.broken import work_of
from omium.server.engine.nodes.driving import drive
from omium.server.engine.nodes.ending import fail_conditions, judge_ending
from omium.server.engine.nodes.inputs import Place, Unavailable, look_up, open_column
from omium.server.engine.nodes.records import Result, read_progress
from omium.server.engine.nodes.settling import settle
from omium.server.engine.nodes.work import NodeWork, open_work, work_on
from omium.server.engine.parts import EngineParts
from omium.server.engine.scopes import read_vector
from omium.server.engine.values import fetch_value
from omium.server.store import activations, claimable, steps
from omium.server.store.activations import ActivationRow
from omium.server.store.executions import find_execution
from omium.spec.expressions import list_paths, project
from omium.spec.references import MISSING, Missing, Path, look_inside
from omium.spec.schedule import Outcome, needed_conditions


@dataclass(frozen=True, slots=True)
class Question:
    """One condition, and the values that it names."""

    edge: str
    source: str
    values: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class EndingNode:
    """A node that has ended but for the conditions of its edges, in the order in which they are asked."""

    tenant_id: str
    spec_digest: str
    execution_id: str
    path: str
    progress: bytes | None
    attempt: int
    questions: list[Question]
    is_choice: bool
    """A decision: what comes after the first condition that holds need not be evaluated."""


def list_ending(tx: Tx, parts: EngineParts, limit: int) -> list[EndingNode]:
    """Return nodes whose conditions are to be evaluated; reads only. Raises `BrokenExecution`."""
    found = []
    for row in claimable.list_ending(tx, limit):
        execution = find_execution(tx, row.tenant_id, row.execution_id)
        if execution is not None:
            with work_of(row.tenant_id, row.execution_id):
                found.append(_ask(work_on(tx, parts, execution), row))
    return found


def _ask(work: NodeWork, row: ActivationRow) -> EndingNode:
    outcome: Outcome = "failure" if read_progress(row)["outcome"] == "failure" else "success"
    graph = work.definition.scope(row.scope).graph
    questions = []
    for edge in needed_conditions(graph, row.node, outcome):
        assert edge.when is not None
        source = edge.when.expr or "false"
        values = project(list_paths(source), lambda path: _look_up(work, row, outcome, path))
        questions.append(Question(edge.id, source, values))
    return EndingNode(
        tenant_id=row.tenant_id,
        spec_digest=work.run.spec_digest,
        execution_id=row.execution_id,
        path=row.path,
        progress=row.progress,
        attempt=row.attempt,
        questions=questions,
        is_choice=row.type == "decision" and outcome == "success",
    )


def _look_up(work: NodeWork, row: ActivationRow, outcome: Outcome, path: Path) -> JsonValue | Missing:
    """Return what a condition reads, without its tags, or `MISSING`."""
    place = Place(row.scope, row.node, read_vector(row.vector), row.trigger_edge)
    try:
        match path:
            case ("output", *rest) if outcome == "success":
                found = look_inside(_read_output(work, row), tuple(rest))
            case ("error", *rest) if outcome == "failure":
                known = steps.find_result(work.tx, row.execution_id, row.path)
                body = known.error if known is not None else None
                found = look_inside(open_column(work, body), tuple(rest)) if body is not None else MISSING
            case _:
                found = look_up(work, place, path)
    except Unavailable:
        return MISSING
    return found if found is MISSING else plain(found)


def _read_output(work: NodeWork, row: ActivationRow) -> JsonValue:
    if row.type == "decision":  # its result is recorded with its branch
        assert row.input is not None
        return open_column(work, row.input)
    known = steps.find_result(work.tx, row.execution_id, row.path)
    assert known is not None
    assert known.output is not None
    return open_column(work, known.output)


def judge_node(
    tx: Tx, parts: EngineParts, ending: EndingNode, conditions: Mapping[str, bool], fault: str | None = None
) -> bool:
    """Go on behind a node whose conditions are known; `fault` says why they cannot be (then it fails).

    Returns False where that has happened already, or the execution has ended. Raises `BrokenExecution`.
    """
    with work_of(ending.tenant_id, ending.execution_id):
        return _judge(tx, parts, ending, conditions, fault)


def _judge(
    tx: Tx, parts: EngineParts, ending: EndingNode, conditions: Mapping[str, bool], fault: str | None
) -> bool:
    work = open_work(tx, parts, ending.tenant_id, ending.execution_id)
    row = activations.find_activation(tx, ending.execution_id, ending.path)
    if (
        row is None
        or row.state != "ending"
        or row.progress != ending.progress
        or row.attempt != ending.attempt
    ):
        return False
    if fault is not None:
        fail_conditions(work, row, fault)
    else:
        judge_ending(work, row, conditions, _decided(work, row))
    drive(work)
    settle(work)
    return True


def _decided(work: NodeWork, row: ActivationRow) -> Result | None:
    """Return the result of a decision: what it was given, for which its record counts a reference."""
    if row.type != "decision" or row.input is None:
        return None
    value = open_column(work, row.input)
    packed = work.parts.vault.pack(row.tenant_id, value, what=f"The output of {row.path}")
    size_bytes = fetch_value(work.tx, row.tenant_id, row.input).size_bytes
    return Result(packed.column, packed.digest, size_bytes, packed)
