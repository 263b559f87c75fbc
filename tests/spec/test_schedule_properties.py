"""Properties of the scheduler on random graphs: nothing is stuck, and no order of endings matters."""

from __future__ import annotations

import itertools
import random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from omium.spec.compile import NotAGraph
from omium.spec.graph import Graph
from omium.spec.schedule import (
    Activate,
    Ended,
    Finished,
    InstanceState,
    InstanceTable,
    Outcome,
    Skip,
    Unhandled,
    activation_key,
    advance,
    begin,
    needed_conditions,
)
from tests.spec.graphs import graph

NODES = "abcdefgh"


@st.composite
def graphs(draw: st.DrawFn, joins: tuple[str, ...] = ("all", "all_fired")) -> Graph:
    names = NODES[: draw(st.integers(2, len(NODES)))]
    edges = [f"{one} -> {two}" for one, two in itertools.pairwise(names) if draw(st.integers(0, 9))]
    for _ in range(draw(st.integers(0, 8))):
        source, target = draw(st.sampled_from(names)), draw(st.sampled_from(names))
        arrow = draw(st.sampled_from(("->", "->", "->", "~>")))
        on = draw(st.sampled_from(("success", "success", "failure", "always")))
        condition = draw(st.sampled_from(("", " when maybe")))
        edges.append(f"{source} {arrow} {target} on {on}{condition}")
    said = {name: draw(st.sampled_from(joins)) for name in names}
    try:
        return graph(*edges, **said)
    except NotAGraph:
        assume(False)
        raise


class Runner:
    """Runs a graph: what ends and how is a function of the activation, when is a matter of chance."""

    def __init__(self, of: Graph, salt: int, chance: random.Random, *, stored: bool, failing: bool) -> None:
        self.graph, self.salt, self.failing = of, salt, failing
        step = begin(of)
        self.table = InstanceTable(step.instances)
        self.ready: list[Activate] = []
        self.seen: dict[str, str] = {}
        self.finished = self.unhandled = False
        self._note(step.actions)
        while self.ready and len(self.seen) < 3_000:
            self.ready.sort(key=lambda each: (each.node, each.vector))
            activation = self.ready.pop(chance.randrange(len(self.ready)))
            if stored:
                self.table = InstanceTable(
                    {key: InstanceState.from_bytes(state.to_bytes()) for key, state in self.table.items()}
                )
            self._note(advance(of, self.table, self._end(activation)))

    def _chance(self, *said: object) -> random.Random:
        return random.Random(repr((self.salt, *said)))

    def _end(self, activation: Activate) -> Ended:
        key = activation_key(activation.node, activation.vector)
        fails = self.failing and self._chance(key).random() < 0.3
        outcome: Outcome = "failure" if fails else "success"
        held = {
            edge.id: self._chance(key, edge.id).random() < 0.6
            for edge in needed_conditions(self.graph, activation.node, outcome)
        }
        self.seen[key] = outcome
        return Ended(activation.node, activation.vector, outcome, held, "boom")

    def _note(self, actions: list[Any]) -> None:
        for action in actions:
            assert not self.finished, "nothing comes after the end"
            if isinstance(action, Activate):
                key = activation_key(action.node, action.vector)
                assert key not in self.seen
                self.ready.append(action)
            elif isinstance(action, Skip):
                self.seen[activation_key(action.node, action.vector) + " skipped"] = ""
            elif isinstance(action, Unhandled):
                self.unhandled = True
            elif isinstance(action, Finished):
                self.finished = True

    @property
    def states(self) -> dict[str, bytes]:
        return {key: state.to_bytes() for key, state in self.table.items()}


@given(graphs(joins=("all", "all_fired", "any")), st.integers(0, 2**32), st.booleans())
@settings(deadline=None, max_examples=60)
def test_nothing_is_stuck_unless_a_failure_was_unhandled(of: Graph, salt: int, failing: bool) -> None:
    run = Runner(of, salt, random.Random(salt), stored=False, failing=failing)

    assert run.finished or run.unhandled or run.ready


@given(graphs(), st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_every_order_of_endings_gives_the_same_activations_edges_and_units(of: Graph, salt: int) -> None:
    one = Runner(of, salt, random.Random(1), stored=False, failing=True)
    assume(not one.ready)
    for seed in range(2, 5):
        other = Runner(of, salt, random.Random(seed), stored=seed == 2, failing=True)
        assert other.seen == one.seen
        assert other.states == one.states
        assert (other.finished, other.unhandled) == (one.finished, one.unhandled)
