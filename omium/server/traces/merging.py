"""Merging: how spans hang together, and which of them are one call that two instrumentors saw.

Two spans of model calls are one call if the model gave both answers the same id; or if one is the only call
inside the other, from another instrumentation, and no id says otherwise; or if they stand side by side, from
different instrumentations, with the same tokens, one within the time of the other. Nothing here depends on
the order in which spans came: everything is decided on all of them, sorted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from omium.server.traces.reading import Span

_FILLED: Final = ("model", "provider", "response_id", "cost_microusd", "input", "output")
_COUNTED: Final = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")


@dataclass(frozen=True, slots=True)
class Tree:
    """Spans of agents by id, in order of their start, and above each the next one that is an agent's, too."""

    spans: dict[str, Span]
    above: dict[str, str | None]

    def metered(self) -> set[str]:
        """Return the calls that have no call inside them: the others only repeat what those used."""
        calls = {id_ for id_, span in self.spans.items() if span.calls_model}
        nearest = _nearest(self.above, calls)
        return calls - {outer for id_ in calls if (outer := nearest[id_]) is not None}


def sort_spans(spans: Sequence[Span]) -> list[Span]:
    """Return spans by their start; of those that start together the longer first: it is around the others."""
    return sorted(spans, key=lambda span: (span.start_us, -span.end_us, span.span_id))


def grow(spans: Sequence[Span]) -> Tree:
    """Return the tree of the sorted `spans`, with every call in it once."""
    parents: dict[str, str | None] = {span.span_id: span.parent_id or None for span in spans}
    for id_, parent in parents.items():
        if parent is not None and parent not in parents:
            parents[id_] = None  # not here (yet)
    _break_cycles(parents)
    agents = {span.span_id: span for span in spans if span.kind}
    nearest = _nearest(parents, agents.keys())
    above = {id_: nearest[id_] for id_ in agents}
    same = _find_same(agents, above)
    merged: dict[str, Span] = {}
    for id_, span in agents.items():
        group = same.get(id_)
        if group is None:
            merged[id_] = span
        elif group[0] == id_:
            merged[id_] = _fill([agents[each] for each in group])
    names = {id_: group[0] for id_, group in same.items()}
    above = {id_: names.get(up, up) if (up := above[id_]) else None for id_ in merged}
    _break_cycles(above)
    return Tree(merged, above)


def _nearest(parents: Mapping[str, str | None], wanted: Any) -> dict[str, str | None]:
    """Return, for each, the next one above it that is `wanted`; `parents` has no cycles."""
    found: dict[str, str | None] = {}
    for id_ in parents:
        walked = [id_]
        while (up := parents[walked[-1]]) is not None and up not in wanted and up not in found:
            walked.append(up)
        answer = up if up is None or up in wanted else found[up]
        for each in walked:
            found[each] = answer
    return found


def _break_cycles(parents: dict[str, str | None]) -> None:
    """Cut each cycle above its first span: instrumentation that is wrong, or hostile, must not hang us."""
    done: set[str] = set()
    for id_ in parents:
        walk: dict[str, None] = {}
        at: str | None = id_
        while at is not None and at not in done and at not in walk:
            walk[at] = None
            at = parents[at]
        if at is not None and at in walk:
            parents[at] = None
        done.update(walk)


def _find_same(agents: Mapping[str, Span], above: Mapping[str, str | None]) -> dict[str, list[str]]:
    """Return the groups of spans that are one call, each under every one of its ids, in order."""
    calls = {id_: span for id_, span in agents.items() if span.calls_model}
    leader = {id_: id_ for id_ in calls}

    def lead(id_: str) -> str:
        while leader[id_] != id_:
            leader[id_] = leader[leader[id_]]
            id_ = leader[id_]
        return id_

    by_response: dict[str, str] = {}
    for id_, span in calls.items():
        if span.response_id:
            leader[lead(id_)] = lead(by_response.setdefault(span.response_id, id_))
    outer = _nearest(above, calls.keys())
    inside: dict[str, list[str]] = {}
    beside: dict[str | None, list[str]] = {}
    for id_ in calls:
        if (around := outer[id_]) is not None:
            inside.setdefault(around, []).append(id_)
        beside.setdefault(above[id_], []).append(id_)
    for around, held in inside.items():
        if len(held) == 1 and _may_be_same(calls[around], calls[held[0]]):
            leader[lead(held[0])] = lead(around)
    for group in beside.values():
        _join_siblings(calls, group, leader, lead)
    groups: dict[str, list[str]] = {}
    for id_ in calls:
        groups.setdefault(lead(id_), []).append(id_)
    return {id_: group for group in groups.values() if len(group) > 1 for id_ in group}


def _join_siblings(calls: Mapping[str, Span], group: list[str], leader: dict[str, str], lead: Any) -> None:
    """Join calls side by side that used the same tokens at the same time."""
    alike: dict[tuple[int | None, int | None], list[str]] = {}
    for id_ in group:
        if calls[id_].tells_usage:
            alike.setdefault((calls[id_].input_tokens, calls[id_].output_tokens), []).append(id_)
    for same in alike.values():
        for first, second in pairwise(same):  # in order of their start
            if calls[first].end_us >= calls[second].end_us and _may_be_same(calls[first], calls[second]):
                leader[lead(second)] = lead(first)


def _may_be_same(first: Span, second: Span) -> bool:
    ids = {first.response_id, second.response_id} - {""}
    return first.scope != second.scope and len(ids) < 2


def _fill(group: list[Span]) -> Span:
    """Return the first of `group` with what only the others tell; all numbers are from one of them."""
    first = group[0]
    changed: dict[str, Any] = {
        name: next(
            (value for each in group if (value := getattr(each, name)) not in (None, "")),
            getattr(first, name),
        )
        for name in _FILLED
    }
    teller = next((each for each in group if each.tells_usage), first)
    changed |= {name: getattr(teller, name) for name in _COUNTED}
    changed["flags"] = [flag for each in group for flag in each.flags or ()] or None
    return replace(first, **changed)
