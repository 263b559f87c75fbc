"""The tables under the plots of the page Analytics, their sums over time, and the same as CSV."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from omium.models.analytics import (
    CountGroup,
    ErrorAnalysis,
    SavingAnalysis,
    SavingGroup,
    UsageAnalysis,
    UsageFigures,
    UsageGroup,
)
from omium.safetext import spreadsheet_text
from omium.tui.content import cell, right
from omium.tui.widgets.listing import Column
from omium.words import rounded, span


def usage_columns() -> Sequence[Column[UsageGroup]]:
    """Return the columns of the table of usage."""
    return (
        Column("By", lambda g: cell(g.name or g.value or "(none)")),
        Column("Executions", lambda g: right(f"{g.figures.executions:,}"), 10),
        Column("Completed", lambda g: right(_rate(g.figures)), 9),
        Column("Half within", lambda g: right(_took(g.figures.p50_us)), 11, hide_below=90),
        Column("99% within", lambda g: right(_took(g.figures.p99_us)), 10, hide_below=90),
        Column("Calls", lambda g: right(f"{g.figures.calls:,}"), 8, hide_below=120),
        Column("Tokens in", lambda g: right(f"{g.figures.input_tokens:,}"), 12, hide_below=110),
        Column("out", lambda g: right(f"{g.figures.output_tokens:,}"), 10, hide_below=110),
        Column("Credits", lambda g: right(rounded(g.figures.spent_credits)), 14),
    )


def error_columns() -> Sequence[Column[CountGroup]]:
    """Return the columns of the table of failures."""
    return (
        Column("By", lambda g: cell(g.name or g.value or "(none)")),
        Column("Failures", lambda g: right(f"{g.failures:,}"), 10),
    )


def saving_columns() -> Sequence[Column[SavingGroup]]:
    """Return the columns of the table of savings."""
    return (
        Column("By", lambda g: cell(g.name or g.value or "(none)")),
        Column("Times", lambda g: right(f"{g.figures.times:,}"), 8),
        Column("Steps", lambda g: right(f"{g.figures.steps:,}"), 8),
        Column("Time", lambda g: right(_took(g.figures.saved_us)), 8),
        Column("Credits", lambda g: right(rounded(g.figures.saved_credits)), 14),
    )


def _rate(figures: UsageFigures) -> str:
    return "-" if figures.success_rate is None else f"{figures.success_rate:.1%}"


def _took(length_us: int | None) -> str:
    return "-" if length_us is None else span(length_us)


def sum_points(points: Sequence[Any], value: Callable[[Any], float]) -> dict[int, float]:
    """Return the sum of all values of each hour or day."""
    sums: defaultdict[int, float] = defaultdict(float)
    for point in points:
        sums[point.start_us] += value(point)
    return dict(sums)


def largest_points(points: Sequence[Any], value: Callable[[UsageFigures], int | None]) -> dict[int, float]:
    """Return the largest of each hour or day, in seconds: percentiles cannot be added."""
    found: dict[int, float] = {}
    for point in points:
        seconds = (value(point.figures) or 0) / 1e6
        found[point.start_us] = max(found.get(point.start_us, 0.0), seconds)
    return found


def to_csv(found: UsageAnalysis | ErrorAnalysis | SavingAnalysis) -> str:
    """Return the table as CSV, a line for each value."""
    out = io.StringIO()
    rows = [group.model_dump(mode="json") for group in found.groups]
    flat = [{**row.pop("figures", {}), **row} for row in rows]
    names = ["value", "name", *sorted({name for row in flat for name in row} - {"value", "name"})]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: spreadsheet_text(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in flat
    )
    return out.getvalue()
