"""Questions: what an interrupted graph asks, and the answers that were sent to its execution as signals.

A signal is called as the node that asks (`omium signal ID approve --data '"yes"'`). Owns which question an
answer is for: a node that asks twice asks two questions, and the second is told by how many answers the node
has had (LangGraph keeps them beside the interrupt). An answer belongs to its question for good, so a run that
was cut off goes on with the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from langgraph.checkpoint.base import BaseCheckpointSaver, PendingWrite
from langgraph.types import StateSnapshot

from omium.jsonvalue import JsonValue, input_record
from omium.sdk.context import Frame
from omium.sdk.flows import drive_sync
from omium.sdk.signals import ask, find, shorten

NAME_CHARACTERS_MAX: Final = 200
SHOWN_MAX: Final = 100
_ASKED, _ANSWERED, _FAILED = "__interrupt__", "__resume__", "__error__"
"""LangGraph's own names for what it writes beside a checkpoint (`langgraph._internal._constants`)."""


@dataclass(frozen=True, slots=True)
class Question:
    """An interrupt: the node that asks, LangGraph's id of it, and how many answers the node has had."""

    node: str
    id: str
    answered: int
    value: Any

    @property
    def key(self) -> str:
        """What tells it from every other question of the thread, as long as nobody has answered it.

        In a graph that a node calls by itself LangGraph does not tell how many answers there were: there what
        is asked tells two questions apart.
        """
        return f"{self.id}-{self.answered}-{input_record({'asked': self.value}).digest[:12]}"


def list_questions(saver: BaseCheckpointSaver[Any], state: StateSnapshot) -> list[Question]:
    """Return what a graph asks at `state`, which was read with its subgraphs, in the order of its tasks."""
    return list(_walk(saver, state))


def _walk(saver: BaseCheckpointSaver[Any], state: StateSnapshot) -> Iterator[Question]:
    asking = [task for task in state.tasks if task.interrupts]
    if not asking:
        return
    saved = saver.get_tuple(state.config)
    writes = (saved.pending_writes if saved is not None else None) or []
    answered, ended = _count_answers(writes), _list_ended(writes)
    for task in asking:
        if task.id in ended:  # LangGraph keeps its interrupt beside what it has written since
            continue
        if isinstance(task.state, StateSnapshot):  # a subgraph, in which it is asked
            inner = list(_walk(saver, task.state))
            if inner:
                yield from inner
                continue
        for each in task.interrupts:
            yield Question(task.name[:NAME_CHARACTERS_MAX], each.id, answered.get(each.id, 0), each.value)


def _count_answers(writes: Iterable[PendingWrite]) -> dict[str, int]:
    """Return how many answers whoever asks has had, by the id of the interrupt."""
    had = {task_id: len(_listed(value)) for task_id, channel, value in writes if channel == _ANSWERED}
    counted: dict[str, int] = {}
    for task_id, channel, value in writes:
        for each in _listed(value) if channel == _ASKED else ():
            counted[each.id] = max(counted.get(each.id, 0), had.get(task_id, 0))
    return counted


def _list_ended(writes: Iterable[PendingWrite]) -> set[str]:
    """Return the tasks that have written what a task writes at its end."""
    return {task_id for task_id, channel, _ in writes if channel not in (_ASKED, _ANSWERED, _FAILED)}


def _listed(value: Any) -> list[Any]:
    return [*value] if isinstance(value, list | tuple) else [value]


def find_answers(frame: Frame, questions: Iterable[Question]) -> dict[str, Any]:
    """Return the answers that have been sent, by the id of the interrupt; recorded as steps."""
    answers = {}
    for each in questions:
        asked = ask(frame, each.node, each.value, each.key)
        found = drive_sync(find(asked), frame.driving.link.ports)
        if found is not None:
            answers[each.id] = found[0]
    return answers


def show(questions: Iterable[Question], types: Any) -> list[dict[str, JsonValue]]:
    """Return questions as people are shown them (`models.execution.AwaitedSignal` as JSON)."""
    shown = []
    for each in [*questions][:SHOWN_MAX]:
        recorded = input_record({"question": each.value}, types=types)
        shown.append({"name": each.node, "question": shorten(recorded.json.get("question"))})
    return shown
