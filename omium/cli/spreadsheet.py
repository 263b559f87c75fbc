"""Tables for a spreadsheet: CSV in which a text of others is no formula, and no order to a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from omium.cli.ending import WrongUse
from omium.cli.output import Output
from omium.safetext import spreadsheet_text


def refuse_both(output: Output, *, as_csv: bool) -> None:
    """Raise `WrongUse` where CSV and JSON are asked for together."""
    if as_csv and output.as_json:
        raise WrongUse("It's either --csv or --json.")


def write_csv(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a line with the names of `columns`, and one for each row."""
    import csv

    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: object) -> object:
    return spreadsheet_text(value) if isinstance(value, str) else value
