"""Tables: columns aligned, and made to fit the terminal, never wrapped into a mess.

Owns the order in which a table gives way: ids become short where they stay unique, then texts are cut (or
folded, where a column says so), then columns that can be missed are left out. With an unknown width, as in a
pipe, nothing gives way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final, Literal

from omium.cli.cells import Cell, to_cell

GAP: Final = 2
_SHORT_LENGTH: Final = 6  # characters of a short id's end, more where that is not unique


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, what of a row stands in it, and how it gives way.

    `give` is "no" (never), "id" (shortened to its end), "cut" (down to `width_min`) or "fold" (lines below).
    A column with a `spare` is left out where the table is too wide anyhow, the highest number first.
    """

    heading: str
    value: Callable[[Any], str | Cell]
    align: Literal["left", "right"] = "left"
    give: Literal["no", "id", "cut", "fold"] = "no"
    width_min: int = 8
    spare: int = 0


def lay_out(columns: Sequence[Column], rows: Sequence[Any], width: int | None) -> list[list[Cell]]:
    """Return the lines of a table, headings first, each a list of cells padded to their columns."""
    columns = list(columns)
    cells = [[to_cell(column.value(row)) for column in columns] for row in rows]
    for at in range(len(columns) - 1, -1, -1):  # a spare column that says nothing is left out
        if columns[at].spare and all(line[at].text in ("", "-") for line in cells):
            _drop(columns, cells, at)
    if width is not None:
        _give_way(columns, cells, width)
    widths = _measure(columns, cells)
    if width is not None:
        widths = _squeeze(columns, widths, width)
    lines = [_pad([Cell(column.heading, "bold") for column in columns], columns, widths)]
    for row in cells:
        lines.extend(_lines(row, columns, widths))
    return lines


def shorten_ids(ids: Sequence[str]) -> dict[str, str]:
    """Return for each id a short form that ends like it and like no other of them: `ex_…9ygs3xh`."""
    distinct = {each for each in ids if len(each.rpartition("_")[2]) > _SHORT_LENGTH + 2}
    length = _SHORT_LENGTH
    while len({each[-length:] for each in distinct}) < len(distinct) and length < 64:
        length += 1
    return {
        each: f"{each.rpartition('_')[0]}_…{each[-length:]}"
        for each in distinct
        if len(each.rpartition("_")[2]) > length + 1
    }


def _give_way(columns: list[Column], cells: list[list[Cell]], width: int) -> None:
    if _total(_measure(columns, cells)) > width:
        for at, column in enumerate(columns):
            if column.give == "id":
                short = shorten_ids([row[at].text for row in cells])
                for row in cells:
                    row[at] = Cell(short.get(row[at].text, row[at].text), row[at].style)
    while _total(_least(columns, cells)) > width:
        spare = max(range(len(columns)), key=lambda at: columns[at].spare)
        if not columns[spare].spare:
            return
        _drop(columns, cells, spare)


def _drop(columns: list[Column], cells: list[list[Cell]], at: int) -> None:
    del columns[at]
    for row in cells:
        del row[at]


def _measure(columns: Sequence[Column], cells: Sequence[Sequence[Cell]]) -> list[int]:
    return [
        max([len(column.heading), *(row[at].width for row in cells)]) for at, column in enumerate(columns)
    ]


def _least(columns: Sequence[Column], cells: Sequence[Sequence[Cell]]) -> list[int]:
    """Return how narrow the columns can become."""
    return [
        min(wide, max(column.width_min, len(column.heading))) if column.give in ("cut", "fold") else wide
        for column, wide in zip(columns, _measure(columns, cells), strict=True)
    ]


def _squeeze(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    """Take from the widest column that gives way until the table fits, or nothing gives way any more."""
    while (over := _total(widths) - width) > 0:
        giving = [
            at
            for at, column in enumerate(columns)
            if column.give in ("cut", "fold") and widths[at] > max(column.width_min, len(column.heading))
        ]
        if not giving:
            break
        widest = max(giving, key=lambda at: widths[at])
        least = max(columns[widest].width_min, len(columns[widest].heading))
        others = max((widths[at] for at in giving if at != widest), default=least)
        widths[widest] = max(least, min(widths[widest] - 1, others), widths[widest] - over)
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * max(len(widths) - 1, 0)


def _lines(row: Sequence[Cell], columns: Sequence[Column], widths: Sequence[int]) -> list[list[Cell]]:
    parts = [
        list(cell.fold(width)) if column.give == "fold" else [cell.cut(width)]
        for cell, column, width in zip(row, columns, widths, strict=True)
    ]
    return [_pad(line, columns, widths) for line in zip_longest(*parts, fillvalue=Cell(""))]


def _pad(line: Sequence[Cell], columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
    padded: list[Cell] = []
    for cell, column, width in zip(line, columns, widths, strict=True):
        space = Cell(" " * (width - cell.width))
        padded += [space, cell] if column.align == "right" else [cell, space]
        padded.append(Cell(" " * GAP))
    while padded and not padded[-1].text.strip():
        padded.pop()
    return padded
