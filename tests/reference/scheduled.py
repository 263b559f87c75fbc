"""Runs the product's pure scheduler (omium/spec/schedule) on a graph, to stand beside the reference engine.

    run = Scheduled(spec, {"topic": "tea"}, Script(1), random.Random(1)).run()
    compare(run.story, tell(reference))

The least that a driver of the scheduler does: what is active begins, what runs ends, in any order; every
state goes through its bytes and back. Nodes without bodies only. Also owns the story that two engines must
agree on.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from omium.spec.check import load_spec
from omium.spec.compile import compile_spec
from omium.spec.references import MISSING, ReferenceUnavailable, look_inside, resolve
from omium.spec.schedule import (
    Action,
    Activate,
    EdgeDiscarded,
    Ended,
    Finished,
    InstanceState,
    InstanceTable,
    Unhandled,
    Vector,
    activation_key,
    advance,
    begin,
    find_vector,
    judge,
    needed_conditions,
    parse_key,
)
from tests.reference.scope import Done, Fails, Script
from tests.reference.static import SpecDict
from tests.reference_engine import Reference
from tests.spec.graphs import edge_states


@dataclass
class Story:
    """What an execution did: all that is the same for every schedule, if who wins `any` joins is."""

    status: str
    output: Any
    activations: dict[str, tuple[Any, ...]]
    """By path: inputs, trigger, state, output or error code."""
    edges: dict[tuple[str, str], str] = field(default_factory=dict)
    """By instance and edge: fired or dead; what is open is left out."""
    discarded: set[tuple[Vector, str]] = field(default_factory=set)


def tell(reference: Reference) -> Story:
    """Return the story of what the reference ran, as far as its own ROOT goes."""
    return Story(
        reference.status,
        reference.output,
        {
            path: (a.inputs, a.trigger if a.trigger != "START" else None, a.state, a.output)
            for path, a in reference.activations.items()
            if a.state not in ("ready", "running")
        },
        {(place, edge): state for (prefix, place, edge), state in reference.edges.items() if not prefix},
        {(vector, edge) for prefix, vector, edge in reference.discarded if not prefix},
    )


class Scheduled:
    """One run. `log` is what began and ended, in order: a schedule for the reference."""

    def __init__(self, spec: SpecDict, inputs: Any, script: Script, chance: random.Random) -> None:
        self.inputs, self.script, self.chance = inputs, script, chance
        self.spec = load_spec(spec)
        self.graph = compile_spec(self.spec)
        step = begin(self.graph)
        self.table = InstanceTable(step.instances)
        self.seen: dict[str, InstanceState] = {}
        self.log: list[str] = []
        self.winners: dict[tuple[str, str, Vector, str], str] = {}
        self.ready: dict[str, Activate] = {}
        self.running: dict[str, Activate] = {}
        self.given: dict[str, Any] = {}
        self.ended: dict[str, tuple[Any, ...]] = {}
        self.discarded: set[tuple[Vector, str]] = set()
        self.is_failing = self.is_finished = False
        self._follow(step.actions)

    def run(self) -> Scheduled:
        """Begin and end until nothing is left."""
        while choices := [*self.running, *([] if self.is_failing else self.ready)]:
            path = self.chance.choice(choices)
            self.log.append(path)
            if path in self.running:
                self._end(path)
            else:
                self._begin(path)
        return self

    def _follow(self, actions: list[Action]) -> None:
        self.table = InstanceTable(
            {key: InstanceState.from_bytes(state.to_bytes()) for key, state in self.table.items()}
        )
        for key, state in self.table.items():
            self.seen[key] = state
            name = key.partition("#")[0]
            region = self.graph.regions[name]
            vector = parse_key(key, region.depth)[1]
            for unit, edge in state.winners.items():
                self.winners["", name, vector, region.units_order[unit]] = self.graph.edges[edge].id
        for action in actions:
            match action:
                case Activate():
                    path = activation_key(action.node, action.vector)
                    assert not {path} & (self.given.keys() | self.ready.keys()), f"{path} is activated twice"
                    self.ready[path] = action
                case Unhandled():
                    self.is_failing = True
                case Finished():
                    assert not self.is_finished
                    self.is_finished = True
                case EdgeDiscarded():
                    self.discarded.add((action.vector, action.edge))
                case _:
                    pass

    def _begin(self, path: str) -> None:
        action = self.running[path] = self.ready.pop(path)
        self.given[path] = None
        wanted = self.graph.nodes[action.node].definition.inputs
        try:
            self.given[path] = resolve(wanted, lambda names: self._look_up(names, action))
        except ReferenceUnavailable:
            self._conclude(path, Fails("reference-unavailable"))

    def _look_up(self, names: tuple[str, ...], reader: Activate | None) -> Any:
        if names[0] == "inputs":
            return look_inside(self.inputs, names[1:])
        if names[0] == "trigger":
            assert reader is not None
            assert names == ("trigger", "node")
            by = next((e for e in self.graph.edges if e.id == reader.trigger_edge), None)
            return MISSING if by is None else by.source
        assert names[0] == "nodes"
        previous = names[2] == "previous"
        what, rest = (names[3], names[4:]) if previous else (names[2], names[3:])
        at = (reader.node, reader.vector) if reader else None
        vector = find_vector(self.graph, self.table, names[1], at, previous=previous)
        if vector is None:
            return MISSING
        record = self.ended.get(activation_key(names[1], vector))
        if record is None or record[2] != ("done" if what == "output" else "failed"):
            return MISSING
        return look_inside(record[3], rest)

    def _end(self, path: str) -> None:
        action = self.running[path]
        definition = self.graph.nodes[action.node].definition
        self._conclude(path, self.script.act(path, definition.form(), self.given[path]))

    def _conclude(self, path: str, outcome: Done | Fails) -> None:
        action = self.running.pop(path)
        if isinstance(outcome, Done):
            conditions = self._evaluate(action.node, "success", {"output": outcome.output})
            if conditions is None:
                outcome = Fails("edge-condition-error")
        code = outcome.code if isinstance(outcome, Fails) else ""
        if isinstance(outcome, Fails):
            conditions = self._evaluate(action.node, "failure", {"error": {"code": code}}) or {}
        kind = "success" if isinstance(outcome, Done) else "failure"
        actions = advance(
            self.graph, self.table, Ended(action.node, action.vector, kind, conditions or {}, code)
        )
        unhandled = next((a for a in actions if isinstance(a, Unhandled) and a.node == action.node), None)
        said = outcome.output if isinstance(outcome, Done) else code
        state = "done" if isinstance(outcome, Done) else "failed"
        if unhandled is not None and unhandled.vector == action.vector and unhandled.code != "loop-limit":
            state, said = "unhandled", unhandled.code
        elif kind == "success" and self._failed_as_decision(action, conditions or {}):
            state, said = "failed", "no-branch"
        self.ended[path] = (self.given[path], action.trigger_edge, state, said)
        self._follow(actions)

    def _failed_as_decision(self, action: Activate, conditions: dict[str, bool]) -> bool:
        return (
            judge(self.graph, Ended(action.node, action.vector, "success", conditions)).outcome == "failure"
        )

    def _evaluate(self, node: str, outcome: Any, value: Any) -> dict[str, bool] | None:
        found: dict[str, bool] = {}
        decides = self.graph.nodes[node].type == "decision" and outcome == "success"
        taken = False
        for edge in needed_conditions(self.graph, node, outcome):
            assert edge.when is not None
            assert edge.when.expr is not None
            held = self.script.holds(edge.when.expr, value)
            if held is None and not taken:
                return None
            found[edge.id] = bool(held)
            taken = taken or (decides and bool(held) and edge.kind == "control")
        return found

    @property
    def story(self) -> Story:
        """What it did."""
        output: Any = None
        status = "completed" if self.is_finished else "failed"
        if self.is_finished:
            output = resolve(self.spec.outputs, lambda names: self._look_up(names, None))
        edges = {}
        for key, state in self.seen.items():
            region = self.graph.regions[key.partition("#")[0]]
            vector = parse_key(key, region.depth)[1]
            for edge, stands in edge_states(self.graph, region.id, state).items():
                if stands and next(e for e in self.graph.edges if e.id == edge).region == region.id:
                    edges[f"{region.id}{vector}", edge] = stands.name.lower()
        return Story(status, output, self.ended, edges, self.discarded)
