"""Terminals: a workflow's graph in box-drawing characters, or as an outline where it does not fit.

Lines go from top to bottom; what leads back runs at the right. What a line says stands below the drawing,
under the sign that it has where it leaves its box.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from omium.safetext import cut_text, width_of
from omium.spec.document import Body
from omium.spec.drawing.canvas import Canvas
from omium.spec.drawing.diagram import Box, Diagram, Line, make_diagram
from omium.spec.drawing.layers import Layers, is_stop, make_layers
from omium.spec.drawing.places import GAP, Places, make_places
from omium.spec.drawing.routes import Space, list_runs, make_space

WIDTH = 100
TITLES = (40, 28, 20, 14)  # columns of the longest title, tried one after another
BOXES_MAX = 150  # beyond, nobody finds a way through the lines
HEIGHT = 4  # of a box
SIGNS = "123456789" + string.ascii_lowercase + string.ascii_uppercase


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a drawing has a node: its path (inside of maps `each/sum`), its lines and columns."""

    path: str
    line: int
    column: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """The lines of a drawing, and where its nodes are. `outlined`: it did not fit, or was not to be drawn."""

    lines: tuple[str, ...]
    spots: tuple[Spot, ...]
    outlined: bool


def draw_terminal(body: Body, width: int | None = None) -> str:
    """Return the drawing, at most `width` columns wide (None: 100), with the bodies of maps below it."""
    return "\n".join(draw(body, width).lines)


def draw(
    body: Body,
    width: int | None = None,
    *,
    words: Mapping[str, str] | None = None,
    outline: bool = False,
) -> Drawing:
    """Return the drawing with the places of its nodes. `words` says, by path, what stands below their titles.

    `outline` lists the nodes instead, for those to whom a drawing says nothing.
    """
    return _draw(body, max(width or WIDTH, 20), "", words or {}, outline=outline)


def _draw(body: Body, width: int, prefix: str, words: Mapping[str, str], *, outline: bool) -> Drawing:
    diagram = make_diagram(body)
    if words:
        boxes = tuple(replace(box, words=words.get(prefix + box.id, box.words)) for box in diagram.boxes)
        diagram = replace(diagram, boxes=boxes)
    drawn = None if outline else _draw_graph(diagram, width, prefix)
    drawn = drawn or _outline(diagram, width, prefix)
    lines, spots, outlined = list(drawn.lines), list(drawn.spots), drawn.outlined
    for node in body.nodes:
        if node.body is not None:
            lines += ["", cut_text(f"Each item of {prefix}{node.id}:", width)]
            inner = _draw(node.body, max(width - 2, 18), f"{prefix}{node.id}/", words, outline=outline)
            spots += [
                replace(each, line=each.line + len(lines), column=each.column + 2) for each in inner.spots
            ]
            lines += [f"  {line}".rstrip() for line in inner.lines]
            outlined = outlined or inner.outlined
    return Drawing(tuple(lines), tuple(spots), outlined)


def _draw_graph(diagram: Diagram, width: int, prefix: str) -> Drawing | None:
    if len(diagram.boxes) > BOXES_MAX:
        return None
    layers, boxes = make_layers(diagram), {box.id: box for box in diagram.boxes}
    for title_max in TITLES:
        for gap in (GAP, GAP + 1, GAP + 2):  # another distance, where lines would lie on each other
            places = make_places(boxes, layers, title_max, gap)
            runs, columns = list_runs(layers, places)
            spaces = [space for each in runs if (space := make_space(each)) is not None]
            if columns <= width and len(spaces) == len(runs):
                labelled = _list_labelled(diagram, layers, places)
                signs = dict(zip((line.id for line in labelled), SIGNS, strict=False))
                tops, tracks = _list_tops(layers, spaces)
                drawn = _render(boxes, layers, places, spaces, signs, tops, tracks)
                spots = tuple(
                    Spot(prefix + item, tops[at], places.left[item], places.width[item], HEIGHT)
                    for at, items in enumerate(layers.rows)
                    for item in items
                    if not is_stop(item)
                )
                return Drawing((*drawn, *_legend(labelled, width, signs)), spots, outlined=False)
    return None


def _list_tops(layers: Layers, spaces: list[Space]) -> tuple[list[int], list[int]]:
    """Return the first line of each row of boxes, and the line of the first track of the space above it."""
    tops, tracks, row = [], [], 0
    for at, space in enumerate(spaces):  # the space above each row, then the row
        stub = 1 if at and space.runs else 0
        tracks.append(row + stub)
        row += stub + space.tracks
        row += 1 if space.runs and at < len(layers.rows) else 0  # for the arrows
        tops.append(row)
        row += HEIGHT
    return tops, tracks


