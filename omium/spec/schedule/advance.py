"""Advance: what follows when an activation ends: edges, joins, skips, iterations, the ends of loops.

    begin(graph)                          the first actions, and the instances to keep
    advance(graph, instances, ended)      what follows from one ending
    go_round(graph, instances, ...)       once more, for a loop that stands at its limit

Pure: reads instances through `Instances` and puts back those it changed, at the end, or raises and changes
none. Told the same endings, it does the same whatever ran in between; under `any` the order of the endings
decides. Semantics 1.3 to 1.7 and 1.10 are the rules; their numbers stand beside what they say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from omium.spec.graph import ROOT, Graph, GraphEdge
from omium.spec.schedule.actions import (
    LOOP_LIMIT,
    Action,
    Activate,
    EdgeDiscarded,
    Ended,
    Finished,
    IterationBegun,
    LoopEnded,
    LoopSkipped,
    Skip,
    Unhandled,
)
from omium.spec.schedule.conditions import find_fired, judge
from omium.spec.schedule.keys import Vector, activation_key, instance_key
from omium.spec.schedule.state import EdgeState, Instances, InstanceState, InstanceTable, UnitState
from omium.spec.schedule.wiring import RegionWiring, Unit, wire

_MAY_END = (UnitState.ACTIVE, UnitState.UNHANDLED)


@dataclass(frozen=True, slots=True)
class Step:
    """How a graph begins."""

    instances: dict[str, InstanceState]
    actions: list[Action]


def begin(graph: Graph) -> Step:
    """Begin the graph: START fires its edges."""
    table = InstanceTable()
    walk = _Walk(graph, table, {})
    root = walk.wiring.regions[ROOT]
    walk.add(ROOT, (), root.new_state())
    for number, unit in enumerate(root.units):
        if unit.is_started:
            walk.queue.append((ROOT, (), number))
    actions = walk.finish()
    return Step(dict(table), actions)


def advance(
    graph: Graph, instances: Instances, ended: Ended, limits: Mapping[str, int] | None = None
) -> list[Action]:
    """Resolve the edges of what has ended, and all that follows.

    An activation whose failure was unhandled may end again, as success, skipped or failure. `limits` stand
    for the graph's own `max_iterations`, by loop. Raises `ValueError` if the activation isn't there to end,
    and `KeyError` for a `when` that has to be known and isn't.
    """
    ended = judge(graph, ended)
    fired = find_fired(graph, ended)
    walk = _Walk(graph, instances, limits or {})
    walk.end(ended, fired)
    return walk.finish()


def go_round(
    graph: Graph, instances: Instances, region: str, vector: Vector, limits: Mapping[str, int]
) -> list[Action]:
    """Decide again about a loop that failed with `loop-limit` after the iteration `vector`.

    Raises `ValueError` if it doesn't stand there.
    """
    walk = _Walk(graph, instances, limits)
    walk.lift_limit(region, vector)
    return walk.finish()


class _Walk:
    """One advance: the instances it changes, and the units that it has yet to look at."""

    def __init__(self, graph: Graph, instances: Instances, limits: Mapping[str, int]) -> None:
        self.wiring = wire(graph)
        self.queue: deque[tuple[str, Vector, int]] = deque()
        self._instances = instances
        self._limits = limits
        self._touched: dict[str, InstanceState] = {}
        self._dropped: list[str] = []
        self._actions: list[Action] = []

    def finish(self) -> list[Action]:
        """Look at every unit that an edge has reached, keep what changed, and return what is to be done."""
        while self.queue:
            self._look_at(*self.queue.popleft())
        for key, state in self._touched.items():
            self._instances.put(key, state)
        for key in self._dropped:
            self._instances.drop(key)
        return self._actions

    def add(self, region: str, vector: Vector, state: InstanceState) -> None:
        self._touched[instance_key(region, vector)] = state

    def _touch(self, region: str, vector: Vector) -> InstanceState:
        key = instance_key(region, vector)
        state = self._touched.get(key)
        if state is None:
            kept = self._instances.get(key)
            if kept is None:
                raise ValueError(f"There is no instance {key!r}.")
            state = self._touched[key] = kept.copy()
        return state

    # 1.5

    def end(self, ended: Ended, fired: set[int]) -> None:
        home = self.wiring.home(ended.node)
        state = self._touch(home.id, ended.vector)
        number = home.unit_at[ended.node]
        if state.units[number] not in _MAY_END:
            key = activation_key(ended.node, ended.vector)
            raise ValueError(f"{key} is not active; it may not end.")
        outgoing = home.units[number].outgoing
        if ended.outcome == "failure" and not any(
            edge.index in fired and edge.kind == "control" for edge in outgoing
        ):
            state.units[number] = UnitState.UNHANDLED
            self._actions.append(Unhandled(ended.node, ended.vector, ended.code))
            return
        for edge in outgoing:
            self._deliver(
                edge, home, ended.vector, EdgeState.FIRED if edge.index in fired else EdgeState.DEAD
            )
        self._resolve(home, ended.vector, number, _RESOLVED[ended.outcome])

    def _resolve(self, region: RegionWiring, vector: Vector, number: int, unit_state: UnitState) -> None:
        """Note that a unit is through; its edges have been delivered."""
        state = self._touch(region.id, vector)
        state.units[number] = unit_state
        state.unresolved -= 1
        if state.unresolved:
            return
        if region.id == ROOT:
            self._actions.append(Finished())
        else:
            self._conclude(region, vector)

    def _deliver(self, edge: GraphEdge, region: RegionWiring, vector: Vector, edge_state: EdgeState) -> None:
        """Resolve the edge where it belongs, or keep it until the loop that it leaves has ended."""
        state = self._touch(region.id, vector)
        slot = region.slot_at[edge.index]
        assert state.edges[slot] == EdgeState.OPEN, f"{edge.id} resolves twice"
        state.edges[slot] = edge_state
        if slot >= len(region.target_at):
            return
        target = region.target_at[slot]
        if (
            edge_state is EdgeState.FIRED
            and edge.kind == "control"
            and region.units[target].join == "any"
            and not region.units[target].is_started
        ):
            state.winners.setdefault(target, edge.index)
        self.queue.append((region.id, vector, target))

    # 1.4

    def _look_at(self, region_id: str, vector: Vector, number: int) -> None:
        region = self.wiring.regions[region_id]
        state = self._touch(region_id, vector)
        if state.units[number] != UnitState.IDLE:
            return
        unit = region.units[number]
        decided = _decide(unit, state.edges, number in state.winners)
        if decided is UnitState.ACTIVE:
            self._activate(region, vector, number)
        elif decided is UnitState.SKIPPED:
            self._actions.append(LoopSkipped(unit.id, vector) if unit.is_loop else Skip(unit.id, vector))
            for edge in unit.outgoing:
                self._deliver(edge, region, vector, EdgeState.DEAD)
            self._resolve(region, vector, number, UnitState.SKIPPED)

    def _activate(self, region: RegionWiring, vector: Vector, number: int) -> None:
        state = self._touch(region.id, vector)
        unit = region.units[number]
        state.units[number] = UnitState.ACTIVE
        if unit.is_loop:
            self._begin_iteration(self.wiring.regions[unit.id], (*vector, 1))
            return
        winner = state.winners.get(number)
        trigger = self.wiring.graph.edges[winner].id if winner is not None else None
        self._actions.append(Activate(unit.id, vector, trigger))

    # 1.6

    def _begin_iteration(self, region: RegionWiring, vector: Vector) -> None:
        parent = self._parent(region)
        self._touch(parent.id, vector[:-1]).iterations[parent.unit_at[region.id]] = vector[-1]
        state = region.new_state()
        state.units[region.header] = UnitState.ACTIVE
        self.add(region.id, vector, state)
        self._actions.append(IterationBegun(region.id, vector))
        self._actions.append(Activate(region.id, vector))
        if vector[-1] > 2:  # what may still be read is the iteration before, as `previous`
            self._drop(region, (*vector[:-1], vector[-1] - 2))

    def _parent(self, region: RegionWiring) -> RegionWiring:
        assert region.parent is not None
        return self.wiring.regions[region.parent]

    def _drop(self, region: RegionWiring, vector: Vector) -> None:
        key = instance_key(region.id, vector)
        state = self._touched.pop(key, None) or self._instances.get(key)
        if state is None:
            return
        self._dropped.append(key)
        for number, newest in state.iterations.items():
            child = self.wiring.regions[region.units[number].id]
            for count in range(max(1, newest - 1), newest + 1):
                self._drop(child, (*vector, count))

    def _conclude(self, region: RegionWiring, vector: Vector) -> None:
        """Go round again or end the loop: the iteration `vector` is quiescent."""
        state = self._touch(region.id, vector)
        kept = [
            (edge, EdgeState(state.edges[slot]))
            for slot, edge in enumerate(region.slots)
            if slot >= len(region.target_at)
        ]
        back = [edge_state for edge, edge_state in kept if _is_back_of(region, edge)]
        leaving = [(edge, edge_state) for edge, edge_state in kept if not _is_back_of(region, edge)]
        failed = any(s is EdgeState.FIRED and edge.on == "failure" for edge, s in leaving)
        parent, outer = self._parent(region), vector[:-1]
        number = parent.unit_at[region.id]
        if failed or EdgeState.FIRED not in back:
            self._actions.append(LoopEnded(region.id, vector))
            for edge, edge_state in leaving:
                self._deliver(edge, parent, outer, edge_state)
            self._resolve(parent, outer, number, UnitState.DONE)
        elif vector[-1] >= self._limits.get(region.id, region.max_iterations):
            self._touch(parent.id, outer).units[number] = UnitState.UNHANDLED
            self._actions.append(Unhandled(region.id, vector, LOOP_LIMIT))
        else:
            self._actions += [
                EdgeDiscarded(edge.id, region.id, vector)
                for edge, edge_state in leaving
                if edge_state is EdgeState.FIRED
            ]
            self._begin_iteration(region, (*outer, vector[-1] + 1))

    def lift_limit(self, region_id: str, vector: Vector) -> None:
        region = self.wiring.regions[region_id]
        parent = self._parent(region)
        state = self._touch(parent.id, vector[:-1])
        number = parent.unit_at[region_id]
        if state.units[number] != UnitState.UNHANDLED or state.iterations.get(number) != vector[-1]:
            raise ValueError(f"{instance_key(region_id, vector)} does not stand at its limit.")
        state.units[number] = UnitState.ACTIVE
        self._conclude(region, vector)


_RESOLVED = {"success": UnitState.DONE, "failure": UnitState.FAILED, "skipped": UnitState.SKIPPED}


def _is_back_of(region: RegionWiring, edge: GraphEdge) -> bool:
    return edge.is_back and edge.region == region.id


def _decide(unit: Unit, edges: bytearray, is_won: bool) -> UnitState:
    """Return what becomes of an idle unit: it stays idle, gets active, or is skipped."""
    first, context, end = unit.first, unit.context, unit.end
    if edges.find(EdgeState.OPEN, context, end) >= 0:
        return UnitState.IDLE
    has_open = edges.find(EdgeState.OPEN, first, context) >= 0
    if unit.join == "any":
        if is_won or unit.is_started:
            return UnitState.ACTIVE
        return UnitState.IDLE if has_open else UnitState.SKIPPED
    if has_open:
        return UnitState.IDLE
    if unit.join == "all_fired":
        has_dead = edges.find(EdgeState.DEAD, first, context) >= 0
        return UnitState.SKIPPED if has_dead else UnitState.ACTIVE
    has_fired = unit.is_started or edges.find(EdgeState.FIRED, first, context) >= 0
    return UnitState.ACTIVE if has_fired else UnitState.SKIPPED
