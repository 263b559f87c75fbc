"""Routes: on which track of the space between two rows each line runs, so that no two lie on each other.

A run comes from above at one column and goes on below at another. Where one leaves a column that another one
enters, its track must be the upper one; where that goes in a circle there is no drawing with these places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from omium.spec.drawing.diagram import Line
from omium.spec.drawing.layers import Layers
from omium.spec.drawing.places import Places


@dataclass(frozen=True, slots=True)
class Run:
    """A line in one space. `top`, `bottom` and `gutter` are columns; a line has two of the three."""

    line: Line
    top: int | None
    bottom: int | None
    gutter: int | None = None

    @property
    def span(self) -> tuple[int, int]:
        """The columns from its first to its last."""
        columns = [each for each in (self.top, self.bottom, self.gutter) if each is not None]
        return min(columns), max(columns)

    @property
    def is_straight(self) -> bool:
        """Whether it needs no track."""
        return self.top == self.bottom


@dataclass(frozen=True, slots=True)
class Space:
    """What lies between two rows: the runs with their tracks, 0 the uppermost (-1 for a straight one)."""

    runs: tuple[tuple[Run, int], ...]
    tracks: int


def list_runs(layers: Layers, places: Places) -> tuple[list[list[Run]], int]:
    """Return the runs of each space, from that above the first row on, and how many columns there are."""
    row_of = {item: at for at, row in enumerate(layers.rows) for item in row}
    runs: list[list[Run]] = [[] for _ in range(len(layers.rows) + 1)]
    for at, row in enumerate(layers.segments):
        for each in row:
            top, bottom = places.leaving[each.upper, each.line.id], places.entering[each.lower, each.line.id]
            runs[at + 1].append(Run(each.line, top, bottom))
    gutters: list[list[tuple[int, int]]] = []
    columns = places.columns
    for line in sorted(layers.back, key=lambda line: (row_of[line.source] - row_of[line.target], line.id)):
        upper, lower = row_of[line.target], row_of[line.source] + 1
        number = 0
        while number < len(gutters) and any(
            first <= lower and upper <= last for first, last in gutters[number]
        ):
            number += 1
        if number == len(gutters):
            gutters.append([])
        gutters[number].append((upper, lower))
        gutter = places.columns + 1 + 2 * number
        columns = max(columns, gutter + 1)
        runs[lower].append(Run(line, places.leaving[line.source, line.id], None, gutter))
        runs[upper].append(Run(line, None, places.entering[line.target, line.id], gutter))
    return runs, columns


def make_space(runs: Sequence[Run]) -> Space | None:
    """Return the tracks of one space's runs; None where no order of them works."""
    bent = sorted((run for run in runs if not run.is_straight), key=lambda run: (run.span, run.line.id))
    entered = {run.bottom: at for at, run in enumerate(bent) if run.bottom is not None}
    below = {at: entered[run.top] for at, run in enumerate(bent) if run.top in entered}
    above = {lower: upper for upper, lower in below.items()}
    track: dict[int, int] = {}
    ready = [at for at in range(len(bent)) if at not in above]
    for at in ready:
        level = track[above[at]] + 1 if at in above else 0
        while any(track[other] == level and _overlap(bent[at], bent[other]) for other in track):
            level += 1
        track[at] = level
        if at in below:
            ready.append(below[at])
    if len(track) < len(bent):
        return None
    straight = [(run, -1) for run in runs if run.is_straight]
    placed = [(run, track[at]) for at, run in enumerate(bent)]
    return Space((*straight, *placed), max(track.values(), default=-1) + 1)


def _overlap(one: Run, other: Run) -> bool:
    return one.span[0] <= other.span[1] and other.span[0] <= one.span[1]
