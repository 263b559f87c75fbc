"""What differs between two specs, in words for people: nodes, edges, agents, prompts.

Both are compared in canonical form, so the order of nodes and the spelling of defaults are no change, and
equal specs have none. Nodes, edges, agents, tools and loops are known by their ids; a renamed node is one
that went and one that came.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from omium.jsonvalue import JsonValue
from omium.spec.canonical import canonical_form
from omium.spec.compile import list_edges
from omium.spec.document import Body, Object, Spec
from omium.spec.problems import join_pointer

ChangeKind = Literal["added", "removed", "changed"]
DIFF_LINES_MAX: Final = 400
LINE_PAIRS_MAX: Final = 10_000_000
"""Lines before times lines after, of all texts of two specs: about half a second. The rest is told whole."""
_SECTIONS: Final = ("agents", "tools", "breakers", "loops")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field with another value; None stands for a field that is not there."""

    pointer: str
    """JSON pointer inside of what changed, such as `/parameters/description`."""
    before: JsonValue
    after: JsonValue
    text_diff: tuple[str, ...] = ()
    """For texts of several lines or more than 60 characters: the lines of a unified diff."""


@dataclass(frozen=True, slots=True)
class SpecChange:
    """One thing that came, went or changed."""

    kind: ChangeKind
    what: str
    """spec, node, edge, agent, tool, breaker or loop."""
    id: str
    """Of the thing; inside of maps after the ids of the maps: `each/summarise`. Empty for the spec itself."""
    fields: tuple[FieldChange, ...] = ()
    """Of what changed."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return the change as an answer of the server carries it."""
        return {
            "kind": self.kind,
            "what": self.what,
            "id": self.id,
            "fields": [
                {
                    "pointer": field.pointer,
                    "before": field.before,
                    "after": field.after,
                    "text_diff": list(field.text_diff),
                }
                for field in self.fields
            ],
        }


def diff_specs(old: Spec, new: Spec) -> list[SpecChange]:
    """Return what changed from `old` to `new`; empty if they mean the same."""
    return list(_list_changes(old, new, "", _Room()))


@dataclass(slots=True)
class _Room:
    """How much may still be compared line by line: what that costs grows with the square of the lines."""

    line_pairs: int = LINE_PAIRS_MAX

    def take(self, line_pairs: int) -> bool:
        has_room = line_pairs <= self.line_pairs
        if has_room:
            self.line_pairs -= line_pairs
        return has_room


def _list_changes(old: Body, new: Body, prefix: str, room: _Room) -> Iterator[SpecChange]:
    before, after = _things(old), _things(new)
    for what, id_ in dict.fromkeys([*before, *after]):
        named = prefix + id_
        if (what, id_) not in after:
            yield SpecChange("removed", what, named)
        elif (what, id_) not in before:
            yield SpecChange("added", what, named)
        elif fields := tuple(_list_fields(before[what, id_], after[what, id_], "", room)):
            yield SpecChange("changed", what, named, fields)
    old_bodies = {node.id: node.body for node in old.nodes if node.body is not None}
    for node in sorted(new.nodes, key=lambda node: node.id):
        if node.body is not None and node.id in old_bodies:
            yield from _list_changes(old_bodies[node.id], node.body, f"{prefix}{node.id}/", room)


def _things(spec: Body) -> dict[tuple[str, str], Object]:
    """Return each part that has an id of its own, by what it is and its id; the rest is the spec's."""
    form = canonical_form(spec)
    bodies = {node.id for node in spec.nodes if node.body is not None}
    found: dict[tuple[str, str], Object] = {}
    nodes: dict[tuple[str, str], Object] = {}
    for node in form.pop("nodes"):
        if node["id"] in bodies:
            node["body"] = {}  # its parts are compared one by one
        nodes["node", node["id"]] = node
    form.pop("edges", None)
    for section in _SECTIONS:
        for name, part in form.pop(section, {}).items():
            found[section.removesuffix("s"), name] = part
    edges = {("edge", id_): edge.form() for id_, _, edge in list_edges(spec, "")}
    return {("spec", ""): form, **nodes, **edges, **found}


def _list_fields(before: JsonValue, after: JsonValue, pointer: str, room: _Room) -> Iterator[FieldChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            yield from _list_fields(before.get(name), after.get(name), join_pointer(pointer, name), room)
    elif not _is_same(before, after):
        yield FieldChange(pointer, before, after, _diff_texts(before, after, room))


def _is_same(before: JsonValue, after: JsonValue) -> bool:
    """Say whether two values are the same JSON: 1 and true are not."""
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_is_same, before, after))
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(_is_same(before[name], after[name]) for name in before)
    return isinstance(before, bool) == isinstance(after, bool) and before == after


def _diff_texts(before: JsonValue, after: JsonValue, room: _Room) -> tuple[str, ...]:
    if not isinstance(before, str) or not isinstance(after, str):
        return ()
    if max(len(before), len(after)) <= 60 and "\n" not in before + after:
        return ()
    former, latter = before.splitlines(), after.splitlines()
    if not room.take(len(former) * len(latter)):
        return ()
    lines = difflib.unified_diff(former, latter, lineterm="", n=2)
    return tuple(line for _, line in zip(range(DIFF_LINES_MAX), lines, strict=False))[2:]
