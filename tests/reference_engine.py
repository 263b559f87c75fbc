"""Reference engine: semantics 1.1 to 1.11 as directly as they can be said, in memory, over plain dicts.

    run = Reference(spec, inputs, Script(seed), catalog={"other": spec}).run(random.Random(1))
    run.status, run.output, run.activations["write#2"].inputs, run.edges[("", "", "a->b")]

Knows nothing of the product and nothing of time: a node is a function of its path and its inputs, told by a
script, and whoever runs it chooses which activation begins or ends next. Every advance looks at everything
again until nothing changes, so there is no order to get wrong. One scope of it is tests/reference/scope.py,
the static form tests/reference/static.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.reference.scope import (
    READY,
    RUNNING,
    Activation,
    Done,
    Fails,
    Parent,
    Scope,
    Script,
    Unavailable,
    Vector,
)
from tests.reference.static import SpecDict, Static


@dataclass
class Map:
    """1.8: a list under way. Items begin in order, `concurrency` of them at a time."""

    items: list[Any]
    values: Any
    body: SpecDict
    concurrency: int
    collects: bool
    begun: int = 0
    results: dict[int, Done | Fails] = field(default_factory=dict)

    @property
    def has_room(self) -> bool:
        failed = any(isinstance(result, Fails) for result in self.results.values())
        running = self.begun - len(self.results)
        return self.begun < len(self.items) and running < self.concurrency and (self.collects or not failed)

    @property
    def has_ended(self) -> bool:
        return self.begun == len(self.results) and not self.has_room

    @property
    def outcome(self) -> Done | Fails:
        """The items' outputs; where it fails fast, the failure of the lowest index, which is always there."""
        listed = [self.results[index] for index in sorted(self.results)]
        failures = [result for result in listed if isinstance(result, Fails)]
        if failures and not self.collects:
            return Fails("item-failed")
        return Done([r.output if isinstance(r, Done) else {"error": r.code} for r in listed])


class Reference:
    """One execution. `winners` fixes who wins an `any` join: (scope, region, vector, unit) to an edge."""

    def __init__(
        self,
        spec: SpecDict,
        inputs: Any,
        script: Script,
        *,
        winners: Mapping[tuple[str, str, Vector, str], str] | None = None,
        catalog: Mapping[str, SpecDict] | None = None,
    ) -> None:
        self.script, self.winners, self.catalog = script, winners or {}, catalog or {}
        self._analysed: dict[int, Static] = {}
        self.activations: dict[str, Activation] = {}
        self.live: dict[str, tuple[Scope, str, Vector]] = {}
        self.maps: dict[str, Map | None] = {}  # None: a subworkflow
        self.edges: dict[tuple[str, str, str], str] = {}
        self.discarded: list[tuple[str, Vector, str]] = []
        self.causes: list[str] = []
        self.overtaken: list[tuple[tuple[str, str, Vector, str], str]] = []
        """Where a told winner was not the first to fire: another schedule may do that, the same may not."""
        self.order: list[str] = []
        self.scopes: dict[str, Scope] = {}
        self.output: Any = None
        self.status = "running"
        self.root = self._open(spec, "", {"inputs": inputs}, None)
        self._rest()

    def analyse(self, spec: SpecDict) -> Static:
        """Return the static form, made once for each document and body."""
        if id(spec) not in self._analysed:
            self._analysed[id(spec)] = Static(spec)
        return self._analysed[id(spec)]

    def _open(self, spec: SpecDict, prefix: str, values: Mapping[str, Any], parent: Parent | None) -> Scope:
        scope = self.scopes[prefix] = Scope(self, spec, prefix, values, parent)
        scope.settle()
        return scope

    # ---- a schedule

    @property
    def choices(self) -> list[str]:
        """The activations that may begin or end now."""
        return [
            path
            for path, (scope, _, _) in self.live.items()
            if path not in self.maps and (self.activations[path].state == RUNNING or not scope.is_failing())
        ]

    def take(self, path: str) -> None:
        """Begin the activation if it is ready, end it if it runs."""
        scope, node, vector = self.live[path]
        activation = self.activations[path]
        if activation.state == READY:
            activation.state = RUNNING
            try:
                activation.inputs = scope.resolve(scope.static.nodes[node].get("inputs", {}), (node, vector))
                self._open_compound(activation, scope, node, vector)
            except Unavailable:
                scope.end(node, vector, Fails("reference-unavailable"))
        else:
            outcome = self.script.act(path, scope.static.nodes[node], activation.inputs)
            scope.end(node, vector, outcome)
        self._rest()

    def run(self, chance: random.Random, pick: Callable[[list[str]], str] | None = None) -> Reference:
        """Take whatever `chance` picks until nothing is left to take."""
        while choices := self.choices:
            self.take(pick(choices) if pick else chance.choice(choices))
        return self

    def _rest(self) -> None:
        """Conclude what fails once nothing in it runs."""
        while True:
            for scope in list(self.scopes.values()):
                if scope.failing and not scope.ended and not any(scope.live_below()):
                    scope.ended = True
                    self.scope_ended(scope, Fails("failed"))
                    break
            else:
                return

    # ---- 1.8

    def _open_compound(self, activation: Activation, scope: Scope, node: str, vector: Vector) -> None:
        definition = scope.static.nodes[node]
        path, parameters = activation.path, definition.get("parameters", {})
        if definition["type"] == "map":
            items = scope.resolve(parameters["items"], (node, vector))
            collects = parameters.get("on_item_failure", "fail_fast") == "collect"
            concurrency = parameters.get("concurrency", 8)
            opened = Map(items, activation.inputs, definition["body"], concurrency, collects)
            self.maps[path] = opened
            self._go_on(path, opened)
        elif definition["type"] == "subworkflow":
            self.maps[path] = None
            parent = Parent(scope, node, vector)
            values = {"inputs": activation.inputs}
            self._open(self.catalog[definition["workflow"]], f"{path}>", values, parent)

    def _go_on(self, path: str, opened: Map) -> None:
        scope, node, vector = self.live[path]
        while opened.has_room and not scope.is_failing():
            index, opened.begun = opened.begun, opened.begun + 1
            values = {"inputs": opened.values, "item": opened.items[index], "index": index}
            self._open(opened.body, f"{path}[{index}]/", values, Parent(scope, node, vector, index))
        if opened.has_ended and path in self.live:
            self.maps.pop(path)
            scope.end(node, vector, opened.outcome)

    def scope_ended(self, scope: Scope, outcome: Done | Fails) -> None:
        """Tell whoever opened `scope`."""
        parent = scope.parent
        if parent is None:
            self.status = "completed" if isinstance(outcome, Done) else "failed"
            self.output = outcome.output if isinstance(outcome, Done) else None
            return
        path = parent.scope.path(parent.node, parent.vector)
        if parent.item is None:
            self.maps.pop(path)
            ended = outcome if isinstance(outcome, Done) else Fails("child-failed")
            parent.scope.end(parent.node, parent.vector, ended)
            return
        opened = self.maps[path]
        assert opened is not None
        opened.results[parent.item] = outcome
        self._go_on(path, opened)
