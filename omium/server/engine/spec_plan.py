"""Plans for specs: what a recorded node reads is known, and so is what an edit or a new version reaches.

Makes the verdicts of plan.py sharper where the engine drove the source. A node that reads something that runs
again is told as running again; its record is laid by all the same, for the case that it takes the same input.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from omium.errors import InvalidRequest
from omium.jsonvalue import JsonValue
from omium.models.replay import PlanReplay
from omium.server.engine.definitions import Definition
from omium.server.engine.replay_versions import Pinned
from omium.server.engine.scopes import find_place, split_item
from omium.server.engine.verdicts import Plan, Verdict
from omium.spec.references import Reference, list_references

Place: TypeAlias = tuple[str, str]
"""The scope of a node, and its id: all iterations of a loop together."""


@dataclass(slots=True)
class _Reach:
    """What is reached so far: what has another result, and of that the places that take another input."""

    changed: set[Place] = field(default_factory=set)
    reading: set[Place] = field(default_factory=set)
    maps: set[str] = field(default_factory=set)
    """Paths of maps with something that has another result in one of their items."""

    def add(self, place: Place) -> None:
        self.changed.add(place)
        if place[0]:
            self.maps.add(split_item(place[0])[0])


def sharpen(plan: Plan, pinned: Pinned) -> list[Verdict]:
    """Return the verdicts of `plan` as they are for a spec, without what the new version does not have."""
    places = {verdict.path: find_place(verdict.path) for verdict in plan.verdicts}
    verdicts = [
        _compare(verdict, places[verdict.path], pinned)
        for verdict in plan.verdicts
        if _is_there(pinned.now, places[verdict.path])
    ]
    reach = _Reach()
    for verdict in verdicts:
        place = places[verdict.path]
        if place is not None and (verdict.disposition != "reuse" or verdict.edited):
            reach.add(place)
    edited = {edit.path for edit in plan.command.edits if edit.target == "input"}
    while True:
        before = len(reach.changed), len(reach.reading)
        verdicts = [_follow(plan, pinned.now, each, places[each.path], edited, reach) for each in verdicts]
        if (len(reach.changed), len(reach.reading)) == before:
            return verdicts


def _is_there(definition: Definition, place: Place | None) -> bool:
    if place is None:
        return True
    try:
        definition.node(*place)
    except (KeyError, AssertionError):
        return False
    return True


def _compare(verdict: Verdict, place: Place | None, pinned: Pinned) -> Verdict:
    """Let what the new version defines otherwise run again."""
    if place is None or verdict.edited or verdict.disposition != "reuse":
        return verdict
    if pinned.was.digest_of(*place) == pinned.now.digest_of(*place):
        return verdict
    return replace(
        verdict,
        disposition="rerun",
        reason=f"version {pinned.version.number} defines it otherwise",
        record=None,
    )


def _follow(
    plan: Plan, definition: Definition, verdict: Verdict, place: Place | None, edited: set[str], reach: _Reach
) -> Verdict:
    """Return the verdict after what is reached so far, and note what it reaches."""
    if place is None:
        return verdict
    cause = _find_cause(definition, place, edited, reach)
    if verdict.path in reach.maps and verdict.disposition == "reuse" and not verdict.edited:
        reach.add(place)
        verdict = replace(verdict, disposition="rerun", reason="something in it runs again", record=None)
    if cause is None or verdict.edited:
        return verdict
    reach.reading.add(place)
    reach.add(place)
    if verdict.disposition == "reuse" and verdict.path not in plan.source.effects:
        return replace(verdict, disposition="rerun", reason=f"it reads {cause}, which may be another one")
    return verdict


def _find_cause(definition: Definition, place: Place, edited: set[str], reach: _Reach) -> str | None:
    """Return what the node reads that is reached, as words; None if nothing is."""
    scope, node_id = place
    for path in _list_reads(definition, place):
        match path:
            case ("nodes", str(name), *_):
                if (scope, name) in reach.changed:
                    return f"the result of {name}"
            case ("trigger", *_):
                graph = definition.scope(scope).graph
                sources = [graph.edges[index].source for index in graph.nodes[node_id].incoming]
                found = [name for name in sources if (scope, name) in reach.changed]
                if found:
                    return f"the result of {found[0]}"
            case ("inputs", *rest) if not scope:
                if edited and ("" in edited or not rest or rest[0] in edited):
                    return "the edited input"
            case _ if scope and find_place(split_item(scope)[0]) in reach.reading:
                return "its item"
    return None


def _list_reads(definition: Definition, place: Place) -> Iterator[tuple[str, ...]]:
    node = definition.node(*place)
    values: list[JsonValue] = [dict(node.inputs)]
    if node.type in {"map", "wait"}:
        values.append(dict(node.parameters))
    for value in values:
        for found in list_references(value):
            if isinstance(found, Reference):
                yield tuple(found.path)


def refuse_state_edits(command: PlanReplay) -> None:
    """Raise `InvalidRequest` for an edited checkpoint: nodes of a spec read inputs and results, no states."""
    for edit in command.edits:
        if edit.target == "state":
            raise InvalidRequest(
                "The nodes of a spec read inputs and results, no states: edit the input or an output."
            )
