"""Tables for a spreadsheet: CSV in which a text of others is no formula, and no order to a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from omium.safetext import safe_text

_FORMULA = ("=", "+", "-", "@")


def write_csv(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a line with the names of `columns`, and one for each row."""
    import csv

    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = safe_text(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
