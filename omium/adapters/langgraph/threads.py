"""Threads: where an execution's graph keeps its state, and how a replay gets its own.

Owns the choice of the thread and the copy that a replay starts from. A replay never writes into its source's
thread: it gets a copy that ends just before the first task that is to run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote

from langgraph.checkpoint.base import CheckpointMetadata

from omium.adapters.langgraph.saver import OmiumSaver
from omium.sdk.context import Frame
from omium.sdk.flows import drive_sync
from omium.sdk.starting import call

MARK = "omium_execution"  # in a checkpoint's metadata: the execution that saved it


def thread_of(frame: Frame, chosen: str | None) -> str:
    """Return the thread of the graph that runs in `frame`: the caller's choice, else one of its own."""
    if chosen is not None:
        return chosen
    execution_id, path = frame.driving.execution_id, frame.scope.path
    return f"{execution_id}:{path}" if path else str(execution_id)


def has_begun(saver: OmiumSaver, thread_id: str, execution_id: str, *, claims: bool = False) -> bool:
    """Say whether this execution has saved in the thread: then it goes on, else it begins with its input.

    `claims`: it goes on with what is there, without an input of its own. A checkpoint that no execution
    saved, taken from another saver, is marked as this one's, so that an answer to its interrupt finds it.
    """
    newest = saver.get_tuple({"configurable": {"thread_id": thread_id}})
    if claims and newest is not None and MARK not in newest.metadata:
        metadata = {**newest.metadata, MARK: execution_id}
        saver.replace_metadata(newest._replace(metadata=cast("CheckpointMetadata", metadata)))
    return newest is not None and newest.metadata.get(MARK) == execution_id


def prepare_replay(saver: OmiumSaver, frame: Frame, chosen: str | None) -> str | None:
    """Copy the source's thread for a replay, and return the copy's id; None where this is no replay.

    The copy ends at the checkpoint of the earliest task that was not taken over, or whose result was edited.
    Called again after a crash it completes the copy.
    """
    execution = _get(frame, f"/v1/executions/{frame.driving.execution_id}")
    source_id = execution.get("replay_of")
    if source_id is None:
        return None
    thread_id = str(execution["id"])
    source = _get(frame, f"/v1/executions/{source_id}")
    source_thread_id = str(source_id) if source.get("replay_of") else chosen or str(source_id)
    kept = {step["key"] for step in _steps(frame, execution["id"]) if not step.get("edited_by")}
    again = [
        place
        for step in _steps(frame, source_id)
        if step["key"] not in kept and (place := _place(step)) is not None
    ]
    until = min((place["checkpoint_id"] for place in again), default=None)
    saver.copy_thread_until(
        source_thread_id, thread_id, until=until, without_tasks=[place["task_id"] for place in again]
    )
    return thread_id


def _steps(frame: Frame, execution_id: str) -> Iterator[Mapping[str, Any]]:
    after = ""
    while True:
        page = _get(frame, f"/v1/executions/{execution_id}/steps?limit=200{after}")
        yield from (step for step in page["items"] if step.get("superseded_seq") is None)
        if page["next"] is None:
            return
        after = f"&after={quote(page['next'])}"


def _place(step: Mapping[str, Any]) -> Mapping[str, str] | None:
    recorded = step.get("input")
    place = recorded.get("graph") if isinstance(recorded, dict) else None
    return place if isinstance(place, dict) and place.get("checkpoint_id") else None


def _get(frame: Frame, path: str) -> dict[str, Any]:
    return drive_sync(call("GET", path), frame.driving.link.ports)
