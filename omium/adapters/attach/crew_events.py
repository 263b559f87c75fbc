"""Events of CrewAI's record: which belong together, and what is taken of each.

A run is what stands at the top: a crew's kickoff or a flow that nothing else started. Agents run inside as
flows of CrewAI's own. Nothing is taken of an event but names, times, errors and what went in and came out:
crews and agents stand in it whole, with the keys of their models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from omium.adapters.attach.packed import Packed
from omium.adapters.attach.plain import make_plain
from omium.adapters.attach.runs import RecordedError, RecordedUsage, clean_message, read_moment
from omium.jsonvalue import JsonValue

BEGUN: Final = frozenset({"crew_kickoff_started", "flow_started"})
FINISHED: Final = frozenset({"crew_kickoff_completed", "flow_finished"})
FAILED: Final = frozenset({"crew_kickoff_failed", "flow_failed"})
ASKED: Final = frozenset({"flow_paused", "method_execution_paused"})
STEP_BEGUN: Final = frozenset({"task_started", "method_execution_started"})
STEP_DONE: Final = frozenset({"task_completed", "method_execution_finished"})
STEP_FAILED: Final = frozenset({"task_failed", "method_execution_failed"})
STEPS: Final = STEP_BEGUN | STEP_DONE | STEP_FAILED
TOLD: Final = BEGUN | FINISHED | FAILED | ASKED | STEPS
CALL: Final = "llm_call_completed"
NAME_MAX: Final = 120
_TOKENS_MAX: Final = 10**8
_UP_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Event:
    """What is taken of an event."""

    id: str
    type: str
    at_us: int
    sequence: int
    up: str
    """The event around it, else the one that it ends; empty at the top."""
    started: str
    name: str
    workflow: str
    given: JsonValue = None
    made: JsonValue = None
    state: JsonValue = None
    error: RecordedError | None = None
    usage: RecordedUsage | None = None


def read_event(said: Mapping[str, object], *, with_values: bool) -> Event | None:
    """Return what is taken of an event, with what went in and came out or without; None if it has no time."""
    id_, kind = _text(said.get("event_id")), _text(said.get("type"))
    at_us = read_moment(said.get("timestamp"))
    if not id_ or at_us is None:
        return None
    sequence = said.get("emission_sequence")
    started = _text(said.get("started_event_id"))
    has_values = with_values and kind in TOLD
    return Event(
        id=id_,
        type=kind,
        at_us=at_us,
        sequence=sequence if isinstance(sequence, int) else 0,
        up=_text(said.get("parent_event_id")) or started,
        started=started,
        name=_name(said.get("method_name") or said.get("task_name")),
        workflow=_name(said.get("crew_name") or said.get("flow_name")),
        given=_given(said) if has_values else None,
        made=_made(said.get("output", said.get("result"))) if has_values else None,
        state=_plain(said.get("state")) if has_values else None,
        error=_error(said) if kind in FAILED | STEP_FAILED else None,
        usage=_usage(said, at_us) if kind == CALL else None,
    )


def find_top(event: Event, known: Mapping[str, Event]) -> str:
    """Return the id of the event at the top, which the record may have lost."""
    at = event
    for _ in range(_UP_MAX):
        if not at.up:
            return at.id
        above = known.get(at.up)
        if above is None or above is at:
            return at.up
        at = above
    return at.id


def find_step(event: Event, known: Mapping[str, Event]) -> str:
    """Return the id of the event with which the innermost step around `event` began; empty if none did."""
    at: Event | None = event
    for _ in range(_UP_MAX):
        at = known.get(at.up) if at is not None else None
        if at is None or at.type in STEP_BEGUN:
            return at.id if at is not None else ""
    return ""


def _usage(said: Mapping[str, object], at_us: int) -> RecordedUsage | None:
    usage = said.get("usage")
    if not isinstance(usage, dict):
        return None

    def count(name: str) -> int:
        found = usage.get(name)
        return min(max(found, 0), _TOKENS_MAX) if isinstance(found, int) else 0

    return RecordedUsage(
        at_us=at_us,
        model=_text(said.get("model")),
        input_tokens=count("prompt_tokens"),
        output_tokens=count("completion_tokens"),
        cached_tokens=count("cached_prompt_tokens"),
        cache_write_tokens=count("cache_creation_tokens"),
        reasoning_tokens=count("reasoning_tokens"),
    )


def _text(value: object) -> str:
    return value[:200] if isinstance(value, str) else ""


def _name(value: object) -> str:
    return " ".join(_text(value).split())[:NAME_MAX]


def _plain(value: object) -> JsonValue:
    return make_plain(cast("Packed", value))


def _given(said: Mapping[str, object]) -> JsonValue:
    task = said.get("task")
    if isinstance(task, dict):
        context = said.get("context") or task.get("prompt_context")
        return _plain({"description": task.get("description"), **({"context": context} if context else {})})
    return _plain(said.get("inputs") or said.get("params"))


def _made(value: object) -> JsonValue:
    """Return a task's result: the object that it was to be, else its text."""
    if isinstance(value, dict) and "raw" in value:
        return _plain(value.get("json_dict") or value.get("pydantic") or value["raw"])
    return _plain(value)


def _error(said: Mapping[str, object]) -> RecordedError:
    kind = _text(said.get("error_type")).rpartition(":")[2]
    text = said.get("error")
    return RecordedError(kind[:120] or "Error", clean_message(text if isinstance(text, str) else ""))
