"""Canvas: characters on a grid. Lines that meet in a cell become corners and crossings."""

from __future__ import annotations

from collections.abc import Iterator

from omium.safetext import width_of

UP, RIGHT, DOWN, LEFT = 1, 2, 4, 8
_SOLID = {
    UP: "│",
    DOWN: "│",
    LEFT: "─",
    RIGHT: "─",
    UP | DOWN: "│",
    LEFT | RIGHT: "─",
    UP | RIGHT: "└",
    UP | LEFT: "┘",
    DOWN | RIGHT: "┌",
    DOWN | LEFT: "┐",
    UP | DOWN | RIGHT: "├",
    UP | DOWN | LEFT: "┤",
    LEFT | RIGHT | UP: "┴",
    LEFT | RIGHT | DOWN: "┬",
    UP | RIGHT | DOWN | LEFT: "┼",
}
_DASHED = {UP | DOWN: "┊", LEFT | RIGHT: "┄", UP: "┊", DOWN: "┊"}


class Canvas:
    """Cells by row and column; a wide character takes the cell behind it, too."""

    def __init__(self) -> None:
        self._arms: dict[tuple[int, int], int] = {}
        self._dashed: set[tuple[int, int]] = set()
        self._text: dict[tuple[int, int], str] = {}

    def put(self, row: int, column: int, text: str) -> None:
        """Write `text` over whatever is there."""
        for character in text:
            wide = width_of(character)
            if not wide:  # an accent belongs to the character before it
                before = max((at for line, at in self._text if line == row and at < column), default=column)
                self._text[row, before] = self._text.get((row, before), "") + character
                continue
            self._text[row, column] = character
            for extra in range(1, wide):
                self._text[row, column + extra] = ""
            column += wide

    def vertical(self, column: int, top: int, bottom: int, *, dashed: bool = False) -> None:
        """Draw from the middle of the cell at `top` to that at `bottom`."""
        for row in range(top, bottom + 1):
            self._join(row, column, (UP if row > top else 0) | (DOWN if row < bottom else 0), dashed=dashed)

    def horizontal(self, row: int, start: int, end: int, *, dashed: bool = False) -> None:
        """Draw from the middle of the cell at `start` to that at `end`, in whichever direction."""
        first, last = min(start, end), max(start, end)
        for column in range(first, last + 1):
            arms = (LEFT if column > first else 0) | (RIGHT if column < last else 0)
            self._join(row, column, arms, dashed=dashed)

    def _join(self, row: int, column: int, arms: int, *, dashed: bool) -> None:
        if not arms:
            return
        known = (row, column) in self._arms
        self._arms[row, column] = self._arms.get((row, column), 0) | arms
        if dashed and not known:
            self._dashed.add((row, column))
        elif not dashed:
            self._dashed.discard((row, column))

    def render(self) -> Iterator[str]:
        """Yield the lines, from the top, without blanks at their ends."""
        cells = {place: self._draw(place, arms) for place, arms in self._arms.items()} | self._text
        rows: dict[int, dict[int, str]] = {}
        for (row, column), character in cells.items():
            rows.setdefault(row, {})[column] = character
        for row in range(max(rows, default=-1) + 1):
            line = rows.get(row, {})
            yield "".join(line.get(column, " ") for column in range(max(line, default=-1) + 1)).rstrip()

    def _draw(self, place: tuple[int, int], arms: int) -> str:
        if place in self._dashed and arms in _DASHED:
            return _DASHED[arms]
        return _SOLID[arms]
