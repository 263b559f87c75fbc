"""Work: what one transaction does to one execution that the engine schedules.

Events are numbered here and the execution's row is written once, at the end (`save`); so is every instance
that was touched. Nodes that become ready are put on `coming`, and running.py goes through them. Owns no rule.

The execution's row is locked before anything is read. If the process dies before the commit nothing of the
work is there; a work that is run twice begins with the same rows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from omium.errors import IllegalTransition, StorageBusy
from omium.jsonvalue import JsonValue, json_bytes
from omium.models.usage import RecordUsage
from omium.server.db.tx import Tx
from omium.server.engine.definitions import Definition
from omium.server.engine.live import TasksReady
from omium.server.engine.mishaps import PackedError
from omium.server.engine.parts import EngineParts
from omium.server.engine.transitions import announce
from omium.server.store import activations, engine_runs, events
from omium.server.store.activations import ActivationRow
from omium.server.store.engine_runs import RunRow
from omium.server.store.executions import ExecutionRow, lock_execution, update_execution
from omium.server.store.meters import find_covered
from omium.spec.schedule.keys import Vector
from omium.spec.schedule.state import InstanceState
from omium.states import Driver, EventType

AT_ONCE = 64
"""Activations that one transaction begins; the rest is left ready for the next one."""


@dataclass(frozen=True, slots=True)
class Coming:
    """A node that the scheduler has activated, and that nobody has looked at yet."""

    scope: str
    node: str
    vector: Vector
    trigger_edge: str | None


@dataclass(frozen=True, slots=True)
class Unhandled:
    """A failure that nothing takes up, to be put into the inbox; `seq` is its event."""

    path: str
    seq: int
    error: PackedError
    kind: str
    inside: str | None = None
    """The scope whose failures have caused this one: they are its roots."""


class ScopeInstances:
    """The instances of one scope, loaded when they are asked for, written when the work is saved."""

    def __init__(self, tx: Tx, execution_id: str, scope: str) -> None:
        self._tx = tx
        self._execution_id = execution_id
        self._scope = scope
        self._known: dict[str, InstanceState | None] = {}
        self._changed: set[str] = set()

    def get(self, key: str) -> InstanceState | None:
        if key not in self._known:
            kept = engine_runs.find_instance(self._tx, self._execution_id, self._scope, key)
            self._known[key] = InstanceState.from_bytes(kept) if kept is not None else None
        return self._known[key]

    def put(self, key: str, state: InstanceState) -> None:
        self._known[key] = state
        self._changed.add(key)

    def drop(self, key: str) -> None:
        self._known[key] = None
        self._changed.add(key)

    def forget(self) -> None:
        """Forget what was not written: the whole scope has ended."""
        self._known.clear()
        self._changed.clear()

    def save(self) -> None:
        for key in sorted(self._changed):
            state = self._known[key]
            if state is None:
                engine_runs.drop_instance(self._tx, self._execution_id, self._scope, key)
            else:
                engine_runs.put_instance(self._tx, self._execution_id, self._scope, key, state.to_bytes())
        self._changed.clear()


@dataclass
class NodeWork:
    """One execution in one transaction. `row` and `run` are as stored; `seq` and what follows are ahead."""

    tx: Tx
    parts: EngineParts
    row: ExecutionRow
    run: RunRow
    definition: Definition
    seq: int = 0
    steps: int = 0
    payload_bytes: int = 0
    coming: deque[Coming] = field(default_factory=deque)
    inline: deque[tuple[ActivationRow, JsonValue, bool]] = field(default_factory=deque)
    """Nodes that the transaction does itself, what they take, and whether their row is stored."""
    looks: deque[str] = field(default_factory=deque)
    """Items of maps in which something has ended."""
    done_scopes: set[str] = field(default_factory=set)
    """Those of them that are through."""
    recalled: list[tuple[int, int, Coming]] = field(default_factory=list)
    """A heap of what is to come, by the place of its record; rebuild.py keeps it."""
    arrivals: int = 0
    recalls: int = 0
    """Nodes that this transaction has ended from their record."""
    begun: int = 0
    """Activations that this transaction has begun."""
    is_active: bool = False
    """Something was made ready, so nobody has to look."""
    unhandled: list[Unhandled] = field(default_factory=list)
    counts: list[tuple[bytes, int]] = field(default_factory=list)
    """References to values that failed tries hold (1) or held (-1): counted behind groups of failures."""
    usage: list[RecordUsage] = field(default_factory=list)
    """What was spent, to be charged when everything but the tenant's funds is locked."""
    finished: bool = False
    """ROOT is quiescent: the outputs may be evaluated."""
    values: dict[bytes, JsonValue] = field(default_factory=dict)
    results: dict[str, tuple[str, bytes | None]] = field(default_factory=dict)
    """Status and output or error by path, of what was recorded in this transaction."""
    _run_stored: RunRow | None = None
    _instances: dict[str, ScopeInstances] = field(default_factory=dict)
    _failing_scopes: set[str] | None = None
    _ready: set[TasksReady] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.seq = self.row.last_seq
        self._run_stored = self.run

    @property
    def now_us(self) -> int:
        return self.tx.now_us

    # ---- events

    def record(self, event: EventType, data: Mapping[str, JsonValue]) -> int:
        """Append an event and return its number; the row follows when the work is saved."""
        self.seq += 1
        events.insert_event(self.tx, self.row.id, self.seq, event.value, json_bytes(dict(data)))
        return self.seq

    def save(self) -> ExecutionRow:
        """Write the row, the run and the instances as they are now, and return the row."""
        if self.seq != self.row.last_seq or self.steps or self.payload_bytes:
            row = replace(
                self.row,
                last_seq=self.seq,
                steps_completed=self.row.steps_completed + self.steps,
                payload_bytes=self.row.payload_bytes + self.payload_bytes,
                updated_us=self.tx.now_us,
            )
            if not update_execution(self.tx, self.row, row):
                raise StorageBusy(f"{row.id} changed while this was decided; try again.")
            self.row, self.steps, self.payload_bytes = row, 0, 0
            announce(self.tx, row)
        if self.run != self._run_stored:
            engine_runs.update_run(self.tx, self.run)
            self._run_stored = self.run
        for instances in self._instances.values():
            instances.save()
        for ready in self._ready:
            self.tx.after_commit(ready)
        self._ready.clear()
        return self.row

    def reread(self) -> None:
        """Take over how far the execution's hold pays: usage that was charged has changed it."""
        self.row = replace(self.row, covered_steps=find_covered(self.tx, self.row.id))

    def change(self, row: ExecutionRow) -> None:
        """Go on from `row`, which was just written by a transition."""
        self.row, self.seq = row, row.last_seq

    # ---- instances

    def instances(self, scope: str) -> ScopeInstances:
        found = self._instances.get(scope)
        if found is None:
            found = self._instances[scope] = ScopeInstances(self.tx, self.row.id, scope)
        return found

    def forget_instances(self) -> None:
        """Forget every instance: all of them were dropped."""
        self._instances.clear()
        self._failing_scopes = None

    def drop_scope(self, scope: str) -> None:
        """Drop the instances of a map's item and of what is inside of it."""
        for known, instances in self._instances.items():
            if known == scope or known.startswith(f"{scope}/"):
                instances.forget()
        engine_runs.drop_scope(self.tx, self.row.id, scope)

    # ---- what may begin

    @property
    def may_begin(self) -> bool:
        """Whether nodes may begin at all: nothing fails, nobody has asked to stop or to pause."""
        row = self.row
        return self.run.failing is None and row.suspend is None and row.cancel_requested_us is None

    def may_begin_in(self, scope: str) -> bool:
        """Say whether nodes may begin in `scope`: no map's item around it is failing."""
        if not scope or not self.may_begin:
            return self.may_begin
        return not any(scope == each or scope.startswith(f"{each}/") for each in self.failing_scopes())

    def failing_scopes(self) -> set[str]:
        """Return the map's items in which a failure stands that nothing takes up."""
        if self._failing_scopes is None:
            failed = activations.list_in_state(self.tx, self.row.id, "failed")
            self._failing_scopes = {each.scope for each in failed if each.scope}
        return self._failing_scopes

    # ---- activations

    def put(self, row: ActivationRow, *, stored: bool) -> ActivationRow:
        """Write an activation; whoever waits for such work is woken after the commit."""
        if stored:
            activations.update_activation(self.tx, row)
        else:
            activations.insert_activation(self.tx, row)
        if row.state in {"ready", "ending"}:
            self.is_active = True
            executor = "server" if row.state == "ending" else row.executor
            self._ready.add(TasksReady(row.tenant_id, row.environment, row.queue, executor, row.handler))
        elif row.state == "running":
            self.is_active = True
        elif row.state == "waiting" and row.due_us is not None:
            self._ready.add(TasksReady(row.tenant_id, row.environment, row.queue, "timer", ""))
        return row

    def set_failing(self, facts: Mapping[str, Any]) -> None:
        if self.run.failing is None:
            self.run = replace(self.run, failing=json_bytes(dict(facts)))


def open_work(tx: Tx, parts: EngineParts, tenant_id: str, execution_id: str) -> NodeWork:
    """Lock an execution and return a work on it; raises `NotFound`, `IllegalTransition` without nodes."""
    row = lock_execution(tx, tenant_id, execution_id)
    if row.driver != Driver.ENGINE:
        raise IllegalTransition(
            f"{row.id} is not run from a spec, so it has no nodes.", status_now=row.status
        )
    return work_on(tx, parts, row)


def work_on(tx: Tx, parts: EngineParts, row: ExecutionRow) -> NodeWork:
    """Return a work on the locked `row`."""
    run = engine_runs.get_run(tx, row.id)
    return NodeWork(tx, parts, row, run, parts.definitions.get(tx, run))
