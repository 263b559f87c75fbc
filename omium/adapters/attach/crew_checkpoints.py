"""CrewAI's checkpoints: the runs that their records of events tell, from files or from a table.

A crew writes a checkpoint at the events that it was told to, by default where a task is completed: that a
task failed is known only if `task_failed` is among them, and that a crew has finished from its tasks.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, cast

from omium.adapters.attach import crew_events as types
from omium.adapters.attach.crew_events import Event, find_step, find_top, read_event
from omium.adapters.attach.crew_rows import (
    READ_BYTES_MAX,
    CrewRows,
    Document,
    StoredCheckpoint,
    count_lines,
    list_leaves,
)
from omium.adapters.attach.packed import Packed
from omium.adapters.attach.plain import make_plain
from omium.adapters.attach.runs import (
    RecordedError,
    RecordedRun,
    RecordedState,
    RecordedStep,
    RecordedUsage,
    Run,
    RunState,
)
from omium.jsonvalue import JsonValue

FRAMEWORK: Final = "crewai"
EVENTS_MAX: Final = 500_000


@dataclass(slots=True)
class _Crew:
    """A crew as its newest checkpoint holds it: its tasks in order, and which have an output."""

    name: str
    tasks: list[tuple[str, bool]]
    inputs: JsonValue


@dataclass(slots=True)
class _Known:
    """A run: its events in order, and the newest checkpoints of the lines that tell of it."""

    events: list[Event] = field(default_factory=list)
    leaves: dict[str, StoredCheckpoint] = field(default_factory=dict)
    sources: dict[str, StoredCheckpoint] = field(default_factory=dict)
    """The newest checkpoint that tells of an event, for each of them: those that are read for its values."""
    calls: list[tuple[RecordedUsage, str]] = field(default_factory=list)
    """Calls of models, each with the event with which its step began."""


class CrewCheckpoints:
    """Runs of crews and flows; which there are is read at the first question, their values when asked for."""

    def __init__(self, rows: CrewRows) -> None:
        self._rows = rows
        self._by_id: dict[str, StoredCheckpoint] = {}
        self._known: dict[str, _Known] | None = None
        self._crews: dict[str, _Crew] = {}
        self._counts: dict[frozenset[str], int] = {}
        self._is_cut = False

    def list_runs(self, limit: int) -> list[Run]:
        """Return at most `limit` runs, the newest first."""
        runs = [self._judge(id_, known) for id_, known in self._read().items()]
        return sorted(runs, key=lambda run: (-(run.updated_us or 0), run.run_id))[:limit]

    def find_run(self, run_id: str) -> Run | None:
        """Return the run with this id."""
        known = self._read().get(run_id)
        return self._judge(run_id, known) if known is not None else None

    def record(self, run: Run) -> RecordedRun | None:
        """Return `run` with its steps; None where nothing of it can be read."""
        known = self._read().get(run.run_id)
        if known is None:
            return None
        crew, events = self._crews.get(run.run_id), self._read_whole(known)
        if not events:  # its checkpoints were pruned meanwhile
            return None
        steps = dict(_list_steps(events))
        places = {begun_id: place for place, begun_id in enumerate(steps)}
        begun = next((event for event in events if event.type in types.BEGUN), None)
        finished = [event for event in events if event.type in types.FINISHED and event.made is not None]
        done = [event for event in events if event.type in types.STEP_DONE]
        output = (finished or done)[-1].made if (finished or done) else None
        given = begun.given if begun is not None else None
        return RecordedRun(
            run=run,
            identity=run.run_id,
            started_us=events[0].at_us,
            updated_us=max(event.at_us for event in events),
            input=given or (crew.inputs if crew is not None else None),
            output=output if run.state is RunState.FINISHED else None,
            steps=tuple(steps.values()),
            usage=tuple(replace(usage, step=places.get(begun_id)) for usage, begun_id in known.calls),
            states=tuple(
                RecordedState("state", event.at_us, event.state) for event in done if event.state is not None
            )[-100:],
            omitted=(f"a store is read up to {READ_BYTES_MAX // 2**20} MiB, the newest first",)
            if self._is_cut
            else (),
        )

    def _read(self) -> dict[str, _Known]:
        if self._known is not None:
            return self._known
        self._known = {}
        stored = self._rows.list_checkpoints()
        self._by_id = {each.checkpoint_id: each for each in stored}
        events: dict[str, Event] = {}
        places: dict[str, list[StoredCheckpoint]] = {}
        for leaf, document in self._load(
            list_leaves(stored)
        ):  # the newest first: what it says of a crew stays
            if len(events) > EVENTS_MAX:
                self._is_cut = True
                break
            for event in _list_events(document, with_values=False):
                events.setdefault(event.id, event)
                places.setdefault(event.id, []).append(leaf)
            for kickoff_id, crew in _list_crews(document):
                self._crews.setdefault(kickoff_id, crew)
        for event in _sort(events.values()):
            if event.type not in types.TOLD and event.usage is None:
                continue
            top = find_top(event, events)
            if event.usage is not None:
                call = (event.usage, find_step(event, events))
                self._known.setdefault(top, _Known()).calls.append(call)
                continue
            if event.type not in types.STEPS and top not in (event.id, event.up):
                continue  # a flow of an agent's, a crew inside a flow
            known = self._known.setdefault(top, _Known())
            known.events.append(event)
            known.leaves.update((leaf.checkpoint_id, leaf) for leaf in places[event.id])
            known.sources.setdefault(places[event.id][0].checkpoint_id, places[event.id][0])
        self._known = {id_: known for id_, known in self._known.items() if known.events}
        return self._known

    def _load(self, leaves: Iterable[StoredCheckpoint]) -> Iterator[tuple[StoredCheckpoint, Document]]:
        """Yield those that can be read, as far as `READ_BYTES_MAX` reaches."""
        left_bytes = READ_BYTES_MAX
        for leaf in leaves:
            if left_bytes <= 0:
                self._is_cut = True
                return
            document, size_bytes = self._rows.load(leaf)
            left_bytes -= size_bytes
            if document is not None:
                yield leaf, document

    def _read_whole(self, known: _Known) -> list[Event]:
        """Return the events of a run with what went in and came out."""
        wanted = {event.id for event in known.events}
        found: dict[str, Event] = {}
        for _, document in self._load(known.sources.values()):
            for event in _list_events(document, wanted, with_values=True):
                found.setdefault(event.id, event)
        return _sort(found.values())

    def _count(self, known: _Known) -> int:
        leaves = frozenset(known.leaves)  # runs of one process share them
        if leaves not in self._counts:
            self._counts[leaves] = count_lines(known.leaves.values(), self._by_id)
        return self._counts[leaves]

    def _judge(self, run_id: str, known: _Known) -> Run:
        crew, events = self._crews.get(run_id), known.events
        done = [event.name for event in events if event.type in types.STEP_DONE]
        ended = {event.started for event in events}
        following = [e.name for e in events if e.type in types.STEP_BEGUN and e.id not in ended]
        if crew is not None and not following:
            following = [name for name, is_done in crew.tasks if not is_done][:1]
        newest = events[-1]
        state, error, failed_at = RunState.UNFINISHED, RecordedError("", ""), ""
        if newest.type in types.FINISHED:
            state = RunState.FINISHED
        elif newest.type in types.ASKED:
            state = RunState.INTERRUPTED
        elif newest.error is not None:
            failed = [e for e in events if e.type in types.STEP_FAILED] or [newest]
            state, error, failed_at = RunState.FAILED, failed[-1].error or newest.error, failed[-1].name
        elif crew is not None and crew.tasks and not following:
            state = RunState.FINISHED
        return Run(
            run_id=run_id,
            framework=FRAMEWORK,
            workflow=next((e.workflow for e in events if e.workflow), "") or (crew.name if crew else ""),
            state=state,
            checkpoints=self._count(known),
            updated_us=newest.at_us,
            last=tuple(done[-1:]),
            next=tuple(following) if state in (RunState.UNFINISHED, RunState.INTERRUPTED) else (),
            failed_at=failed_at,
            error_type=error.type,
            error_message=error.message,
        )


def _sort(events: Iterable[Event]) -> list[Event]:
    return sorted(events, key=lambda event: (event.at_us, event.sequence, event.id))


def _list_events(
    document: Document, wanted: Container[str] | None = None, *, with_values: bool
) -> Iterable[Event]:
    record = document.get("event_record")
    nodes = record.get("nodes") if isinstance(record, dict) else None
    for node in nodes.values() if isinstance(nodes, dict) else ():
        said = node.get("event") if isinstance(node, dict) else None
        if not isinstance(said, dict) or (
            wanted is not None and str(said.get("event_id"))[:200] not in wanted
        ):
            continue
        event = read_event(said, with_values=with_values)
        if event is not None:
            yield event


def _list_crews(document: Document) -> Iterable[tuple[str, _Crew]]:
    entities = document.get("entities")
    for entity in entities if isinstance(entities, list) else ():
        if not isinstance(entity, dict) or entity.get("entity_type") != "crew":
            continue
        kickoff_id, tasks = entity.get("checkpoint_kickoff_event_id"), entity.get("tasks")
        if isinstance(kickoff_id, str) and isinstance(tasks, list):
            yield (
                kickoff_id,
                _Crew(
                    str(entity.get("name") or "")[: types.NAME_MAX],
                    [_read_task(task) for task in tasks if isinstance(task, dict)],
                    make_plain(cast("Packed", entity.get("checkpoint_inputs"))),
                ),
            )


def _read_task(task: dict[str, object]) -> tuple[str, bool]:
    name = " ".join(str(task.get("name") or task.get("description") or "").split())
    return name[: types.NAME_MAX], bool(task.get("output"))


def _list_steps(events: Iterable[Event]) -> Iterable[tuple[str, RecordedStep]]:
    """Yield each step that ended, with the id of the event with which it began."""
    begun: dict[str, Event] = {}
    for event in events:
        if event.type in types.STEP_BEGUN:
            begun[event.id] = event
        elif event.type in types.STEP_DONE | types.STEP_FAILED:
            start = begun.get(event.started, event)
            step = RecordedStep(
                name=event.name or start.name or "step",
                started_us=min(start.at_us, event.at_us),
                ended_us=event.at_us,
                input=start.given,
                output=event.made if event.error is None else None,
                error=event.error,
            )
            yield start.id, step
