"""Runs: from the arguments of one `invoke` to what LangGraph is called with, and back.

Owns whether a graph begins with its input or goes on from its thread, and what an interrupt means for the
execution. Called inside an active frame; the calls of the graph itself are in instrument.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs
from langgraph.pregel import Pregel
from langgraph.types import Command, StateSnapshot

from omium.adapters.langgraph.questions import Question, find_answers, list_questions, show
from omium.adapters.langgraph.saver import OmiumSaver
from omium.adapters.langgraph.threads import MARK, has_begun, prepare_replay, thread_of
from omium.errors import NotFound, Waits
from omium.jsonvalue import input_record
from omium.sdk.calling import find_active_frame
from omium.sdk.context import Frame
from omium.sdk.flows import drive_sync
from omium.sdk.session import Session
from omium.sdk.starting import get_execution
from omium.states import WaitingReason


class GraphWaits(Waits):
    """The graph was interrupted; `output` is what LangGraph returned, interrupts included."""

    output: Any = None


@dataclass(frozen=True, slots=True)
class Run:
    """What LangGraph is called with."""

    frame: Frame
    input: Any
    config: RunnableConfig
    options: Mapping[str, Any]


class _Graph(Protocol):
    graph: Pregel[Any, Any, Any, Any]
    saver: OmiumSaver
    name: str


def begin_run(
    graph: _Graph,
    input: Any,  # noqa: A002  # LangChain's own name
    thread_id: str | None,
    config: RunnableConfig | None,
    options: Mapping[str, Any],
) -> Run:
    """Return what the graph is called with: its input, or nothing where this execution has begun already."""
    frame = find_active_frame()
    assert frame is not None, "a graph runs inside an execution"
    execution_id = frame.driving.execution_id
    thread = thread_of(frame, thread_id)
    goes_on = input is None or isinstance(input, Command)
    begun = has_begun(graph.saver, thread, execution_id, claims=goes_on)
    if not begun and frame.driving.book.has_records:
        copy = prepare_replay(graph.saver, frame, thread_id)
        if copy is not None:
            thread = copy
            begun = graph.saver.get_tuple({"configurable": {"thread_id": copy}}) is not None
    merged = merge_configs(
        config or {}, {"configurable": {"thread_id": thread}, "metadata": {MARK: execution_id}}
    )
    # "sync": what a step of the graph wrote is acknowledged by the server before the next step begins.
    run = Run(frame, input, merged, {"durability": "sync", **options})
    return replace(run, input=_go_on(graph, run)) if begun and not isinstance(input, Command) else run


def _go_on(graph: _Graph, run: Run) -> Command[Any] | None:
    """Return what a graph goes on with: the answers that were sent, nothing where there are none.

    On a worker raises `GraphWaits` where all that is left of it asks: it would only ask again.
    """
    state = graph.graph.get_state(run.config, subgraphs=True)
    questions = list_questions(graph.saver, state)
    answers = find_answers(run.frame, questions)
    if answers:
        return Command(resume=answers)
    only_asks = bool(questions) and all(
        (task.interrupts or task.result is not None) and task.error is None for task in state.tasks
    )
    if only_asks and run.frame.driving.on_worker:
        raise _waits(run, state, questions, state.values)
    return None


def end_run(graph: _Graph, run: Run, output: Any = None) -> Any:
    """Return the output; raise `GraphWaits` where the graph stopped at an interrupt."""
    state = graph.graph.get_state(run.config)
    output = state.values if output is None else output
    if not state.interrupts and not state.next:
        return output
    if state.interrupts:
        state = graph.graph.get_state(run.config, subgraphs=True)
    raise _waits(run, state, list_questions(graph.saver, state), output)


def _waits(run: Run, state: StateSnapshot, questions: list[Question], output: Any) -> GraphWaits:
    execution_id, types = run.frame.driving.execution_id, run.frame.driving.link.types
    shown = input_record(
        {"interrupts": [each.value for each in state.interrupts], "next": [*state.next]}, types=types
    )
    thread = run.config["configurable"]["thread_id"]
    on_thread = f'graph.invoke(Command(resume=...), {{"configurable": {{"thread_id": "{thread}"}}}})'
    answer = (
        f"waits for an answer to its graph. Answer it: omium signal {execution_id} {questions[0].node} --data"
        f" JSON, or {on_thread}"
        if questions
        else f"stands before {', '.join(state.next)}. Go on with: omium resume {execution_id}"
    )
    waits = GraphWaits(
        f"Execution {execution_id} {answer}",
        execution_id=execution_id,
        reason=WaitingReason.SIGNAL.value,
        resume_command=f"omium resume {execution_id}",
        detail=shown.json,
        signals=show(questions, types),
    )
    waits.output = output
    return waits


def find_waiting(
    saver: OmiumSaver,
    session: Session,
    input: Any,  # noqa: A002  # LangChain's own name
    thread_id: str | None,
) -> str | None:
    """Return the execution that waits on this thread for the command in `input`; None where none does."""
    if not isinstance(input, Command) or thread_id is None or find_active_frame() is not None:
        return None
    newest = saver.get_tuple({"configurable": {"thread_id": thread_id}})
    execution_id = None if newest is None else newest.metadata.get(MARK)
    if execution_id is None:
        return None
    try:
        execution = drive_sync(get_execution(str(execution_id)), session.link.ports)
    except NotFound:  # retention removed it; the thread goes on under a new one
        return None
    return str(execution_id) if execution["status"] == "waiting" else None
