"""States of nodes: what an execution's records say about each node of the workflow that it runs.

A node inside of a map is known by the ids of the maps and its own: `each/sum`. Rounds of a loop and items of
a map are many records of one node: the worst that is true now is said, and how many there are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from omium.models.execution import ExecutionDetail, Step
from omium.spec.document import Body
from omium.states import ExecutionStatus

NOT_RUN: Final = "not run"
_NUMBERS: Final = re.compile(r"(#[0-9.]+)?(\[[0-9]+\])?$")
_WORST_FIRST: Final = ("running", "retrying", "waiting", "failed", "completed")
_GOING_ON: Final = frozenset({ExecutionStatus.QUEUED, ExecutionStatus.RUNNING, ExecutionStatus.WAITING})
_WAITERS: Final = frozenset({"approval", "wait"})


@dataclass(frozen=True, slots=True)
class NodeState:
    """A word of `omium.words.STATES` (or `not run`), and how many records the node has."""

    word: str
    times: int = 0


def node_path(step_key: str) -> str:
    """Return the path of the node that a step's key belongs to: `each[3]/sum#2` is of `each/sum`."""
    return "/".join(_NUMBERS.sub("", part) for part in step_key.split("/"))


def states_of(
    body: Body, detail: ExecutionDetail, steps: Iterable[Step] | None = None
) -> dict[str, NodeState]:
    """Return the state of every node. `steps` are all of them, where the detail has only the first ones."""
    known: dict[str, Counter[str]] = {}
    own = {node.id for node in body.nodes}
    for step in detail.steps if steps is None else steps:
        if step.superseded_seq is None:
            path = node_path(step.key)
            if path not in own and "/" not in path and step.name in own:
                path = step.name  # frameworks' steps are called after their nodes
            known.setdefault(path, Counter())[step.status.value] += 1
    for key in detail.running_steps:
        known.setdefault(node_path(key), Counter())["running"] += 1
    found: dict[str, NodeState] = {}
    _tell(body, "", known, detail, found)
    return found


def _tell(
    body: Body,
    prefix: str,
    known: Mapping[str, Counter[str]],
    detail: ExecutionDetail,
    found: dict[str, NodeState],
) -> None:
    before: dict[str, list[str]] = {}
    for edge in body.edges:
        if edge.kind == "control":
            before.setdefault(edge.target, []).append(edge.source)
    for node in body.nodes:
        path = prefix + node.id
        records = known.get(path)
        if records:
            word = next((each for each in _WORST_FIRST if records[each]), next(iter(records)))
            found[path] = NodeState(word, records.total())
        else:
            ready = not prefix and all(
                known.get(prefix + source, Counter())["completed"] for source in before.get(node.id, ())
            )
            found[path] = NodeState(_without_record(node.type, detail, ready=ready))
        if node.body is not None:
            _tell(node.body, f"{path}/", known, detail, found)


def _without_record(node_type: str, detail: ExecutionDetail, *, ready: bool) -> str:
    """Say what a node is that has no record: it may be due, or wait for somebody, or never have its turn."""
    if not ready or detail.status not in _GOING_ON:
        return NOT_RUN
    return "waiting" if node_type in _WAITERS else "pending"
