"""Runs: which instrumented crew or flow the running code belongs to, and recording what it does.

Owns the context variable that tells an instrumented run from any other use of CrewAI in the process: without
one, everything that is wrapped (wrapping.py) just runs. Owns also the way from "do this" to a step of the
current execution; what the steps are is tasks.py, methods.py, model_calls.py and tool_calls.py.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from omium.adapters.crew.naming import find_id, make_id, name_nodes
from omium.adapters.crew.policy import TaskPolicy
from omium.errors import Suspension
from omium.jsonvalue import JsonValue, input_record
from omium.sdk.async_calls import run_async
from omium.sdk.attempts import StepCall
from omium.sdk.calling import find_active_frame
from omium.sdk.calls import Call
from omium.sdk.context import Frame
from omium.sdk.flows import drive_async, drive_sync
from omium.sdk.options import StepOptions
from omium.sdk.results import take_whole
from omium.sdk.steps import run_step


@dataclass(slots=True)
class Run:
    """One run of an instrumented crew or flow; its parts may work in several threads."""

    owner: Any
    """The crew or flow that was instrumented."""
    ids: tuple[str, ...]
    """The node ids of `owner`, in the order of its tasks or methods."""
    policies: Mapping[str, TaskPolicy] = field(default_factory=dict)
    default: TaskPolicy = field(default_factory=TaskPolicy)
    effects: frozenset[str] = frozenset()
    """Ids of the tools that change the world outside."""
    stopped: Suspension | None = None
    """What ended the run in one of its branches, where the framework may have swallowed it."""
    _order: int = 0
    _written: dict[tuple[int, str], int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _items: dict[int, tuple[Any, int, tuple[str, ...]]] = field(default_factory=dict)
    _copies: Counter[tuple[str, int]] = field(default_factory=Counter)
    _named: dict[int, tuple[Any, dict[str, Any]]] = field(default_factory=dict)

    def note_copy(self, crew: Any, copied: Any, scope_path: str) -> None:
        """Note that CrewAI copied a crew for the next item of a `kickoff_for_each`."""
        with self._lock:
            known = self._items.get(id(crew))
            ids = (
                known[2] if known is not None else self.ids if crew is self.owner else tuple(name_nodes(crew))
            )
            self._copies[scope_path, id(crew)] += 1
            # The copy is kept: while it is here, no other object has its id.
            self._items[id(copied)] = (copied, self._copies[scope_path, id(crew)], ids)

    def name_task(self, task: Any, crew: Any) -> tuple[str, str | None]:
        """Return the node id of `task`, and a key where it belongs to one of several items."""
        tasks = list(getattr(crew, "tasks", ()))
        at = next((at for at, each in enumerate(tasks) if each is task), None)
        if at is None:  # a task of CrewAI's own, such as the planner's
            return make_id(task.name or getattr(task.agent, "role", "") or "") or "task", None
        with self._lock:
            item = self._items.get(id(crew))
            if item is not None:
                name = item[2][at]
                return name, f"{name}:{item[1]}"
            if crew is self.owner:
                return self.ids[at], None
            named = self._named.get(id(crew))
            if named is None:
                named = self._named[id(crew)] = (crew, name_nodes(crew))
        return find_id(named[1], task) or "task", None

    def nodes_of(self, flow: Any) -> dict[str, Any]:
        """Return the nodes of a flow: methods by their ids."""
        with self._lock:
            named = self._named.get(id(flow))
            if named is None:
                named = self._named[id(flow)] = (flow, name_nodes(flow))
        return named[1]

    def take_order(self) -> int:
        """Return the number of a method that has just ended: it came after all with a smaller one."""
        with self._lock:
            self._order += 1
            return self._order

    def skip_to(self, order: int) -> None:
        """Let the numbers that follow be greater than `order`, which a record has."""
        with self._lock:
            self._order = max(self._order, order)

    def note_written(self, flow: Any, names: Iterable[str], order: int) -> None:
        """Note which method wrote parts of a flow's state last."""
        with self._lock:
            for name in names:
                self._written[id(flow), name] = order

    def take_newest(self, flow: Any, names: Iterable[str], order: int) -> set[str]:
        """Return those parts of a flow's state that no later method has written, and note them as written."""
        with self._lock:
            newest = {name for name in names if self._written.get((id(flow), name), 0) <= order}
            for name in newest:
                self._written[id(flow), name] = order
        return newest

    def policy_of(self, node: str) -> TaskPolicy:
        """Return the policy of the node."""
        return self.policies.get(node, self.default)


_RUN: ContextVar[Run | None] = ContextVar("omium_crew_run", default=None)


@contextmanager
def running(run: Run) -> Iterator[Run]:
    """Let what CrewAI does meanwhile, in this thread and those it starts, be recorded."""
    token = _RUN.set(run)
    try:
        yield run
    finally:
        _RUN.reset(token)


def find_place() -> tuple[Run, Frame] | None:
    """Return the run and the place in its execution that the caller belongs to; None outside of any."""
    run = _RUN.get()
    if run is None:
        return None
    frame = find_active_frame()
    return None if frame is None else (run, frame)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a run does: what it is called, what it was given, how its result is recorded."""

    options: StepOptions
    given: Mapping[str, object]
    dump: Callable[[Any], object]
    load: Callable[[Any], Any]
    key: str | None = None
    judged: Callable[[JsonValue], Iterable[JsonValue]] = take_whole
    """What of the record an output schema judges."""


def record(place: tuple[Run, Frame], part: Part, work: Callable[[], Any]) -> Any:
    """Return what `work` returned when it was recorded; else do it, and record what it returns.

    A process that dies before the record is durable does the work again; one that dies after does not.
    """
    run, frame = place
    live: list[Any] = []

    def node() -> object:
        result = work()
        live.append(result)
        return part.dump(result)

    call = Call(node)

    def invoke(inner: Frame) -> Any:
        return call.run(inner, part.options.timeout_s, part.options.name)

    try:
        recorded = drive_sync(run_step(_make_step(frame, part, invoke)), frame.driving.link.ports)
    except Suspension as error:
        run.stopped = run.stopped or error
        raise
    return live[-1] if live else part.load(recorded)


async def arecord(place: tuple[Run, Frame], part: Part, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """As `record`, for work that is awaited."""
    run, frame = place
    live: list[Any] = []

    async def node() -> object:
        result = await work()
        live.append(result)
        return part.dump(result)

    call = Call(node)

    def invoke(inner: Frame) -> Coroutine[Any, Any, Any]:
        return run_async(call, inner, part.options.timeout_s, part.options.name)

    try:
        ports = frame.driving.link.async_ports()
        recorded = await drive_async(run_step(_make_step(frame, part, invoke)), ports)
    except Suspension as error:
        run.stopped = run.stopped or error
        raise
    return live[-1] if live else part.load(recorded)


def _make_step(frame: Frame, part: Part, invoke: Callable[[Frame], object]) -> StepCall:
    frame.driving.lease.require()
    types = frame.driving.link.types
    return StepCall(
        frame,
        part.options,
        frame.scope.allot(part.options.name, part.key),
        input_record(part.given, types=types),
        frame.in_order,
        types,
        invoke,
        part.judged,
    )
