"""Places: at which column each item stands, and where lines leave and enter a box.

Each line has a column of its own at a box, so lines never join: where two meet they cross. Items keep their
order and stand as near as they can to the middle of what they are connected with (pool adjacent violators).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omium.safetext import width_of
from omium.spec.drawing.diagram import Box, Line
from omium.spec.drawing.layers import Layers, is_stop

GAP = 3
PASSES = 6


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything stands: columns from the left, 0 is the first."""

    left: Mapping[str, int]
    width: Mapping[str, int]
    leaving: Mapping[tuple[str, str], int]
    """Column by (item, id of the line)."""
    entering: Mapping[tuple[str, str], int]
    columns: int


def make_places(boxes: Mapping[str, Box], layers: Layers, title_max: int, gap: int = GAP) -> Places:
    """Return the places of all items, titles cut to `title_max` columns, at least `gap` columns apart."""
    out_lines, in_lines = _list_ends(layers)
    width = {
        item: 1
        if is_stop(item)
        else _box_width(boxes[item], len(out_lines.get(item, ())), len(in_lines.get(item, ())), title_max)
        for row in layers.rows
        for item in row
    }
    left = _spread(layers, width, gap)
    leaving = _ports(layers, left, width, out_lines)
    entering = _ports(layers, left, width, in_lines)
    _straighten(layers, left, width, leaving, entering)
    columns = max((left[item] + width[item] for row in layers.rows for item in row), default=0)
    return Places(left, width, leaving, entering, columns)


def _box_width(box: Box, leaving: int, entering: int, title_max: int) -> int:
    words = max(min(width_of(box.title), title_max), min(width_of(box.words), title_max))
    wide = max(words + 4, 2 * max(leaving, entering) + 3, 7)
    return wide + 1 - wide % 2  # odd: a box has a middle


def _list_ends(layers: Layers) -> tuple[dict[str, list[Line]], dict[str, list[Line]]]:
    """Return the lines that leave and that enter each item, from left to right; those that lead back last."""
    leaving: dict[str, list[Line]] = {}
    entering: dict[str, list[Line]] = {}
    for at, segments in enumerate(layers.segments):
        if not segments:
            continue
        upper = {item: place for place, item in enumerate(layers.rows[at])}
        lower = {item: place for place, item in enumerate(layers.rows[at + 1])}
        for each in sorted(segments, key=lambda each: (lower[each.lower], each.line.id)):
            leaving.setdefault(each.upper, []).append(each.line)
        for each in sorted(segments, key=lambda each: (upper[each.upper], each.line.id)):
            entering.setdefault(each.lower, []).append(each.line)
    for line in layers.back:
        leaving.setdefault(line.source, []).append(line)
        entering.setdefault(line.target, []).append(line)
    return leaving, entering


def _ports(
    layers: Layers,
    left: Mapping[str, int],
    width: Mapping[str, int],
    lines: Mapping[str, Sequence[Line]],
) -> dict[tuple[str, str], int]:
    """Return the column of each line at each item: spread evenly, one in the middle."""
    found = {}
    for row in layers.rows:
        for item in row:
            ends = lines.get(item, ())
            for number, line in enumerate(ends):
                inner = (
                    width[item] // 2 if is_stop(item) else (number + 1) * (width[item] - 1) // (len(ends) + 1)
                )
                found[item, line.id] = left[item] + inner
    return found


def _straighten(
    layers: Layers,
    left: Mapping[str, int],
    width: Mapping[str, int],
    leaving: dict[tuple[str, str], int],
    entering: dict[tuple[str, str], int],
) -> None:
    """Let a box's only line leave or enter where its other end is, if that is at the box at all."""
    for ends, others, upwards in ((entering, leaving, True), (leaving, entering, False)):
        count: dict[str, int] = {}
        for item, _ in ends:
            count[item] = count.get(item, 0) + 1
        for segments in layers.segments:
            for each in segments:
                item, other = (each.lower, each.upper) if upwards else (each.upper, each.lower)
                column = others[other, each.line.id]
                if count[item] == 1 and left[item] < column < left[item] + width[item] - 1:
                    ends[item, each.line.id] = column


def _spread(layers: Layers, width: Mapping[str, int], gap: int) -> dict[str, int]:
    """Return the left column of each item."""
    links: dict[str, list[tuple[str, bool]]] = {}
    for row in layers.segments:
        for each in row:
            links.setdefault(each.upper, []).append((each.lower, False))
            links.setdefault(each.lower, []).append((each.upper, True))
    middle: dict[str, float] = {}
    for items in layers.rows:
        at = 0
        for item in items:
            middle[item] = at + width[item] // 2
            at += width[item] + gap
    for turn in range(PASSES):
        down = turn % 2 == 0
        for items in layers.rows if down else layers.rows[::-1]:
            wanted = []
            for item in items:
                near = [middle[other] for other, is_above in links.get(item, ()) if is_above == down]
                wanted.append(sum(near) / len(near) if near else middle[item])
            middle |= zip(items, _settle(items, wanted, width, gap), strict=True)
    left = {item: round(at) - width[item] // 2 for item, at in middle.items()}
    least = min(left.values(), default=0)
    return {item: at - least for item, at in left.items()}


def _settle(items: Sequence[str], wanted: Sequence[float], width: Mapping[str, int], gap: int) -> list[int]:
    """Return whole columns nearest to the wanted ones at which the items stand apart, in their order."""
    offsets, at = [], 0
    for number, item in enumerate(items):
        if number:
            before = items[number - 1]
            at += width[before] - width[before] // 2 + gap + width[item] // 2
        offsets.append(at)
    blocks: list[tuple[float, int]] = []  # the mean of a run of items, and how many they are
    for place, offset in zip(wanted, offsets, strict=True):
        mean, size = place - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, count = blocks.pop()
            mean, size = (other * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    settled = [round(mean) for mean, size in blocks for _ in range(size)]
    return [base + offset for base, offset in zip(settled, offsets, strict=True)]
