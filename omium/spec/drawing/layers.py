"""Layers: in which row each box stands, and in which order within it.

A box stands below all that lead to it. A line that passes rows gets a stop in each of them, so that from here
on every line leads from one row to the next. The order is by barycenters, swept down and up; kept is the one
with the fewest crossings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omium.spec.drawing.diagram import Diagram, Line

SWEEPS = 8
COUNTED_MAX = 400  # segments; beyond, crossings are not counted and the last sweep is kept


@dataclass(frozen=True, slots=True)
class Segment:
    """The part of a line between one row and the next; the ends are ids of items."""

    line: Line
    upper: str
    lower: str


@dataclass(frozen=True, slots=True)
class Layers:
    """Rows of items from top to bottom: ids of boxes, and of stops that lines have between boxes."""

    rows: tuple[tuple[str, ...], ...]
    segments: tuple[tuple[Segment, ...], ...]
    """By row: those that lead from it to the next."""
    back: tuple[Line, ...]
    """Lines that lead back; they run outside."""


def make_layers(diagram: Diagram) -> Layers:
    """Return the rows of a diagram."""
    forward = [line for line in diagram.lines if not line.is_back]
    depth = _find_depths([box.id for box in diagram.boxes], forward)
    rows: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for box in diagram.boxes:
        rows[depth[box.id]].append(box.id)
    segments: list[list[Segment]] = [[] for _ in rows]
    for number, line in enumerate(forward):
        upper = line.source
        for row in range(depth[line.source], depth[line.target]):
            lower = line.target if row + 1 == depth[line.target] else f"\x00{number}.{row + 1}"
            if lower != line.target:
                rows[row + 1].append(lower)
            segments[row].append(Segment(line, upper, lower))
            upper = lower
    ordered = _order(rows, segments)
    back = tuple(line for line in diagram.lines if line.is_back)
    return Layers(tuple(map(tuple, ordered)), tuple(map(tuple, segments)), back)


def is_stop(item: str) -> bool:
    """Say whether an item is a stop of a line, and no box."""
    return item.startswith("\x00")


def _find_depths(order: Sequence[str], lines: Sequence[Line]) -> dict[str, int]:
    """Return for each box the length of the longest way to it."""
    waiting = dict.fromkeys(order, 0)
    outgoing: dict[str, list[str]] = {}
    for line in lines:
        waiting[line.target] += 1
        outgoing.setdefault(line.source, []).append(line.target)
    depth = dict.fromkeys(order, 0)
    ready = [box_id for box_id in order if not waiting[box_id]]
    for box_id in ready:
        for target in outgoing.get(box_id, ()):
            depth[target] = max(depth[target], depth[box_id] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return depth


def _order(rows: list[list[str]], segments: Sequence[Sequence[Segment]]) -> list[list[str]]:
    below: dict[str, list[str]] = {}
    above: dict[str, list[str]] = {}
    for row in segments:
        for each in row:
            below.setdefault(each.upper, []).append(each.lower)
            above.setdefault(each.lower, []).append(each.upper)
    counted = sum(map(len, segments)) <= COUNTED_MAX
    best, fewest = [list(row) for row in rows], _count(rows, segments) if counted else 0
    current = [list(row) for row in rows]
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for at in range(1, len(current)) if down else range(len(current) - 2, -1, -1):
            fixed = current[at - 1] if down else current[at + 1]
            current[at] = _sort_by(current[at], fixed, above if down else below)
        crossings = _count(current, segments) if counted else -1
        if crossings < fewest:
            best, fewest = [list(row) for row in current], crossings
    return best if counted else current


def _sort_by(row: Sequence[str], fixed: Sequence[str], neighbours: Mapping[str, list[str]]) -> list[str]:
    """Return the row with each item at the mean place of its neighbours; who has none stays where it is."""
    place = {item: at for at, item in enumerate(fixed)}
    wanted = {}
    for at, item in enumerate(row):
        found = [place[each] for each in neighbours.get(item, ())]
        wanted[item] = sum(found) / len(found) if found else float(at)
    return sorted(row, key=wanted.__getitem__)


def _count(rows: Sequence[Sequence[str]], segments: Sequence[Sequence[Segment]]) -> int:
    """Return how many pairs of segments cross."""
    crossings = 0
    for at, row in enumerate(segments):
        if at + 1 >= len(rows):
            break
        upper = {item: place for place, item in enumerate(rows[at])}
        lower = {item: place for place, item in enumerate(rows[at + 1])}
        ends = sorted((upper[each.upper], lower[each.lower]) for each in row)
        for one, (_, first) in enumerate(ends):
            crossings += sum(
                1 for start, second in ends[one + 1 :] if second < first and start > ends[one][0]
            )
    return crossings
