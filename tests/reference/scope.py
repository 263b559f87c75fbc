"""One scope of the reference engine: joins, endings, loops and references of one document or body, run once.

Semantics 1.3 to 1.7 and 1.9, each rule where its number stands. The scopes together are an execution:
tests/reference_engine.py, which also begins maps and subworkflows and chooses what comes next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tests.reference.static import ROOT, START, Edge, SpecDict

if TYPE_CHECKING:
    from tests.reference_engine import Reference

Vector = tuple[int, ...]
OPEN, FIRED, DEAD = "open", "fired", "dead"
IDLE, READY, RUNNING, DONE, SKIPPED, FAILED, UNHANDLED = (
    "idle",
    "ready",
    "running",
    "done",
    "skipped",
    "failed",
    "unhandled",
)
QUIET = (DONE, SKIPPED, FAILED)


class Unavailable(Exception):
    """A value that a node asked for is not there."""


@dataclass(frozen=True)
class Done:
    """A node's function has returned."""

    output: Any


@dataclass(frozen=True)
class Fails:
    """A node's function has failed for good."""

    code: str


class Script(Protocol):
    """What the outside does: it depends on nothing but what it is told."""

    def act(self, path: str, node: SpecDict, inputs: Any) -> Done | Fails:
        """Run a node's function."""

    def holds(self, expression: str, value: Any) -> bool | None:
        """Evaluate a `when` over what its source ended with; None: it cannot be evaluated."""


@dataclass
class Activation:
    """One run of a node; `output` is its error's code if it failed."""

    path: str
    inputs: Any = None
    trigger: str | None = None
    state: str = READY
    output: Any = None


@dataclass
class Instance:
    """One iteration of a loop, or all of a scope."""

    edges: dict[str, str]
    units: dict[str, str]
    buffer: dict[str, str] = field(default_factory=dict)
    winners: dict[str, str] = field(default_factory=dict)