def _render(
    boxes: dict[str, Box],
    layers: Layers,
    places: Places,
    spaces: list[Space],
    signs: dict[str, str],
    tops: list[int],
    tracks: list[int],
) -> Iterator[str]:
    canvas = Canvas()
    gutters: dict[str, list[int]] = {}
    for at, space in enumerate(spaces):
        for run, track in space.runs:
            line, level = run.line, tracks[at] + track
            above, below = tops[at - 1] + HEIGHT - 1 if at else 0, tops[at]
            if track < 0:
                assert run.top is not None
                canvas.vertical(run.top, above, below, dashed=line.is_context)
                continue
            if run.top is not None:
                canvas.vertical(run.top, above, level, dashed=line.is_context)
            if run.bottom is not None:
                canvas.vertical(run.bottom, level, below, dashed=line.is_context)
            canvas.horizontal(level, *run.span, dashed=line.is_context)
            if run.gutter is not None:
                gutters.setdefault(line.id, [run.gutter]).append(level)
    for column, *levels in gutters.values():
        canvas.vertical(column, min(levels), max(levels))
    for at, items in enumerate(layers.rows):
        for item in items:
            if is_stop(item):
                (dashed,) = {
                    run.line.is_context for run, _ in spaces[at].runs if run.bottom == places.left[item]
                }
                canvas.vertical(places.left[item], tops[at], tops[at] + HEIGHT - 1, dashed=dashed)
            else:
                _put_box(canvas, boxes[item], places, tops[at])
    row_of = {item: at for at, items in enumerate(layers.rows) for item in items}
    for (item, _), column in places.entering.items():
        if not is_stop(item):
            canvas.put(tops[row_of[item]] - 1, column, "▼")
    for (item, line_id), column in places.leaving.items():
        if not is_stop(item):
            bottom = tops[row_of[item]] + HEIGHT - 1
            canvas.put(bottom, column, "┬")
            if line_id in signs:
                canvas.put(bottom + 1, column, signs[line_id])
    yield from canvas.render()


def _put_box(canvas: Canvas, box: Box, places: Places, top: int) -> None:
    left, width = places.left[box.id], places.width[box.id]
    corners = "╔═╗║╚╝" if box.type == "decision" else "┌─┐│└┘"
    canvas.put(top, left, corners[0] + corners[1] * (width - 2) + corners[2])
    for row, text in enumerate((box.title, box.words), start=1):
        shown = cut_text(text, width - 4)
        canvas.put(top + row, left, f"{corners[3]} {shown}{' ' * (width - 4 - width_of(shown))} {corners[3]}")
    canvas.put(top + 3, left, corners[4] + corners[1] * (width - 2) + corners[5])


def _list_labelled(diagram: Diagram, layers: Layers, places: Places) -> list[Line]:
    """Return the lines that say something, as they leave their boxes: from the top, from the left."""
    row_of = {item: at for at, items in enumerate(layers.rows) for item in items}
    return sorted(
        (line for line in diagram.lines if line.label),
        key=lambda line: (row_of[line.source], places.leaving[line.source, line.id]),
    )


def _legend(labelled: list[Line], width: int, signs: dict[str, str]) -> Iterator[str]:
    if labelled:
        yield ""
    for line in labelled:
        yield cut_text(f"{signs.get(line.id, '·')}  {_way(line)}: {line.label}", width)


def _outline(diagram: Diagram, width: int, prefix: str) -> Drawing:
    outgoing: dict[str, list[Line]] = {}
    for line in diagram.lines:
        outgoing.setdefault(line.source, []).append(line)
    lines: list[str] = []
    spots = []
    for box in diagram.boxes:
        first = len(lines)
        lines.append(cut_text(f"{box.title}  ({box.words})", width))
        for line in outgoing.get(box.id, ()):
            label = f"  {line.label}" if line.label else ""
            lines.append(cut_text(f"  {'↺' if line.is_back else '→'} {line.target}{label}", width))
        spots.append(Spot(prefix + box.id, first, 0, width_of(lines[first]), 1))
    return Drawing(tuple(lines), tuple(spots), outlined=True)


def _way(line: Line) -> str:
    return f"{line.source} {'↺' if line.is_back else '→'} {line.target}"
