"""Bars: numbers over time as columns of blocks, and beside names as lines of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_PARTS: Final = " ▏▎▍▌▋▊▉█"
ROWS: Final = 6


def columns(values: Sequence[float], rows: int = ROWS, width: int = 1) -> list[str]:
    """Return `rows` lines, the highest first, with a column for each value; none of nothing above zero.

    A value above zero is always seen, however small it is beside the largest.
    """
    most = max(values, default=0)
    if most <= 0:
        return []
    heights = [max(round(value / most * rows * 8), 1) if value > 0 else 0 for value in values]
    return [
        "".join(_EIGHTHS[min(max(height - row * 8, 0), 8)] * width for height in heights).rstrip()
        for row in reversed(range(rows))
    ]


def line(value: float, most: float, width: int = 20) -> str:
    """Return a line of blocks as long as `value` is large beside `most`."""
    if value <= 0 or most <= 0:
        return ""
    eighths = max(round(value / most * width * 8), 1)
    return "█" * (eighths // 8) + _PARTS[eighths % 8].strip()