class Scope:
    """One run of a document or a body: its own ROOT, with what it can see from outside."""

    def __init__(
        self, engine: Reference, spec: SpecDict, prefix: str, values: Mapping[str, Any], parent: Parent | None
    ) -> None:
        self.engine, self.prefix, self.values, self.parent = engine, prefix, values, parent
        self.static = engine.analyse(spec)
        self.instances: dict[tuple[str, Vector], Instance] = {}
        self.last: dict[tuple[str, Vector], int] = {}
        self.failing: str | None = None
        self.ended = False
        self._begin(ROOT, ())

    # ---- 1.3

    def _begin(self, region: str, vector: Vector) -> None:
        edges = {e.id: OPEN for e in self.static.edges if self.static.region_of(e) == region}
        units = dict.fromkeys(self.static.units(region), IDLE)
        self.instances[region, vector] = Instance(edges, units)
        if region != ROOT:
            self.last[region, vector[:-1]] = vector[-1]
            self._activate(region, region, vector, None)

    def path(self, node: str, vector: Vector) -> str:
        """Return the key of an activation, with its scope in front."""
        suffix = "" if all(number == 1 for number in vector) else "#" + ".".join(map(str, vector))
        return f"{self.prefix}{node}{suffix}"

    # ---- 1.4

    def _incoming(self, region: str, vector: Vector, unit: str) -> tuple[list[str], list[str]]:
        """Return the states of C and of X."""
        states = self.instances[region, vector].edges
        edges = self.static.incoming(region, unit)
        control = [states[edge.id] for edge in edges if edge.is_control]
        if self.static.is_started(region, unit):
            control.append(FIRED)
        return control, [states[edge.id] for edge in edges if not edge.is_control]

    def _note_winner(self, region: str, vector: Vector, unit: str) -> None:
        """Let the first edge that fires win; of several in one advance any may, so one can be told."""
        instance = self.instances[region, vector]
        if unit in instance.winners:
            return
        fired = [START] if self.static.is_started(region, unit) else []
        entering = [edge for edge in self.static.incoming(region, unit) if edge.is_control]
        fired += [edge.id for edge in entering if instance.edges[edge.id] == FIRED]
        place = (self.prefix, region, vector, unit)
        told = self.engine.winners.get(place)
        if fired and told is None:
            instance.winners[unit] = fired[0]
        elif told in fired:
            instance.winners[unit] = str(told)
        elif fired:
            self.engine.overtaken.append((place, fired[0]))

    def _decide(self, region: str, vector: Vector, unit: str) -> str:
        """Return what becomes of an idle unit: it stays idle, gets ready, or is skipped."""
        control, context = self._incoming(region, vector, unit)
        if OPEN in context:
            return IDLE
        if self.static.join(unit) == "any":
            if unit in self.instances[region, vector].winners:
                return READY
            return SKIPPED if set(control) <= {DEAD} else IDLE
        if OPEN in control:
            return IDLE
        if self.static.join(unit) == "all_fired":
            return READY if set(control) == {FIRED} else SKIPPED
        return READY if FIRED in control else SKIPPED

    def settle(self) -> None:
        """Look at every unit of every instance until nothing more follows."""
        while any(self._settle_instance(region, vector) for region, vector in list(self.instances)):
            pass
        root = self.instances[ROOT, ()]
        if not self.ended and self.failing is None and self._is_quiet(root):
            self.ended = True
            self._finish()

    def _settle_instance(self, region: str, vector: Vector) -> bool:
        instance = self.instances[region, vector]
        changed = False
        for unit in self.static.units(region):
            if region != ROOT and unit == region:
                continue  # the header: its iteration has activated it
            if instance.units[unit] == IDLE:
                if self.static.join(unit) == "any":
                    self._note_winner(region, vector, unit)
                decided = self._decide(region, vector, unit)
                if decided == SKIPPED:
                    self._skip(region, vector, unit)
                elif decided == READY:
                    self._start(region, vector, unit)
                changed = changed or decided != IDLE
            elif instance.units[unit] == RUNNING and self.static.is_loop(region, unit):
                changed = self._settle_loop(unit, vector) or changed
        return changed

    def _start(self, region: str, vector: Vector, unit: str) -> None:
        instance = self.instances[region, vector]
        if self.static.is_loop(region, unit):
            instance.units[unit] = RUNNING
            self._begin(unit, (*vector, 1))
        else:
            self._activate(region, unit, vector, instance.winners.get(unit))

    def _activate(self, region: str, node: str, vector: Vector, trigger: str | None) -> None:
        self.instances[region, vector].units[node] = READY
        path = self.path(node, vector)
        assert path not in self.engine.activations, f"{path} is activated twice"
        self.engine.activations[path] = Activation(path, trigger=trigger)
        self.engine.live[path] = (self, node, vector)

    # ---- 1.5

    def _skip(self, region: str, vector: Vector, unit: str) -> None:
        self.instances[region, vector].units[unit] = SKIPPED
        if self.static.is_loop(region, unit):
            members = self.static.regions[unit].members
            leaving = [e for e in self.static.edges if e.source in members and e.target not in members]
            for edge in leaving:
                self._deliver(edge, region, vector, DEAD)
        else:
            for edge in self._outgoing(unit):
                self._deliver(edge, region, vector, DEAD)

    def _outgoing(self, node: str) -> list[Edge]:
        return [edge for edge in self.static.edges if edge.source == node]

    def _deliver(self, edge: Edge, region: str, vector: Vector, state: str) -> None:
        """Resolve `edge` where it belongs, or keep it until the loop in which it stands here has ended."""
        instance = self.instances[region, vector]
        place = instance.edges if self.static.region_of(edge) == region else instance.buffer
        assert place.get(edge.id, OPEN) == OPEN, f"{edge.id} is resolved twice at {vector}"
        place[edge.id] = state
        if place is instance.edges:
            self.engine.edges[self.prefix, f"{region}{vector}", edge.id] = state

    def conditions(self, node: str, outcome: Done | Fails, value: Any) -> dict[str, bool] | None:
        """Return for each outgoing edge whether it fires; None: one cannot be told.

        Of a decision that went well one edge fires at most: the first that is true, else the default.
        """
        wanted = ("success", "always") if isinstance(outcome, Done) else ("failure", "always")
        fires: dict[str, bool] = {}
        decides = self.static.nodes[node]["type"] == "decision" and isinstance(outcome, Done)
        taken = False
        for edge in self._outgoing(node):
            fires[edge.id] = edge.on in wanted
            if not fires[edge.id] or edge.default or (decides and taken and edge.is_control):
                fires[edge.id] = fires[edge.id] and not decides
                continue
            if edge.when is not None:
                held = self.engine.script.holds(edge.when, value)
                if held is None:
                    return None
                fires[edge.id] = held
            taken = taken or (decides and edge.is_control and fires[edge.id])
        if decides and not taken:
            fires |= {edge.id: True for edge in self._outgoing(node) if edge.default and edge.on in wanted}
        return fires

    def end(self, node: str, vector: Vector, outcome: Done | Fails) -> None:
        """End an activation, with all that follows."""
        activation = self.engine.activations[self.path(node, vector)]
        region = self.static.innermost(node)
        if isinstance(outcome, Done):
            fires = self.conditions(node, outcome, {"output": outcome.output})
            is_decision = self.static.nodes[node]["type"] == "decision"
            if fires is None:
                outcome = Fails("edge-condition-error")
            elif is_decision and not any(fires[e.id] for e in self._outgoing(node) if e.is_control):
                outcome = Fails("no-branch")
        if isinstance(outcome, Fails):
            fires = self.conditions(node, outcome, {"error": {"code": outcome.code}})
            if outcome.code == "edge-condition-error":  # no condition is asked about that
                unasked = [edge.id for edge in self._outgoing(node) if edge.when is not None]
                fires = (fires or {}) | dict.fromkeys(unasked, False)
        units = self.instances[region, vector].units
        del self.engine.live[activation.path]
        self.engine.order.append(activation.path)
        if isinstance(outcome, Done):
            activation.state, activation.output, units[node] = DONE, outcome.output, DONE
        else:
            activation.state, activation.output, units[node] = FAILED, outcome.code, FAILED
            handled = fires and any(fires[edge.id] for edge in self._outgoing(node) if edge.is_control)
            if not handled:
                activation.state = units[node] = UNHANDLED
                self._fail(activation.path)
                return
        assert fires is not None
        for edge in self._outgoing(node):
            self._deliver(edge, region, vector, FIRED if fires[edge.id] else DEAD)
        self.settle()

    # ---- 1.6

    def _is_quiet(self, instance: Instance) -> bool:
        return all(state in QUIET for state in instance.units.values())

    def _settle_loop(self, header: str, outer: Vector) -> bool:
        """Go round again or end, if the last iteration is quiet."""
        count = self.last[header, outer]
        vector = (*outer, count)
        instance = self.instances[header, vector]
        if not self._is_quiet(instance):
            return False
        loop = self.static.regions[header]
        assert loop.parent is not None
        around = {edge: state for edge, state in instance.edges.items() if edge in loop.back_edges}
        failed = any(s == FIRED and self.static.edge[e].on == "failure" for e, s in instance.buffer.items())
        if FIRED in around.values() and not failed:
            if count >= self.static.max_iterations(header):
                units = self.instances[loop.parent, outer].units
                units[header] = UNHANDLED
                self._fail(f"{self.path(header, vector)} loop-limit")
                return True
            for edge, state in instance.buffer.items():
                if state == FIRED:
                    self.engine.discarded.append((self.prefix, vector, edge))
            self._begin(header, (*outer, count + 1))
            return True
        self.instances[loop.parent, outer].units[header] = DONE
        for edge, state in instance.buffer.items():
            self._deliver(self.static.edge[edge], loop.parent, outer, state)
        return True

    # ---- 1.7

    def _fail(self, cause: str) -> None:
        self.failing = self.failing or cause
        self.engine.causes.append(cause)

    def is_failing(self) -> bool:
        """Whether nothing here may begin; what calls a subworkflow does not stop it by failing."""
        above = self.parent.scope if self.parent and self.parent.item is not None else None
        return self.failing is not None or (above is not None and above.is_failing())

    def live_below(self) -> Iterator[str]:
        """Yield the activations here and in the scopes below that run."""
        for path, (scope, _, _) in self.engine.live.items():
            above: Scope | None = scope
            while above is not None and above is not self:
                above = above.parent.scope if above.parent else None
            compound = self.engine.maps.get(path)
            if above is self and self.engine.activations[path].state == RUNNING and compound is None:
                yield path

    # ---- 1.9

    def resolve(self, value: Any, reader: tuple[str, Vector] | None) -> Any:
        """Return `value` with its references replaced, or raise `Unavailable`."""
        if isinstance(value, dict) and "$from" in value:
            try:
                return self._look_up(value["$from"].split("."), reader)
            except Unavailable:
                if "default" in value:
                    return value["default"]
                raise
        if isinstance(value, dict):
            return {name: self.resolve(inner, reader) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.resolve(inner, reader) for inner in value]
        return value

    def _look_up(self, names: list[str], reader: tuple[str, Vector] | None) -> Any:
        if names[0] == "trigger":
            found, rest = self._trigger(names[1], reader), names[2:]
        elif names[0] == "nodes":
            previous = names[2] == "previous"
            found = self._read(names[1], names[3 if previous else 2], reader, previous=previous)
            rest = names[4 if previous else 3 :]
        elif names[0] in self.values:
            found, rest = self.values[names[0]], names[1:]
        else:
            raise Unavailable
        for name in rest:
            if not isinstance(found, dict) or name not in found:
                raise Unavailable
            found = found[name]
        return found

    def _trigger(self, what: str, reader: tuple[str, Vector] | None) -> Any:
        assert reader is not None
        trigger = self.engine.activations[self.path(*reader)].trigger
        if trigger is None or trigger == START:
            raise Unavailable
        source = self.static.edge[trigger].source
        return source if what == "node" else self._read(source, "output", reader, previous=False)

    def _read(self, node: str, what: str, reader: tuple[str, Vector] | None, *, previous: bool) -> Any:
        if reader is None:
            shared: tuple[str, ...] = ()
            vector: Vector = ()
        else:
            shared = self.static.chain(self.static.innermost(node, reader[0]))
            vector = reader[1][: len(shared)]
        if previous:
            if not vector or vector[-1] == 1:
                raise Unavailable
            vector = (*vector[:-1], vector[-1] - 1)
        for loop in self.static.chain(self.static.innermost(node))[len(shared) :]:
            if (loop, vector) not in self.last:
                raise Unavailable
            vector = (*vector, self.last[loop, vector])
        record = self.engine.activations.get(self.path(node, vector))
        if record is None or record.state != (DONE if what == "output" else FAILED):
            raise Unavailable
        return record.output if what == "output" else {"code": record.output}

    # ---- 1.10

    def _finish(self) -> None:
        try:
            outcome: Done | Fails = Done(self.resolve(self.static.spec.get("outputs", {}), None))
        except Unavailable:
            outcome = Fails("reference-unavailable")
            self._fail(f"{self.prefix} outputs")
        self.engine.scope_ended(self, outcome)


@dataclass
class Parent:
    """The activation that opened a scope; `item` is its number in a map."""

    scope: Scope
    node: str
    vector: Vector
    item: int | None = None
